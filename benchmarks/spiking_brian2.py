"""The circuits of benchmarks/spiking_cases.py in Brian2 (cpp_standalone), by a Python that has it.

python spiking_brian2.py cuba-4000 | cuba-40000 | coba-4000 | brunel [biological ms]
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
    Hz,
    Network,
    NeuronGroup,
    PoissonInput,
    SpikeMonitor,
    Synapses,
    defaultclock,
    device,
    ms,
    set_device,
)

REPEATS = 3


def vogels_abbott(n: int, conductances: bool) -> list:
    excitatory, r = int(0.8 * n), np.random.default_rng(42)
    se = r.integers(0, excitatory, (n, 64))
    si = excitatory + r.integers(0, n - excitatory, (n, 16))
    v0 = r.uniform(-60, -50, n)
    if conductances:
        membrane = "dv/dt = (-(v+60) + ge*(0-v) + gi*(-80-v) + 20)/(20*ms) : 1 (unless refractory)"
    else:
        membrane = "dv/dt = (ge+gi-(v+49))/(20*ms) : 1 (unless refractory)"
    equations = membrane + "\ndge/dt = -ge/(5*ms) : 1\ndgi/dt = -gi/(10*ms) : 1"
    method = "exponential_euler" if conductances else "exact"
    cells = NeuronGroup(
        n, equations, threshold="v>-50", reset="v=-60", refractory=5 * ms, method=method
    )
    cells.v = v0
    jumps = (0.6, 6.7) if conductances else (1.62, -9.0)
    to = np.arange(n)
    made = [cells]
    for source, count, name, jump in ((se, 64, "ge", jumps[0]), (si, 16, "gi", jumps[1])):
        arrow = Synapses(cells, cells, on_pre=f"{name} += {jump}")
        arrow.connect(i=source.ravel(), j=to.repeat(count))
        made.append(arrow)
    return made


def brunel() -> list:
    ne, ni, ce, ci = 10000, 2500, 1000, 250
    n, r = ne + ni, np.random.default_rng(42)
    se = r.integers(0, ne, (n, ce), dtype=np.int32)
    si = ne + r.integers(0, ni, (n, ci), dtype=np.int32)
    cells = NeuronGroup(
        n, "dv/dt = -v/(20*ms) : 1 (unless refractory)", threshold="v>20", reset="v=0",
        refractory=2 * ms, method="exact",
    )  # fmt: skip
    noise = PoissonInput(cells, "v", 1000, 20 * Hz, weight=0.1)
    to, made = np.arange(n), [cells, noise]
    for source, count, jump in ((se, ce, 0.1), (si, ci, -0.5)):
        arrow = Synapses(cells, cells, on_pre=f"v += {jump}", delay=1.5 * ms)
        arrow.connect(i=source.ravel(), j=to.repeat(count))
        made.append(arrow)
    return made


def main(case: str, milliseconds: float) -> None:
    set_device("cpp_standalone", build_on_run=False)
    defaultclock.dt = 0.1 * ms
    made = brunel() if case == "brunel" else vogels_abbott(int(case[5:]), case.startswith("coba"))
    monitor = SpikeMonitor(made[0])
    network = Network(made, monitor)
    network.run(milliseconds * ms)
    folder = tempfile.mkdtemp()
    device.build(directory=folder, run=False, compile=True)
    taken = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(["./main"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        taken.append(used * 1000.0 / milliseconds)
    files = list((Path(folder) / "results").glob("_dynamic_array_spikemonitor_i*"))
    spikes = files[0].stat().st_size // 4 if files else -1
    found = {"case": case, "peer": f"Brian2 {brian2.__version__}", "cpu_seconds": taken}
    print(json.dumps(found | {"spikes": spikes, "biological_ms": milliseconds}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1000.0)
