"""One network at one setting, predicted and measured in a process of its own.

python -m benchmarks.workers.truth netwright; each request is {"kind", "source", ...}.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from benchmarks.array_cases import ArrayCase, case_inputs
from benchmarks.workers.protocol import Answer, claim_output, serve

from netwright.job.job import Generate, Limits
from netwright.machine.load import machine
from netwright.machine.machine import Machine
from netwright.machine.probe.drift import Drift
from netwright.path.prepare import Prepared, Request, prepare
from netwright.program.file import load as load_program
from netwright.program.footprint import beside_bytes, expected_bytes, touched_bytes
from netwright.run.decoder import NativeDecoder
from netwright.run.memory import peak_resident_bytes, reset_peak, resident_bytes
from netwright.run.native import NativeRuntime
from netwright.simulate import simulate
from netwright.timeline.timeline import Timeline

DECODES = 16  # tokens after a prompt; the one in the middle is timed
LOOK_SECONDS = 0.05  # between two looks at the machine
BERT_WORDS = 30522
Calls = list[tuple[str, Mapping[str, int]]]


def _timed(call: Callable[[], object], seconds: float, drift: Drift) -> list[float]:
    """CPU seconds of each call, for about this many seconds in all, at least 5.

    Beside the calls the machine itself is looked at: whether it is as fast as when it was probed.
    """
    times: list[float] = []
    deadline = time.monotonic() + seconds
    looked = 0.0
    while len(times) < 5 or (time.monotonic() < deadline and len(times) < 2000):
        if time.monotonic() - looked > LOOK_SECONDS:
            drift.look()
            call()  # what the look sent out of the caches comes back
            looked = time.monotonic()
        begun = time.process_time()
        call()
        times.append(time.process_time() - begun)
    drift.look()
    return times


def _then(timeline: Timeline, here: Machine, drift: Drift) -> float:
    """The prediction at the machine's speed of now, task by task: by its memory or arithmetic."""
    streamed, computed = drift.factors
    rate = here.memories[-1].read_bytes_per_second or float("inf")
    return sum(
        s.seconds * (streamed if s.bytes_moved > 0.5 * rate * s.seconds else computed)
        for s in timeline.spans
    )


def _answer(
    prepared: Prepared, calls: Calls, peak_bytes: int, drift: Drift, times: list[float]
) -> Answer:
    """`calls` are all that ran; the last one is what was timed."""
    program = load_program(prepared.file.path)
    here = drift.machine
    entry, symbols = calls[-1]
    timeline = simulate(program, here, entry, symbols)
    interval = timeline.interval
    times = sorted(times)
    streamed, computed = drift.factors
    return {
        "predicted": timeline.seconds,
        "predicted_now": _then(timeline, here, drift),
        "streamed": streamed,
        "computed": computed,
        "low": interval.low if interval else timeline.seconds,
        "high": interval.high if interval else timeline.seconds,
        "confidence": interval.confidence if interval else 0.0,
        "median": times[len(times) // 2],
        "best": times[0],
        "planned_bytes": expected_bytes(program, calls) + here.runtime_bytes,
        "most_bytes": touched_bytes(program, calls) + beside_bytes(program, calls),
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
    if "input_ids" in given:  # words from all over the vocabulary, as the prediction expects
        rows = np.random.default_rng(2).integers(0, BERT_WORDS, given["input_ids"].shape)
        given["input_ids"] = rows.astype(given["input_ids"].dtype)
    before = resident_bytes()
    reset_peak()
    runtime = NativeRuntime(prepared.file)
    runtime.call("forward", given, {})
    peak = peak_resident_bytes() - before
    drift = Drift(machine("here"))
    times = _timed(lambda: runtime.execute("forward", {}), request["seconds"], drift)
    return _answer(prepared, [("forward", {})], peak, drift, times)


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

        drift = Drift(machine("here"))
        return _answer(prepared, ran, peak, drift, _timed(again, request["seconds"], drift))
    for i in range(DECODES):
        decoder.decode(400 + i)
    peak = peak_resident_bytes() - before
    past = len(prompt) + DECODES // 2
    at = {"n_tokens": 1, "n_past": past}
    drift = Drift(machine("here"))
    times = _timed(lambda: runtime.execute("decode", at), request["seconds"], drift)
    ran += [("decode", {"n_tokens": 1, "n_past": len(prompt) + i}) for i in range(DECODES)]
    ran.append(("decode", at))
    return _answer(prepared, ran, peak, drift, times)


def main() -> None:
    answers = claim_output()
    kinds = {"arrays": arrays, "text": text}
    serve(answers, {"ready": str(Path.cwd())}, lambda request: kinds[request["kind"]](request))


if __name__ == "__main__":
    main()
