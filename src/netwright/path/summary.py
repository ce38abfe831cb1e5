"""Plan → what is kept and printed of it; program → the figures of one simulated pass."""

from __future__ import annotations

import math
from typing import Any

from netwright.machine.machine import Machine
from netwright.path.outcome import Figures
from netwright.plan.plan import Plan
from netwright.program.program import Program
from netwright.simulate.simulate import simulate


def plan_summary(plan: Plan) -> dict[str, Any]:
    """What is kept and printed of a plan: bounds, gaps, certificates, decisions."""
    return {
        "network": plan.graph.name,
        "machine": plan.machine.name,
        "predictions": [
            {
                "entry": p.entry,
                "symbols": dict(p.symbols),
                "seconds": p.seconds,
                "interval_seconds": [p.low_seconds, p.high_seconds],
                "energy_joules": p.joules,
                "bound_seconds": p.certificate.bound,
                "gap": _finite(p.certificate.gap),
                "certificate": f"{p.certificate.text} ({p.certificate.method})",
            }
            for p in plan.predictions
        ],
        "memory": {
            "peak_memory_bytes": plan.peak_memory_bytes,
            "scratch_bytes": int(plan.memory.value),
            "bound_bytes": plan.memory.bound,
            "certificate": f"{plan.memory.text} ({plan.memory.method})",
        },
        "decisions": [
            {"subject": d.subject, "chosen": d.chosen, "method": d.method, "why": d.why}
            for d in plan.decisions
        ],
        "explanation": plan.explain(),
    }


def predicted(plan: Plan) -> dict[str, Any]:
    """The figures of a plan as `run --json` names them."""
    by_entry = {p.entry: p for p in plan.predictions}
    if "prefill" in by_entry:
        prompt, token = by_entry["prefill"], by_entry["decode"]
        per_token = prompt.seconds / dict(prompt.symbols).get("n_tokens", 1)
        figures = Figures(
            plan.peak_memory_bytes,
            token.joules,
            prompt_token_seconds=per_token,
            token_seconds=token.seconds,
        )
    else:
        (only,) = plan.predictions
        figures = Figures(plan.peak_memory_bytes, only.joules, seconds=only.seconds)
    return figures.as_dict()


def pass_figures(program: Program, machine: Machine) -> dict[str, Any]:
    """One forward pass as simulated."""
    timeline = simulate(program, machine, "forward", {})
    return {
        "seconds": timeline.seconds,
        "energy_joules": timeline.joules,
        "peak_memory_bytes": timeline.peak_memory_bytes,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
