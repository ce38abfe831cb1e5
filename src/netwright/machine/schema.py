"""The machine file's schema: what each field may be. Unknown fields are refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from netwright.machine.array import DIM_CLASSES
from netwright.machine.collectives import Form
from netwright.machine.machine import Basis, MachineKind, Management, Topology
from netwright.machine.table import Regime

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Positive = Annotated[float, Field(gt=0, le=1e30, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, le=1e30, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Bytes = Annotated[int, Field(ge=1, le=2**60)]


class Section(BaseModel):
    """A part of a machine file: fields that are not known are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSection(Section):
    """`sources.KEY`: where numbers come from."""

    basis: Basis
    text: Text


class AxisSection(Section):
    """`axes[]`, outermost first."""

    name: Name
    count: Count
    source: str | None = None


class SlowdownSection(Section):
    """`slowdown`: times the roofline bound, for units without measured tables."""

    low: Positive
    typical: Positive
    high: Positive
    confidence: Positive
    source: str | None = None


class PointSection(Section):
    """`tables[].points[]`: one measurement."""

    sizes: Annotated[list[Annotated[int, Field(ge=0, le=2**60)]], Field(max_length=16)]
    seconds: Positive
    spread: NotNegative


class TableSection(Section):
    """`units[].tables[]`: measurements of one opcode, variant and regime."""

    opcode: Text
    variant: str = ""
    regime: Regime
    points: Annotated[list[PointSection], Field(min_length=1, max_length=4096)]


class ArrayAxisSection(Section):
    """`units[].array.axes[]`."""

    name: Name
    size: Annotated[int, Field(ge=1, le=10**6)]
    dims: Annotated[list[Text], Field(min_length=1, max_length=8)] = list(DIM_CLASSES)
    reuse: Annotated[list[Text], Field(max_length=3)] = []
    multicast: bool = True


class PortSection(Section):
    """`units[].array.levels[].ports[]`: `flows` as operand.flow; none: all of that kind."""

    kind: Literal["read", "write", "both"]
    bits_per_cycle: Positive | None = None
    flows: Annotated[list[Text], Field(max_length=12)] = []
    hidden: bool = True


class ArrayLevelSection(Section):
    """`units[].array.levels[]`, innermost first."""

    memory: Name
    operands: Annotated[list[Text], Field(min_length=1, max_length=3)]
    optional: Annotated[list[Text], Field(max_length=3)] = []
    serves: Annotated[list[Name], Field(max_length=8)] = []
    ports: Annotated[list[PortSection], Field(max_length=8)] = []
    access_bits: Annotated[int, Field(ge=1, le=2**20)] = 8
    word_bits: Annotated[int, Field(ge=1, le=2**20)] = 8
    holds: bool = False


class ArraySection(Section):
    """`units[].array`: what the cost models loop_nest and systolic need."""

    clock_hertz: Positive
    axes: Annotated[list[ArrayAxisSection], Field(min_length=1, max_length=8)]
    levels: Annotated[list[ArrayLevelSection], Field(min_length=1, max_length=12)]
    timing: Literal["windows", "overlapped"] = "overlapped"
    input_bits: Annotated[int, Field(ge=1, le=64)] = 8
    weight_bits: Annotated[int, Field(ge=1, le=64)] = 8
    sum_bits: Annotated[int, Field(ge=1, le=64)] = 32
    output_bits: Annotated[int, Field(ge=1, le=64)] = 8
    reads_first_sum: bool = False
    dataflow: Literal["weights", "inputs", "outputs"] | None = None


class TilesSection(Section):
    """`units[].tiles`: what the cost model tiles needs."""

    cores: Annotated[int, Field(ge=1, le=10**6)]
    clock_hertz: Positive
    lanes: Annotated[int, Field(ge=1, le=1024)]
    step: tuple[Count, Count, Count]
    local_bytes: Bytes
    local_bytes_per_cycle: Positive
    sum_bytes: Bytes
    sustained: Annotated[float, Field(gt=0, le=1)] = 1.0
    memory_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    spread: Annotated[float, Field(ge=1, le=100)]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    source: str | None = None


class UnitSection(Section):
    """`units[]`: rates are those of one unit, by arithmetic class."""

    name: Name
    count: Count = 1
    cost_model: Name
    rates: dict[str, Positive] = {}
    memories: Annotated[list[Name], Field(min_length=1, max_length=32)]
    slowdown: SlowdownSection | None = None
    energy_joules_per_operation: dict[str, Positive] = {}
    units_speed: dict[int, Positive] = {}
    tables: Annotated[list[TableSection], Field(max_length=1024)] = []
    array: ArraySection | None = None
    tiles: TilesSection | None = None
    source: str | None = None


class MemorySection(Section):
    """`memories[]`: figures of one of `count` instances."""

    name: Name
    capacity_bytes: Bytes
    management: Management
    count: Count = 1
    read_bytes_per_second: Positive | None = None
    write_bytes_per_second: Positive | None = None
    latency_seconds: NotNegative | None = None
    read_joules_per_byte: NotNegative | None = None
    write_joules_per_byte: NotNegative | None = None
    read_only: bool = False
    units_read: dict[int, Positive] = {}
    source: str | None = None


class CollectiveSection(Section):
    """`links[].collectives[]`: one way to run a collective over the link."""

    name: Name
    form: Form
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    start_seconds: NotNegative = 0.0
    hop_seconds: NotNegative = 0.0


class LinkSection(Section):
    """`links[]`: the bandwidth of one member in one direction."""

    name: Name
    axis: Name
    topology: Topology
    bandwidth_bytes_per_second: Positive
    latency_seconds: NotNegative | None = None
    ports: Count = 1
    collectives: Annotated[list[CollectiveSection], Field(max_length=32)] = []
    source: str | None = None


class EventSection(Section):
    """`spiking.events.NAME`: what one event costs."""

    joules: NotNegative
    seconds: NotNegative


class SpikingSection(Section):
    """`spiking`: the mesh of a neuromorphic chip and the limits of a core."""

    columns: Count
    rows: Count
    cores_per_tile: Count
    neurons: Count
    axons_in: Count
    axons_out: Count
    synapse_bits: Count
    events: Annotated[dict[str, EventSection], Field(max_length=32)]
    barrier_seconds: Annotated[dict[int, NotNegative], Field(max_length=64)] = {}
    source: str | None = None


class CodeSection(Section):
    """`code`: pieces of the runtime's code by opcode."""

    window_bytes: Bytes
    windows: Annotated[
        dict[str, Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=4096)]],
        Field(max_length=256),
    ]


class MachineSection(Section):
    """The whole file. `source` is the default of every section that names none."""

    name: Name
    title: Text
    kind: MachineKind
    sources: Annotated[dict[str, SourceSection], Field(min_length=1, max_length=256)]
    source: str
    axes: Annotated[list[AxisSection], Field(min_length=1, max_length=16)]
    units: Annotated[list[UnitSection], Field(min_length=1, max_length=64)]
    memories: Annotated[list[MemorySection], Field(min_length=1, max_length=64)]
    links: Annotated[list[LinkSection], Field(max_length=64)] = []
    power_source: str | None = None
    overheads_source: str | None = None
    static_power_watts: NotNegative | None = None
    busy_power_watts: NotNegative | None = None
    launch_seconds: NotNegative = 0.0
    synchronise_seconds: NotNegative = 0.0
    runtime_bytes: Annotated[int, Field(ge=0, le=2**40)] = 0
    code: CodeSection | None = None
    spiking: SpikingSection | None = None
