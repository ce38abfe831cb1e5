"""`torchrun … -m netwright train`: the workers are torchrun's, the losses those of one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from netwright.machine.host import host
from netwright.machine.load import library_machine
from netwright.machine.store import save

RECIPE = """
from netwright.graph.zoo.gpt import GptSizes, gpt
sizes = GptSizes(vocabulary=256, width=16, layers=2, heads=2, tokens=8, batch=2, tied=False)
network = gpt(sizes)
text = b"A plague on both your houses! " * 9
"""
STEPS = ("--steps", "3", "--microbatches", "2", "--json")


def test_two_processes_of_torchrun(tmp_path: Path) -> None:
    cache = tmp_path / "netwright"
    save(cache / "machines.sqlite", host().key, "full", library_machine("raspberry-pi-5"))
    recipe = tmp_path / "recipe.py"
    recipe.write_text(RECIPE)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}

    def losses(*starting: str, workers: int) -> list[float]:
        command = [sys.executable, "-m", *starting, "train", str(recipe), *STEPS]
        done = subprocess.run(
            [*command, "--workers", str(workers), "--schedule", "zb-h1"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["workers"] == workers
        return found["losses"]

    torchrun = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "netwright")
    assert losses(*torchrun, workers=2) == losses("netwright", workers=1)
