"""Attention in fp32 on one thread beside torch's: python -m benchmarks.attention [--backward].

8 heads of 64 (2 beyond 2,048 tokens), inputs in place, CPU seconds; all take turns in one process.
Ours is a program of one Attention operator, [token, head, width]; torch's
scaled_dot_product_attention has its own best layout, [head, token, width]. Beside every turn the
rate of bare multiply-adds is measured; the floor is the two products at the median of these,
without any exponential. Predicted: by the stored full probe of this machine, where there is one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import final

import numpy as np
import torch
from benchmarks.tables import machine_line, show
from torch import Tensor

from netwright import Graph, Infer, plan
from netwright.graph.build import Builder
from netwright.graph.ops.attention import Attention
from netwright.job.job import Limits
from netwright.learn.attention import Chunks, chunked_attention
from netwright.machine.host import host
from netwright.machine.load import machine
from netwright.machine.machine import Machine
from netwright.machine.probe import FULL, store_path
from netwright.machine.probe.door import core
from netwright.machine.store import load
from netwright.run.native import NativeRuntime
from netwright.simulate import simulate

WIDTH, HEADS = 64, 8
TOKENS = (128, 256, 512, 1024, 2048, 4096, 8192)
DECODES = (512, 2048, 8192)  # keys that one query sees
LEAST_SECONDS = 4e-3  # of a turn: short calls are repeated
GAUGE_SECONDS = 0.03
Call = Callable[[], object]


@final
@dataclass(frozen=True, slots=True)
class Case:
    """So many queries against so many keys."""

    queries: int
    keys: int
    causal: bool

    @property
    def heads(self) -> int:
        """Fewer where each takes long."""
        return HEADS if self.queries * self.keys <= 2048 * 2048 else 2

    @property
    def num_operations(self) -> float:
        """Of both products, over the pairs that count."""
        pairs = self.queries * self.keys
        if self.causal:
            pairs -= self.queries * (self.queries - 1) / 2
        return 4.0 * self.heads * WIDTH * pairs

    @property
    def name(self) -> str:
        """For the table."""
        if self.queries == 1:
            return f"1 x {self.keys}"
        return f"{self.keys}, {'causal' if self.causal else 'full'}"


def graph(case: Case) -> Graph:
    """One operator."""
    builder = Builder("attention")
    q = builder.input("q", (("token", case.queries), ("head", case.heads), ("width", WIDTH)))
    k, v = (
        builder.input(n, (("key", case.keys), ("head", case.heads), ("width", WIDTH))) for n in "kv"
    )
    return builder.finish((builder.add(Attention(WIDTH**-0.5, causal=case.causal), (q, k, v)),))


def drawn(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v as torch has them."""
    made = torch.Generator().manual_seed(0)
    lengths = (case.queries, case.keys, case.keys)
    q, k, v = (torch.randn(1, case.heads, n, WIDTH, generator=made) for n in lengths)
    return q, k, v


def forward(case: Case, known: Machine | None) -> tuple[dict[str, Call], float | None]:
    """Ours and torch's, with results compared; and the seconds predicted of ours."""
    q, k, v = drawn(case)
    on = known or machine("epyc-7763")
    made = plan(graph(case), on, Infer(limits=Limits(threads=1)))
    runtime = NativeRuntime(made.lower(), threads=1)
    turned = [np.ascontiguousarray(x[0].transpose(0, 1).numpy()) for x in (q, k, v)]
    (out,) = runtime.call("forward", dict(zip("qkv", turned, strict=True)), {}).values()

    def peer() -> Tensor:
        # torch's causal mask begins at the first key, ours ends at the last: equal when square.
        causal = case.causal and case.queries > 1
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)

    expected = peer()[0].transpose(0, 1).numpy()
    assert np.abs(out - expected).max() < 1e-4, "the two differ"
    predicted = simulate(made.lower(), on, "forward", {}).seconds if known else None
    return {"ours": lambda: runtime.execute("forward", {}), "torch": peer}, predicted


def backward(case: Case) -> dict[str, Call]:
    """Forward and backward: chunks without scores held, and torch's."""
    inputs = [x.requires_grad_() for x in drawn(case)]
    d_out = torch.ones_like(inputs[0])

    def step(attend: Callable[..., Tensor]) -> Call:
        return lambda: torch.autograd.grad(attend(*inputs), inputs, d_out)

    def ours(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return chunked_attention(q, k, v, causal=case.causal, chunks=Chunks(256, 512))

    def peer(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        sdpa = torch.nn.functional.scaled_dot_product_attention
        return sdpa(q, k, v, is_causal=case.causal)

    return {"ours": step(ours), "torch": step(peer)}


def turns(calls: dict[str, Call], seconds: float) -> tuple[dict[str, list[float]], list[float]]:
    """CPU seconds of a call, by name and turn, and the rate of multiply-adds beside each turn."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    rates: list[float] = []
    repeats: dict[str, int] = {}
    for name, call in calls.items():
        call()
        begun = time.process_time()
        call()
        repeats[name] = max(1, int(LEAST_SECONDS / max(time.process_time() - begun, 1e-6)))
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(rates) < 3:
        rates.append(core.float_rates(1, GAUGE_SECONDS, core.has_avx2())[0])
        for name, call in calls.items():
            begun = time.process_time()
            for _ in range(repeats[name]):
                call()
            spent[name].append((time.process_time() - begun) / repeats[name])
    return spent, rates


def cells(case: Case, made: tuple[dict[str, Call], float | None], seconds: float) -> list[str]:
    """One line of the table."""
    calls, predicted = made
    spent, rates = turns(calls, seconds)
    ours, peer = spent["ours"], spent["torch"]
    floor = case.num_operations / median(rates)
    return [
        case.name,
        f"{1e3 * floor:.3g}",
        f"{1e3 * median(ours):.3g} ({1e3 * min(ours):.3g})",
        f"{1e3 * median(peer):.3g} ({1e3 * min(peer):.3g})",
        f"{median(peer) / median(ours):.2f} ({min(peer) / min(ours):.2f})",
        f"{floor / min(ours):.0%}",
        "" if predicted is None else f"{1e3 * predicted:.3g}, {predicted / min(ours) - 1:+.0%}",
    ]


HEAD = [
    "keys",
    "floor ms",
    "ours ms: median (best)",
    "torch ms",
    "torch / ours",
    "floor / best",
    "predicted ms, error to best",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5, help="for each line")
    parser.add_argument("--most", type=int, default=max(TOKENS), help="tokens at most")
    parser.add_argument("--backward", action="store_true", help="forward and backward instead")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(machine_line(), f"torch {torch.__version__}")
    squares = [Case(n, n, causal) for n in TOKENS if n <= given.most for causal in (False, True)]
    if given.backward:
        rows = [cells(case, (backward(case), None), given.seconds) for case in squares]
        show("forward and backward (the floor is the forward pass's)", HEAD, rows)
        return
    known = load(store_path(), host().key, (FULL.name,))
    rows = [cells(case, forward(case, known), given.seconds) for case in squares]
    show("forward; aims: 125 ms at 2048 in full, 70 ms causal", HEAD, rows)
    single = [Case(1, keys, True) for keys in DECODES if keys <= given.most]
    rows = [cells(case, forward(case, known), given.seconds) for case in single]
    show("one query", HEAD, rows)
    for case in single:
        size = 2 * case.keys * case.heads * WIDTH * 4
        rate = core.read_rates(size, 1, 0.1, core.has_avx2())[0]
        print(f"reading {size >> 20} MiB of keys and values alone: {1e3 * size / rate:.3g} ms")


if __name__ == "__main__":
    main()
