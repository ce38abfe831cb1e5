"""What lies between scattered points, and how far off it may be.

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006: equations 2.25 and
2.26 (mean and variance), 4.17 (Matern, 3/2) and 5.12 (leaving one out without solving again).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

# How far apart, in the units of the places, two values still tell of each other: tried in turn.
REACHES = (1.4, 2.8, 5.6)
NUGGETS = (3e-3, 3e-2, 3e-1)  # noise of one value against the field's variance: tried in turn
NORMAL = 1.4826  # deviation of a normal distribution over the median of absolute values


@final
@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field known at places [points, dims] by its values [points]; its mean is zero.

    `deviation` is that of a value left out, in the middle of all.
    """

    places: NDArray[np.float64]
    inverse: NDArray[np.float64]  # [points, points], of the covariance over the variance
    weights: NDArray[np.float64]  # [points]
    reach: float
    variance: float
    nugget: float
    deviation: float

    def at(self, place: NDArray[np.float64]) -> tuple[float, float]:
        """(mean, deviation) at a place [dims]."""
        near = _alike(np.sqrt(((self.places - place) ** 2).sum(axis=1)), self.reach)
        left = 1.0 + self.nugget - float(near @ self.inverse @ near)
        return float(near @ self.weights), math.sqrt(self.variance * max(left, self.nugget))


def field(places: NDArray[np.float64], values: NDArray[np.float64]) -> Field:
    """The reach and noise under which left-out values are foretold best; 2 points or more."""
    apart = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
    tried = [
        _field(places, values, apart, (reach, nugget)) for reach in REACHES for nugget in NUGGETS
    ]
    return min(tried, key=lambda f: f.deviation)


def _field(
    places: NDArray[np.float64],
    values: NDArray[np.float64],
    apart: NDArray[np.float64],
    given: tuple[float, float],
) -> Field:
    reach, nugget = given
    covariance = _alike(apart, reach) + nugget * np.eye(len(values))
    inverse = np.asarray(np.linalg.inv(covariance), np.float64)
    weights = inverse @ values
    spare = 1.0 / np.diag(inverse)
    missed = weights * spare  # the value minus what the others say of it
    scaled = float(np.median(np.abs(missed) / np.sqrt(spare))) * NORMAL
    # The mean of the lower nine tenths: most places count, a few odd ones do not rule.
    usual = np.sort(np.abs(missed))[: max(1, len(missed) * 9 // 10)]
    deviation = math.sqrt(float((usual**2).mean()))
    return Field(places, inverse, weights, reach, scaled**2, nugget, deviation)


def _alike(apart: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    scaled = math.sqrt(3.0) / reach * apart
    return (1.0 + scaled) * np.exp(-scaled)
