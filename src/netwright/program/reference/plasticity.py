"""Opcodes of synapses that learn: the graph's own references over the wiring as it is laid out."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from netwright.graph.ops.plasticity import Astrocyte, PlasticConnect, Stdp, Trace
from netwright.program.reference.call import Call

Array: TypeAlias = NDArray[Any]


def _ends(call: Call, first: int) -> tuple[Array, Array, Array]:
    """Synapse numbers, sources and targets of the rows whose starts are operand `first`."""
    starts, numbers, targets = call.given(first), call.optional(first + 1), call.given(first + 2)
    place: Array = np.concatenate([np.arange(int(b[0]), int(b[-1])) for b in starts])
    source: Array = np.concatenate([np.repeat(np.arange(len(b) - 1), np.diff(b)) for b in starts])
    return place if numbers is None else numbers[place], source, targets[place]


def plastic_connect(call: Call) -> tuple[Array, ...]:
    """The weights of all that fired, summed by target."""
    spikes, weight = call.given(0), call.given(1)
    synapse, source, target = _ends(call, 2)
    kind = PlasticConnect(call.shape[-1])
    return kind.reference((spikes, weight[:, synapse], source, target))


def stdp(call: Call) -> tuple[Array, ...]:
    """The weights after; columns are the rows' synapses in another order."""
    weight, pre, post, trace_pre, trace_post, fall = (call.given(i) for i in range(6))
    synapse, source, target = _ends(call, 6)
    starts, after = call.given(6), weight.copy()
    end = np.concatenate([call.given(9)[block[0] : block[-1]] for block in starts])
    given = (weight[:, synapse], end, source, target, pre, post, trace_pre, trace_post)
    (after[:, synapse],) = Stdp(call.real(0)).reference((*given, fall))
    return (after,)


def spike_trace(call: Call) -> tuple[Array, ...]:
    """What is left of spikes."""
    return Trace(call.real(0), call.real(1)).reference((call.given(1), call.given(0)))


def astrocyte(call: Call) -> tuple[Array, ...]:
    """One unit a sample."""
    kind = Astrocyte(*(call.real(i) for i in range(3)))
    return kind.reference((call.given(1), call.given(2), call.given(0)))
