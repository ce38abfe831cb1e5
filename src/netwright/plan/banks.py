"""Banks: blocks over several memories with capacities, the dear ones where they cost least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.errors import PlanError
from netwright.plan.allocate import Block, Outcome, fit_blocks
from netwright.plan.certificate import Certificate

FIT_NODES = 5_000  # search nodes for each question "does this block fit here as well?"


@final
@dataclass(frozen=True, slots=True)
class Bank:
    """One memory: how many bytes of it may be used."""

    name: str
    capacity_bytes: int


@final
@dataclass(frozen=True, slots=True)
class BankPlan:
    """Of each block, its bank and its offset there; `certificate` is of the sum of the costs."""

    banks: tuple[int, ...]
    offsets: tuple[int, ...]
    certificate: Certificate


def place_in_banks(
    blocks: tuple[Block, ...],
    banks: tuple[Bank, ...],
    costs: tuple[tuple[float, ...], ...],
    objective: str = "seconds",
) -> BankPlan:
    """Chooses a bank and an offset for every block, at little cost in all.

    `costs[b][k]` is what block b costs in bank k (say, bytes moved over the bank's bandwidth).
    Blocks that would lose most a byte choose first; each takes the cheapest bank that it still
    fits into, by the complete search of `fit_blocks`. The bound relaxes all capacities but one,
    at one time, to a fractional knapsack.

    Raises:
        PlanError: costs and blocks differ in number, a cost is negative, or a block found no bank.
    """
    _check(blocks, banks, costs)
    chosen = [-1] * len(blocks)
    members: list[list[int]] = [[] for _ in banks]
    offsets = [0] * len(blocks)
    for b in sorted(range(len(blocks)), key=lambda b: (-_regret(blocks[b], costs[b]), b)):
        for k in sorted(range(len(banks)), key=lambda k: (costs[b][k], k)):
            trial = [*members[k], b]
            fit = fit_blocks(tuple(blocks[i] for i in trial), banks[k].capacity_bytes, FIT_NODES)
            if fit.outcome is Outcome.FOUND:
                members[k], chosen[b] = trial, k
                for i, offset in zip(trial, fit.offsets, strict=True):
                    offsets[i] = offset
                break
        if chosen[b] < 0:
            raise PlanError(
                f"block {b} ({blocks[b].size_bytes} bytes) fits into no bank beside those placed"
                f" before it: {', '.join(f'{k.name} {k.capacity_bytes} bytes' for k in banks)};"
                " a larger bank or smaller blocks would help"
            )
    value = sum(costs[b][k] for b, k in enumerate(chosen))
    bound = min(_bound(blocks, banks, costs), value)
    proved = bound >= value - 1e-9 * value
    method = "greedy by loss a byte; fractional knapsack bound"
    return BankPlan(
        tuple(chosen), tuple(offsets), Certificate(objective, value, bound, method, proved)
    )


def _regret(block: Block, costs: tuple[float, ...]) -> float:
    """What a byte of it loses in the second-best bank."""
    best, *rest = sorted(costs)
    return ((rest[0] if rest else best) - best) / block.size_bytes


def _bound(
    blocks: tuple[Block, ...], banks: tuple[Bank, ...], costs: tuple[tuple[float, ...], ...]
) -> float:
    """The best over banks and times of: that bank is full then, everything else has room."""
    free = sum(min(c) for c in costs)
    best = free
    for time in sorted({b.lower for b in blocks}):
        alive = [i for i, b in enumerate(blocks) if b.lower <= time < b.upper]
        for k, bank in enumerate(banks):
            best = max(best, free + _evicted(blocks, costs, alive, k, bank.capacity_bytes))
    return best


def _evicted(
    blocks: tuple[Block, ...],
    costs: tuple[tuple[float, ...], ...],
    alive: list[int],
    bank: int,
    capacity_bytes: int,
) -> float:
    """The least extra cost of leaving this bank for those that cannot all be in it at once."""
    wanting = [
        (min(c for k, c in enumerate(costs[i]) if k != bank) - costs[i][bank], i)
        for i in alive
        if len(costs[i]) > 1 and min(costs[i]) == costs[i][bank]
    ]
    excess = sum(blocks[i].size_bytes for _, i in wanting) - capacity_bytes
    extra = 0.0
    for loss, i in sorted(wanting, key=lambda w: (w[0] / blocks[w[1]].size_bytes, w[1])):
        if excess <= 0:
            break
        share = min(1.0, excess / blocks[i].size_bytes)
        extra += share * loss
        excess -= blocks[i].size_bytes
    return extra


def _check(
    blocks: tuple[Block, ...], banks: tuple[Bank, ...], costs: tuple[tuple[float, ...], ...]
) -> None:
    if len(costs) != len(blocks) or any(len(c) != len(banks) for c in costs):
        raise PlanError(f"costs must have {len(blocks)} rows of {len(banks)}, one a block and bank")
    for b, row in enumerate(costs):
        if any(not 0 <= c < float("inf") for c in row):
            raise PlanError(f"block {b}: costs {row}, expected finite numbers of at least 0")
