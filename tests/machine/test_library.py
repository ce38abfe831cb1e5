"""Every machine of the library loads, verifies, says its sources, and survives a round trip."""

from pathlib import Path

import pytest

from netwright.machine.build import build, dump
from netwright.machine.load import library_machine, load_file, machine, machine_names
from netwright.machine.machine import ARITHMETIC, COST_MODELS, MachineKind
from netwright.machine.verify import verify

NAMES = machine_names()


def test_there_are_machines_of_every_size() -> None:
    kinds = {library_machine(name).kind for name in NAMES}
    assert len(NAMES) >= 26
    assert kinds >= {
        MachineKind.MICROCONTROLLER,
        MachineKind.EDGE,
        MachineKind.CPU,
        MachineKind.GPU,
        MachineKind.NPU,
        MachineKind.WAFER,
        MachineKind.CLUSTER,
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_is_whole(name: str) -> None:
    found = machine(name)
    assert found.name == name
    assert verify(found) is found
    for section in (*found.axes, *found.units, *found.memories, *found.links):
        assert section.source.text
    for unit in found.units:
        assert unit.cost_model in COST_MODELS
        assert {a for a, _ in unit.rates} <= set(ARITHMETIC)
        assert not found.home(unit).read_only
        assert found.store(unit) in found.path(unit)


@pytest.mark.parametrize("name", NAMES)
def test_a_dumped_machine_is_the_same_machine(name: str) -> None:
    found = library_machine(name)
    assert build(dump(found), name) == found


def test_a_cluster_counts_its_devices() -> None:
    assert machine("dgx-h100").num_devices == 8
    assert machine("superpod-h100").num_devices == 127 * 8
    assert machine("dgx-h100").units == machine("h100-sxm").units


def test_a_device_has_the_figures_of_its_datasheet() -> None:
    """NVIDIA H100 datasheet: 989.4 dense fp16 teraflops, 3.35 TB/s, 80 GB."""
    h100 = machine("h100-sxm")
    assert dict(h100.units[0].rates)["fp16"] == 989.4e12
    home = h100.home(h100.units[0])
    assert home.read_bytes_per_second == pytest.approx(3.35e12, rel=1e-3)
    assert home.capacity_bytes == 80 * 2**30


def test_flash_is_where_a_microcontroller_keeps_weights() -> None:
    board = machine("stm32f746")
    assert board.store(board.units[0]).name == "flash"
    assert board.home(board.units[0]).capacity_bytes == 320 * 1024


def test_a_file_is_loaded_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: raspberry-pi-5\nname: my-pi\n"
        "memories:\n- {name: dram, capacity_bytes: 4294967296}\n"
    )
    mine = machine(path)
    assert mine == load_file(path) == machine(str(path))
    assert mine.memory("dram").capacity_bytes == 2**32
    assert (
        mine.memory("dram").read_bytes_per_second
        == machine("raspberry-pi-5").memory("dram").read_bytes_per_second
    )
