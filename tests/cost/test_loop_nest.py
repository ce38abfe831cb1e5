"""Loop nests against ZigZag's figures, part by part, and the native twin against this one."""

import math
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from netwright.cost.loop_nest import Placed, parts
from netwright.cost.nest import Mapping, Nest, TensorDim, nest_of
from netwright.cost.nest_code import decode, encode
from netwright.cost.port_stalls import cycles
from netwright.cost.zigzag import ZigZagLayer, read_layers
from netwright.errors import ProgramError
from netwright.graph.op import TensorType
from netwright.graph.ops.conv import Conv
from netwright.machine.load import machine
from netwright.plan.mapping.options import paths
from netwright.plan.mapping.problem import native_problem

LAYERS = read_layers(Path(__file__).parents[2] / "studies" / "chip" / "zigzag.json")
ARRAYS = ("edge-tpu-like", "eyeriss-like", "ascend-like", "tpu-v4i", "nvdla-large", "eyeriss")


@pytest.mark.parametrize("layer", LAYERS, ids=lambda it: f"{it.placed.machine.name} {it.name}")
def test_every_part_is_zigzags(layer: ZigZagLayer) -> None:
    """ZigZag 3.9.1, 29 layers on their stored nests: joules by part, cycles in three pieces."""
    assert layer.differences() == ()
    ours = sum(part.joules for part in parts(layer.placed))
    assert ours == pytest.approx(layer.memory_joules, rel=1e-9)
    counted = cycles(layer.placed)
    assert (counted.loading, counted.computing, counted.unloading) == layer.cycles


def test_all_layers_are_there() -> None:
    assert len(LAYERS) == 29


def _primes(number: int) -> list[int]:
    found: list[int] = []
    divisor = 2
    while number > 1:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    return found


@st.composite
def nests(draw: st.DrawFn) -> Nest:
    """A strided convolution with batch and groups of one, or a product of matrices."""
    size = st.integers(2, 12)
    if draw(st.booleans()):
        m, n, k = (draw(size) for _ in range(3))
        dims = [TensorDim(((i, 1),), s) for i, s in enumerate((m, n, k))]
        return Nest(
            ("m", "n", "k"), (m, n, k), ((dims[0], dims[2]), (dims[2], dims[1]), (dims[0], dims[1]))
        )
    units, rows, columns, channels = (draw(size) for _ in range(4))
    taps, stride = draw(st.integers(2, 3)), draw(st.integers(1, 2))
    pad = draw(st.integers(0, 1))
    kind = Conv((stride, stride), ((pad, pad), (pad, pad)), (1, 1))
    reach = [(count - 1) * stride + taps - 2 * pad for count in (rows, columns)]
    shapes = ((1, channels, *reach), (units, channels, taps, taps))
    types = [TensorType(shape) for shape in shapes]
    outputs = kind.infer(types)
    einsum = kind.einsums(types, outputs)[0]
    found = nest_of(einsum, [*shapes, outputs[0].shape])
    assert found is not None
    return found


@st.composite
def placements(draw: st.DrawFn) -> Placed:
    """Any mapping of a nest on an array of the library, whether it fits or not."""
    found = machine(draw(st.sampled_from(ARRAYS)))
    array = found.units[0].array
    assert array is not None
    nest = draw(nests())
    loops = st.integers(0, len(nest.sizes) - 1)
    spatial = [
        (axis, draw(loops), draw(st.integers(1, 4))) for axis in range(draw(st.integers(0, 2)))
    ]
    spatial = [one for one in spatial if array.axes[one[0]].size >= one[2]]
    temporal: list[tuple[int, int]] = []
    for loop, size in enumerate(nest.sizes):
        unrolled = math.prod(u for _, i, u in spatial if i == loop)
        temporal += [(loop, prime) for prime in _primes(-(-size // unrolled))]
    temporal = list(draw(st.permutations(temporal)))
    held = draw(st.sampled_from(paths(array)))
    cut = st.integers(0, len(temporal))
    cuts = tuple(tuple(sorted(draw(cut) for _ in levels[1:])) for levels in held)
    mapping = Mapping(tuple(spatial), tuple(temporal), held, cuts)
    assume(all(share >= 1 for share in mapping.shares(nest)))  # only the last may be too many
    return Placed(found, array, nest, mapping)


@settings(max_examples=300, deadline=None)
@given(placements())
def test_the_native_core_counts_the_same(placed: Placed) -> None:
    problem = native_problem(placed.machine, placed.array, placed.nest)
    m = placed.mapping
    joules, loading, computing, unloading, busiest = problem.cost(
        (list(m.spatial), list(m.temporal), list(m.levels), list(m.cuts))
    )
    assert joules == pytest.approx(sum(p.joules for p in parts(placed)), rel=1e-9, abs=1e-24)
    ours = cycles(placed)
    expected = (ours.loading, ours.computing, ours.unloading, ours.busiest)
    assert (loading, computing, unloading, busiest) == pytest.approx(expected)


@settings(max_examples=100, deadline=None)
@given(placements())
def test_a_task_says_its_whole_nest(placed: Placed) -> None:
    nest, mapping = decode(encode(placed.nest, placed.mapping))
    assert mapping == placed.mapping
    assert (nest.sizes, nest.operands) == (placed.nest.sizes, placed.nest.operands)
    assert decode(encode(placed.nest, None))[1] is None


def test_numbers_that_are_no_nest_are_refused() -> None:
    code = encode(LAYERS[0].placed.nest, LAYERS[0].placed.mapping)
    with pytest.raises(ProgramError, match="end within a loop nest"):
        decode(code[:9])


@settings(max_examples=100, deadline=None)
@given(placements())
def test_what_is_read_was_written(placed: Placed) -> None:
    """Every flow between two levels moves the same elements, but for those that are multicast."""
    found = {(x.operand, x.place, x.flow): x for x in placed.movements()}
    for (operand, place, flow), moved in found.items():
        if flow == "fill" and operand != 2:
            above = found[operand, place + 1, "feed"]
            assert above.times == moved.times
            filled = moved.elements * moved.instances
            assert above.elements * above.instances <= filled * (1 + 1e-6) + moved.instances
