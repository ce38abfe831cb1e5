"""Schedule → Program: passes on workers, transfers on links, activations at addresses.

Every direction of a link is a worker of its own, which does one transfer after the other. Tasks
stand in an order in which each finds what it waits for.
"""

from __future__ import annotations

from netwright.plan.pipeline.schedule import (
    BACKWARD,
    FORWARD,
    INPUT_GRADIENT,
    WEIGHT_GRADIENT,
    Message,
    Pass,
    Schedule,
    Send,
    needs,
    send_after,
    sequence,
)
from netwright.plan.pipeline.slots import Held, hold
from netwright.plan.pipeline.times import chunks_of
from netwright.program.program import Arena, ArenaKind, Entry, Operand, Program, Task

ENTRY = "train"
OPCODES = {
    FORWARD: "stage_forward",
    INPUT_GRADIENT: "stage_input_gradient",
    WEIGHT_GRADIENT: "stage_weight_gradient",
    BACKWARD: "stage_backward",
}
TRANSFER = "transfer"
# What an activation of one micro-batch counts as where its bytes are not known.
ACTIVATION_BYTES = 1 << 20


def lower_schedule(
    schedule: Schedule,
    kept: float = 0.5,
    activation_bytes: int = ACTIVATION_BYTES,
    working_bytes: int = 0,
) -> Program:
    """The program of one step, entry "train"; `activation_bytes`: one micro-batch on one worker;
    `working_bytes`: what a backward pass makes anew.

    Parameters of a pass: chunk, micro-batch; of a transfer: 0 for an activation or 1 for a
    gradient, the boundary, micro-batch.

    Raises:
        PlanError: the workers wait for each other.
    """
    chunks = chunks_of(schedule)
    held = tuple(
        hold(order, max(activation_bytes // max(chunks[w], 1), 2), kept, working_bytes)
        for w, order in enumerate(schedule.orders)
    )
    lowering = _Lowering(schedule, held)
    for worker, step in sequence(schedule):
        lowering.add(worker, step)
    names = [f"worker {w}" for w in range(schedule.num_workers)]
    names += [f"link {a} to {b}" for a, b in lowering.links]
    arenas = tuple(
        Arena(f"activations {w}", ArenaKind.SCRATCH, kept_here.size_bytes, f"worker {w}")
        for w, kept_here in enumerate(held)
    )
    entry = Entry(ENTRY, tuple(lowering.tasks), (), 0, (), ())
    return Program(
        schedule.name,
        arenas,
        (entry,),
        tuple(names),
        machine="stages",
        metadata=(("microbatches", str(schedule.microbatches)),),
    )


class _Lowering:
    """Tasks so far, and which of them ended what."""

    def __init__(self, schedule: Schedule, held: tuple[Held, ...]) -> None:
        self.schedule = schedule
        self.held = held
        self.tasks: list[Task] = []
        self.links: dict[tuple[int, int], int] = {}
        self._at: dict[Pass, int] = {}
        self._moved: dict[tuple[int, int, int], int] = {}

    def add(self, worker: int, step: Pass) -> None:
        """One pass, and the transfer that carries its result to another worker."""
        operands = self.held[worker].operands(step, worker)
        parameters = (step.chunk, step.microbatch)
        self._at[step] = self._append(
            OPCODES[step.kind], operands, parameters, self._waits(worker, step), worker
        )
        send = send_after(self.schedule, worker, step)
        if send is not None:
            self._transfer(worker, step, send)

    def _waits(self, worker: int, step: Pass) -> tuple[int, ...]:
        waits: list[int] = []
        for group in needs(step, self.schedule.num_chunks):
            one = next(p for p in group if p in self._at)
            if self.schedule.worker_of(one.chunk, one.microbatch) == worker:
                waits.append(self._at[one])
            else:
                back = int(one.kind is not FORWARD)
                waits.append(self._moved[back, min(one.chunk, step.chunk), one.microbatch])
        return tuple(sorted(waits))

    def _transfer(self, worker: int, step: Pass, send: Send) -> None:
        back = int(send.message is Message.GRADIENT)
        link = self.links.setdefault((worker, send.peer), len(self.links))
        self._moved[back, send.boundary, send.microbatch] = self._append(
            TRANSFER,
            (),
            (back, send.boundary, send.microbatch),
            (self._at[step],),
            self.schedule.num_workers + link,
        )

    def _append(
        self,
        opcode: str,
        operands: tuple[Operand | None, ...],
        parameters: tuple[int, ...],
        waits: tuple[int, ...],
        worker: int,
    ) -> int:
        if opcode == TRANSFER:
            what = ("activation", "gradient")[parameters[0]]
            source = f"{what} {parameters[2]} over boundary {parameters[1]}"
        else:
            source = f"chunk {parameters[0]}, micro-batch {parameters[1]}"
        self.tasks.append(Task(opcode, operands, parameters, waits, 1, source, worker))
        return len(self.tasks) - 1
