"""Worker: one process of a training run: its part of the program, its chunks, links and spans."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from torch import Tensor

from netwright.errors import RunError
from netwright.plan.pipeline.step import SHARED
from netwright.program.program import Program, Task
from netwright.run.workers.chunk import Chunk, ChunkState
from netwright.run.workers.clock import Clock
from netwright.run.workers.data import TextData
from netwright.run.workers.instructions import (
    BACKWARD,
    FORWARD,
    INPUT_GRADIENT,
    UPDATE,
    Compute,
    Instruction,
    Receive,
    Send,
    instructions,
)
from netwright.run.workers.link import Links, Port
from netwright.timeline.timeline import MemorySample, Span
from netwright.transform.cut import Holders


@final
@dataclass(frozen=True, slots=True)
class Work:
    """What one worker is given: its chunks, the program of all, and the data."""

    rank: int
    chunks: tuple[Chunk, ...]
    boundaries: tuple[tuple[int, ...], ...]  # shape of the activation after each chunk but the last
    program: Program
    data: TextData
    link_delay_seconds: float
    shared: tuple[Holders, ...] = ()  # weights that several chunks hold


@final
@dataclass(frozen=True, slots=True)
class StepReport:
    """One step of one worker, on the common clock.

    `processor_seconds` of a task are those since the worker's task before it, so that what sending,
    receiving and keeping the books cost is in them.
    """

    step: int
    rank: int
    loss: float | None  # of whoever holds the last chunk
    spans: tuple[Span, ...]
    processor_seconds: tuple[tuple[int, float], ...]  # task of the program, seconds
    memory: tuple[MemorySample, ...]


# 1 for a gradient, boundary, micro-batch; or SHARED, the weight's number, the giving chunk.
Key: TypeAlias = tuple[int, int, int]


@final
class Worker:
    """Executes its part of the program, step by step."""

    def __init__(self, work: Work, clock: Clock) -> None:
        self._work = work
        self._clock = clock
        self._name = work.program.workers[work.rank]
        self._order = instructions(work.program, work.rank)
        self._microbatches = work.data.microbatches
        self._links = Links(clock, work.link_delay_seconds)
        self._chunks = {c.index: ChunkState(c, self._microbatches) for c in work.chunks}
        for one in self._order:
            if isinstance(one, Compute) and one.chunk not in self._chunks:
                raise RunError(f"{self._name}: it has no chunk {one.chunk} for {one.task.source}")
        self._ports = [self._port(one) for one in self._order if isinstance(one, Receive)]
        self._stored: dict[Key, Tensor] = {}
        self._settled = False
        self._losses: list[float] = []
        self._spans: list[Span] = []
        self._processor: list[tuple[int, float]] = []
        self._memory: list[MemorySample] = []
        self._used = 0.0  # processor seconds of this thread at the end of its last task

    def _port(self, one: Receive) -> Port:
        shape = self._work.boundaries[one.boundary] if one.gradient != SHARED else None
        if shape is None:  # a float64 is sent as two float32
            shape = (2 * self._shared_sum(one.boundary).numel(),)
        return Port(one.peer, one.tag, shape, one.task.source)

    def _shared_sum(self, number: int, giver: int | None = None) -> Tensor:
        """The sum of a shared weight's gradients in one of this worker's chunks."""
        for chunk, place in self._work.shared[number]:
            if chunk in self._chunks and giver in (None, chunk):
                return self._chunks[chunk].gradient_sum(place)
        raise RunError(f"{self._name}: it does not hold shared weight {number}")

    def _settle(self) -> None:
        """Sums what all holders of a weight have, in the order of chunks: the same bits for all."""
        for number, holders in enumerate(self._work.shared):
            own = [(c, place) for c, place in holders if c in self._chunks]
            if not own:
                continue
            parts = [
                self._chunks[chunk].gradient_sum(place)
                if chunk in self._chunks
                else self._stored.pop((SHARED, number, chunk)).view(torch.float64)
                for chunk, place in holders
            ]
            like = self._chunks[own[0][0]].gradient_sum(own[0][1])
            total = torch.zeros_like(like)
            for part in parts:
                total += part.reshape(like.shape)
            for chunk, place in own:
                self._chunks[chunk].replace_sum(place, total)

    def step(self, step: int, begin: Callable[[], object]) -> StepReport:
        """One step: every pass of every micro-batch, then the optimiser.

        `begin` is called before the first instruction: there all workers wait for each other.
        """
        self._links.expect(self._ports)
        data = {m: self._work.data.microbatch(step, m) for m in range(self._microbatches)}
        begin()
        self._used = time.thread_time()
        self._settled = False
        for one in self._order:
            self._do(one, data)
        self._links.finish()
        if self._stored:
            raise RunError(f"{self._name}: {len(self._stored)} messages were never used")
        return self._report(step)

    def _do(self, one: Instruction, data: Mapping[int, Mapping[str, Tensor]]) -> None:
        match one:
            case Receive():
                values, sent = self._links.receive()
                self._stored[(one.gradient, one.boundary, one.microbatch)] = values
                self._span(one.task, sent, float(4 * values.numel()))
            case Send():
                key = (one.gradient, one.boundary, one.microbatch)
                if one.gradient == SHARED:
                    values = self._shared_sum(one.boundary, one.microbatch).view(torch.float32)
                else:
                    values = self._stored.pop(key)
                self._links.send(values, one.peer, one.tag, one.task.source)
            case Compute():
                start = self._clock.now()
                self._compute(one, data)
                self._span(one.task, start, 0.0)
                self._sample()
                used, self._used = self._used, time.thread_time()
                self._processor.append((one.index, self._used - used))

    def _compute(self, one: Compute, data: Mapping[int, Mapping[str, Tensor]]) -> None:
        chunk, state, opcode = one.chunk, self._chunks[one.chunk], one.task.opcode
        if opcode == UPDATE:
            if not self._settled:
                self._settle()
                self._settled = True
            state.update()
            return
        microbatch = one.microbatch
        if opcode == FORWARD:
            entry = self._stored.pop((0, chunk - 1, microbatch), None)
            result = state.forward(microbatch, entry, data[microbatch])
            if chunk == len(self._work.boundaries):
                self._losses.append(float(result))
            else:
                self._stored[(0, chunk, microbatch)] = result
            return
        if opcode in (INPUT_GRADIENT, BACKWARD):
            seed = self._stored.pop((1, chunk, microbatch), None)
            gradient = state.input_gradient(microbatch, seed)
            if gradient is not None:
                self._stored[(1, chunk - 1, microbatch)] = gradient
        if opcode != INPUT_GRADIENT:
            state.weight_gradient(microbatch)

    def _span(self, task: Task, start: float, moved_bytes: float) -> None:
        lasted = max(self._clock.now() - start, 0.0)
        name = self._work.program.workers[task.worker]
        self._spans.append(
            Span(name, task.source, task.opcode, start, lasted, bytes_moved=moved_bytes)
        )

    def _sample(self) -> None:
        used = sum(state.saved_bytes() for state in self._chunks.values())
        for state in self._chunks.values():
            if state.recomputed_bytes:  # held while its backward pass ran
                most = used + state.recomputed_bytes
                self._memory.append(MemorySample(self._name, self._clock.now(), most))
                state.recomputed_bytes = 0
        self._memory.append(MemorySample(self._name, self._clock.now(), used))

    def _report(self, step: int) -> StepReport:
        loss = math.fsum(self._losses) / len(self._losses) if self._losses else None
        found = StepReport(
            step,
            self._work.rank,
            loss,
            tuple(self._spans),
            tuple(self._processor),
            tuple(self._memory),
        )
        for one in (self._losses, self._spans, self._processor, self._memory):
            one.clear()
        return found
