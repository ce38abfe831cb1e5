"""A mapping for people: its loops, what every memory holds, reuse, energy by level."""

from __future__ import annotations

from netwright.cost.loop_nest import INPUTS, OUTPUTS, Placed, parts
from netwright.cost.port_stalls import cycles
from netwright.machine.array import OPERANDS
from netwright.plan.quantity import count, quantity


def loop_text(placed: Placed) -> str:
    """The loops on one line, innermost first: unrolled ones, then those that turn."""
    names, mapping = placed.nest.names, placed.mapping
    axes = placed.array.axes
    spatial = " ".join(f"{names[i]} {u} on {axes[a].name}" for a, i, u in mapping.spatial)
    temporal = " ".join(f"{names[i]} {c}" for i, c in mapping.temporal)
    return f"side by side {spatial or 'nothing'}; in turn, innermost first: {temporal or 'nothing'}"


def nest_lines(placed: Placed) -> list[str]:
    """The nest from outside in, with what lies in which memory where."""
    lines: list[str] = []
    names = placed.nest.names
    loops = placed.mapping.temporal
    depth = 0
    for position in range(len(loops), -1, -1):
        held = _held(placed, position)
        if held:
            lines.append("  " * depth + "[" + "; ".join(held) + "]")
        if position:
            loop, turns = loops[position - 1]
            lines.append("  " * depth + f"for {names[loop]} in {turns}")
            depth += 1
    axes = placed.array.axes
    side = [f"{names[i]} {u} on {axes[a].name}" for a, i, u in placed.mapping.spatial]
    lines.append("  " * depth + "side by side: " + (", ".join(side) or "nothing"))
    return lines


def _held(placed: Placed, position: int) -> list[str]:
    """What is kept just within the loops above a position, outermost memory first."""
    found: list[tuple[int, str]] = []
    for operand, levels in enumerate(placed.mapping.levels):
        for place, index in enumerate(levels):
            if placed.below(operand, place) != position:
                continue
            if place == len(levels) - 1 and position != len(placed.mapping.temporal):
                continue
            bits = placed.array.input_bits if operand == INPUTS else placed.array.weight_bits
            if operand == OUTPUTS:
                sums = placed.partial(place)
                bits = placed.array.sum_bits if sums else placed.array.output_bits
            size = placed.tile(operand, place) * bits / 8
            name = placed.array.levels[index].memory
            found.append((-index, f"{name}: {OPERANDS[operand]} {quantity(size, 'bytes')}"))
    return [text for _, text in sorted(found)]


def energy_by_level(placed: Placed, mac_joules: float) -> list[tuple[str, float]]:
    """Joules of the multipliers and of every memory, innermost first."""
    total = {level.memory: 0.0 for level in placed.array.levels}
    for part in parts(placed):
        total[part.memory] += part.joules
    return [("array", mac_joules * placed.nest.macs), *total.items()]


def reuse_text(placed: Placed) -> str:
    """How many multiply-accumulates an element serves each time it crosses the outermost memory."""
    outermost = len(placed.array.levels) - 1
    moved = [0.0, 0.0, 0.0]
    for one in placed.movements():
        if placed.mapping.levels[one.operand][one.place] == outermost:
            moved[one.operand] += one.elements * one.times * one.instances
    each = [
        f"{name} {count(placed.nest.macs / crossed).strip()}"
        for name, crossed in zip(OPERANDS, moved, strict=True)
        if crossed
    ]
    return "multiply-accumulates for each element that crosses the outermost memory: " + ", ".join(
        each
    )


def summary_lines(placed: Placed, mac_joules: float, knows_energy: bool) -> list[str]:
    """Cycles, utilisation, energy by level and reuse."""
    counted = cycles(placed)
    share = placed.nest.macs / (placed.array.size * counted.total)
    lines = [
        f"{counted.total:.0f} cycles ({counted.loading:.0f} loading, {counted.computing:.0f}"
        f" computing, {counted.unloading:.0f} unloading; bound by the {counted.limit});"
        f" {100 * share:.1f} % of the multipliers"
    ]
    if knows_energy:
        energy = energy_by_level(placed, mac_joules)
        whole = sum(joules for _, joules in energy)
        each = ", ".join(f"{name} {quantity(joules, 'joules')}" for name, joules in energy)
        lines.append(f"{quantity(whole, 'joules')}: {each}")
    return [*lines, reuse_text(placed)]
