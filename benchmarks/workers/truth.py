"""One network at one setting, predicted and measured in a process of its own.

python -m benchmarks.workers.truth netwright; each request is {"kind", "source", ...}.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.array_cases import ArrayCase, case_inputs
from benchmarks.workers.protocol import Answer, claim_output, serve

from netwright.job.job import Generate, Limits
from netwright.machine.load import machine
from netwright.path.prepare import Prepared, Request, prepare
from netwright.program.file import load as load_program
from netwright.program.footprint import touched_bytes
from netwright.run.decoder import NativeDecoder
from netwright.run.memory import peak_resident_bytes, reset_peak, resident_bytes
from netwright.run.native import NativeRuntime
from netwright.simulate import simulate

DECODES = 16  # calls after a prompt that are one sample of a token
Calls = list[tuple[str, Mapping[str, int]]]


def _timed(call: Callable[[], object], seconds: float) -> list[float]:
    """CPU seconds of each call, for about this many seconds in all, at least 5."""
    times: list[float] = []
    deadline = time.monotonic() + seconds
    while len(times) < 5 or (time.monotonic() < deadline and len(times) < 2000):
        begun = time.process_time()
        call()
        times.append(time.process_time() - begun)
    return times


def _answer(
    prepared: Prepared, calls: Calls, peak_bytes: int, runtime: NativeRuntime, times: list[float]
) -> Answer:
    """`calls` are all that ran; the last one is what was timed."""
    program = load_program(prepared.file.path)
    entry, symbols = calls[-1]
    timeline = simulate(program, machine("here"), entry, symbols)
    interval = timeline.interval
    footprint = touched_bytes(program, calls) + runtime.workspace_bytes * program.threads
    times = sorted(times)
    return {
        "predicted": timeline.seconds,
        "low": interval.low if interval else timeline.seconds,
        "high": interval.high if interval else timeline.seconds,
        "confidence": interval.confidence if interval else 0.0,
        "median": times[len(times) // 2],
        "best": times[0],
        "planned_bytes": footprint,
        "measured_bytes": peak_bytes,
    }


def planned(request: Answer) -> Prepared:
    """The cached program of a request; a text is planned for its own length and no longer."""
    if request["kind"] == "arrays":
        dims = tuple((str(n), int(v)) for n, v in request["dims"])
        return ArrayCase("", request["source"], dims).prepare()
    job = Generate(prompt=request["prompt"], tokens=DECODES, limits=Limits(threads=1))
    return prepare(Request(request["path"], "here", job))


def arrays(request: Answer) -> Answer:
    """A forward pass: {"source", "dims", "seconds"}."""
    prepared = planned(request)
    given = case_inputs(prepared)
    before = resident_bytes()
    reset_peak()
    runtime = NativeRuntime(prepared.file)
    runtime.call("forward", given, {})
    peak = peak_resident_bytes() - before
    times = _timed(lambda: runtime.call("forward", given, {}), request["seconds"])
    return _answer(prepared, [("forward", {})], peak, runtime, times)


def text(request: Answer) -> Answer:
    """{"path", "prompt", "tokens", "seconds"}: tokens 0 times the prompt, else a token after it."""
    prepared = planned(request)
    prompt = [(i * 7919 + 311) % 30000 + 280 for i in range(request["prompt"])]
    before = resident_bytes()
    reset_peak()
    runtime = NativeRuntime(prepared.file)
    decoder = NativeDecoder(runtime, 1 << 30)
    decoder.prefill(prompt)
    ran: Calls = [(c.entry, dict(c.symbols)) for c in decoder.calls]
    if not request["tokens"]:
        peak = peak_resident_bytes() - before

        def again() -> None:
            decoder.reset()
            decoder.prefill(prompt)

        return _answer(prepared, ran, peak, runtime, _timed(again, request["seconds"]))
    times: list[float] = []
    deadline = time.monotonic() + request["seconds"]
    while not times or time.monotonic() < deadline:
        decoder.reset()
        decoder.prefill(prompt)
        for i in range(DECODES):
            begun = time.process_time()
            decoder.decode(400 + i)
            times.append(time.process_time() - begun)
    peak = peak_resident_bytes() - before
    past = len(prompt) + DECODES // 2
    ran += [("decode", {"n_tokens": 1, "n_past": len(prompt) + i}) for i in range(DECODES)]
    ran.append(("decode", {"n_tokens": 1, "n_past": past}))
    return _answer(prepared, ran, peak, runtime, times)


def main() -> None:
    answers = claim_output()
    kinds = {"arrays": arrays, "text": text}
    serve(answers, {"ready": str(Path.cwd())}, lambda request: kinds[request["kind"]](request))


if __name__ == "__main__":
    main()
