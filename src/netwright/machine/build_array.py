"""Array section → SpatialArray: ports that are not written out follow from the memory."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.machine.array import FLOWS, READS, ArrayAxis, ArrayLevel, Port, SpatialArray
from netwright.machine.schema import ArrayLevelSection, ArraySection, MemorySection, PortSection

# A memory with nothing said of its ports is read and written at once.
_BOTH_WAYS = (PortSection(kind="read"), PortSection(kind="write"))


def build_array(section: ArraySection, memories: Sequence[MemorySection]) -> SpatialArray:
    """The array that a section describes; `verify_array` says whether it is whole."""
    by_name = {memory.name: memory for memory in memories}
    levels = tuple(
        _level(level, by_name.get(level.memory), section.clock_hertz) for level in section.levels
    )
    axes = tuple(
        ArrayAxis(a.name, a.size, tuple(a.dims), tuple(a.reuse), a.multicast) for a in section.axes
    )
    plain = section.model_dump(exclude={"axes", "levels"})
    return SpatialArray(axes=axes, levels=levels, **plain)


def _level(
    section: ArrayLevelSection, memory: MemorySection | None, clock_hertz: float
) -> ArrayLevel:
    ports = tuple(
        _port(port, section.operands, memory, clock_hertz) for port in section.ports or _BOTH_WAYS
    )
    return ArrayLevel(
        section.memory,
        tuple(section.operands),
        tuple(section.serves),
        ports,
        tuple(section.optional),
        section.access_bits,
        section.word_bits,
        section.holds,
    )


def _port(
    section: PortSection, operands: Sequence[str], memory: MemorySection | None, clock_hertz: float
) -> Port:
    bits = section.bits_per_cycle
    if bits is None and memory is not None:
        reads = section.kind != "write"
        rate = memory.read_bytes_per_second if reads else memory.write_bytes_per_second
        bits = None if rate is None else 8 * rate / clock_hertz
    served = tuple(section.flows) or tuple(
        f"{operand}.{flow}"
        for operand in operands
        for flow in FLOWS
        if section.kind == "both" or (flow in READS) == (section.kind == "read")
    )
    return Port(section.kind, bits, served, section.hidden)
