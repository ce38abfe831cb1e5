"""Schedule: which pass each worker of a pipeline does after which; compute only.

The network is cut into chunks in model order; a worker holds one or more. Communication is added by
`send_after` and `receive_before` (`communicate`: for all passes), times and addresses by the
lowering: a schedule itself knows neither.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, final

from netwright.errors import PlanError


@final
class PassKind(Enum):
    """What a chunk does with one micro-batch."""

    FORWARD = "F"
    INPUT_GRADIENT = "B"  # gradient of the chunk's input, which the chunk before waits for
    WEIGHT_GRADIENT = "W"  # gradient of its weights, which nobody waits for
    BACKWARD = "BW"  # both, fused in one pass


FORWARD, INPUT_GRADIENT = PassKind.FORWARD, PassKind.INPUT_GRADIENT
WEIGHT_GRADIENT, BACKWARD = PassKind.WEIGHT_GRADIENT, PassKind.BACKWARD


@final
@dataclass(frozen=True, slots=True)
class Pass:
    """One micro-batch through one chunk, one way."""

    kind: PassKind
    chunk: int
    microbatch: int

    def __str__(self) -> str:
        return f"{self.kind.value}{self.microbatch} of chunk {self.chunk}"


@final
@dataclass(frozen=True, slots=True)
class Schedule:
    """`orders[w]`: the passes of worker w, one after the other. `placement[c]`: who holds chunk c.

    Chunks are in model order. A schedule is checked by `verify`, not when it is made. `replicas`:
    placements of further copies of the network; micro-batches take the copies in turn.
    """

    name: str
    orders: tuple[tuple[Pass, ...], ...]
    placement: tuple[int, ...]
    microbatches: int
    replicas: tuple[tuple[int, ...], ...] = ()

    def copy_of(self, microbatch: int) -> int:
        """Which copy of the network a micro-batch goes through; 0: that of `placement`."""
        return microbatch % (1 + len(self.replicas))

    def worker_of(self, chunk: int, microbatch: int) -> int:
        """Who does a chunk's passes of a micro-batch."""
        copy = self.copy_of(microbatch)
        return (self.replicas[copy - 1] if copy else self.placement)[chunk]

    @property
    def num_workers(self) -> int:
        """How many workers there are."""
        return len(self.orders)

    @property
    def num_chunks(self) -> int:
        """Into how many chunks the network is cut."""
        return len(self.placement)


@final
class Message(Enum):
    """What goes over a boundary between two chunks."""

    ACTIVATION = "activation"  # onwards, after a forward pass
    GRADIENT = "gradient"  # backwards, after an input gradient


@final
@dataclass(frozen=True, slots=True)
class Send:
    """Starts a transfer and goes on. `boundary` b lies between chunks b and b + 1."""

    message: Message
    boundary: int
    microbatch: int
    peer: int  # the worker that receives


@final
@dataclass(frozen=True, slots=True)
class Receive:
    """Waits until the transfer has arrived."""

    message: Message
    boundary: int
    microbatch: int
    peer: int  # the worker that sends


Instruction: TypeAlias = Pass | Send | Receive


def needs(step: Pass, num_chunks: int) -> tuple[tuple[Pass, ...], ...]:
    """What a pass waits for: of every group, one pass (fused or not) must have ended."""
    kind, chunk, batch = step.kind, step.chunk, step.microbatch
    if kind is FORWARD:
        return () if chunk == 0 else ((Pass(FORWARD, chunk - 1, batch),),)
    if kind is WEIGHT_GRADIENT:
        return ((Pass(INPUT_GRADIENT, chunk, batch),),)
    own = (Pass(FORWARD, chunk, batch),)
    if chunk == num_chunks - 1:
        return (own,)
    after = chunk + 1
    return (own, (Pass(INPUT_GRADIENT, after, batch), Pass(BACKWARD, after, batch)))


def verify(schedule: Schedule) -> None:
    """Checks that every pass is there once, where its chunk is, and that all can run.

    Raises:
        PlanError: a pass is missing, stands twice or on the wrong worker, or workers wait for each
            other in a circle; the message names the passes.
    """
    _verify_passes(schedule)
    sequence(schedule)


def sequence(schedule: Schedule) -> tuple[tuple[int, Pass], ...]:
    """All passes as (worker, pass) in an order in which each finds what it waits for.

    Raises:
        PlanError: there is no such order.
    """
    done: set[Pass] = set()
    found: list[tuple[int, Pass]] = []
    at = [0] * schedule.num_workers
    total = sum(map(len, schedule.orders))
    while len(found) < total:
        before = len(found)
        for worker, order in enumerate(schedule.orders):
            while at[worker] < len(order) and _is_ready(schedule, order[at[worker]], done):
                done.add(order[at[worker]])
                found.append((worker, order[at[worker]]))
                at[worker] += 1
        if len(found) == before:
            stuck = ", ".join(
                f"worker {w} at {order[at[w]]}"
                for w, order in enumerate(schedule.orders)
                if at[w] < len(order)
            )
            raise PlanError(
                f"schedule {schedule.name!r}: the workers wait for each other: {stuck};"
                " move what they wait for to an earlier place"
            )
    return tuple(found)


def communicate(schedule: Schedule) -> tuple[tuple[Instruction, ...], ...]:
    """Per worker its passes with a `Receive` before and a `Send` after where a boundary is crossed.

    A boundary inside a worker moves nothing. Sends do not block, and two on one path need not be
    received in the order of sending: match them by message, boundary and micro-batch.
    """
    return tuple(
        tuple(step for one in order for step in _with_messages(schedule, worker, one))
        for worker, order in enumerate(schedule.orders)
    )


def _with_messages(schedule: Schedule, worker: int, step: Pass) -> list[Instruction]:
    found = (receive_before(schedule, worker, step), step, send_after(schedule, worker, step))
    return [one for one in found if one is not None]


def receive_before(schedule: Schedule, worker: int, step: Pass) -> Receive | None:
    """What a pass waits for from another worker; None where nothing crosses a boundary."""
    found = _crossing(schedule, worker, step, -1)
    return None if found is None else Receive(*found)


def send_after(schedule: Schedule, worker: int, step: Pass) -> Send | None:
    """What a pass gives to another worker; None where nothing crosses a boundary."""
    found = _crossing(schedule, worker, step, +1)
    return None if found is None else Send(*found)


def _crossing(
    schedule: Schedule, worker: int, step: Pass, way: int
) -> tuple[Message, int, int, int] | None:
    """The message to the next chunk of the pass's direction (+1), or from the last one (-1)."""
    if step.kind is WEIGHT_GRADIENT:
        return None
    onwards = step.kind is FORWARD
    other = step.chunk + (way if onwards else -way)
    if not 0 <= other < schedule.num_chunks:
        return None
    peer = schedule.worker_of(other, step.microbatch)
    if peer == worker:
        return None
    message = Message.ACTIVATION if onwards else Message.GRADIENT
    return message, min(step.chunk, other), step.microbatch, peer


def _is_ready(schedule: Schedule, step: Pass, done: set[Pass]) -> bool:
    return all(any(one in done for one in group) for group in needs(step, schedule.num_chunks))


def _verify_passes(schedule: Schedule) -> None:
    where = f"schedule {schedule.name!r}"
    place, batches = schedule.placement, schedule.microbatches
    named = {w for copy in (place, *schedule.replicas) for w in copy}
    alike = all(sorted(copy) == sorted(place) for copy in schedule.replicas)
    if batches < 1 or not place or not alike or not named <= set(range(schedule.num_workers)):
        raise PlanError(
            f"{where}: {batches} micro-batches, placement {place}, {schedule.num_workers} workers;"
            " expected one micro-batch or more, a worker for every chunk, and as many chunks of"
            " every copy on each"
        )
    seen: Counter[Pass] = Counter()
    for worker, order in enumerate(schedule.orders):
        for step in order:
            known = 0 <= step.chunk < len(place) and 0 <= step.microbatch < batches
            if not known or schedule.worker_of(step.chunk, step.microbatch) != worker:
                raise PlanError(f"{where}: worker {worker} has {step}, which is not its to do")
        seen.update(order)
    for step, count in seen.items():
        if count > 1:
            raise PlanError(f"{where}: {step} stands {count} times, expected once")
    for chunk in range(len(place)):
        for batch in range(batches):
            done = {kind for kind in PassKind if Pass(kind, chunk, batch) in seen}
            if done not in ({FORWARD, BACKWARD}, {FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT}):
                got = ", ".join(sorted(kind.value for kind in done)) or "nothing"
                raise PlanError(
                    f"{where}: chunk {chunk}, micro-batch {batch}: got {got}; expected F, B, W or"
                    " F, BW"
                )
