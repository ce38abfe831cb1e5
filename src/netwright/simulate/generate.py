"""A whole generation: the prompt in chunks, then one token at a time with a growing past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from netwright.errors import ProgramError
from netwright.job.job import Generate
from netwright.program.footprint import Call
from netwright.simulate.memory import held_bytes, live_scratch, peak_bytes
from netwright.simulate.pieces import Pieces
from netwright.simulate.price import TaskCost
from netwright.simulate.simulate import (
    SIMULATED,
    Simulation,
    find_entry,
    spans_of,
    total_interval,
    total_joules,
)
from netwright.timeline.timeline import MemorySample, Span, Timeline


def simulate_generate(on: Simulation, job: Generate) -> Timeline:
    """Every call of the job, one after the other. Sampling between calls is not counted.

    The prompt goes in by `prefill` in chunks, and its last logits give the first token; each other
    token is one `decode`. Facts: prompt_seconds, prompt_token_seconds (one prompt token),
    decode_seconds, token_seconds (one generated token, on average) and calls.

    Raises:
        ProgramError: an entry is missing, or the job is longer than the program was planned for.
    """
    if job.prompt < 1 or job.tokens < 1:
        raise ProgramError(
            f"generate: {job.prompt} prompt tokens and {job.tokens} new ones; expected at least 1"
        )
    run = _Run(on)
    prefill = on.pieces("prefill")
    chunk = _most_tokens(prefill, job.chunk)
    for past in range(0, job.prompt, chunk):
        before = run.seconds
        run.call(prefill, past, min(chunk, job.prompt - past))
        run.sample(before, run.made)
    prompt_seconds = run.seconds
    if job.tokens > 1:
        decode = on.pieces("decode")
        for past in range(job.prompt, job.prompt + job.tokens - 1):
            run.call(decode, past, 1)
        run.sample(prompt_seconds, run.made)  # one for all tokens: the largest
    decode_seconds = run.seconds - prompt_seconds
    facts = (
        ("prompt_seconds", prompt_seconds),
        ("prompt_token_seconds", prompt_seconds / job.prompt),
        ("decode_seconds", decode_seconds),
        ("token_seconds", decode_seconds / max(job.tokens - 1, 1)),
        ("calls", float(run.calls)),
    )
    return Timeline(
        name=f"{on.program.name}.generate",
        origin=SIMULATED,
        machine=on.machine,
        spans=tuple(run.spans),
        memory=tuple(run.memory),
        seconds=run.seconds,
        peak_memory_bytes=peak_bytes(on.program, run.made, on.runtime_bytes),
        joules=total_joules(run.costs),
        interval=total_interval(run.costs, run.seconds),
        facts=facts,
    )


@final
@dataclass(slots=True)
class _Run:
    """Calls laid end to end."""

    on: Simulation
    seconds: float = 0.0
    calls: int = 0
    # All of the prompt, the first token and the last: tokens between touch nothing else.
    made: list[Call] = field(default_factory=list[Call])
    spans: list[Span] = field(default_factory=list[Span])
    memory: list[MemorySample] = field(default_factory=list[MemorySample])
    costs: list[TaskCost] = field(default_factory=list[TaskCost])

    def call(self, pieces: Pieces, past: int, tokens: int) -> None:
        symbols = {"n_past": past, "n_tokens": tokens}
        if [name for name, _ in self.made[-2:]] == ["decode", "decode"]:
            self.made.pop()
        self.made.append((pieces.entry.name, symbols))
        self.calls += 1
        times = pieces.time(symbols)
        self.spans += spans_of(self.on.program, pieces.entry, times, self.seconds)
        self.costs += times.costs
        self.seconds += times.seconds

    def sample(self, at_seconds: float, calls: Sequence[Call]) -> None:
        """From then on: what is held after these calls, and the scratch that the last has alive."""
        program, (name, symbols) = self.on.program, calls[-1]
        held = held_bytes(program, calls, self.on.runtime_bytes)
        for memory, alive in live_scratch(program, find_entry(program, name), symbols):
            held[memory] = held.get(memory, 0) + int(alive.max(initial=0))
        self.memory += [MemorySample(m, at_seconds, used) for m, used in held.items()]


def _most_tokens(prefill: Pieces, chunk: int) -> int:
    """The largest chunk that both the job and the entry allow."""
    for name, _, high in prefill.entry.bounds:
        if name == "n_tokens":
            return max(1, min(chunk, high))
    raise ProgramError("entry 'prefill' has no symbol n_tokens, so a prompt cannot enter by it")
