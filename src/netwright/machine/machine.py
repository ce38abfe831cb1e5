"""Machine: what computes. Units, memories and links over axes, every number with its source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import final

from netwright.machine.array import SpatialArray
from netwright.machine.collectives import CollectiveMethod
from netwright.machine.spiking import SpikingMesh
from netwright.machine.table import Table
from netwright.machine.tiles import MatrixTiles

# The models that `cost` has, one file each there; a unit names the one that it declares.
COST_MODELS = ("roofline", "spiking", "table", "loop_nest", "systolic", "tiles")

# Classes of arithmetic that a unit may have a rate for (multiply and add counted separately).
ARITHMETIC = (
    "fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int16", "int8", "int4",
)  # fmt: skip

# A class that a unit lacks is computed in the first of these that it has: each one holds every
# value of the class on its left, so the result is no worse, only slower.
WIDER: dict[str, tuple[str, ...]] = {
    "fp64": (),
    "fp32": ("fp64",),
    "tf32": ("fp32", "fp64"),
    "fp16": ("fp32", "fp64"),
    "bf16": ("fp32", "fp64"),
    "fp8": ("fp16", "bf16", "fp32", "fp64"),
    "fp4": ("fp8", "fp16", "bf16", "fp32", "fp64"),
    "int16": ("fp32", "fp64"),
    "int8": ("int16", "fp16", "bf16", "fp32", "fp64"),
    "int4": ("int8", "int16", "fp8", "fp16", "bf16", "fp32", "fp64"),
}


@final
class Basis(Enum):
    """How a number is known."""

    MEASURED = "measured"  # by our own probe, with device and date
    SEEN = "seen"  # read in a public document that the source names
    DATASHEET = "datasheet"  # the maker's own document
    DERIVED = "derived"  # computed from other numbers of this machine; the text says how
    MEMORY = "memory"  # general knowledge, not looked up: check before relying on it


@final
@dataclass(frozen=True, slots=True)
class Source:
    """Where the numbers of one section come from."""

    basis: Basis
    text: str


@final
class MachineKind(Enum):
    """The family a machine belongs to; for people and lists, nothing decides by it."""

    MICROCONTROLLER = "microcontroller"
    EDGE = "edge"
    CPU = "cpu"
    GPU = "gpu"
    NPU = "npu"
    SYSTOLIC = "systolic"
    DATAFLOW = "dataflow"
    WAFER = "wafer"
    IN_MEMORY = "in-memory"
    NEUROMORPHIC = "neuromorphic"
    NODE = "node"
    CLUSTER = "cluster"


@final
class Topology(Enum):
    """How the members of an axis are joined."""

    POINT_TO_POINT = "point-to-point"
    RING = "ring"
    MESH = "mesh"
    TORUS = "torus"
    FAT_TREE = "fat-tree"
    FULLY_CONNECTED = "fully-connected"
    SWITCH = "switch"
    DRAGONFLY = "dragonfly"


@final
class Management(Enum):
    """Who decides what lies in a memory."""

    CACHE = "cache"  # the hardware
    SCRATCHPAD = "scratchpad"  # the program


@final
@dataclass(frozen=True, slots=True)
class Axis:
    """One level of replication, outermost first in `Machine.axes` (node, device)."""

    name: str
    count: int
    source: Source


@final
@dataclass(frozen=True, slots=True)
class Slowdown:
    """How many times the roofline bound real kernels take here, when none was measured.

    `low <= typical <= high`, `low >= 1`; `confidence` is how sure the range is (0 to 1).
    """

    low: float
    typical: float
    high: float
    confidence: float
    source: Source


@final
@dataclass(frozen=True, slots=True)
class Unit:
    """Something that computes. `count` of them in one member of the innermost axis.

    Rates are dense operations per second of ONE unit by arithmetic class; `memories` are those
    that it reaches, innermost first, outermost last. `units_speed` holds measured (units at work,
    speed of them together as a multiple of one); empty: n units are n times one. `array` is what
    the cost models loop_nest and systolic need, `tiles` what tiles needs.
    """

    name: str
    count: int
    cost_model: str
    rates: tuple[tuple[str, float], ...]
    memories: tuple[str, ...]
    slowdown: Slowdown
    source: Source
    energy_joules_per_operation: tuple[tuple[str, float], ...] = ()
    units_speed: tuple[tuple[int, float], ...] = ()
    tables: tuple[Table, ...] = ()
    array: SpatialArray | None = None
    tiles: MatrixTiles | None = None

    def rate(self, arithmetic: str) -> tuple[str, float] | None:
        """The class that carries this arithmetic out (itself or a wider one) and its rate."""
        rates = dict(self.rates)
        for candidate in (arithmetic, *WIDER.get(arithmetic, ())):
            if candidate in rates:
                return candidate, rates[candidate]
        return None


@final
@dataclass(frozen=True, slots=True)
class Memory:
    """A level of memory. Capacity and bandwidths are those of ONE of `count` instances.

    A bandwidth of None is not published: the level then bounds nothing. `units_read` holds
    measured (units reading at once, bytes per second of them together), for one instance.
    """

    name: str
    capacity_bytes: int
    management: Management
    source: Source
    count: int = 1
    read_bytes_per_second: float | None = None
    write_bytes_per_second: float | None = None
    latency_seconds: float | None = None
    read_joules_per_byte: float | None = None
    write_joules_per_byte: float | None = None
    read_only: bool = False
    units_read: tuple[tuple[int, float], ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Link:
    """What joins the members of an axis, or a device with its host (`axis` is "host").

    The bandwidth is that of one member in one direction, over all of its `ports`: one innermost
    member uses one port. `collectives`: how a library's collectives run over it; none: a ring at
    the full bandwidth.
    """

    name: str
    axis: str
    topology: Topology
    bandwidth_bytes_per_second: float
    source: Source
    latency_seconds: float | None = None
    ports: int = 1
    collectives: tuple[CollectiveMethod, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Code:
    """Which pieces of the runtime's code become resident: `window_bytes` each, by their number.

    `windows` are those that an opcode's calls bring in; of the opcode "", those of any run.
    """

    window_bytes: int
    windows: tuple[tuple[str, tuple[int, ...]], ...]

    def resident_bytes(self, opcodes: Iterable[str]) -> int:
        """What runs of these opcodes bring in together; an opcode that is not known counts 0."""
        known = dict(self.windows)
        return self.window_bytes * len({w for name in ("", *opcodes) for w in known.get(name, ())})


@final
@dataclass(frozen=True, slots=True)
class Machine:
    """A machine. Units, memories and `static_power_watts` are those of one innermost member.

    `busy_power_watts` is the power under load (thermal design power where no better is known).
    `launch_seconds` is the fixed cost of starting one task, `synchronise_seconds` that of one
    barrier among all units. `runtime_bytes` is what the runtime holds in a process besides any
    program, and `code` what a program's opcodes bring in of its code.
    """

    name: str
    title: str
    kind: MachineKind
    axes: tuple[Axis, ...]
    units: tuple[Unit, ...]
    memories: tuple[Memory, ...]
    links: tuple[Link, ...]
    sources: tuple[tuple[str, Source], ...]
    power_source: Source
    overheads_source: Source  # of launch_seconds and synchronise_seconds
    static_power_watts: float | None = None
    busy_power_watts: float | None = None
    launch_seconds: float = 0.0
    synchronise_seconds: float = 0.0
    runtime_bytes: int = 0
    code: Code | None = None
    spiking: SpikingMesh | None = None  # of a chip whose units' cost model is "spiking"

    def held_bytes(self, opcodes: Iterable[str]) -> int:
        """What the runtime holds in a process that runs these opcodes, besides their operands."""
        return self.runtime_bytes + (self.code.resident_bytes(opcodes) if self.code else 0)

    @property
    def num_devices(self) -> int:
        """Members of the innermost axis over the whole machine."""
        count = 1
        for axis in self.axes:
            count *= axis.count
        return count

    def memory(self, name: str) -> Memory:
        """The memory of this name; a KeyError is a bug of the caller, not of a file."""
        return {m.name: m for m in self.memories}[name]

    def path(self, unit: Unit) -> tuple[Memory, ...]:
        """The memories that a unit reaches, innermost first."""
        return tuple(self.memory(name) for name in unit.memories)

    def home(self, unit: Unit) -> Memory:
        """Where what is written lives: the outermost memory of the unit that can be written."""
        return [m for m in self.path(unit) if not m.read_only][-1]

    def store(self, unit: Unit) -> Memory:
        """Where weights live: a read-only memory (flash) when there is one, else the home."""
        read_only = [m for m in self.path(unit) if m.read_only]
        return read_only[-1] if read_only else self.home(unit)
