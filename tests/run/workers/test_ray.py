"""The same workers started by Ray; skipped where Ray is not installed (`netwright[cluster]`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec

import pytest

from netwright.errors import RunError, UnsupportedError
from netwright.graph.zoo.gpt import GptSizes, gpt
from netwright.job.train import Train
from netwright.machine.load import library_machine
from netwright.path.train import train
from netwright.run.workers.ray import run_on_ray
from netwright.run.workers.worker import Work

GRAPH = gpt(GptSizes(vocabulary=256, width=16, layers=2, heads=2, tokens=8, batch=2, tied=False))
MACHINE = library_machine("raspberry-pi-5")
TEXT = b"Now is the winter of our discontent made glorious summer by this sun of York. " * 5
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")


@needs_ray
def test_ray_starts_the_same_workers() -> None:
    found = train(GRAPH, MACHINE, Train(3, 2, 2, "zb-h1"), TEXT, launch=run_on_ray)
    single = train(GRAPH, MACHINE, Train(3, 2), TEXT)
    assert found is not None
    assert single is not None
    assert found.losses == single.losses

    def without(works: Sequence[Work], steps: int, told) -> bool:
        return run_on_ray((works[0], replace(works[1], chunks=())), steps, told, 20.0)

    with pytest.raises(RunError, match=r"worker [01]: "):
        train(GRAPH, MACHINE, Train(3, 2, 2, "zb-h1"), TEXT, launch=without)


@pytest.mark.skipif(find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_it_says_what_to_install() -> None:
    with pytest.raises(UnsupportedError, match=r"pip install 'netwright\[cluster\]'"):
        train(GRAPH, MACHINE, Train(2, 2, 2), TEXT, launch=run_on_ray)
