"""What only a plan that is not kept yet, or a look inside a run, needs: imported at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netwright.later import imports_of

if TYPE_CHECKING:
    pass

HOMES = {
    "Message": "netwright.run.generate.chat",
    "load_chat_template": "netwright.run.generate.load",
    "gauges_of": "netwright.machine.probe.undisturbed",
    "input_sizes": "netwright.frontends.describe",
    "is_language_model": "netwright.frontends.describe",
    "load": "netwright.frontends.load",
    "load_network": "netwright.path.recipe",
    "load_program": "netwright.program.file:load",
    "machine": "netwright.machine.load",
    "make_plan": "netwright.plan.make",
    "out_degrees": "netwright.graph.degree",
    "pass_figures": "netwright.path.summary",
    "plan_summary": "netwright.path.summary",
    "rows_of_inputs": "netwright.run.record",
    "simulate": "netwright.simulate.simulate",
    "simulate_generate": "netwright.simulate.generate",
    "simulation": "netwright.simulate.simulate",
}
__getattr__ = imports_of(__name__, HOMES)
