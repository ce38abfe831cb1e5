"""Staged: a network over the stages of a pipeline on a machine → what its passes take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from netwright.errors import JobError
from netwright.frontends.load import load
from netwright.graph.bind import bind
from netwright.graph.graph import Graph
from netwright.graph.unroll import unrolled
from netwright.machine.machine import Machine
from netwright.path.recipe import load_network
from netwright.plan.pipeline.price import machine_prices
from netwright.plan.pipeline.stages import boundary_seconds, chunks_of_network
from netwright.plan.pipeline.times import StageTimes
from netwright.transform.loss import with_cross_entropy


@final
@dataclass(frozen=True, slots=True)
class Staged:
    """Stage times of a network, one stage a worker, and where they come from.

    `activation_bytes`: kept of one micro-batch by the worker that keeps most, after F or, where W
    needs more than that, after B; `shares`: of the seconds, by stage.
    """

    network: str
    machine: str
    times: StageTimes
    activation_bytes: int
    message_bytes: tuple[int, ...]
    shares: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """What `schedule --json` says of it."""
        return {
            "network": self.network,
            "machine": self.machine,
            "activation_bytes": self.activation_bytes,
            "message_bytes": list(self.message_bytes),
        }


def training_network(source: str, dims: Mapping[str, int]) -> Graph:
    """A flat network with the loss that its training needs: of a recipe (.py) or of a file.

    One output of rows of logits gets its mean cross-entropy; other outputs are taken as they are.

    Raises:
        FormatError, UnsupportedError: the file cannot be read.
        GraphError: a size is no symbol of the network, or out of its range.
    """
    path = Path(source)
    graph = load_network(path) if path.suffix == ".py" else load(source, dims=dict(dims) or None)
    known = {symbol.name for symbol in graph.symbols}
    graph = bind(graph, {name: size for name, size in dims.items() if name in known})
    if len(graph.outputs) == 1 and len(graph[graph.outputs[0]].dims) >= 2:
        return with_cross_entropy(graph)
    return unrolled(graph)


def staged(graph: Graph, machine: Machine, stages: int) -> Staged:
    """The stage times of a flat network with its loss: cut evenly, priced by the machine's model.

    Worker w is member w of the machine, with all units of one kind; on a machine of one member a
    worker has one unit, and the others are taken not to disturb it.

    Raises:
        JobError: the machine has too little for so many stages.
        PlanError: the network cannot be cut into so many.
        UnsupportedError: an operator has no gradient, or the machine lacks an arithmetic.
    """
    members = machine.num_devices
    alone = members >= stages
    every = max((unit.count for unit in machine.units), default=1)
    prices = machine_prices(graph, machine, every if alone else 1)
    if not alone and (members > 1 or stages > prices.unit.count):
        raise JobError(
            f"{machine.name}: {stages} stages, and it has {members} member"
            f"{'s' if members > 1 else ''} of {prices.unit.count} {prices.unit.name}; use fewer"
            " stages or a machine with more"
        )
    found = chunks_of_network(graph, stages, prices)
    place = tuple(range(stages))
    messages = boundary_seconds(machine, place, found.message_bytes)
    seconds = found.partition.seconds
    return Staged(
        graph.name,
        machine.name,
        found.stage_times(place, messages),
        max(found.activations(place)),
        found.message_bytes,
        tuple(one / sum(seconds) for one in seconds),
    )
