"""Several memories: sound, within the bound, and the bound below brute force."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import PlanError
from netwright.plan.allocate import Block, Outcome, find_overlap, fit_blocks
from netwright.plan.banks import Bank, place_in_banks

Case = tuple[tuple[Block, ...], tuple[tuple[float, ...], ...]]
BANKS = (Bank("fast", 8), Bank("middle", 10), Bank("slow", 1000))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    blocks: list[Block] = []
    costs: list[tuple[float, ...]] = []
    for _ in range(draw(st.integers(0, 5))):
        lower = draw(st.integers(0, 4))
        blocks.append(Block(draw(st.integers(1, 8)), lower, lower + draw(st.integers(1, 4))))
        costs.append(tuple(float(draw(st.integers(0, 9))) for _ in BANKS))
    return tuple(blocks), tuple(costs)


def least_cost(case: Case) -> float:
    blocks, costs = case
    best = float("inf")
    for choice in itertools.product(range(len(BANKS)), repeat=len(blocks)):
        cost = sum(costs[b][k] for b, k in enumerate(choice))
        if cost < best and all(
            fit_blocks(
                tuple(b for b, c in zip(blocks, choice, strict=True) if c == k),
                BANKS[k].capacity_bytes,
            ).outcome
            is Outcome.FOUND
            for k in range(len(BANKS))
        ):
            best = cost
    return best


@settings(max_examples=50, deadline=None)
@given(cases())
def test_sound_and_bounded(case: Case) -> None:
    blocks, costs = case
    plan = place_in_banks(blocks, BANKS, costs)
    for k, bank in enumerate(BANKS):
        here = [b for b in range(len(blocks)) if plan.banks[b] == k]
        inside = tuple(blocks[b] for b in here)
        offsets = tuple(plan.offsets[b] for b in here)
        assert find_overlap(inside, offsets) is None
        assert all(
            o + b.size_bytes <= bank.capacity_bytes for o, b in zip(offsets, inside, strict=True)
        )
    best = least_cost(case)
    assert plan.certificate.bound is not None
    assert plan.certificate.bound <= best + 1e-9
    assert best <= plan.certificate.value
    if plan.certificate.proved:
        assert plan.certificate.value == pytest.approx(best)


def test_dear_blocks_get_the_fast_bank() -> None:
    blocks = (Block(8, 0, 2), Block(8, 1, 3), Block(8, 2, 4))
    plan = place_in_banks(blocks, BANKS, ((1, 2, 3), (1, 9, 9), (1, 2, 3)))
    assert plan.banks == (1, 0, 1)
    assert plan.certificate.text == "within 25.0 %"


def test_nothing_fits_is_named() -> None:
    with pytest.raises(PlanError, match=r"block 0 \(9 bytes\) fits into no bank.*fast 8 bytes"):
        place_in_banks((Block(9, 0, 1),), BANKS[:1], ((1.0,),))
    with pytest.raises(PlanError, match="1 rows of 3"):
        place_in_banks((Block(9, 0, 1),), BANKS, ())
