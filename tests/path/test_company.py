"""What is said of others: a gauge that took longer than the profile's."""

from __future__ import annotations

from dataclasses import replace

from netwright.machine.load import library_machine
from netwright.machine.machine import Machine
from netwright.machine.probe.undisturbed import GAUGE, REFERENCE
from netwright.machine.table import Point, Regime, Table
from netwright.path.company import Company

USUAL_SECONDS = 1e-5


def probed() -> Machine:
    """A machine whose profile keeps a gauge."""
    machine = library_machine("raspberry-pi-5")
    gauge = Table(GAUGE, REFERENCE, Regime.WARM, (Point((1,), USUAL_SECONDS, 0.0),))
    unit = replace(machine.units[0], tables=(gauge,))
    return replace(machine, units=(unit, *machine.units[1:]))


def test_a_slower_gauge_is_said() -> None:
    company = Company(before=None, gauge_seconds=[1.5 * USUAL_SECONDS] * 3)
    (note,) = company.notes(probed())
    assert "1.50 times" in note


def test_a_quiet_machine_needs_no_words() -> None:
    assert Company(before=None, gauge_seconds=[1.05 * USUAL_SECONDS]).notes(probed()) == ()
    assert Company(before=None).notes(probed()) == ()


def test_without_a_gauge_nothing_is_said_of_it() -> None:
    assert Company(before=None, gauge_seconds=[1.0]).notes(library_machine("raspberry-pi-5")) == ()


def test_a_look_is_short_and_positive() -> None:
    company = Company()
    company.look()
    company.leave()
    assert company.gauge_seconds[0] > 0
