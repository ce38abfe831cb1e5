"""Row-stationary mappings: each element slides a row of weights over a row of inputs.

Elements of a column add up a row of outputs; sets of them side by side or on each other take other
units and channels. Source: Chen, Krishna, Emer, Sze, Eyeriss, JSSC 52(1), 2017, section III and
Table I, whose letters are given below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.cost.nest import Mapping, Nest, TensorDim
from netwright.errors import FormatError, UnsupportedError
from netwright.machine.array import OPERANDS, SpatialArray

LOOPS = ("n", "m", "e", "f", "c", "r", "s")
N, M, E, F, C, R, S = range(7)  # batch, units, rows and columns of the output, channels, kernel
LETTERS = ("m", "n", "e", "p", "q", "r", "t")
# Temporal loops are (s, q, p, f, n | m, c | e, m, n): an element's, a pass's, and between passes.
LEVELS, CUTS = (3, 2, 3), ((4, 6), (3,), (3, 7))


@final
@dataclass(frozen=True, slots=True)
class RowStationary:
    """How much of a layer is held where.

    `units` (m) whose sums the global buffer holds, `images` (n) of a pass, `rows` (e) of the output
    that a pass makes; of one element: `own_units` (p) and `own_channels` (q) in its scratchpads; of
    the array: sets for other channels (`channel_sets`, r) and for other units (`unit_sets`, t).
    """

    units: int
    images: int
    rows: int
    own_units: int
    own_channels: int
    channel_sets: int
    unit_sets: int

    @classmethod
    def read(cls, text: str) -> RowStationary:
        """By the paper's letters: "m=64 n=4 e=13 p=16 q=4 r=1 t=4", in any order.

        Raises:
            FormatError: it is not of this form.
        """
        try:
            given = {k: int(v) for k, v in (one.split("=") for one in text.split())}
        except ValueError as error:
            raise FormatError(f"row-stationary parameters {text!r}: {error}") from error
        if sorted(given) != sorted(LETTERS) or min(given.values()) < 1:
            raise FormatError(f"row-stationary parameters {text!r}: expected {LETTERS}, 1 or more")
        return cls(*(given[letter] for letter in LETTERS))

    def buffered(self, nest: Nest) -> int:
        """Elements in the global buffer: the inputs of a pass, and the sums of all its units."""
        sizes = nest.sizes
        width = sizes[F] + sizes[S] - 1
        channels = self.own_channels * self.channel_sets
        inputs = channels * (self.rows + sizes[R] - 1) * width
        return self.images * (inputs + self.units * self.rows * sizes[F])


def convolution(
    *, batch: int, units: int, channels: int, places: int, kernel: int, stride: int
) -> Nest:
    """One group of a square convolution, its padding stored, with all seven loops of `LOOPS`."""
    reach = (places - 1) * stride + kernel
    plain = {i: TensorDim(((i, 1),), s) for i, s in ((N, batch), (M, units), (C, channels))}
    windows = (TensorDim(((p, stride), (k, 1)), reach) for p, k in ((E, R), (F, S)))
    kernels = (TensorDim(((k, 1),), kernel) for k in (R, S))
    outputs = (TensorDim(((p, 1),), places) for p in (E, F))
    return Nest(
        LOOPS,
        (batch, units, places, places, channels, kernel, kernel),
        (
            (plain[N], plain[C], *windows),
            (plain[M], plain[C], *kernels),
            (plain[N], plain[M], *outputs),
        ),
    )


def row_stationary(nest: Nest, array: SpatialArray, given: RowStationary) -> Mapping:
    """The mapping of a `convolution` on an array of rows (its first axis) and columns.

    Inputs and sums are held by an element, a global buffer and beyond; weights by an element and
    beyond. Memories are not checked.

    Raises:
        UnsupportedError: another nest, another array, or more sets than it has elements.
    """
    levels = tuple(array.levels_of(operand) for operand in OPERANDS)
    if nest.names != LOOPS or tuple(map(len, levels)) != LEVELS or len(array.axes) < 2:
        raise UnsupportedError(
            "row_stationary: it takes a nest of `convolution`, and an array of rows and columns"
            " whose inputs and outputs have three levels and weights two"
        )
    height, width = array.axes[0].size, array.axes[1].size
    sizes = nest.sizes
    fold = -(-given.rows // width)  # so many sets on each other make the rows of one
    columns = -(-given.rows // fold)
    beside = min(given.unit_sets, width // columns)
    on_each_other = given.unit_sets // beside
    if sizes[R] * given.channel_sets * on_each_other * fold > height:
        raise UnsupportedError(
            f"row_stationary: {given} needs {sizes[R]} x {given.channel_sets} x {on_each_other} x"
            f" {fold} rows of elements, and there are {height}"
        )
    spatial = ((0, R, sizes[R]), (0, C, given.channel_sets), (0, M, on_each_other), (0, E, fold))
    spatial += ((1, E, columns), (1, M, beside))
    inner = (S, sizes[S]), (C, given.own_channels), (M, given.own_units), (F, sizes[F])
    pass_channels = given.own_channels * given.channel_sets
    held = (
        (M, given.units // (given.own_units * given.unit_sets)),
        (C, -(-sizes[C] // pass_channels)),
    )
    outer = (
        (E, -(-sizes[E] // given.rows)),
        (M, -(-sizes[M] // given.units)),
        (N, sizes[N] // given.images),
    )
    # Every temporal factor has its place, also those of one turn: cuts are between them.
    return Mapping(
        tuple(one for one in spatial if one[2] > 1),
        (*inner, (N, given.images), *held, *outer),
        levels,
        CUTS,
    )
