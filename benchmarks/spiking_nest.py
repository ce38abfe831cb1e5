"""The circuits of benchmarks/spiking_cases.py in NEST, run by a Python that has it.

python spiking_nest.py cuba-4000 | cuba-40000 | coba-4000 | brunel [biological ms] [delay in ms]
Prints CPU seconds of the simulation on one thread, scaled to one biological second, and its spikes.
NEST has no delay below its step; with 0.1 ms it exchanges spikes every step, its worst case.
"""

from __future__ import annotations

import json
import sys
import time

import nest
import numpy as np


def connect(source: np.ndarray, target: np.ndarray, weight: float, delay: float) -> None:
    """One synapse an entry; ids count from 1."""
    nest.Connect(
        source + 1,
        target + 1,
        "one_to_one",
        {"weight": np.full(source.size, weight), "delay": np.full(source.size, delay)},
    )


def cuba(n: int, delay: float) -> int:
    excitatory, r = int(0.8 * n), np.random.default_rng(42)
    se = r.integers(0, excitatory, (n, 64))
    si = excitatory + r.integers(0, n - excitatory, (n, 16))
    capacity, tau = 250.0, 20.0
    cells = nest.Create("iaf_psc_exp", n, {
        "E_L": -49.0, "V_reset": -60.0, "V_th": -50.0, "tau_m": tau, "C_m": capacity,
        "t_ref": 5.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0,
    })  # fmt: skip
    cells.V_m = r.uniform(-60, -50, n)
    to = np.arange(n)
    connect(se.ravel(), to.repeat(64), 1.62 * capacity / tau, delay)
    connect(si.ravel(), to.repeat(16), -9.0 * capacity / tau, delay)
    return n


def coba(n: int, delay: float) -> int:
    """Conductances in nS of a leak of 10: integrated by its adaptive Runge-Kutta."""
    excitatory, r = int(0.8 * n), np.random.default_rng(42)
    se = r.integers(0, excitatory, (n, 64))
    si = excitatory + r.integers(0, n - excitatory, (n, 16))
    cells = nest.Create("iaf_cond_exp", n, {
        "E_L": -60.0, "V_reset": -60.0, "V_th": -50.0, "C_m": 200.0, "g_L": 10.0, "t_ref": 5.0,
        "E_ex": 0.0, "E_in": -80.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0, "I_e": 200.0,
    })  # fmt: skip
    cells.V_m = r.uniform(-60, -50, n)
    to = np.arange(n)
    connect(se.ravel(), to.repeat(64), 6.0, delay)
    connect(si.ravel(), to.repeat(16), -67.0, delay)
    return n


def brunel() -> int:
    ne, ni, ce, ci = 10000, 2500, 1000, 250
    n, r = ne + ni, np.random.default_rng(42)
    se = r.integers(0, ne, (n, ce), dtype=np.int32)
    si = ne + r.integers(0, ni, (n, ci), dtype=np.int32)
    cells = nest.Create("iaf_psc_delta", n, {
        "E_L": 0.0, "V_reset": 0.0, "V_th": 20.0, "tau_m": 20.0, "C_m": 1.0, "t_ref": 2.0,
        "V_m": 0.0,
    })  # fmt: skip
    noise = nest.Create("poisson_generator", params={"rate": 20_000.0})
    nest.Connect(noise, cells, syn_spec={"weight": 0.1, "delay": 1.5})
    to = np.arange(n)
    connect(se.ravel(), to.repeat(ce), 0.1, 1.5)
    connect(si.ravel(), to.repeat(ci), -0.5, 1.5)
    return n


def main(case: str, delay: float, milliseconds: float) -> None:
    nest.set_verbosity("M_ERROR")
    nest.set(resolution=0.1, local_num_threads=1)
    if case == "brunel":
        n, delay = brunel(), 1.5
    else:
        n = (coba if case.startswith("coba") else cuba)(int(case[5:]), delay)
    recorder = nest.Create("spike_recorder")
    nest.Connect(nest.NodeCollection(list(range(1, n + 1))), recorder)
    nest.Prepare()
    start = time.process_time()
    nest.Run(milliseconds)
    taken = (time.process_time() - start) * 1000.0 / milliseconds
    nest.Cleanup()
    found = {
        "case": case,
        "peer": f"NEST {nest.__version__}, delay {delay} ms",
        "cpu_seconds": [taken],
    }
    found |= {"spikes": int(recorder.n_events), "biological_ms": milliseconds}
    print(json.dumps(found))


if __name__ == "__main__":
    given = [float(each) for each in sys.argv[2:]]
    main(sys.argv[1], given[1] if len(given) > 1 else 0.1, given[0] if given else 1000.0)
