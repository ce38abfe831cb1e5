"""The main path in Python runs as the design writes it."""

from pathlib import Path

import pytest

import netwright as nw
from netwright.errors import FormatError
from netwright.frontends.packages import package_file
from netwright.machine.load import library_machine

MAIN_PATH = """
graph   = nw.load("smollm2.gguf")
machine = nw.machine("here")
plan    = nw.plan(graph, machine, nw.Generate(prompt=128, tokens=64))
print(plan.explain())
program = plan.lower()
predicted = program.simulate()
measured  = program.run({"tokens": [1]})
nw.report(predicted, measured).save("report.html")
"""


@pytest.mark.network
def test_the_main_path_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        network = package_file("smollm2")
    except FormatError:
        pytest.skip("the package of smollm2 is not installed")
    monkeypatch.chdir(tmp_path)
    Path("smollm2.gguf").symlink_to(network)
    # A machine of the library stands for the one at hand: tests do not probe.
    monkeypatch.setattr(nw, "machine", lambda name: library_machine("raspberry-pi-5"))
    exec(compile(MAIN_PATH, "the main path", "exec"), {"nw": nw})
    page = Path("report.html").read_text()
    assert "Raspberry Pi 5" in page
    assert 'class="roof"' in page
