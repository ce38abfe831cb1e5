"""T-MAC: products of low-bit weights by table lookup, against weights that are unpacked.

Four bits of a plane of a weight's bits choose one of sixteen sums of four activations, which a byte
shuffle looks up 32 at a time. The kernel (matmul_lookup) is timed beside those that unpack and
multiply, encoding of activations counted; and a ternary network is planned with either.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from netwright.graph.format import format_of
from netwright.graph.unroll import unrolled
from netwright.graph.zoo.llama import LlamaSizes, llama
from netwright.job.job import Generate, Limits
from netwright.machine.host import host
from netwright.machine.load import library_machine
from netwright.machine.probe.points_language import encoding, lookup, unpacked
from netwright.machine.probe.timing import rounds
from netwright.machine.probe.undisturbed import tables_of
from netwright.machine.table import Regime
from netwright.plan.context import for_job
from netwright.plan.draft import draft
from netwright.plan.pick import Rule
from netwright.run.decoder import NativeDecoder
from netwright.run.native import NativeRuntime
from netwright.study import Claim, Finding, Paper, Study, at_least, at_most, main, near
from netwright.transform.standard import standard

PLACES = {"caches": (Regime.WARM, 1024), "memory": (Regime.COLD, 4096)}
BITS = (1, 2, 3, 4)
UNPACKED = {"q2_k": "act8x256", "q4_0": "act8x32", "tq2_0": "act8x256"}
LEFT_OVER = "planes are added in pairs by one instruction; the odd one of 1 and 3 bits costs more"
OURS_IS_NEARER = "the baseline there is llama.cpp of 2024; from memory both kernels wait for it"
TABLE = "repository, profiling_data.md, Surface Book 3, 1 thread, Llama-2-7B"
PRODUCT = "one product on one core, not a network"
LINEAR = {
    where: Claim(
        f"time linear in bits, from {where}: R squared of a line through 1 to 4 bits",
        "abstract", 1.0, at_least(0.98), smaller=PRODUCT, clock=True,
        fails=LEFT_OVER if where == "caches" else "",
    )
    for where in PLACES
}  # fmt: skip
FOUR_TO_TWO = {
    where: Claim(
        f"4 bits take so many times the time of 2, from {where} (6.77 / 3.74 tokens a second)",
        TABLE, 1.81, near(1.81, relative=0.15), smaller=PRODUCT, clock=True,
    )
    for where in PLACES
}  # fmt: skip
FASTER = {
    (where, bits, form): Claim(
        f"{bits} bits from {where}: times as fast as unpacking {form.upper()}",
        source, published, at_least(least), clock=True, smaller="" if source == "ours" else PRODUCT,
        fails=OURS_IS_NEARER if where == "memory" and source != "ours" else "",
    )
    for where in PLACES
    for bits, form, source, published, least in (
        (2, "q2_k", TABLE, 2.51, 2.008), (4, "q4_0", TABLE, 1.5, 1.2),
        (2, "tq2_0", "ours", 1.0, 1.0),
    )
}  # fmt: skip
TOKEN = "a token of a ternary network: times as fast as by unpacking"
NETWORK = Claim(TOKEN, "ours", 1.0, at_least(1.0), clock=True)
ALIKE = Claim("of the two networks' logits, those that differ", "ours", 0.0, at_most(0.0))


def timed(regime: Regime, size: int, full: bool) -> Mapping[str, float]:
    """Seconds of a product, activations' encoding included: by bits, or by block format."""
    points = [lookup(bits, 1, size, size) for bits in BITS]
    points += [unpacked(form, 1, size, size) for form in UNPACKED]
    points += [encoding(form, 1, size) for form in ("lut4x256", "act8x256", "act8x32")]
    points = [replace(each, regime=regime) for each in points]
    cache, end = max(c.size_bytes for c in host().caches), time.monotonic() + 60.0
    taken = rounds(points, cache, 0.02 if full else 0.0, end, lambda what, share: None)
    took = {
        t.variant: t.points[0].seconds for t in tables_of(list(taken)[-1] if full else next(taken))
    }
    return {
        **{f"bits{b}": took[f"bits{b}"] + took["lut4x256"] + took["act8x256"] for b in BITS},
        **{form: took[form] + took[activation] for form, activation in UNPACKED.items()},
    }


def network(full: bool) -> Iterator[Finding]:
    """One thread: turns of some tokens with either, after a turn that is not counted."""
    turns, tokens, width, layers = (9, 16, 1024, 4) if full else (2, 3, 256, 2)
    sizes = LlamaSizes(256, width, layers, 8, 4, 4 * width, 256)
    job = Generate(prompt=4, tokens=tokens, limits=Limits(threads=1))
    graph = unrolled(standard(for_job(llama(sizes, format_of("tq2_0")), job))[0])
    rules: list[Rule] = [lambda weighed: 0, lambda weighed: 1]  # unpacking; lookup
    drafts = [draft(graph, library_machine("raspberry-pi-5"), job, rule) for rule in rules]
    decoders = [NativeDecoder(NativeRuntime(d.program, 1), sizes.vocabulary) for d in drafts]
    taken, logits = np.empty((2, turns + 1)), np.empty((2, tokens, sizes.vocabulary))
    for turn in range(turns + 1):
        for which, decoder in enumerate(decoders):
            decoder.reset()
            decoder.prefill([1, 2, 3, 4])
            start = time.process_time()
            for token in range(tokens):
                logits[which, token] = decoder.decode(token)
            taken[which, turn] = time.process_time() - start
    slow, fast = np.median(taken[:, 1:], axis=1)
    yield NETWORK.shown(float(slow / fast))
    yield ALIKE.shown(float((logits[0] != logits[1]).mean()))


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: each kernel three times."""
    yield from network(full)
    for where, (regime, size) in PLACES.items():
        took = timed(regime, size, full)
        for name, seconds in took.items():
            yield f"{where} {name}: {seconds * 1e6:.1f} us, {size * size / seconds / 1e9:.1f} G/s"
        line = [took[f"bits{b}"] for b in BITS]
        yield LINEAR[where].shown(np.corrcoef(BITS, line)[0, 1] ** 2)
        yield FOUR_TO_TWO[where].shown(took["bits4"] / took["bits2"])
        for (place, bits, form), claim in FASTER.items():
            if place == where:
                yield claim.shown(took[form] / took[f"bits{bits}"])


study = Study(
    paper=Paper(
        title="T-MAC: CPU Renaissance via Table Lookup for Low-Bit LLM Deployment on Edge",
        authors="Wei, Cao, Cao, Ma, Wang, Zhang, Yang",
        year=2025,
        venue="EuroSys",
        link="https://arxiv.org/abs/2407.00088",
    ),
    shows="Products by lookup and by unpacking beside each other, alone and in a network.",
    scale="1024 x 1024 from the caches, 4096 x 4096 from memory, one row, one core with AVX2.",
    claims=(*LINEAR.values(), *FOUR_TO_TWO.values(), *FASTER.values(), NETWORK, ALIKE),
    show=show,
    differences=(
        "Tables here hold exact sums of int8 activations (the few above 255 are looked up again),"
        " the paper's rounded ones: the result is that of unpacking, and the planner weighs both.",
    ),
)

if __name__ == "__main__":
    main(study)
