"""T-MAC: products of low-bit weights by table lookup, against weights that are unpacked.

Four bits of a plane of a weight's bits choose one of sixteen sums of four activations, which a byte
shuffle looks up 32 at a time. The kernel (matmul_lookup) is timed beside those that unpack and
multiply, with weights in the caches and in memory; making tables or int8 activations is counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import numpy as np

from netwright.machine.host import host
from netwright.machine.probe.points import KernelPoint, ProbeOperand, dense
from netwright.machine.probe.timing import rounds
from netwright.machine.probe.undisturbed import tables_of
from netwright.machine.table import Regime
from netwright.program.reference.activation import encode_activation
from netwright.program.reference.lookup import lookup_bytes, lookup_product
from netwright.study import Claim, Finding, Paper, Study, at_least, at_most, main, near

PLACES = {"caches": (Regime.WARM, 1024), "memory": (Regime.COLD, 4096)}
BITS = (1, 2, 3, 4)
UNPACKED = {"q2_k": "act8x256", "q4_0": "act8x32", "tq2_0": "act8x256", "tq1_0": "act8x256"}
LEFT_OVER = "planes are added in pairs by one instruction; the odd one of 1 and 3 bits costs more"
OURS_IS_NEARER = "the baseline there is llama.cpp of 2024; from memory both kernels wait for it"

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
        "repository, profiling_data.md, Surface Book 3, 1 thread, Llama-2-7B",
        1.81, near(1.81, relative=0.15), smaller=PRODUCT, clock=True,
    )
    for where in PLACES
}  # fmt: skip
FASTER = {
    (where, bits): Claim(
        f"{bits} bits from {where}: times as fast as unpacking {form.upper()}",
        "repository, profiling_data.md, Surface Book 3, 1 thread, Llama-2-7B",
        published, at_least(0.8 * published), smaller=PRODUCT, clock=True,
        fails=OURS_IS_NEARER if where == "memory" else "",
    )
    for where in PLACES
    for bits, form, published in ((2, "q2_k", 2.51), (4, "q4_0", 1.50))
}  # fmt: skip
SAME_BITS = {
    where: Claim(
        f"2 bits from {where}: times as fast as unpacking TQ2_0, the same codes and bytes",
        "ours", 1.0, at_least(1.0), clock=True,
    )
    for where in PLACES
}  # fmt: skip
ERROR = Claim("error by tables of 8 bits, of a result's size", "ours", 0.01, at_most(0.01))


def lookup(bits: int, size: int, regime: Regime) -> KernelPoint:
    """A square weight as bit planes."""
    raw = lookup_bytes(size, size, bits)
    weight = ProbeOperand("bytes", (raw,), (1,), raw, resident=True)
    operands = (dense("fp32", 1, size), dense("lut4x256", 1, size), weight, None, None)
    sizes, parameters = (1, size, size), (size, size, bits, 1.0, 0, 0.0, 0.0)
    return KernelPoint("matmul_lookup", f"bits{bits}", sizes, regime, operands, parameters)


def unpacked(form: str, size: int, regime: Regime) -> KernelPoint:
    """The same weight in a block format."""
    x, weight = dense(UNPACKED[form], 1, size), dense(form, size, size, resident=True)
    operands = (dense("fp32", 1, size), x, weight, None, None)
    return KernelPoint("matmul_quant", form, (1, size, size), regime, operands, (0, 0.0, 0.0))


def encoding(form: str, size: int, regime: Regime) -> KernelPoint:
    """Activations into int8 blocks, or into tables."""
    both = (dense(form, 1, size), dense("fp32", 1, size))
    return KernelPoint("quantize_rows", form, (1, size), regime, both, ())


def timed(regime: Regime, size: int, full: bool) -> Mapping[str, float]:
    """Seconds of a product, activations' encoding included: by bits, or by block format."""
    points = [lookup(bits, size, regime) for bits in BITS]
    points += [unpacked(form, size, regime) for form in UNPACKED]
    points += [encoding(form, size, regime) for form in ("lut4x256", "act8x256", "act8x32")]
    cache, end = max(c.size_bytes for c in host().caches), time.monotonic() + 60.0
    taken = rounds(points, cache, 0.02 if full else 0.0, end, lambda what, share: None)
    samples = list(taken)[-1] if full else next(taken)
    took = {t.variant: t.points[0].seconds for t in tables_of(samples)}
    return {
        **{f"bits{b}": took[f"bits{b}"] + took["lut4x256"] for b in BITS},
        **{form: took[form] + took[activation] for form, activation in UNPACKED.items()},
    }


def error(rows: int, inputs: int) -> float:
    """Of ternary weights and normal activations, against float64."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((4, inputs)).astype(np.float32)
    codes = rng.integers(0, 3, (rows, inputs), dtype=np.uint8)
    scales = np.ones((rows, inputs // 256))
    found = lookup_product(encode_activation(x, "lut4x256"), codes, scales, 2, 1.0)
    exact = x.astype(np.float64) @ (codes.astype(np.float64) - 1.0).T
    return float(np.sqrt(np.square(found - exact).mean() / np.square(exact).mean()))


def show(full: bool) -> Iterator[Finding | str]:
    """Reduced: each kernel three times."""
    yield ERROR.shown(error(1024 if full else 128, 4096))
    for where, (regime, size) in PLACES.items():
        took = timed(regime, size, full)
        for name, seconds in took.items():
            yield f"{where} {name}: {seconds * 1e6:.1f} us, {size * size / seconds / 1e9:.1f} G/s"
        line = [took[f"bits{b}"] for b in BITS]
        yield LINEAR[where].shown(np.corrcoef(BITS, line)[0, 1] ** 2)
        yield FOUR_TO_TWO[where].shown(took["bits4"] / took["bits2"])
        for bits, form in ((2, "q2_k"), (4, "q4_0")):
            yield FASTER[where, bits].shown(took[form] / took[f"bits{bits}"])
        yield SAME_BITS[where].shown(took["tq2_0"] / took["bits2"])


study = Study(
    paper=Paper(
        title="T-MAC: CPU Renaissance via Table Lookup for Low-Bit LLM Deployment on Edge",
        authors="Wei, Cao, Cao, Ma, Wang, Zhang, Yang",
        year=2025,
        venue="EuroSys",
        link="https://arxiv.org/abs/2407.00088",
    ),
    shows="Products by lookup and by unpacking beside each other; the error of the tables.",
    scale="1024 x 1024 from the caches, 4096 x 4096 from memory, one row, one core with AVX2.",
    claims=(*LINEAR.values(), *FOUR_TO_TWO.values(), *FASTER.values(), *SAME_BITS.values(), ERROR),
    show=show,
    differences=(
        "Entries use all of a byte; sums are exact (the paper's fast aggregation is not used).",
        "The planner does not offer it: its offers differ by fp32 rounding only, this one by 1 %.",
    ),
)

if __name__ == "__main__":
    main(study)
