"""Philox4x32-10: random words by counter, the same whoever draws them, in whatever order.

Source: Salmon, Moraes, Dror and Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3",
doi 10.1145/2063384.2063405. The native core draws the same words (kernels/spike_noise.hpp).
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_MASK = 0xFFFFFFFF


def philox(counter: tuple[Any, ...], key: tuple[int, int]) -> tuple[Array, ...]:
    """Four words for each counter of four words (arrays of uint64 below 2^32, broadcast)."""
    c0, c1, c2, c3 = (np.asarray(c, np.uint64) for c in counter)
    k0, k1 = key
    shift, mask = np.uint64(32), np.uint64(_MASK)
    for _ in range(10):
        a, b = c0 * np.uint64(_MULTIPLIERS[0]), c2 * np.uint64(_MULTIPLIERS[1])
        c0, c1 = (b >> shift) ^ c1 ^ np.uint64(k0), b & mask
        c2, c3 = (a >> shift) ^ c3 ^ np.uint64(k1), a & mask
        k0, k1 = (k0 + _KEY_STEPS[0]) & _MASK, (k1 + _KEY_STEPS[1]) & _MASK
    return tuple(np.broadcast_arrays(c0, c1, c2, c3))


def words(number: int, step: Array | int, seed: int, stream: int) -> Array:
    """Words [..., number], one a neuron, at each of `step` [...].

    Neuron i has word (i % 32) // 8 of group (i // 32) * 8 + i % 8: eight neighbours are one word
    of eight groups. Counter: group, low and high of the step, stream.
    """
    neuron = np.arange(-(-number // 32) * 32)
    steps = np.asarray(step, np.uint64)[..., None]
    group = (neuron // 32 * 8 + neuron % 8).astype(np.uint64)
    counter = (group, steps & np.uint64(_MASK), steps >> np.uint64(32), np.uint64(stream))
    drawn = philox(counter, (seed & _MASK, seed >> 32 & _MASK))
    place = np.broadcast_to((neuron % 32) // 8, drawn[0].shape)
    return np.choose(place, drawn)[..., :number]


def poisson_bounds(mean: float) -> Array:
    """Bounds of a 32-bit draw: how many lie at or below it is a Poisson number of this mean.

    Cut where 2^32 draws see no more of it; at most 64 events.
    """
    found: list[int] = []
    chance = below = math.exp(-mean)
    for events in range(1, 65):
        bound = round(below * 2.0**32)
        if bound >= 1 << 32:
            break
        found.append(bound)
        chance *= mean / events
        below += chance
    return np.array(found, np.int64)


def chance_bound(chance: float) -> int:
    """A draw below this comes with the chance, to 2^-32."""
    return min(round(chance * 2.0**32), _MASK)
