"""What lowering writes into: the shared store of a program, and the emitter of one entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from netwright.cost.storage import BLOCKS
from netwright.errors import PlanError, UnsupportedError
from netwright.graph.extent import Extent, upper
from netwright.graph.graph import Graph
from netwright.graph.op import Op
from netwright.graph.ops.position import StateUpdate
from netwright.graph.tensor import ArrayData, FileData, Role, TensorId
from netwright.plan.lower.step import (
    ALIGNMENT_BYTES,
    ITEM_BYTES,
    Buffer,
    BufferId,
    Offer,
    Parameter,
    Pick,
    Step,
    View,
    Weight,
    bytes_of,
    first_offered,
    ordered,
    row_major,
    times,
)
from netwright.program.program import ArenaKind

MOST_BUFFER_BYTES = 1 << 40


@final
@dataclass(slots=True)
class Store:
    """What the entries of one program share: buffers, constants, weights, states, kernels.

    `steps` is how many a job asks of a stream: of so many the spikes of its outputs are kept.
    """

    pick: Pick = first_offered
    steps: int | None = None
    buffers: list[Buffer] = field(default_factory=list[Buffer])
    constants: list[NDArray[np.uint8]] = field(default_factory=list[NDArray[np.uint8]])
    constant_bytes: int = 0
    weights: dict[TensorId, View] = field(default_factory=dict[TensorId, View])
    states: dict[TensorId, View] = field(default_factory=dict[TensorId, View])
    ports: dict[str, View] = field(default_factory=dict[str, View])
    made: dict[Any, View] = field(default_factory=dict[Any, View])

    def add(self, buffer: Buffer) -> BufferId:
        """Keeps a buffer; its id is its index."""
        self.buffers.append(buffer)
        return BufferId(len(self.buffers) - 1)

    def add_constant(self, raw: NDArray[np.uint8], name: str) -> BufferId:
        """Appends bytes to the constants, aligned."""
        offset = self.constant_bytes + -self.constant_bytes % ALIGNMENT_BYTES
        self.constants += [np.zeros(offset - self.constant_bytes, np.uint8), raw]
        self.constant_bytes = offset + raw.size
        return self.add(Buffer(ArenaKind.CONSTANT, raw.size, name, offset_bytes=offset))


@final
@dataclass(slots=True)
class Emitter:
    """The state of lowering one entry. `low` and `high` bound its symbols.

    `renewed`: the values that states have after it.
    """

    graph: Graph
    store: Store
    low: Mapping[str, int]
    high: Mapping[str, int]
    threads: int
    consumers: Mapping[TensorId, Sequence[Op]]
    renewed: frozenset[TensorId] = frozenset()
    steps: list[Step] = field(default_factory=list[Step])
    views: dict[TensorId, View] = field(default_factory=dict[TensorId, View])
    act8: dict[tuple[TensorId, str], View] = field(default_factory=dict[tuple[TensorId, str], View])

    def buffer(self, kind: ArenaKind, size_bytes: int, name: str) -> BufferId:
        """A new buffer of the worst-case size."""
        if size_bytes > MOST_BUFFER_BYTES:
            raise PlanError(
                f"{name}: {size_bytes} bytes, more than {MOST_BUFFER_BYTES} that one result may"
                " take; a smaller input or batch would help"
            )
        return self.store.add(Buffer(kind, size_bytes, name))

    def most(self, extent: Extent) -> int:
        """The largest value of an extent in this entry."""
        return upper(extent, self.low, self.high)

    def size_of(self, shape: Sequence[Extent], item_bytes: int) -> int:
        """Worst-case bytes of a contiguous view."""
        size = item_bytes
        for extent in shape:
            size *= self.most(extent)
        return size

    def scratch(
        self,
        shape: Sequence[Extent],
        format_name: str,
        name: str,
        order: Sequence[int] | None = None,
    ) -> View:
        """A fresh activation; `order` is the order of dims in memory, outermost first."""
        item = bytes_of(format_name)
        buffer = self.buffer(ArenaKind.SCRATCH, self.size_of(shape, item), name)
        strides = ordered(shape, order, item) if order else row_major(shape, item)
        return View(buffer, 0, format_name, tuple(shape), strides)

    def act8_rows(self, rows: Extent, columns: int, format_name: str, name: str) -> View:
        """A fresh buffer for `rows` rows of int8 activations, or of tables of their sums
        (native/kernels/activation.hpp)."""
        block, block_bytes = BLOCKS[format_name]
        row_bytes = columns // block * block_bytes
        buffer = self.buffer(ArenaKind.SCRATCH, self.most(rows) * row_bytes, name)
        return View(buffer, 0, format_name, (rows, columns), (row_bytes, 0))

    def constant(self, array: NDArray[Any], format_name: str, name: str) -> View:
        """Bytes that lowering made (packed weights, folded tables), kept in the program."""
        raw = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
        shape = array.shape if format_name != "bytes" else (raw.size,)
        buffer = self.store.add_constant(raw, name)
        return View(buffer, 0, format_name, tuple(shape), row_major(shape, bytes_of(format_name)))

    def cached_constant(
        self, key: Any, make: Callable[[], NDArray[Any]], format_name: str, name: str
    ) -> View:
        """A constant made once for a key, however many steps (or entries) use it."""
        if key not in self.store.made:
            self.store.made[key] = self.constant(make(), format_name, name)
        return self.store.made[key]

    def weight(self, tensor: TensorId) -> View:
        """A weight where it lies: in its file as shipped, or in the program's constants."""
        found = self.store.weights.get(tensor)
        if found is not None:
            return found
        value = self.graph[tensor]
        if not value.data:
            raise PlanError(f"tensor {value.name!r} has no data and nothing computes it")
        data = value.data[0]
        shape = tuple(self.most(e) for e in value.shape)
        if isinstance(data, ArrayData):
            buffer = self.store.add_constant(data.raw.reshape(-1), value.name)
        elif data.offset_bytes % ITEM_BYTES.get(value.format.name, 1):
            # Some files do not align their weights; kernels read whole elements.
            raw = np.fromfile(data.path, np.uint8, data.size_bytes, offset=data.offset_bytes)
            buffer = self.store.add_constant(raw, value.name)
        else:
            buffer = self.store.add(
                Buffer(ArenaKind.FILE, data.size_bytes, value.name, data.path, data.offset_bytes)
            )
        form = value.format
        if form.block_elements == 1:
            strides = row_major(shape, form.block_bytes)
        else:
            row = form.row_bytes(shape[-1])
            strides = (*row_major(shape[:-1], row), 0)
        view = View(buffer, 0, form.name, shape, strides)
        self.store.weights[tensor] = view
        return view

    def read(self, tensor: TensorId) -> View:
        """The view of any operand: computed, or a weight."""
        found = self.views.get(tensor)
        return found if found is not None else self.weight(tensor)

    def is_constant(self, tensor: TensorId) -> bool:
        """Whether the value is known at plan time."""
        return self.graph[tensor].role is Role.WEIGHT

    def array(self, tensor: TensorId) -> NDArray[Any]:
        """The decoded value of a weight, for packing."""
        value = self.graph[tensor]
        if not value.data:
            raise PlanError(
                f"weight {value.name!r} has no data, and its kernel reads a form packed from it; "
                "give the network its weights, or a seed for random ones"
            )
        data = value.data[0]
        if isinstance(data, FileData):
            raw = np.fromfile(data.path, np.uint8, data.size_bytes, offset=data.offset_bytes)
        else:
            raw = data.raw.reshape(-1)
        shape = tuple(self.most(e) for e in value.shape)
        if value.format.name == "fp32":
            return raw.view(np.float32).reshape(shape)
        return value.format.decode(raw).reshape(shape)

    def step(
        self,
        opcode: str,
        written: Sequence[View | None],
        read: Sequence[View | None],
        parameters: Sequence[Parameter],
        source: str,
        work: float = 0.0,
    ) -> Step:
        """A step that is not emitted. `work` is its elementary operations: it decides into how
        many parts a step is cut when there is more than one thread."""
        parts = self.parts(work)
        return Step(opcode, (*written, *read), tuple(parameters), len(written), parts, source)

    def parts(self, work: float) -> int:
        """Into how many parts a step of so many elementary operations is cut.

        A step of a stream follows the last without a pause: its threads do not sleep in between.
        """
        least = 200_000.0 if self.store.steps is None else 10_000.0
        if self.threads < 2 or work <= least:
            return 1
        return min(16 * self.threads, max(1, int(2.0 * work / least)))

    def emit(
        self,
        opcode: str,
        written: Sequence[View | None],
        read: Sequence[View | None],
        parameters: Sequence[Parameter],
        source: str,
        work: float = 0.0,
    ) -> None:
        """One more step; `work` as `step` has it."""
        self.steps.append(self.step(opcode, written, read, parameters, source, work))

    def emit_best(self, offers: Sequence[Offer]) -> None:
        """The step of the offer that is picked, with its weight made."""
        offer = offers[self.store.pick(offers)]
        step, place = offer.step, offer.place
        operands = (*step.operands[:place], offer.weight.take(), *step.operands[place + 1 :])
        if offer.recoded is not None:
            operands = (operands[0], offer.recoded.take(), *operands[2:])
        self.steps.append(replace(step, operands=operands))

    def packed(
        self, key: Any, size_bytes: int, make: Callable[[], NDArray[Any]], name: str
    ) -> Weight:
        """A weight that is packed once it is taken."""
        seen = View(BufferId(-1), 0, "bytes", (size_bytes,), (1,))
        return Weight(seen, size_bytes, lambda: self.cached_constant(key, make, "bytes", name))

    def only_reader(self, tensor: TensorId, op: Op) -> bool:
        """Whether nothing but this operator looks at a value (but for what writes it anew)."""
        readers = self.consumers.get(tensor, ())
        others = [r for r in readers if r is not op and not _renews(r, tensor)]
        computed = self.graph[tensor].role in (Role.ACTIVATION, Role.STATE)
        return computed and not others and tensor not in self.graph.outputs

    def rows(self, view: View) -> View | None:
        """The view as [rows, last dim] when its leading dims are evenly spaced, else None."""
        if len(view.shape) == 1:
            row = view.shape[0]
            return View(
                view.buffer, view.offset_bytes, view.format, (1, row),
                (times(view.stride_bytes[0], row), view.stride_bytes[0]),
            )  # fmt: skip
        rows: Extent = 1
        stride: Extent | None = None
        for size, step in zip(
            reversed(view.shape[:-1]), reversed(view.stride_bytes[:-1]), strict=True
        ):
            if size == 1:
                continue
            if stride is None:
                stride = step
            elif step != times(stride, rows):
                return None
            rows = times(rows, size)
        if stride is None:
            stride = times(view.item_bytes, view.shape[-1])
        return View(
            view.buffer, view.offset_bytes, view.format, (rows, view.shape[-1]),
            (stride, view.stride_bytes[-1]),
        )  # fmt: skip


def _renews(op: Op, state: TensorId) -> bool:
    return isinstance(op.kind, StateUpdate) and op.inputs[0] == state


def unsupported(op: Op, why: str) -> UnsupportedError:
    """The error for an operator that no kernel covers."""
    return UnsupportedError(f"{op.name} ({type(op.kind).__name__}): {why}")
