"""Verification: every broken rule is found and named."""

from dataclasses import replace

import numpy as np
import pytest

from netwright.errors import GraphError
from netwright.graph.build import Builder
from netwright.graph.extent import symbol
from netwright.graph.format import FP16, Q4_0
from netwright.graph.graph import Block
from netwright.graph.ops.elementwise import Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.position import StateUpdate
from netwright.graph.tensor import Dim, Role
from netwright.graph.verify import verify
from netwright.graph.zoo import gpt, llama, mlp, mobilenet_v1, resnet
from netwright.graph.zoo.gpt import GptSizes
from netwright.graph.zoo.llama import LlamaSizes
from netwright.graph.zoo.resnet import ResnetSizes

NETWORK = mlp((4, 8, 3))
FOLDED = llama(LlamaSizes())


def with_tensor(graph, name, **changes):
    tensors = tuple(replace(t, **changes) if t.name == name else t for t in graph.tensors)
    return replace(graph, tensors=tensors)


def with_op(graph, index, **changes):
    body = list(graph.body)
    body[index] = replace(body[index], **changes)
    return replace(graph, body=tuple(body))


def block_of(graph):
    return next((i, n) for i, n in enumerate(graph.body) if isinstance(n, Block))


def test_zoo_is_valid():
    for network in (
        NETWORK,
        FOLDED,
        gpt(GptSizes()),
        resnet(ResnetSizes((1, 1), image=32, width=8, classes=4)),
        mobilenet_v1(32, 0.125, 4),
    ):
        verify(network)


BROKEN = [
    (with_op(NETWORK, 0, inputs=(0, 99, 2)), "operator linear0: got tensor 99"),
    (with_op(NETWORK, 0, inputs=(6, 1, 2)), "linear1 before it is computed|got linear1"),
    (with_op(NETWORK, 1, outputs=NETWORK.body[0].outputs), "written by operator linear0|got float"),
    (with_op(NETWORK, 0, outputs=(1,)), r"output weight0: got float \[8, 4\]|got weight0"),
    (with_tensor(NETWORK, "linear0", dims=(Dim("n", 1), Dim("m", 9))), r"got float \[1, 9\]"),
    (with_tensor(NETWORK, "weight0", density=1.5), "tensor weight0: got density 1.5, expected 0"),
    (
        with_tensor(NETWORK, "weight0", format=FP16),
        "weight0: got 128 bytes of data, expected 64",
    ),
    (with_tensor(NETWORK, "weight0", format=Q4_0), "weight0: q4_0: a row of 4 elements"),
    (with_tensor(NETWORK, "linear0", data=NETWORK.tensors[1].data), "data on a tensor of role"),
    (with_tensor(NETWORK, "x", role=Role.ACTIVATION), "x: got role activation, expected input"),
    (with_tensor(NETWORK, "x", dims=(Dim("n", symbol("t")), Dim("k", 4))), "got symbol t"),
    (replace(NETWORK, inputs=()), "inputs: got tensors of role input"),
    (replace(NETWORK, outputs=(99,)), "an output of the graph: got tensor 99"),
    (with_op(FOLDED, block_of(FOLDED)[0], repeat=0), "block layers: got repeat 0"),
    (with_op(FOLDED, block_of(FOLDED)[0], repeat=5), "got 2 data entries, expected 5"),
]


@pytest.mark.parametrize(("graph", "message"), BROKEN, ids=[m for _, m in BROKEN])
def test_broken_rule_is_named(graph, message):
    with pytest.raises(GraphError, match=message):
        verify(graph)


def test_carry_must_keep_its_type():
    index, block = block_of(FOLDED)
    wrong = replace(block.carries[0], updated=block.body[1].outputs[0])
    last = next(t for t in block.body if t.name == "gate").outputs[0]
    with pytest.raises(GraphError, match="block layers, carry gate: got fp32"):
        verify(with_op(FOLDED, index, carries=(replace(wrong, updated=last),)))


def test_block_weights_are_private():
    index, _ = block_of(FOLDED)
    scale = next(i for i, t in enumerate(FOLDED.tensors) if t.name == "attention_norm_scale")
    final = with_op(FOLDED, index + 1, inputs=(FOLDED.body[index + 1].inputs[0], scale))
    with pytest.raises(GraphError, match="attention_norm_scale of block layers, expected a tensor"):
        verify(final)


def test_state_is_read_before_it_is_written():
    b = Builder("late")
    x = b.input("x", (("n", 2),))
    state = b.state("s", (("n", 2),))
    b.add(StateUpdate(), (state, x), "write")
    late = b.add(Unary(Function("relu")), (state,), "read")
    with pytest.raises(GraphError, match="operator read: got s after operator write wrote it"):
        b.finish((late,))


def test_builder_names_the_operator():
    b = Builder("net")
    x = b.input("x", (("n", 1), ("k", 4)))
    w = b.weight("w", (("m", 3), ("k", 5)), data=np.zeros((3, 5)))
    with pytest.raises(GraphError, match=r"net: operator y: Linear: x has shape .1, 4., expected"):
        b.add(Linear(), (x, w), "y")
    with pytest.raises(GraphError, match=r"weight v: data has shape \(2,\), expected \(3,\)"):
        b.weight("v", (("m", 3),), data=np.zeros(2))
