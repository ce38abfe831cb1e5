"""Loss: a network of logits → the network with its mean cross-entropy."""

from __future__ import annotations

from dataclasses import replace

from netwright.errors import GraphError
from netwright.graph.format import INT64
from netwright.graph.graph import Graph
from netwright.graph.op import Op
from netwright.graph.ops.elementwise import Unary
from netwright.graph.ops.function import Function
from netwright.graph.ops.gather import GatherElements
from netwright.graph.ops.movement import Reshape
from netwright.graph.ops.reduce import Reduce
from netwright.graph.ops.softmax import Softmax
from netwright.graph.tensor import Role
from netwright.graph.unroll import unrolled
from netwright.transform.gradients.expand import reopened
from netwright.transform.gradients.tape import Tape

TARGETS, LOSS = "targets", "loss"


def with_cross_entropy(graph: Graph) -> Graph:
    """The flat network with input `targets` [...] and one output, the scalar `loss`.

    loss = -mean log softmax(logits)[target] over all rows of the one output, logits [..., classes].

    Raises:
        GraphError: the network has not one output, or its rank is below 2.
    """
    flat = unrolled(graph)
    if len(flat.outputs) != 1 or len(flat[flat.outputs[0]].dims) < 2:
        raise GraphError(f"{graph.name}: a loss needs one output of rows of logits")
    builder = reopened(flat)
    for op, _ in flat.ops():
        builder.append(op)
    tape = Tape(builder, set(), LOSS)
    logits = flat[flat.outputs[0]]
    rows = [(d.name, d.size) for d in logits.dims[:-1]]
    targets = builder.input(TARGETS, rows, INT64)
    rank = len(logits.dims)
    logarithms = tape.add(Softmax(rank - 1, log=True), flat.outputs[0])
    column = tape.add(Reshape((*tape.shape(targets), 1)), targets)
    picked = tape.add(GatherElements(rank - 1), logarithms, column)
    mean = tape.add(Reduce("mean", tuple(range(rank))), picked)
    loss = builder.tensor(LOSS, (), logits.format, Role.ACTIVATION)
    builder.append(Op(LOSS, Unary(Function("neg")), (mean,), (loss,)))
    return replace(builder.finish((loss,)), metadata=flat.metadata)
