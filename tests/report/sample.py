"""A run of the shape that a small language model gives: a prompt, then tokens; one token traced."""

import random

from netwright.report.roof import Roof
from netwright.report.run_record import Figure, Output, Run
from netwright.timeline.timeline import Interval, MemorySample, Span, Timeline

# Opcode → (seconds of one, operations, bytes) at one token of a network of 135 million weights.
TASKS = (
    ("attn_norm", "rms_norm", 4e-6, 2.3e3, 4.6e3),
    ("attn_qkv", "matmul_q8_0", 75e-6, 1.1e6, 5.9e5),
    ("rope", "rope", 3e-6, 2.3e3, 4.6e3),
    ("attention", "attention", 32e-6, 4.6e5, 2.3e5),
    ("attn_output", "matmul_q8_0", 48e-6, 6.6e5, 3.5e5),
    ("ffn_norm", "rms_norm", 4e-6, 2.3e3, 4.6e3),
    ("ffn_gate_up", "matmul_q8_0", 250e-6, 3.5e6, 1.9e6),
    ("ffn_act", "glu", 5e-6, 6.1e3, 1.2e4),
    ("ffn_down", "matmul_q8_0", 130e-6, 1.8e6, 9.4e5),
)
LAYERS = 30


def call(start: float, tokens: int, wobble: float, counted: bool, seed: int) -> list[Span]:
    pick = random.Random(seed)
    spans: list[Span] = []

    def add(name: str, opcode: str, seconds: float, operations: float, moved: float) -> None:
        nonlocal start
        took = seconds * (1 + 0.12 * (tokens - 1)) * pick.uniform(1 - wobble, 1 + 2 * wobble)
        interval = Interval(0.8 * took, 1.3 * took, 0.9) if counted else None
        work = (operations * tokens, moved, 8 * took) if counted else (0.0, 0.0, None)
        spans.append(Span("cpu", name, opcode, start, took, *work, interval))
        start += took * 1.01

    add("token_embd", "gather", 2e-6, 0.0, 1.2e3)
    for layer in range(LAYERS):
        for name, *cost in TASKS:
            add(f"blk.{layer}.{name}", *cost)
    add("output", "matmul_q8_0", 4.2e-3, 5.7e7, 3.0e7)
    return spans


def sample_run() -> Run:
    spans = call(0.0, 32, 0.0, True, 0)
    for _ in range(16):
        last = spans[-1]
        spans += call(last.start_seconds + last.seconds, 1, 0.0, True, 0)
    end = spans[-1].start_seconds + spans[-1].seconds
    steps = [("dram", i * end / 40, 160_000_000 + 700_000 * i) for i in range(40)]
    predicted = Timeline(
        "SmolLM2-135M-Instruct.generate", "simulated", "here", tuple(spans),
        tuple(MemorySample(*s) for s in steps), end, 188_000_000, 3.6,
        Interval(0.8 * end, 1.3 * end, 0.9), (("token_seconds", 0.0208),),
    )  # fmt: skip
    traced = call(0.0, 1, 0.25, False, 1)
    took = traced[-1].start_seconds + traced[-1].seconds
    measured = Timeline(
        "SmolLM2-135M-Instruct", "measured", "here", tuple(traced), (), took, 195_000_000,
        facts=(("token_seconds", took),),
    )  # fmt: skip
    return Run(
        "SmolLM2-135M-Instruct-Q8_0",
        "here",
        (
            Figure("prompt_token_seconds", 0.0041, 0.0057),
            Figure("token_seconds", 0.0208, took),
            Figure("peak_memory_bytes", 188e6, 195e6),
            Figure("energy_joules", 3.6, None),
        ),
        {
            "bound_seconds": 0.0152,
            "gap": 0.368,
            "certificate": "within 36.8 % (full rates, every weight read once)",
            "memory": "optimal (search, bound by the largest cut)",
            "explanation": "SmolLM2-135M on AMD EPYC, 2 cores\n  decode: 20.8 ms; bound 15.2 ms\n"
            "  matmul: q8_0 panels of 8 rows [table]\n    - rows of 4: 26 ms\n    - scalar: 210 ms",
        },
        predicted,
        measured,
        "The capital of France is Paris, a city on the Seine.",
        (Output("logits", (1, 49152), "float32", -11.25, 23.5, -0.5, 0),),
        Roof(
            "AMD EPYC 7543, 2 cores", "core",
            (("int8", 3.2e11), ("fp32", 1.6e11)), "dram", 1.9e10,
        ),
    )  # fmt: skip
