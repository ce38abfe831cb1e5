"""Order, residence and addresses on a scratchpad together, with the fewest extra bytes moved.

The problem is COSMA's (`scratchpad_program`), and so is the division of large graphs: parts that
every order has are solved whole and bounded (`scratchpad_cuts`), what is longer is improved window
by window (`scratchpad_windows`), and what stays between uses is settled for the whole order again
(`scratchpad_keep`). What is resident is packed by the exact allocator last; where there is no
packing, less capacity is given to residence until there is. The bounds know no addresses, so they
hold for every plan. All limits are of the solver's deterministic time: the answer depends on the
arguments only. Needs OR-Tools.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from netwright.plan.allocate import Outcome, fit_blocks
from netwright.plan.certificate import Certificate
from netwright.plan.order import MemoryBuffer, MemoryOp, order_tasks
from netwright.plan.scratchpad import ScratchpadPlan, blocks_of, extra_bytes
from netwright.plan.scratchpad_chains import Joined, apart, joined
from netwright.plan.scratchpad_choice import (
    Choice,
    Records,
    bare_choice,
    extra_of,
    residences,
)
from netwright.plan.scratchpad_cuts import WHOLE, extra_in, given_in, parts_of, peak_bound
from netwright.plan.scratchpad_greedy import fill_scratchpad
from netwright.plan.scratchpad_keep import keep_best
from netwright.plan.scratchpad_moves import moved_order
from netwright.plan.scratchpad_program import Part, solve_part
from netwright.plan.scratchpad_windows import resolve, windows_in

Progress: TypeAlias = Callable[[str, float], None]
LENGTHS = (12, 20, 32)  # tasks of a window, shorter ones first
SQUEEZES = 16  # times that residence is given a thirty-second less capacity, to pack better
PACKING_NODES = 200_000


SHARES = 12  # of the effort; one question takes no more than one of them
EFFORT = 60.0  # deterministic seconds of the solver; one is one to three of a core


def silent(what: str, share: float) -> None:
    """Progress for those who want none."""


def solve_scratchpad(
    ops: tuple[MemoryOp, ...],
    buffers: tuple[MemoryBuffer, ...],
    capacity_bytes: int,
    first: ScratchpadPlan,
    effort: float = EFFORT,
    progress: Progress = silent,
) -> ScratchpadPlan:
    """The best plan that the effort lets us find, with its bound; never worse than `first`.

    Parts take half of the effort at most and windows the rest; beside them stand the trials of
    `scratchpad_moves`, some ten seconds for several hundred tasks that are not solved at once.
    `progress` is told what is being done and which share of it is.

    Raises:
        UnsupportedError: OR-Tools is not installed.
        PlanError: the records make no sense, or a task touches more than the capacity.
    """
    whole = Records(ops, buffers, capacity_bytes)
    if first.extra_bytes == 0:
        return _certified(first, 0, "nothing moves twice")
    chains = joined(ops, buffers)
    records = Records(chains.ops, buffers, capacity_bytes)
    each = effort / SHARES
    choice = _start(records, chains, first, each)
    parts = parts_of(records, choice.order)
    choice, bounds, spent = _solve_parts(records, choice, parts, effort / 2, progress)
    choice = _improve(records, choice, (parts, bounds), effort - spent, progress)
    found = _packed(whole, apart(chains, choice), first, each)
    method = f"CP-SAT over {len(parts)} parts and windows of them, then exact packing"
    return _certified(found, sum(bounds), method)


def _certified(plan: ScratchpadPlan, bound: int, method: str) -> ScratchpadPlan:
    value = plan.extra_bytes
    certificate = Certificate("extra_bytes", value, min(bound, value), method, value <= bound)
    return replace(plan, certificate=certificate)


def _better(records: Records, choice: Choice, other: Choice | None) -> Choice:
    """The one that moves less; the first where they are alike."""
    if other is None or extra_of(records, other.loads) >= extra_of(records, choice.loads):
        return choice
    return other


def _start(records: Records, chains: Joined, first: ScratchpadPlan, each: float) -> Choice:
    """The best of some orders, once what stays between uses is settled."""
    index = {members[-1]: i for i, members in enumerate(chains.members)}
    given = tuple(index[task] for task in first.order if task in index)
    ordered = order_tasks(records.ops, records.buffers).tasks
    best = bare_choice(records, given)
    for order in dict.fromkeys((given, tuple(range(len(records.ops))), ordered)):
        best = _better(records, best, keep_best(records, order, 0, each))
    return best


def _solve_parts(
    records: Records, choice: Choice, parts: list[Part], effort: float, progress: Progress
) -> tuple[Choice, list[int], float]:
    """A bound for each part, the choice with the orders found along the way, the effort spent."""
    bounds: list[int] = []
    order: list[int] = []
    spent = 0.0
    for done, part in enumerate(parts):
        progress("scratchpad, parts", done / len(parts))
        extra, given = extra_in(records, part, choice), given_in(records, part)
        bound = min(peak_bound(records, part), extra) if extra else 0
        if bound < extra:
            part = replace(part, tasks=moved_order(records, part))
            most = min(effort - spent, 2 * effort / SHARES)
            if len(part.tasks) <= WHOLE and most > 0:
                solved = solve_part(records, part, choice.loads, most)
                spent += most if solved is None else solved.effort
                if solved is not None:
                    bound = max(bound, min(extra, solved.bound_bytes - given))
                    part = replace(part, tasks=solved.order)
        bounds.append(bound)
        order += part.tasks
    settled = keep_best(records, tuple(order), 0, effort / SHARES)
    return _better(records, choice, settled), bounds, spent


def _improve(
    records: Records,
    choice: Choice,
    bounded: tuple[list[Part], list[int]],
    effort: float,
    progress: Progress,
) -> Choice:
    """Windows over the parts that are above their bound, longer ones when shorter ones are done."""
    left, each = effort, effort / SHARES
    for length in LENGTHS:
        improved = True
        while improved and left > 0:
            before, begin = choice, 0
            for part, bound in zip(*bounded, strict=True):
                steps = range(begin, begin + len(part.tasks))
                begin = steps.stop
                if extra_in(records, part, choice) <= bound:
                    continue
                for window in windows_in(records, choice, steps, length):
                    progress("scratchpad, windows", 1 - left / effort)
                    if left > 0:
                        choice, spent = resolve(records, choice, window, min(left, each))
                        left -= spent
            choice = _better(records, choice, keep_best(records, choice.order, 0, each))
            improved = choice is not before
    progress("scratchpad, windows", 1.0)
    return choice


def _packed(records: Records, choice: Choice, first: ScratchpadPlan, each: float) -> ScratchpadPlan:
    """Addresses for the choice, or for one with less on the chip; `first` where that is better."""
    best = fill_scratchpad(records.ops, records.buffers, choice.order, records.capacity_bytes)
    best = first if first.extra_bytes <= best.extra_bytes else best
    for squeeze in range(SQUEEZES):
        if squeeze:
            spared = squeeze * records.capacity_bytes // (2 * SQUEEZES)
            fewer = keep_best(records, choice.order, spared, each)
            if fewer is None:
                break
            choice = fewer
        if extra_of(records, choice.loads) >= best.extra_bytes:
            break
        where = residences(records, choice)
        fit = fit_blocks(blocks_of(records.buffers, where), records.capacity_bytes, PACKING_NODES)
        if fit.outcome is Outcome.FOUND:
            placed = tuple(
                replace(r, offset_bytes=offset)
                for r, offset in zip(where, fit.offsets, strict=True)
            )
            extra = extra_bytes(records.buffers, placed)
            return ScratchpadPlan(choice.order, placed, extra, best.certificate)
    return best
