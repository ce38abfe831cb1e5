"""Plain data ↔ Machine, through the schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, cast, final

from pydantic import ValidationError

from netwright.errors import MachineError
from netwright.machine.build_array import build_array
from netwright.machine.collectives import CollectiveMethod
from netwright.machine.document import Document
from netwright.machine.machine import (
    Axis,
    Basis,
    Code,
    Link,
    Machine,
    Memory,
    Slowdown,
    Source,
    Unit,
)
from netwright.machine.schema import (
    CodeSection,
    MachineSection,
    MemorySection,
    SlowdownSection,
    SpikingSection,
    TilesSection,
    UnitSection,
)
from netwright.machine.spiking import Event, SpikingMesh
from netwright.machine.table import Point, Table
from netwright.machine.tiles import MatrixTiles
from netwright.machine.verify import verify

MOST_PROBLEMS = 5  # shown in one message

# Without measured kernels: the share of the roofline that others' kernels reach.
UNMEASURED = Slowdown(
    low=1.0,
    typical=1.5,
    high=2.5,
    confidence=0.8,
    source=Source(
        Basis.DERIVED,
        "no kernel was measured here: llama.cpp reaches 38 to 82 % of the bandwidth bound and "
        "31 to 63 % of the int8 peak (as measured on a Zen 3 core), dense GPU kernels 40 to 90 %",
    ),
)


def build(document: Document, where: str) -> Machine:
    """The machine that a document describes, verified.

    Raises:
        MachineError: names `where`, the field, what was got and what would help.
    """
    try:
        section = MachineSection.model_validate(document)
    except ValidationError as error:
        raise MachineError(_explain(error, where)) from None
    sources = {key: Source(s.basis, s.text) for key, s in section.sources.items()}
    find = _Sources(sources, section.source, where)
    machine = Machine(
        name=section.name,
        title=section.title,
        kind=section.kind,
        axes=tuple(
            Axis(a.name, a.count, find(a.source, f"axes.{a.name}.source")) for a in section.axes
        ),
        units=tuple(_unit(u, find, section.memories) for u in section.units),
        memories=tuple(
            Memory(
                **m.model_dump(exclude={"source", "units_read"}),
                units_read=tuple(m.units_read.items()),
                source=find(m.source, f"memories.{m.name}.source"),
            )
            for m in section.memories
        ),
        links=tuple(
            Link(
                **link.model_dump(exclude={"source", "collectives"}),
                collectives=tuple(CollectiveMethod(**m.model_dump()) for m in link.collectives),
                source=find(link.source, f"links.{link.name}.source"),
            )
            for link in section.links
        ),
        sources=tuple(sources.items()),
        power_source=find(section.power_source, "power_source"),
        overheads_source=find(section.overheads_source, "overheads_source"),
        static_power_watts=section.static_power_watts,
        busy_power_watts=section.busy_power_watts,
        launch_seconds=section.launch_seconds,
        synchronise_seconds=section.synchronise_seconds,
        runtime_bytes=section.runtime_bytes,
        code=_code(section.code),
        spiking=_spiking(section.spiking, find),
    )
    try:
        return verify(machine)
    except MachineError as error:
        raise MachineError(f"{where}: {error}") from None


@final
class _Sources:
    """Looks a source key up, with the file's default."""

    def __init__(self, sources: Mapping[str, Source], default: str, where: str) -> None:
        self.sources, self.default, self.where = sources, default, where

    def __call__(self, key: str | None, field: str) -> Source:
        name = self.default if key is None else key
        if name not in self.sources:
            raise MachineError(
                f"{self.where}: {field}: got {name!r}, expected one of {sorted(self.sources)}; "
                f"add it under sources"
            )
        return self.sources[name]


def _unit(unit: UnitSection, find: _Sources, memories: Sequence[MemorySection]) -> Unit:
    return Unit(
        name=unit.name,
        count=unit.count,
        cost_model=unit.cost_model,
        rates=tuple(unit.rates.items()),
        memories=tuple(unit.memories),
        slowdown=_slowdown(unit.slowdown, find, f"units.{unit.name}.slowdown.source"),
        source=find(unit.source, f"units.{unit.name}.source"),
        energy_joules_per_operation=tuple(unit.energy_joules_per_operation.items()),
        units_speed=tuple(unit.units_speed.items()),
        tables=tuple(
            Table(
                t.opcode,
                t.variant,
                t.regime,
                tuple(Point(tuple(p.sizes), p.seconds, p.spread) for p in t.points),
            )
            for t in unit.tables
        ),
        array=None if unit.array is None else build_array(unit.array, memories),
        tiles=_tiles(unit.tiles, find, f"units.{unit.name}.tiles.source"),
    )


def _code(section: CodeSection | None) -> Code | None:
    if section is None:
        return None
    return Code(section.window_bytes, tuple((k, tuple(v)) for k, v in section.windows.items()))


def _spiking(section: SpikingSection | None, find: _Sources) -> SpikingMesh | None:
    if section is None:
        return None
    return SpikingMesh(
        **section.model_dump(exclude={"events", "barrier_seconds", "source"}),
        events=tuple((k, Event(e.joules, e.seconds)) for k, e in section.events.items()),
        barrier_seconds=tuple(section.barrier_seconds.items()),
        source=find(section.source, "spiking.source"),
    )


def _tiles(section: TilesSection | None, find: _Sources, field: str) -> MatrixTiles | None:
    if section is None:
        return None
    plain = section.model_dump(exclude={"source"})
    return MatrixTiles(**plain, source=find(section.source, field))


def _slowdown(section: SlowdownSection | None, find: _Sources, field: str) -> Slowdown:
    if section is None:
        return UNMEASURED
    s = section
    return Slowdown(s.low, s.typical, s.high, s.confidence, find(s.source, field))


def _explain(error: ValidationError, where: str) -> str:
    lines: list[str] = []
    problems = error.errors(include_url=False, include_context=False)
    for problem in problems[:MOST_PROBLEMS]:
        field = ".".join(str(part) for part in problem["loc"])
        got = repr(problem["input"])[:80]
        remedy = {
            "extra_forbidden": "remove it or mend its spelling (docs/machines.md lists the fields)",
            "missing": "add it (docs/machines.md shows a whole file)",
        }.get(problem["type"], "mend it there")
        lines.append(f"{where}: {field}: got {got}: {problem['msg']}; {remedy}")
    if len(problems) > MOST_PROBLEMS:
        lines.append(f"... and {len(problems) - MOST_PROBLEMS} more")
    return "\n".join(lines)


def dump(machine: Machine) -> Document:
    """The document that builds this machine again: `build(dump(m), ...) == m`."""
    sources = {key: _plain(source) for key, source in machine.sources}
    keys = {source: key for key, source in machine.sources}
    document = _plain(machine, keys)
    return {**document, "sources": sources, "source": next(iter(sources))}


# Pairs that a file writes as a mapping.
_MAPPINGS = frozenset(
    {
        "rates",
        "energy_joules_per_operation",
        "units_speed",
        "units_read",
        "windows",
        "events",
        "barrier_seconds",
    }
)


def _plain(value: Any, keys: Mapping[Source, str] | None = None) -> Any:
    if isinstance(value, Source) and keys is not None:
        return keys[value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item, keys) for item in cast(tuple[Any, ...], value)]
    if not is_dataclass(value):
        return value
    result: Document = {}
    for field in fields(value):
        item = getattr(value, field.name)
        if item is None or item == () or item is UNMEASURED:
            continue
        if field.name in _MAPPINGS:
            result[field.name] = {key: _plain(one, keys) for key, one in item}
        else:
            result[field.name] = _plain(item, keys)
    return result
