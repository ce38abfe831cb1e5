"""Order and addresses as one constraint program: a second exact method, to check the first.

Needs OR-Tools, which `netwright[solve]` brings.
"""

from __future__ import annotations

from typing import Any

from netwright.errors import PlanError
from netwright.plan.certificate import Certificate
from netwright.plan.cp_sat import cp_sat
from netwright.plan.memory import MemoryPlan
from netwright.plan.order import Flow, MemoryBuffer, MemoryOp, make_flow


def plan_memory_by_cp_sat(
    ops: tuple[MemoryOp, ...], buffers: tuple[MemoryBuffer, ...], seconds: float = 10.0
) -> MemoryPlan:
    """As `plan_memory`, by CP-SAT: positions all different, two-dimensional no-overlap.

    In place: the target starts one position later, at the source's offset.

    Raises:
        UnsupportedError: OR-Tools is not installed.
        PlanError: the records make no sense, or no plan was found within `seconds`.
    """
    cp_model = cp_sat()
    flow = make_flow(ops, buffers)
    model: Any = cp_model.CpModel()
    position = _positions(model, flow)
    top = 2 * sum(b.padded_bytes for b in buffers) + max(
        (b.offset_bytes or 0 for b in buffers), default=0
    )
    height = model.new_int_var(0, top, "height")
    starts, ends, offsets = _rectangles(model, flow, buffers, position, (top, height))
    pairs = _in_place(model, flow, buffers, position, (starts, ends, offsets))
    model.minimize(height)
    solver: Any = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        raise PlanError(f"CP-SAT found no memory plan in {seconds} s: {solver.status_name(status)}")
    order = tuple(sorted(range(len(ops)), key=lambda t: solver.value(position[t])))
    place = [solver.value(offsets[i]) if i in offsets else 0 for i in range(len(buffers))]
    for index, b in enumerate(buffers):
        if b.alias_of is not None:
            place[index] = place[b.alias_of] + b.alias_offset_bytes
    peak = solver.value(height)
    bound = min(float(solver.best_objective_bound), float(peak))
    certificate = Certificate("peak_bytes", peak, bound, "CP-SAT", status == cp_model.OPTIMAL)
    shared = tuple(pair for pair, used in pairs.items() if solver.value(used))
    return MemoryPlan(order, tuple(place), peak, shared, certificate)


def _positions(model: Any, flow: Flow) -> list[Any]:
    last = max(len(flow.before) - 1, 0)
    position = [model.new_int_var(0, last, f"position {t}") for t in range(len(flow.before))]
    if position:
        model.add_all_different(position)
    for task, earlier in enumerate(flow.before):
        for other in earlier:
            model.add(position[other] < position[task])
    return position


def _rectangles(
    model: Any,
    flow: Flow,
    buffers: tuple[MemoryBuffer, ...],
    position: list[Any],
    bounds: tuple[int, Any],
) -> tuple[dict[int, Any], dict[int, Any], dict[int, Any]]:
    """Start, end and offset of every root buffer that is ever alive, none over another."""
    top, height = bounds
    n = max(len(position), 1)
    touchers: dict[int, list[int]] = {}
    for task, touched in enumerate(flow.touched):
        for b in touched:
            touchers.setdefault(b, []).append(task)
    starts: dict[int, Any] = {}
    ends: dict[int, Any] = {}
    offsets: dict[int, Any] = {}
    times: list[Any] = []
    places: list[Any] = []
    for index, b in enumerate(buffers):
        alive = index in touchers or b.from_start or b.to_end
        if b.alias_of is not None or not alive or b.size_bytes == 0:
            continue
        start, end = model.new_int_var(0, n, ""), model.new_int_var(0, n, "")
        for task in touchers.get(index, []):
            model.add(end >= position[task] + 1)
        if b.from_start or index not in touchers:
            model.add(start == 0)
        if b.to_end or index not in touchers:
            model.add(end == n)
        slots = model.new_int_var(0, top // b.alignment_bytes, "")
        offset = model.new_int_var(0, top, "")
        model.add(offset == slots * b.alignment_bytes)
        if b.offset_bytes is not None:
            model.add(offset == b.offset_bytes)
        model.add(height >= offset + b.padded_bytes)
        times.append(model.new_interval_var(start, model.new_int_var(0, n, ""), end, ""))
        places.append(model.new_fixed_size_interval_var(offset, b.padded_bytes, ""))
        starts[index], ends[index], offsets[index] = start, end, offset
    model.add_no_overlap_2d(times, places)
    return starts, ends, offsets


def _in_place(
    model: Any,
    flow: Flow,
    buffers: tuple[MemoryBuffer, ...],
    position: list[Any],
    rectangles: tuple[dict[int, Any], dict[int, Any], dict[int, Any]],
) -> dict[tuple[int, int], Any]:
    """Starts every buffer at its first task, one later where it takes its source's bytes."""
    starts, ends, offsets = rectangles
    pairs: dict[tuple[int, int], Any] = {}
    late: dict[tuple[int, int], list[Any]] = {}  # (task, target) -> its pairs
    for task, listed in enumerate(flow.in_place):
        for source, target in listed:
            if source not in offsets or target not in offsets or buffers[source].to_end:
                continue
            used = model.new_bool_var(f"in place {source} {target}")
            model.add(offsets[target] == offsets[source]).only_enforce_if(used)
            model.add(ends[source] == position[task] + 1).only_enforce_if(used)
            filled = buffers[source].from_start
            others = [
                t for t, touched in enumerate(flow.touched) if source in touched and t != task
            ]
            if not filled and not others:
                model.add(used == 0)
            pairs[source, target] = used
            late.setdefault((task, target), []).append(used)
    for task, touched in enumerate(flow.touched):
        for b in touched:
            if b in starts:
                shift = sum(late.get((task, b), []))
                model.add(starts[b] <= position[task] + shift)
                model.add(shift <= 1)
    return pairs
