"""Quadratic binary problems as spiking circuits that search for their least value.

A variable is a neuron and is 1 for `on_steps` steps after each spike. Its membrane is its local
field: the spikes of the others arrive for as long as they are on, and noise decides. Neurons whose
turn ends at different steps change at different steps, which is what lets all update at once.
Sources: neural sampling, Buesing, Bill, Nessler, Maass, PLOS Computational Biology 7(11), 2011;
the same problem on Loihi 2: arXiv 2408.03076.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import GraphError
from netwright.graph.circuit import Circuit
from netwright.graph.ops.neuron import Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method
from netwright.graph.synapses import Pairs

Array: TypeAlias = NDArray[Any]

NAME = "variables"
_EVENTS = 16.0  # of noise a step: enough that their number is nearly normal


@final
@dataclass(frozen=True, slots=True, eq=False)
class Qubo:
    """Minimise x^T Q x over x in {0, 1}^n; `matrix` [n, n], of which only Q + Q^T matters."""

    matrix: Array

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.matrix.shape[0] != self.matrix.shape[1]:
            raise GraphError(f"qubo: the matrix has shape {self.matrix.shape}, expected [n, n]")
        if not np.isfinite(self.matrix).all():
            raise GraphError("qubo: the matrix has values that are not finite")

    def __len__(self) -> int:
        return len(self.matrix)

    def values(self, x: Array) -> Array:
        """x^T Q x of every row of x [..., n]."""
        given = np.asarray(x, np.float64)
        return np.einsum("...i,...i->...", given @ self.matrix, given)

    @property
    def couplings(self) -> Array:
        """Q + Q^T without its diagonal: what a variable adds to another's local field."""
        both = self.matrix + self.matrix.T
        return both - np.diag(np.diag(both))


def independent_set(joined: Array, off_weight: float = 4.0) -> Qubo:
    """The largest set of nodes of which no two are joined: -1 a node, `off_weight` a joined pair.

    `joined` [n, n], symmetric booleans. As lava-optimization writes it (w_diag 1, w_off 4).

    Raises:
        GraphError: not symmetric, a node joined to itself, or a weight that would allow pairs.
    """
    if not np.array_equal(joined, joined.T) or np.diag(joined).any():
        raise GraphError("independent set: joined pairs are symmetric, and no node with itself")
    if off_weight <= 2.0:
        raise GraphError(f"independent set: a pair weighs {off_weight}, expected above 2")
    return Qubo(off_weight / 2 * joined - np.eye(len(joined)))


@final
@dataclass(frozen=True, slots=True)
class Search:
    """How a circuit searches: the noise on a local field (its standard deviation, in units of Q),
    how long a variable is on after a spike, and the seed.

    `bar`: how far below zero the local field and its noise must be together for a spike. A variable
    that is free comes on once in about on_steps steps when the noise rarely passes the bar.
    """

    noise: float
    on_steps: int
    bar: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.noise > 0 or self.on_steps < 1:
            raise GraphError(
                f"search: noise {self.noise} and {self.on_steps} steps on; expected above 0 and at"
                " least 1"
            )


def circuit_of(qubo: Qubo, search: Search, dt_seconds: float = 1e-3) -> Circuit:
    """One neuron a variable; its spikes reach those it is coupled to for `on_steps` steps."""
    circuit = Circuit("qubo", dt_seconds, seed=search.seed)
    # A membrane that keeps nothing: only what arrives in this step counts.
    event = search.noise / _EVENTS**0.5
    rule = Discretisation(
        dt_seconds, Method.EULER, refractory_steps=search.on_steps - 1, input_scale=1.0
    )
    diagonal = np.diag(qubo.matrix)
    # Everyone's own field is the drive; a threshold for each would say the same.
    cell = Lif(dt_seconds, search.bar + _EVENTS * event, rule)
    one = circuit.population(NAME, len(qubo), cell, rate_hz=1.0 / (search.on_steps * dt_seconds))
    always = circuit.source("always", 1, 1.0 / dt_seconds)
    source, target = np.nonzero(qubo.couplings)
    later = np.arange(1, search.on_steps + 1)
    if len(source):
        synapses = Pairs(
            np.repeat(source, len(later)),
            np.repeat(target, len(later)),
            np.repeat(-qubo.couplings[source, target], len(later)),
            np.tile(later, len(source)),
        )
        circuit.project(one, one, synapses)
    everyone = np.arange(len(qubo))
    circuit.project(always, one, Pairs(np.zeros_like(everyone), everyone, -diagonal))
    circuit.noise(one, _EVENTS / dt_seconds, event)
    return circuit


def states(spikes: Array, on_steps: int) -> NDArray[np.bool_]:
    """What is on at every step [T, n], of the spikes [T, n]: whoever fired in the last steps."""
    total = np.cumsum(np.asarray(spikes, np.int32), axis=0)
    total[on_steps:] -= total[:-on_steps].copy()
    return total > 0
