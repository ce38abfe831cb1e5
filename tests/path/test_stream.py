"""Spiking networks for a time: runs that are repeated give what one run gives."""

from collections.abc import Mapping

import numpy as np
import pytest

from netwright.graph.build import Builder
from netwright.graph.interpret import Interpreter
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.neuron import Lif
from netwright.path.stream import run_circuit
from netwright.run.native import NativeRuntime


def test_every_turn_reads_the_inputs_that_were_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three layers over all steps, in a core that writes over its inputs once it has read them."""
    execute, turns = NativeRuntime.execute, list[str]()

    def spoiling(self: NativeRuntime, entry: str, symbols: Mapping[str, int]) -> None:
        execute(self, entry, symbols)
        self.view(entry, "spikes", symbols)[...] = 0
        turns.append(entry)

    monkeypatch.setattr(NativeRuntime, "execute", spoiling)
    rng = np.random.default_rng(0)
    b = Builder("net")
    x = b.input("spikes", (("step", 64), ("batch", 1), ("input", 40)))
    for layer, (inputs, outputs) in enumerate(((40, 40), (40, 40), (40, 40))):
        values = rng.standard_normal((outputs, inputs)).astype(np.float32)
        weight = b.weight(f"w{layer}", (("n", outputs), ("i", inputs)), data=values)
        x = b.add(Linear(), (x, weight), f"product{layer}")
        x = b.add(Lif(5e-3, 0.2), (x, None), f"neurons{layer}")
    graph = b.finish([x])
    spikes = (rng.random((64, 1, 40)) < 0.2).astype(np.float32)
    found = run_circuit(graph, None, inputs={"spikes": spikes})
    (expected,) = Interpreter(graph)({"spikes": spikes}, {}, {})[0].values()
    sent = np.zeros((64, 40))
    sent[found.spikes[0].step, found.spikes[0].neuron] = 1
    np.testing.assert_array_equal(sent, expected.reshape(64, 40))
    assert sent.any() and len(turns) > 1
