"""Format: how the elements of a tensor are written in bits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError


class Format(ABC):
    """A number format. A subclass is a frozen dataclass; two equal formats are one format.

    Elements are grouped along the last dim in blocks of `block_elements`, each written in
    `block_bytes`; a row whose length is no multiple of the block cannot be written.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def name(self) -> str:
        """The field's standard name, lower case: "fp32", "q4_1", "int8", "spike"."""

    @property
    @abstractmethod
    def block_elements(self) -> int:
        """Elements in one block."""

    @property
    @abstractmethod
    def block_bytes(self) -> int:
        """Bytes of one block, scales included."""

    @property
    def bits_per_element(self) -> float:
        """True bits an element, block overhead included."""
        return 8.0 * self.block_bytes / self.block_elements

    @abstractmethod
    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Values [..., n] → raw bytes [..., n / block_elements * block_bytes].

        Rounds to nearest even where the format's own docstring says nothing else.
        """

    @abstractmethod
    def decode(self, raw: NDArray[np.uint8]) -> NDArray[Any]:
        """Raw bytes [..., m] → float64 values [..., m / block_bytes * block_elements], exactly
        (int64 for plain integer formats, bool for bool).
        """

    def row_bytes(self, elements: int) -> int:
        """Bytes of a row of this many elements.

        Raises:
            FormatError: the row is no whole number of blocks.
        """
        blocks, rest = divmod(elements, self.block_elements)
        if rest:
            raise FormatError(
                f"{self.name}: a row of {elements} elements is no multiple of the block of "
                f"{self.block_elements}; choose a format with a smaller block for this tensor"
            )
        return blocks * self.block_bytes
