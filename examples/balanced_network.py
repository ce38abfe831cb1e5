"""A balanced network of 4,000 neurons: excitation and inhibition, one spike every 0.2 s each.

netwright run examples/balanced_network.py --time 1s --record spikes

Source: Vogels and Abbott (2005), as in Brette et al. (2007), benchmark 2 (CUBA).
"""

import numpy as np

from netwright.graph.circuit import Circuit
from netwright.graph.ops.neuron import CubaLif
from netwright.graph.ops.neuron_rule import Discretisation, Reset
from netwright.graph.synapses import Pairs

NEURONS, EXCITATORY = 4000, 3200
random = np.random.default_rng(42)
from_excitatory = random.integers(0, EXCITATORY, (NEURONS, 64))
from_inhibitory = random.integers(0, NEURONS - EXCITATORY, (NEURONS, 16))
to = np.arange(NEURONS)

circuit = Circuit("balanced network", dt_seconds=1e-4)
cell = CubaLif(
    tau_seconds=20e-3,
    synapse_seconds=(5e-3, 10e-3),
    threshold=-50.0,
    rule=Discretisation(1e-4, reset=Reset.VALUE, reset_value=-60.0, refractory_steps=50),
    leak=-49.0,
)
first = {"v": random.uniform(-60.0, -50.0, NEURONS)}
cells = circuit.population("cells", NEURONS, cell, first, rate_hz=5.0)
excitation = Pairs(from_excitatory.ravel(), to.repeat(64), 1.62)
inhibition = Pairs(from_inhibitory.ravel(), to.repeat(16), -9.0)
circuit.project(cells[:EXCITATORY], cells, excitation, receptor=0)
circuit.project(cells[EXCITATORY:], cells, inhibition, receptor=1)
network = circuit.graph()
