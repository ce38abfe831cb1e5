"""Names are for people: renaming every tensor, dim and operator changes no result."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from tests.graph.random_graph import networks

from netwright.graph.analysis import analyse
from netwright.graph.graph import Block
from netwright.graph.interpret import interpret
from netwright.graph.tensor import Dim
from netwright.graph.unroll import repetition_name, unrolled
from netwright.graph.verify import verify

FAST = settings(max_examples=40, deadline=None)


def renamed(graph):
    tensors = tuple(
        replace(t, name=f"t{i}", dims=tuple(Dim(f"z{j}", d.size) for j, d in enumerate(t.dims)))
        for i, t in enumerate(graph.tensors)
    )
    body = []
    for i, node in enumerate(graph.body):
        if isinstance(node, Block):
            ops = tuple(replace(op, name=f"b{j}") for j, op in enumerate(node.body))
            body.append(replace(node, name=f"n{i}", body=ops))
        else:
            body.append(replace(node, name=f"n{i}"))
    return replace(graph, name="other", tensors=tensors, body=tuple(body))


@FAST
@given(networks())
def test_renaming_changes_no_result(example):
    graph, inputs, symbols = example
    other = renamed(graph)
    verify(other)
    given_inputs = {other[i].name: inputs[graph[i].name] for i in graph.inputs}
    one, kept_one = interpret(graph, inputs, symbols, {})
    two, kept_two = interpret(other, given_inputs, symbols, {})
    for place in graph.outputs:
        np.testing.assert_array_equal(one[graph[place].name], two[other[place].name])
    names = {graph[i].name: t.name for i, t in enumerate(other.tensors)}
    for name, value in kept_one.items():
        stem, _, repetition = name.partition(".")
        twin = repetition_name(names[stem], int(repetition)) if repetition else names[stem]
        np.testing.assert_array_equal(value, kept_two[twin])
    strip = lambda a: [replace(w, name="", traffic=()) for w in a.works]  # noqa: E731
    assert strip(analyse(graph, symbols)) == strip(analyse(other, symbols))


@FAST
@given(networks())
def test_unrolling_changes_no_result(example):
    graph, inputs, symbols = example
    flat = unrolled(graph)
    verify(flat)
    assert not any(isinstance(n, Block) for n in flat.body)
    one, kept_one = interpret(graph, inputs, symbols, {})
    two, kept_two = interpret(flat, inputs, symbols, {})
    # A result carried out of the block has another name when flat; outputs keep their order.
    for a, b in zip(graph.outputs, flat.outputs, strict=True):
        np.testing.assert_array_equal(one[graph[a].name], two[flat[b].name])
    assert sorted(kept_one) == sorted(kept_two)
    assert analyse(graph, symbols).macs == analyse(flat, symbols).macs
    assert analyse(graph, symbols).weight_bytes == analyse(flat, symbols).weight_bytes
