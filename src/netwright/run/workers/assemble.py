"""Assemble: a network with its loss, cuts and a schedule → what every worker is given."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.errors import JobError
from netwright.graph.graph import Graph
from netwright.job.train import Train
from netwright.plan.pipeline.build import ASYNCHRONOUS, split_name
from netwright.plan.pipeline.pipelined_backprop import delay_of
from netwright.program.program import Program
from netwright.run.workers.chunk import Chunk
from netwright.run.workers.data import TextData
from netwright.run.workers.worker import Work
from netwright.transform.cut import Holders
from netwright.transform.differentiate import differentiate
from netwright.transform.optimise import optimiser_step


def assemble(
    parts: Sequence[Graph],
    placement: Sequence[int],
    program: Program,
    job: Train,
    data: TextData,
    shared: Sequence[Holders] = (),
) -> tuple[Work, ...]:
    """One `Work` a worker, from the chunks of a network that ends in its loss.

    `placement[c]` is the worker that holds chunk c; `shared`: weights that several chunks hold.

    Raises:
        JobError: there are not as many chunks as are placed.
        UnsupportedError: an operator has no gradient.
    """
    if len(parts) != len(placement):
        raise JobError(f"{len(parts)} chunks, but {len(placement)} are placed on workers")
    chunks = tuple(_chunk(index, part, len(parts), job) for index, part in enumerate(parts))
    boundaries = tuple(
        tuple(e for e in part[part.outputs[0]].shape if isinstance(e, int)) for part in parts[:-1]
    )
    return tuple(
        Work(
            rank,
            tuple(c for c in chunks if placement[c.index] == rank),
            boundaries,
            program,
            data,
            job.link_delay_seconds,
            tuple(shared),
        )
        for rank in range(job.workers)
    )


def _chunk(index: int, part: Graph, count: int, job: Train) -> Chunk:
    found = differentiate(part)
    forward = found.forward
    weights = [forward[place] for place in dict.fromkeys(place for place, _ in found.weights)]
    entry = part.inputs[0] if index else None
    data = tuple((i, part[i].name) for i in part.inputs if i != entry)
    late = delay_of(index, count) if split_name(job.schedule)[0] in ASYNCHRONOUS else 0
    step = optimiser_step(weights, job.optimiser, late if job.delays.spike_compensation else 0)
    return Chunk(
        index,
        found,
        step,
        job.optimiser.rate,
        entry,
        part.outputs[0],
        data,
        index == count - 1,
        job.recompute,
        split_name(job.schedule)[0] in ASYNCHRONOUS,
        late if job.delays.weight_prediction else 0,
    )
