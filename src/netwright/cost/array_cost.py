"""What a task takes on an array: the cost models `loop_nest` and `systolic`.

A task "nest" carries its loop nest (and, for `loop_nest`, its mapping) in its sizes. A task
"stream" is computed as its values pass: it takes what the outermost memory takes to read and write
them. Any other task is one of another kind of program, and costs its roofline.
"""

from __future__ import annotations

from netwright.cost.cost import Cost, Setting
from netwright.cost.loop_nest import Placed, known, parts
from netwright.cost.nest_code import decode
from netwright.cost.port_stalls import cycles
from netwright.cost.roofline import roofline
from netwright.cost.systolic import product_of, systolic_cycles
from netwright.cost.work import Work
from netwright.errors import UnsupportedError
from netwright.machine.array import SpatialArray
from netwright.machine.machine import Machine, Unit
from netwright.timeline.timeline import Interval

NEST, STREAM = "nest", "stream"


def loop_nest(machine: Machine, unit: Unit, work: Work, setting: Setting) -> Cost:
    """The cycles and the energy of a mapped loop nest.

    Raises:
        UnsupportedError: the task has no mapping.
    """
    array = _array(machine, unit)
    if work.opcode == STREAM:
        return _stream(machine, unit, work)
    if work.opcode != NEST:
        return roofline(machine, unit, work, setting)
    nest, mapping = decode(work.whole_sizes)
    if mapping is None:
        raise UnsupportedError(f"{machine.name}: a loop nest without a mapping; plan it for this")
    placed = Placed(machine, array, nest, mapping)
    counted = cycles(placed)
    seconds = counted.total / array.clock_hertz
    joules = None
    if known(machine, unit):
        joules = mac_joules(unit) * nest.macs + sum(part.joules for part in parts(placed))
        joules += (machine.static_power_watts or 0.0) * seconds
    return _cost(unit, seconds, joules, counted.limit)


def systolic(machine: Machine, unit: Unit, work: Work, setting: Setting) -> Cost:
    """The cycles of a systolic array's folds, or what its outermost memory needs if that is more.

    Every operand passes the outermost memory once: what does not fit on the chip passes it more
    often, which is not counted.
    """
    array = _array(machine, unit)
    if work.opcode == STREAM:
        return _stream(machine, unit, work)
    if work.opcode != NEST:
        return roofline(machine, unit, work, setting)
    nest, _ = decode(work.whole_sizes)
    rows, columns = (axis.size for axis in array.axes)
    assert array.dataflow is not None
    counted = systolic_cycles(product_of(nest), rows, columns, array.dataflow)
    seconds, limit = counted / array.clock_hertz, "array"
    moved = _stream_seconds(machine, unit, work)
    if moved > seconds:
        seconds, limit = moved, machine.home(unit).name
    return _cost(unit, seconds, _power(machine, seconds), limit)


def mac_joules(unit: Unit) -> float:
    """Joules of one multiply-accumulate in the class of the array's inputs."""
    assert unit.array is not None
    per_operation = dict(unit.energy_joules_per_operation)
    arithmetic = f"int{unit.array.input_bits}"
    return 2 * per_operation.get(arithmetic, next(iter(per_operation.values()), 0.0))


def _array(machine: Machine, unit: Unit) -> SpatialArray:
    if unit.array is None:
        raise UnsupportedError(f"{machine.name}: unit {unit.name!r} has no array; add one to it")
    return unit.array


def _stream_seconds(machine: Machine, unit: Unit, work: Work) -> float:
    home = machine.home(unit)
    read = sum(t.read_bytes for t in work.traffic)
    written = sum(t.written_bytes for t in work.traffic)
    # Where it is not published: that of the unit's outermost memory (machine/verify sees to it).
    rate = home.read_bytes_per_second or machine.path(unit)[-1].read_bytes_per_second
    assert rate is not None
    return read / rate + written / (home.write_bytes_per_second or rate)


def _stream(machine: Machine, unit: Unit, work: Work) -> Cost:
    home = machine.home(unit)
    seconds = _stream_seconds(machine, unit, work)
    read = sum(t.read_bytes for t in work.traffic)
    written = sum(t.written_bytes for t in work.traffic)
    joules = _power(machine, seconds)
    if known(machine, unit):
        joules = read * (home.read_joules_per_byte or 0.0)
        joules += written * (home.write_joules_per_byte or 0.0)
        joules += (machine.static_power_watts or 0.0) * seconds
    return _cost(unit, seconds, joules, home.name)


def _power(machine: Machine, seconds: float) -> float | None:
    return None if machine.busy_power_watts is None else machine.busy_power_watts * seconds


def _cost(unit: Unit, seconds: float, joules: float | None, limit: str) -> Cost:
    """A nest counts its own stalls, so what is counted is the typical value."""
    slow = unit.slowdown
    interval = Interval(seconds * slow.low, seconds * slow.high, slow.confidence)
    return Cost(seconds, joules, interval, limit)
