"""What every runtime is: it takes a program and calls its entries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netwright.timeline.timeline import Timeline


class Runtime(ABC):
    """A program on a device. State (caches, recurrent states) lasts between calls until `reset`."""

    @abstractmethod
    def call(
        self, entry: str, inputs: Mapping[str, NDArray[Any]], symbols: Mapping[str, int]
    ) -> dict[str, NDArray[Any]]:
        """Runs one entry.

        Args:
            inputs: name → array of the input's shape at these symbols.

        Raises:
            RunError: unknown entry or input, wrong shape, symbol outside its bounds.
        """

    @abstractmethod
    def timeline(self) -> Timeline:
        """What the last call took, task by task."""

    @abstractmethod
    def reset(self) -> None:
        """Forgets all state."""
