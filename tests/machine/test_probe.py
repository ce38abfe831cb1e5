"""The probe of the machine at hand: plausible, kept, reused, and clear when the store is bad."""

from dataclasses import replace
from pathlib import Path

import pytest

from netwright.errors import MachineError
from netwright.machine.host import host
from netwright.machine.load import library_machine, machine
from netwright.machine.machine import Basis
from netwright.machine.probe import Depth, here, measure, store_path
from netwright.machine.probe.door import core
from netwright.machine.probe.points import KernelPoint, dense
from netwright.machine.probe.points_language import language_points
from netwright.machine.probe.points_spiking import spiking_points
from netwright.machine.probe.points_vision import vision_points
from netwright.machine.probe.process import held
from netwright.machine.probe.sweep import thread_counts
from netwright.machine.probe.timing import Timer, rounds
from netwright.machine.probe.undisturbed import (
    EVEN,
    Sample,
    Usual,
    gauges_of,
    sensitivity,
    tables_of,
    undisturbed,
    usual_of,
)
from netwright.machine.store import is_stale, load, save
from netwright.machine.table import Regime
from netwright.machine.verify import verify

GLANCE = Depth("glance", seconds=0.5, sweep_seconds=0.002, point_seconds=0.0, sweeps=1)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_a_measured_machine_is_whole() -> None:
    shares: list[float] = []
    found = measure(host(), GLANCE, lambda what, share: shares.append(share))
    assert verify(found) is found
    unit = found.units[0]
    assert unit.source.basis is Basis.MEASURED
    assert dict(unit.rates)["fp32"] > 1e8
    reads = [m.read_bytes_per_second or 0.0 for m in found.memories]
    assert reads[0] > reads[-1] > 1e8
    assert all(
        b.capacity_bytes >= a.capacity_bytes
        for a, b in zip(found.memories, found.memories[1:], strict=False)
    )
    assert shares == sorted(shares)


def test_the_store_gives_back_what_it_was_given() -> None:
    kept = library_machine("raspberry-pi-5")
    save(store_path(), "key", "full", kept)
    assert load(store_path(), "key", ("full", "quick")) == kept
    assert load(store_path(), "key", ("quick",)) is None
    assert load(store_path(), "other", ("full",)) is None


def test_here_reuses_the_profile_and_prefers_the_full_one() -> None:
    quick, full = library_machine("raspberry-pi-4"), library_machine("raspberry-pi-5")
    save(store_path(), host().key, "quick", quick)
    assert machine("here") == quick
    save(store_path(), host().key, "full", full)
    assert here() == full


def test_the_store_lies_in_the_cache_folder(cache_folder: Path) -> None:
    assert store_path() == cache_folder / "netwright" / "machines.sqlite"


def test_a_relative_cache_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the XDG base directory specification asks."""
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    assert store_path() == Path.home() / ".cache" / "netwright" / "machines.sqlite"


def test_a_damaged_store_is_named() -> None:
    store_path().parent.mkdir()
    store_path().write_bytes(b"no database" * 100)
    with pytest.raises(MachineError, match=r"machines\.sqlite: cannot be read"):
        load(store_path(), "key", ("full",))


def test_a_store_that_cannot_be_written_is_named(cache_folder: Path) -> None:
    (cache_folder / "netwright").write_text("a file, no folder")
    with pytest.raises(MachineError, match="make the folder writable"):
        save(store_path(), "key", "full", library_machine("raspberry-pi-5"))


def test_the_key_knows_processor_caches_and_build() -> None:
    found = host()
    assert found.processor in found.key
    assert found.build in found.key
    assert found.processors >= 1


@pytest.mark.parametrize(("processors", "counts"), [(1, (1,)), (2, (1, 2)), (6, (1, 2, 4, 6))])
def test_thread_counts(processors: int, counts: tuple[int, ...]) -> None:
    assert thread_counts(processors) == counts


def test_every_point_that_the_core_knows_is_accepted() -> None:
    """A point that the opcode's check refuses would be lost without a word."""
    known = {name for _, name, _, _ in core.opcodes()}
    first = {
        (p.opcode, p.variant, p.regime): p
        for p in (*language_points(), *vision_points(), *spiking_points())
    }
    timer = Timer(2**20)
    refused = [
        key
        for key, point in first.items()
        if point.opcode in known and timer.time(point, 0.0) is None
    ]
    assert not refused


def test_a_longer_kernel_takes_longer() -> None:
    """64 times the elements: more than 8 times the time, cold."""
    points = [
        KernelPoint("fill", "fp32", (n,), Regime.WARM, (dense("fp32", n),), (0.0,))
        for n in (4096, 262144)
    ]
    taken = next(rounds(points, 2**20, 0.005, 1e12, lambda what, share: None))
    kept = [table for table in tables_of(taken) if table.opcode == "fill"]
    assert len(kept) == 1
    short, long = kept[0].points
    assert long.seconds > 8 * short.seconds


def test_the_core_refuses_copies_outside_the_bytes() -> None:
    raw = Timer(2**20)._cold[:4096]
    operand = (raw, 0, [1024], [4], 64, False)
    with pytest.raises(ValueError, match="outside its bytes"):
        core.time_call("fill", [operand], [0.0], 2, 0.0, 0, False)


def test_a_profile_of_another_build_is_stale() -> None:
    """It is measured again, and whoever waits is told why."""
    kept, found = library_machine("raspberry-pi-5"), host()
    save(store_path(), found.hardware + "another build", "full", kept)
    assert load(store_path(), found.key, ("full",)) is None
    assert is_stale(store_path(), found.hardware)
    assert not is_stale(store_path(), "another processor|")


USUAL = Usual(1.0, 10.0)


def kernel(power: float, quiet: int, busy: int, seconds: float = 1.0) -> list[Sample]:
    """Samples of a kernel that we know: it slows down as a power of what the reference does."""
    slowdowns = [1.0] * quiet + [1.3 + 0.01 * i for i in range(busy)]
    return [(seconds * s**power, s, 10.0) for s in slowdowns]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 1.7])
def test_the_sensitivity_of_a_kernel_is_found(power: float) -> None:
    groups = [kernel(power, 4, 9, seconds) for seconds in (1.0, 2.0, 3.0)]
    assert sensitivity(groups, USUAL) == pytest.approx(power, abs=0.02)


def test_a_kernel_that_was_never_seen_both_ways_has_an_even_sensitivity() -> None:
    assert sensitivity([kernel(0.3, 9, 0), kernel(0.3, 0, 9)] * 5, USUAL) == EVEN


@pytest.mark.parametrize(("quiet", "busy"), [(5, 0), (0, 5), (3, 9), (1, 1)])
def test_samples_are_brought_to_a_machine_left_alone(quiet: int, busy: int) -> None:
    found = undisturbed(kernel(0.7, quiet, busy), 0.7, USUAL)
    assert found == pytest.approx([1.0] * (quiet + busy))


def test_samples_beside_something_else_do_not_count() -> None:
    odd = [(50.0, 9.0, 10.0)] * 7
    assert undisturbed(kernel(1.0, 4, 4) + odd, 1.0, USUAL) == pytest.approx([1.0] * 8)
    assert len(undisturbed(odd, 1.0, USUAL)) == 3  # the least disturbed, when there is no other


def test_the_usual_is_what_gauges_take_at_their_best() -> None:
    cold = KernelPoint("fill", "fp32", (1,), Regime.COLD, (), ())
    usual = usual_of({cold: kernel(1.0, 20, 80), replace(cold, regime=Regime.CACHED): [(1, 2, 3)]})
    assert usual == USUAL


def test_a_profile_keeps_its_gauges() -> None:
    cold = KernelPoint("fill", "fp32", (1,), Regime.COLD, (), ())
    base = library_machine("raspberry-pi-5")
    assert gauges_of(base) is None
    unit = replace(base.units[0], tables=tables_of({cold: kernel(1.0, 9, 9)}), cost_model="table")
    found = gauges_of(replace(base, units=(unit,)))
    assert found == USUAL


def test_a_point_stands_in_the_tables_of_all_its_regimes() -> None:
    both = KernelPoint("fill", "fp32", (8,), Regime.CACHED, (), (), (Regime.COLD,))
    made = {t.regime: t.points for t in tables_of({both: kernel(1.0, 4, 4)}) if t.opcode == "fill"}
    assert made[Regime.COLD] == made[Regime.CACHED]


def test_the_runtime_holds_something_but_not_much() -> None:
    found = held()
    assert 0 <= found.runtime_bytes < 2**22
    assert found.code is not None
    known = dict(found.code.windows)
    assert known[""] and known["conv_packed"] and known["matmul_quant"]
    few, more = (
        found.code.resident_bytes(o) for o in (["copy"], ["copy", "conv_packed", "no such"])
    )
    assert 2**16 < found.code.resident_bytes([]) < few < more < 2**24
