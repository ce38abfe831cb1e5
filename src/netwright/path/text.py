"""Text in, text out: a language model run on this machine, predicted and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, final

from netwright.errors import JobError, UnsupportedError
from netwright.frontends.locate import locate
from netwright.job.job import KEEP, NO_LIMITS, Generate, Limits, Precision
from netwright.path import later
from netwright.path.company import Company
from netwright.path.outcome import Figures, Outcome, notes, promise
from netwright.path.prepare import Prepared, Progress, Request, prepare, silent
from netwright.run.decoder import NativeDecoder
from netwright.run.generate.generate import Request as TextRequest
from netwright.run.generate.generate import Token, generate
from netwright.run.generate.load import load_tokeniser
from netwright.run.generate.sampling import GREEDY, Sampling
from netwright.run.generate.tokeniser import Tokeniser
from netwright.run.memory import peak_resident_bytes, reset_peak, resident_bytes
from netwright.run.native import NativeRuntime

if TYPE_CHECKING:
    from netwright.timeline.timeline import Timeline

# Contexts are planned in steps of this, so that prompts of like length share one plan.
CONTEXT_STEP = 256

OnText = Callable[[str], None]


@final
@dataclass(frozen=True, slots=True)
class TextOptions:
    """How to generate."""

    tokens: int = 64
    threads: int | None = None
    sampling: Sampling = GREEDY
    stops: tuple[str, ...] = ()
    chat: bool = False
    precision: Precision = KEEP
    limits: Limits = NO_LIMITS


@final
@dataclass(slots=True)
class Session:
    """A loaded language model: what `run` and `demo` and the Python API talk to."""

    request: Request
    prepared: Prepared
    runtime: NativeRuntime
    decoder: NativeDecoder
    tokeniser: Tokeniser
    before_bytes: int


def prompt_ids(path: Path, tokeniser: Tokeniser, prompt: str, chat: bool) -> list[int]:
    """The ids of a prompt, through the model's own chat template if wanted.

    Raises:
        UnsupportedError: a chat is wanted, and the model has no template.
    """
    if not chat:
        return tokeniser.encode_prompt(prompt)
    template = later.load_chat_template(path)
    if template is None:
        raise UnsupportedError(f"{path}: has no chat template; run without --chat")
    return tokeniser.encode_prompt(template.render([later.Message("user", prompt)]))


def job_for(prompt_tokens: int, options: TextOptions) -> Generate:
    """The job whose context is the next multiple of the step."""
    if options.threads is not None and options.threads < 1:
        raise JobError(f"threads: got {options.threads}, expected at least 1")
    needed = prompt_tokens + options.tokens
    context = -(-needed // CONTEXT_STEP) * CONTEXT_STEP
    return Generate(
        prompt=context - options.tokens,
        tokens=options.tokens,
        precision=options.precision,
        limits=replace(options.limits, threads=options.threads),
    )


def open_session(
    source: str, ids: Sequence[int], tokeniser: Tokeniser, options: TextOptions, progress: Progress
) -> Session:
    """Plans (or finds the plan) and loads the program."""
    request = Request(source, "here", job_for(len(ids), options))
    try:
        prepared = prepare(request, progress)
    except JobError:
        # The model's context may end between two steps; if it is too small, its message is exact.
        request = replace(request, job=replace(request.job, prompt=len(ids)))
        prepared = prepare(request, progress)
    before = resident_bytes()
    reset_peak()
    runtime = NativeRuntime(prepared.file)
    # Reads the weights into memory, so that the clock sees the network and not the page cache; the
    # prompt overwrites what it leaves at position 0.
    runtime.execute("decode", {"n_tokens": 1, "n_past": 0})
    decoder = NativeDecoder(runtime, tokeniser.size)
    return Session(request, prepared, runtime, decoder, tokeniser, before)


def run_text(
    source: str,
    prompt: str,
    options: TextOptions | None = None,
    on_text: OnText = lambda text: None,
    progress: Progress = silent,
) -> Outcome:
    """Generates text, streamed to `on_text`, and lays the prediction over the measurement.

    Raises:
        NetwrightError: whatever is wrong with source, prompt or options.
    """
    options = options or TextOptions()
    if options.tokens < 1:
        raise JobError(f"tokens: got {options.tokens}, expected at least 1")
    path = locate(source)
    tokeniser = load_tokeniser(path)
    ids = prompt_ids(path, tokeniser, prompt, options.chat)
    if not ids:
        raise JobError(f"prompt {prompt!r}: gives no tokens; write a word or more")
    session = open_session(source, ids, tokeniser, options, progress)
    tokens: list[Token] = []
    company = Company()
    for token in _tokens(session, ids, options):
        tokens.append(token)
        on_text(token.text)
        company.look()
    company.leave()
    return _outcome(session, ids, tokens, company)


def _tokens(session: Session, ids: Sequence[int], options: TextOptions) -> Iterator[Token]:
    request = TextRequest(tuple(ids), options.tokens, options.sampling, options.stops)
    yield from generate(session.decoder, session.tokeniser, request)


def _outcome(
    session: Session, ids: Sequence[int], tokens: Sequence[Token], company: Company
) -> Outcome:
    peak = peak_resident_bytes() - session.before_bytes
    calls = session.decoder.calls
    decodes = [c.seconds for c in calls if c.entry == "decode"]
    prompt_seconds = sum(c.seconds for c in calls if c.entry == "prefill")
    measured = Figures(
        peak,
        prompt_token_seconds=prompt_seconds / len(ids),
        token_seconds=median(decodes) if decodes else None,
    )
    program = later.load_program(session.prepared.file.path)
    done = Generate(prompt=len(ids), tokens=max(1, len(tokens)))
    here = later.machine("here")
    on = later.simulation(program, here)
    predicted_timeline = later.simulate_generate(on, done)
    predicted = Figures(
        predicted_timeline.peak_memory_bytes,
        predicted_timeline.joules,
        prompt_token_seconds=predicted_timeline.fact("prompt_token_seconds"),
        token_seconds=predicted_timeline.fact("token_seconds") if decodes else None,
    )

    @cache
    def look() -> tuple[Timeline, Timeline]:
        return predicted_timeline, _measured_timeline(session, measured)

    return Outcome(
        program.name,
        "here",
        predicted,
        measured,
        promise(session.prepared.summary),
        look,
        "".join(t.text for t in tokens),
        notes=(*notes(session.prepared.note), *company.notes(here)),
    )


def _measured_timeline(session: Session, figures: Figures) -> Timeline:
    """One more traced decode at the last position: where the time of a token goes."""
    runtime, decoder = session.runtime, session.decoder
    runtime.trace(True)
    past = min(decoder.position, decoder.context - 1)
    runtime.execute("decode", {"n_tokens": 1, "n_past": past})
    traced = runtime.timeline()
    runtime.trace(False)
    facts = (
        ("prompt_token_seconds", figures.prompt_token_seconds or 0.0),
        ("token_seconds", figures.token_seconds or 0.0),
    )
    return replace(traced, peak_memory_bytes=figures.peak_memory_bytes, facts=facts)
