"""Machine → Machine, checked: what a schema cannot say about how the parts fit together."""

from __future__ import annotations

from collections.abc import Iterable

from netwright.errors import MachineError
from netwright.machine.machine import ARITHMETIC, COST_MODELS, Link, Machine, Memory, Unit
from netwright.machine.spiking import EVENTS
from netwright.machine.verify_array import verify_array


def verify(machine: Machine) -> Machine:
    """The machine itself, when it is whole.

    Raises:
        MachineError: names the machine, the field, what was got, and what would help.
    """
    if not machine.units:
        _fail(machine, "units", "got none", "declare at least one unit")
    _unique(machine, "axes", (a.name for a in machine.axes))
    _unique(machine, "units", (u.name for u in machine.units))
    _unique(machine, "memories", (m.name for m in machine.memories))
    _unique(machine, "links", (link.name for link in machine.links))
    for axis in machine.axes:
        if axis.count < 1 or axis.name == "host":
            _fail(
                machine, f"axes.{axis.name}", f"got count {axis.count}", "use a count of 1 or more"
            )
    for memory in machine.memories:
        _verify_memory(machine, memory)
    for unit in machine.units:
        _verify_unit(machine, unit)
    for link in machine.links:
        _verify_link(machine, link)
    for field in (
        "static_power_watts",
        "busy_power_watts",
        "launch_seconds",
        "synchronise_seconds",
    ):
        value = getattr(machine, field)
        if value is not None and not 0 <= value < float("inf"):
            _fail(machine, field, f"got {value}", "give a finite number that is not negative")
    return machine


def _verify_memory(machine: Machine, memory: Memory) -> None:
    where = f"memories.{memory.name}"
    if memory.capacity_bytes < 1 or memory.count < 1:
        _fail(
            machine,
            f"{where}.capacity_bytes",
            f"got {memory.capacity_bytes} x {memory.count}",
            "both must be at least 1",
        )
    rates = (memory.read_bytes_per_second, memory.write_bytes_per_second)
    if any(rate is not None and not 0 < rate < float("inf") for rate in rates):
        _fail(machine, f"{where}.read_bytes_per_second", f"got {rates}", "give positive bandwidths")
    if memory.read_only and memory.write_bytes_per_second is not None:
        _fail(
            machine,
            f"{where}.write_bytes_per_second",
            "a read-only memory has a write bandwidth",
            "drop it, or drop read_only",
        )
    energies = (memory.read_joules_per_byte, memory.write_joules_per_byte, memory.latency_seconds)
    if any(value is not None and not 0 <= value < float("inf") for value in energies):
        _fail(machine, where, f"got energies and latency {energies}", "none may be negative")
    _curve(machine, f"{where}.units_read", memory.units_read)


def _verify_spiking(machine: Machine, unit: Unit) -> None:
    mesh = machine.spiking
    if mesh is None:
        _fail(machine, "spiking", "got none", f"unit {unit.name} is priced by its events: add them")
        return
    names = [name for name, _ in mesh.events]
    if sorted(names) != sorted(EVENTS):
        wrong = sorted(set(names) ^ set(EVENTS))
        _fail(machine, "spiking.events", f"missing or unknown: {wrong}", f"give {EVENTS}")
    if unit.count != mesh.num_cores:
        _fail(
            machine,
            f"units.{unit.name}.count",
            f"got {unit.count}",
            f"columns, rows and cores_per_tile make {mesh.num_cores} cores",
        )
    if len(unit.memories) != 1 or unit.memories[0] not in {m.name for m in machine.memories}:
        _fail(
            machine,
            f"units.{unit.name}.memories",
            f"got {list(unit.memories)}",
            "name the one memory in which a core keeps its synapses",
        )
    tiles = [least for least, _ in mesh.barrier_seconds]
    if tiles != sorted(set(tiles)) or any(least < 1 for least in tiles):
        _fail(machine, "spiking.barrier_seconds", f"got tiles {tiles}", "list them rising from 1")


def _verify_unit(machine: Machine, unit: Unit) -> None:
    where = f"units.{unit.name}"
    if unit.count < 1:
        _fail(machine, f"{where}.count", f"got {unit.count}", "use a count of 1 or more")
    if unit.cost_model not in COST_MODELS:
        _fail(machine, f"{where}.cost_model", f"got {unit.cost_model!r}", f"one of {COST_MODELS}")
    if unit.cost_model == "spiking":
        _verify_spiking(machine, unit)
        return
    if not unit.rates:
        _fail(machine, f"{where}.rates", "got none", "declare a rate for at least one class")
    for arithmetic, rate in (*unit.rates, *unit.energy_joules_per_operation):
        if arithmetic not in ARITHMETIC:
            _fail(machine, f"{where}.rates", f"got class {arithmetic!r}", f"one of {ARITHMETIC}")
        if not 0 < rate < float("inf"):
            _fail(machine, f"{where}.rates.{arithmetic}", f"got {rate}", "give a positive number")
    names = {m.name for m in machine.memories}
    missing = [name for name in unit.memories if name not in names]
    if missing or not unit.memories or len(set(unit.memories)) != len(unit.memories):
        _fail(
            machine,
            f"{where}.memories",
            f"got {list(unit.memories)}",
            f"name each memory it reaches once, innermost first, from {sorted(names)}",
        )
    path = machine.path(unit)
    if all(m.read_only for m in path):
        _fail(machine, f"{where}.memories", "none can be written", "add the memory that it writes")
    if path[-1].read_bytes_per_second is None:
        _fail(
            machine,
            f"memories.{path[-1].name}.read_bytes_per_second",
            "the outermost memory of a unit has no bandwidth",
            "give one: without it nothing bounds a task that streams its weights",
        )
    s = unit.slowdown
    if not 1 <= s.low <= s.typical <= s.high < float("inf") or not 0 < s.confidence < 1:
        _fail(
            machine,
            f"{where}.slowdown",
            f"got {s.low}, {s.typical}, {s.high} at {s.confidence}",
            "need 1 <= low <= typical <= high and a confidence between 0 and 1",
        )
    if unit.cost_model == "table" and not unit.tables:
        _fail(machine, f"{where}.tables", "got none", "probe the machine, or use roofline")
    _curve(machine, f"{where}.units_speed", unit.units_speed)
    if unit.cost_model == "tiles" and unit.tiles is None:
        _fail(machine, f"{where}.tiles", "got none", "give its cores and their memories")
    if unit.array is not None or unit.cost_model in ("loop_nest", "systolic"):
        verify_array(machine, unit)


def _verify_link(machine: Machine, link: Link) -> None:
    where = f"links.{link.name}"
    axes = {a.name for a in machine.axes} | {"host"}
    if link.axis not in axes:
        _fail(machine, f"{where}.axis", f"got {link.axis!r}", f"one of {sorted(axes)}")
    if not 0 < link.bandwidth_bytes_per_second < float("inf"):
        _fail(
            machine,
            f"{where}.bandwidth_bytes_per_second",
            f"got {link.bandwidth_bytes_per_second}",
            "give a positive number",
        )


def _curve(machine: Machine, where: str, points: tuple[tuple[int, float], ...]) -> None:
    counts = [count for count, _ in points]
    if counts != sorted(set(counts)) or any(c < 1 for c in counts):
        _fail(
            machine, where, f"got units {counts}", "list each number of units once, rising from 1"
        )
    if any(not 0 < value < float("inf") for _, value in points):
        _fail(machine, where, "got a value that is not positive", "give positive numbers")


def _unique(machine: Machine, field: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            _fail(machine, field, f"got {name!r} twice", "give each its own name")
        seen.add(name)


def _fail(machine: Machine, field: str, got: str, remedy: str) -> None:
    raise MachineError(f"machine {machine.name}: {field}: {got}; {remedy}")
