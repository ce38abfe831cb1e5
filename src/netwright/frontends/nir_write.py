"""Graph → NIR file, readable by every tool that reads NIR; our discretisation goes in as a note."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from netwright.errors import UnsupportedError
from netwright.frontends.nir_file import hdf5
from netwright.frontends.nir_note import note_of
from netwright.graph.graph import Block, Graph
from netwright.graph.interpret import Interpreter
from netwright.graph.op import Op
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.neuron import If, Lif
from netwright.graph.tensor import TensorId

Array = NDArray[Any]
Node = dict[str, Any]


def write_nir(path: Path, graph: Graph) -> None:
    """Layers of products and neurons [T, B, n] (Linear, Affine, IF, LIF), one input, any outputs.

    Raises:
        UnsupportedError: an operator that has no node here; or h5py is not installed.
    """
    h5py = hdf5(str(path))
    weights = Interpreter(graph)
    nodes: dict[str, Node] = {}
    made: dict[TensorId, str] = {}
    edges: list[tuple[str, str]] = []
    for place in graph.inputs:
        shape = [e for e in graph[place].shape[2:] if isinstance(e, int)]
        nodes[graph[place].name] = {"type": "Input", "shape": np.array(shape)}
        made[place] = graph[place].name
    for op in graph.body:
        source = None if isinstance(op, Block) else op.inputs[0]
        if isinstance(op, Block) or source is None or source not in made:
            raise UnsupportedError(f"{graph.name}: {op.name}: blocks and side inputs have no node")
        nodes[op.name] = _node(graph, op, weights)
        edges.append((made[source], op.name))
        made[op.outputs[0]] = op.name
    for place in graph.outputs:
        shape = [e for e in graph[place].shape[2:] if isinstance(e, int)]
        nodes[f"output_{made[place]}"] = {"type": "Output", "shape": np.array(shape)}
        edges.append((made[place], f"output_{made[place]}"))
    with h5py.File(path, "w") as file:
        text = h5py.string_dtype()
        file.create_dataset("version", data="1.0.8", dtype=text)
        root = file.create_group("node")
        root.create_dataset("type", data="NIRGraph", dtype=text)
        root.create_dataset("edges", data=np.array(edges, dtype=object), dtype=text)
        _write(root.create_group("nodes"), nodes, text)


def _write(group: Any, values: Node, text: Any) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            _write(group.create_group(key), cast(Node, value), text)
        elif isinstance(value, str):
            group.create_dataset(key, data=value, dtype=text)
        else:
            group.create_dataset(key, data=value)


def _node(graph: Graph, op: Op, weights: Interpreter) -> Node:
    if isinstance(op.kind, Linear) and not op.kind.input_major and len(op.inputs) <= 3:
        values = [weights.weight(i, 0) for i in op.inputs[1:] if i is not None]
        node: Node = {"type": "Linear", "weight": values[0].astype(np.float32)}
        if len(values) > 1:
            node = {**node, "type": "Affine", "bias": values[1].astype(np.float32)}
        return node
    if not isinstance(op.kind, Lif | If):
        raise UnsupportedError(
            f"{graph.name}: operator {op.name} is a {type(op.kind).__name__}; NIR files are written"
            " of Linear, Lif and If"
        )
    kind, rule = op.kind, op.kind.rule
    size = int(math.prod(e for e in graph[op.outputs[0]].shape[2:] if isinstance(e, int)))
    each = {
        "r": kind.resistance,
        "v_threshold": kind.threshold,
        "v_reset": rule.reset_value,
    }
    if isinstance(kind, Lif):
        each |= {"tau": kind.tau_seconds, "v_leak": kind.leak}
    return {
        "type": "LIF" if isinstance(kind, Lif) else "IF",
        **{key: np.full(size, value) for key, value in each.items()},
        "metadata": {"netwright": note_of(rule)},
    }
