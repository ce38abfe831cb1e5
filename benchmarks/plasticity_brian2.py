"""The liquid of benchmarks/plasticity.py in Brian2 (cpp_standalone), by a Python that has it.

python plasticity_brian2.py CASE.npz
CASE.npz holds the wiring, first weights and input spikes. Traces are variables of synapses that are
renewed at events, as Brian2's own examples have them; the astrocyte is a group of one neuron.
Prints CPU seconds of the built program, scaled to one biological second (build excluded, the
program's own start included), and its spikes.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import brian2
import numpy as np
from brian2 import (
    Network,
    NeuronGroup,
    SpikeGeneratorGroup,
    SpikeMonitor,
    Synapses,
    defaultclock,
    device,
    linked_var,
    ms,
    set_device,
)

REPEATS = 3
CELLS = """
dv/dt = -v/(64*ms) + g/ms : 1 (unless refractory)
dg/dt = -g/ms : 1
fall : 1 (linked)
"""
SYNAPSES = """
w : 1
up : 1
low : 1
high : 1
dbefore/dt = -before/(10*ms) : 1 (event-driven)
dafter/dt = -after/(10*ms) : 1 (event-driven)
"""
ON_PRE = """
g_post += w
w = clip(w + after*((1-up)*0.15 - up*fall_post), low, high)
before += 0.1
"""
ON_POST = """
w = clip(w + before*(up*0.15 - (1-up)*fall_post), low, high)
after += 0.1
"""


def made(case: dict) -> list:
    inputs, neurons = int(case["inputs"]), int(case["neurons"])
    given = SpikeGeneratorGroup(inputs, case["input"], case["step"] * ms)
    astrocyte = NeuronGroup(1, "a : 1\nmore : 1")
    astrocyte.a = 0.15
    astrocyte.run_regularly("a = clip(a + (0.015*more + 0.15 - a)/100, 0, 1e9)\nmore = 0")
    cells = NeuronGroup(
        neurons, CELLS, threshold="v>20", reset="v=0", refractory=2 * ms, method="exact"
    )
    cells.fall = linked_var(astrocyte, "a", index=np.zeros(neurons, int))
    inside, parts = case["source"] >= inputs, [given, astrocyte, cells]
    for group, mine, first in ((given, ~inside, 0), (cells, inside, inputs)):
        arrow = Synapses(group, cells, SYNAPSES, on_pre=ON_PRE, on_post=ON_POST, delay=0 * ms)
        arrow.connect(i=case["source"][mine] - first, j=case["target"][mine])
        weight = case["weight"][mine]
        arrow.w, arrow.up = weight, (weight > 0).astype(float)
        arrow.low, arrow.high = np.where(weight < 0, -3.0, 0.0), np.where(weight > 0, 3.0, 0.0)
        parts.append(arrow)
    for group, sign in ((given, -1), (cells, 1)):
        felt = Synapses(group, astrocyte, on_pre=f"more_post += {sign}")
        felt.connect()
        parts.append(felt)
    return parts


def main(path: str) -> None:
    case = dict(np.load(path))
    set_device("cpp_standalone", build_on_run=False)
    defaultclock.dt = 1 * ms
    parts = made(case)
    monitor = SpikeMonitor(parts[2])
    steps = int(case["steps"])
    Network(parts, monitor).run(steps * ms)
    folder = tempfile.mkdtemp()
    device.build(directory=folder, run=False, compile=True)
    taken = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(["./main"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        taken.append(used * 1000.0 / steps)
    files = list((Path(folder) / "results").glob("_dynamic_array_spikemonitor_i*"))
    spikes = files[0].stat().st_size // 4 if files else -1
    found = {"peer": f"Brian2 {brian2.__version__}", "cpu_seconds": taken, "spikes": spikes}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
