"""One network at one setting, predicted and measured in a process of its own.

python -m benchmarks.workers.truth netwright; the first request, {"kind", "source", ...}, loads it,
and each one after it, {"seconds"}, times passes for about so long.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from benchmarks.array_cases import ArrayCase, case_inputs
from benchmarks.workers.protocol import Answer, claim_output, serve

from netwright.job.job import Generate, Limits
from netwright.machine.load import machine
from netwright.machine.probe.door import core
from netwright.path.prepare import Prepared, Request, prepare
from netwright.program.code import opcodes_run
from netwright.program.file import load as load_program
from netwright.program.footprint import beside_bytes, expected_bytes, touched_bytes
from netwright.run.decoder import NativeDecoder
from netwright.run.native import NativeRuntime
from netwright.simulate import simulate

DECODES = 16  # tokens after a prompt; the one in the middle is timed
BERT_WORDS = 30522
FILLING_BYTES = 4 << 20  # of each size; blocks from 128 KiB on have pages of their own
FILLINGS = (120 << 10, 64 << 10, 32 << 10, 16 << 10)
SLICE_SECONDS = 1.5e-3  # between two looks at the gauges
MAPPINGS = Path("/proc/self/smaps")
Calls = list[tuple[str, Mapping[str, int]]]


@final
@dataclass(frozen=True, slots=True)
class Resident:
    """Bytes resident now, counted page by page: of mapped files by their path, and of all else.

    VmRSS and VmHWM will not do: Linux counts them in batches, off by up to 0.25 MB a processor.
    """

    by_file: Mapping[str, int]
    other_bytes: int

    @staticmethod
    def before() -> tuple[Resident, list[bytearray]]:
        """The same before a program is loaded, and what fills the holes in this process's heap.

        A copy that lands in a hole, left by what was freed, would not be seen to take memory.
        """
        filling = [bytearray(size) for size in FILLINGS for _ in range(FILLING_BYTES // size)]
        return Resident.now(), filling

    @staticmethod
    def now() -> Resident:
        """What the system says."""
        by_file: dict[str, int] = {}
        other, path = 0, ""
        with MAPPINGS.open() as stream:  # line by line: looking must not itself take memory
            for line in stream:
                fields = line.split(maxsplit=5)
                if "-" in fields[0]:
                    path = fields[5].rstrip() if len(fields) > 5 else ""
                elif fields[0] == "Rss:":
                    held = int(fields[1]) * 1024
                    if path.startswith("/"):
                        by_file[path] = by_file.get(path, 0) + held
                    else:
                        other += held
        return Resident(by_file, other)


def held_bytes(before: Resident, prepared: Prepared) -> int:
    """What this process holds for a program: its files, the core, and what else has grown.

    Of a file all counts: a page of it that was there before is one that the program needs, too.
    """
    now = Resident.now()
    program = load_program(prepared.file.path)
    files = {str(prepared.file.path), core.__file__}
    files |= {str(a.file.path) for a in program.arenas if a.file is not None}
    mapped = sum(size for path, size in now.by_file.items() if path in files)
    return mapped + now.other_bytes - before.other_bytes


@final
@dataclass(frozen=True, slots=True)
class Slice:
    """Tasks [first, last) of one call of a pass."""

    entry: str
    symbols: Mapping[str, int]
    first: int
    last: int


@final
class Pass:
    """What is timed: calls of a runtime that together are one pass, whole or cut in slices.

    A slice is a few milliseconds of whole tasks, so that the gauges before and after it tell how
    the machine was meanwhile; neighbours come and go within 20 to 100 ms.
    """

    def __init__(self, runtime: NativeRuntime, calls: Calls) -> None:
        self._runtime, self._calls = runtime, calls
        self.whole()
        self._slices = [s for entry, symbols in calls for s in self._cut(entry, symbols)]

    def whole(self) -> float:
        """CPU seconds of the pass in one go."""
        begun = time.process_time()
        for entry, symbols in self._calls:
            self._runtime.execute(entry, symbols)
        return time.process_time() - begun

    def slices(self) -> list[list[tuple[float, float, float]]]:
        """Of each slice, samples: (seconds, of the reference, of the stream); the slower look."""
        result: list[list[tuple[float, float, float]]] = []
        before = _look()
        for each in self._slices:
            taken = [self._run(each)]
            # A short pass is repeated; the first met the caches as the gauges had left them.
            while len(self._slices) == 1 and sum(taken) < SLICE_SECONDS:
                taken.append(self._run(each))
            after = _look()
            slower = max(before[0], after[0]), max(before[1], after[1])
            result.append([(seconds, *slower) for seconds in (taken[1:] or taken)])
            before = after
        return result

    def _run(self, each: Slice) -> float:
        return sum(self._runtime.execute_slice(each.entry, each.symbols, each.first, each.last))

    def _cut(self, entry: str, symbols: Mapping[str, int]) -> list[Slice]:
        num_tasks = self._runtime.num_tasks(entry)
        took = self._runtime.execute_slice(entry, symbols, 0, num_tasks)
        slices: list[Slice] = []
        first, seconds = 0, 0.0
        for task, each in enumerate(took):
            seconds += each
            if seconds >= SLICE_SECONDS or task + 1 == num_tasks:
                slices.append(Slice(entry, symbols, first, task + 1))
                first, seconds = task + 1, 0.0
        return slices


def _look() -> tuple[float, float]:
    fast = core.has_avx2()
    return core.reference_seconds(fast), core.stream_seconds(fast)


def timed(what: Pass, seconds: float) -> Answer:
    """Whole passes and passes in slices by turns, for about so many seconds, at least one each."""
    whole: list[float] = []
    slices: list[list[list[tuple[float, float, float]]]] = []
    what.whole()  # what other processes sent out of the caches comes back
    deadline = time.monotonic() + seconds
    while not whole or time.monotonic() < deadline:
        whole.append(what.whole())
        slices.append(what.slices())
    return {"whole": whole, "slices": slices}


def _facts(prepared: Prepared, ran: Calls, again: Calls, measured_bytes: int) -> Answer:
    """What was predicted; `ran` are all calls that were made, `again` those of a timed pass."""
    program = load_program(prepared.file.path)
    here = machine("here")
    predicted = low = high = 0.0
    for entry, symbols in again:
        timeline = simulate(program, here, entry, symbols)
        interval = timeline.interval
        predicted += timeline.seconds
        low += interval.low if interval else timeline.seconds
        high += interval.high if interval else timeline.seconds
    called = {entry for entry, _ in ran}
    opcodes = opcodes_run(e for e in program.entries if e.name in called)
    return {
        "predicted": predicted,
        "low": low,
        "high": high,
        "planned_bytes": expected_bytes(program, ran) + here.held_bytes(opcodes),
        "most_bytes": touched_bytes(program, ran) + beside_bytes(program, ran),
        "measured_bytes": measured_bytes,
    }


def planned(request: Answer) -> Prepared:
    """The cached program of a request; a text is planned for its own length and no longer."""
    if request["kind"] == "arrays":
        dims = tuple((str(n), int(v)) for n, v in request["dims"])
        return ArrayCase("", request["source"], dims).prepare()
    job = Generate(prompt=request["prompt"], tokens=DECODES, limits=Limits(threads=1))
    return prepare(Request(request["path"], "here", job))


def arrays(request: Answer) -> tuple[Answer, Pass]:
    """A forward pass: {"source", "dims"}."""
    prepared = planned(request)
    given = case_inputs(prepared)
    if "input_ids" in given:  # words from all over the vocabulary, as the prediction expects
        rows = np.random.default_rng(2).integers(0, BERT_WORDS, given["input_ids"].shape)
        given["input_ids"] = rows.astype(given["input_ids"].dtype)
    Resident.now()  # the first look imports and allocates
    before, filling = Resident.before()
    runtime = NativeRuntime(prepared.file)
    outputs = runtime.call("forward", given, {})
    held = held_bytes(before, prepared)
    del outputs, filling
    ran: Calls = [("forward", {})]
    return _facts(prepared, ran, ran, held), Pass(runtime, ran)


def text(request: Answer) -> tuple[Answer, Pass]:
    """{"path", "prompt", "tokens"}: tokens 0 times the prompt, else a token after it."""
    prepared = planned(request)
    prompt = [(i * 7919 + 311) % 30000 + 280 for i in range(request["prompt"])]
    Resident.now()  # the first look imports and allocates
    before, filling = Resident.before()
    runtime = NativeRuntime(prepared.file)
    decoder = NativeDecoder(runtime, 1 << 30)
    decoder.prefill(prompt)
    ran: Calls = [(c.entry, dict(c.symbols)) for c in decoder.calls]
    if not request["tokens"]:
        held = held_bytes(before, prepared)
        del filling
        return _facts(prepared, ran, ran, held), Pass(runtime, ran)
    for i in range(DECODES):
        decoder.decode(400 + i)
    held = held_bytes(before, prepared)
    del filling
    at = {"n_tokens": 1, "n_past": len(prompt) + DECODES // 2}
    ran += [("decode", {"n_tokens": 1, "n_past": len(prompt) + i}) for i in range(DECODES)]
    return _facts(prepared, ran, [("decode", at)], held), Pass(runtime, [("decode", at)])


def main() -> None:
    answers = claim_output()
    kinds = {"arrays": arrays, "text": text}
    loaded: list[Pass] = []

    def handle(request: Answer) -> Answer:
        if "kind" in request:
            facts, what = kinds[request["kind"]](request)
            loaded[:] = [what]
            return facts
        return timed(loaded[0], request["seconds"])

    serve(answers, {"ready": str(Path.cwd())}, handle)


if __name__ == "__main__":
    main()
