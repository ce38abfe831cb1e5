"""Reuse: how often each datum of a network is used, weights and activations apart.

Jha and Mittal, "Modeling Data Reuse in Deep Neural Networks by Taking Data-Types into Cognizance",
IEEE Transactions on Computers 2020, arXiv 2008.02565, weigh the two, since a word of weights and a
word of activations do not cost the same. The family here is ours: macs / (share W + (1 - share) A),
times a half, so that a share of a half is the plain arithmetic intensity macs / (W + A).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.errors import GraphError
from netwright.graph.analysis import Analysis
from netwright.graph.tensor import Role


@final
@dataclass(frozen=True, slots=True)
class Reuse:
    """Multiply-accumulates, and the words that they read and write, each operand once."""

    macs: int
    weights: int
    activations: int

    @property
    def intensity(self) -> float:
        """Multiply-accumulates a word; 0 when there is no word."""
        return self.weighted(0.5)

    def weighted(self, share: float) -> float:
        """The intensity with weights at this share of a word's cost and activations at the rest.

        Raises:
            GraphError: the share is not in 0 to 1.
        """
        if not 0.0 <= share <= 1.0:
            raise GraphError(f"a share of {share} for weights; expected 0 to 1")
        words = 2.0 * (share * self.weights + (1.0 - share) * self.activations)
        return self.macs / words if words else 0.0


def reuse_of(analysis: Analysis) -> Reuse:
    """Of all operators that multiply and accumulate; what streams through others is left out."""
    macs = weights = activations = 0
    for one in analysis.works:
        if not one.macs:
            continue
        macs += one.macs * one.repeat
        for t in one.traffic:
            if t.role is Role.WEIGHT:
                weights += t.elements * one.repeat
            else:
                activations += t.elements * one.repeat
    return Reuse(macs, weights, activations)
