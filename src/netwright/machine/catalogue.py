"""The library as a table in Markdown: what docs/machines.md shows."""

from __future__ import annotations

from netwright.machine.load import library_machine, machine_names
from netwright.machine.machine import Machine, Unit

HEADER = (
    "| machine | kind | devices | fastest arithmetic (operations/s) | main memory | bandwidth "
    "(bytes/s) | weights live in | known by |\n"
    "|---|---|---|---|---|---|---|---|"
)


def library_table() -> str:
    """One row a machine, in order of name. Rates are those of one device, all units together."""
    return "\n".join([HEADER, *(_row(library_machine(name)) for name in machine_names())])


def _row(machine: Machine) -> str:
    text, unit = _fastest(machine)
    home, store = machine.home(unit), machine.store(unit)
    bandwidth = home.read_bytes_per_second
    basis = ", ".join(sorted({source.basis.value for _, source in machine.sources}))
    cells = (
        f"`{machine.name}`",
        machine.kind.value,
        str(machine.num_devices),
        text,
        f"{home.name}, {binary(home.capacity_bytes * home.count)}",
        "not published" if bandwidth is None else f"{bandwidth:.3g}",
        f"{store.name}, {binary(store.capacity_bytes * store.count)}",
        basis,
    )
    return "| " + " | ".join(cells) + " |"


def _fastest(machine: Machine) -> tuple[str, Unit]:
    """The fastest arithmetic of all, and who does it; of a spiking chip its synaptic events."""
    mesh = machine.spiking
    if mesh is not None:
        rate = machine.units[0].count / mesh.event("synapse_dense").seconds
        return f"synaptic events {rate:.3g}", machine.units[0]
    rate, arithmetic, unit = max(
        (
            (rate * unit.count, arithmetic, unit)
            for unit in machine.units
            for arithmetic, rate in unit.rates
        ),
        key=lambda found: found[0],
    )
    return f"{arithmetic} {rate:.3g}", unit


def binary(num_bytes: int) -> str:
    """Bytes with a binary prefix, three digits: "80 GiB"."""
    value = float(num_bytes)
    for prefix in ("", "Ki", "Mi", "Gi", "Ti"):
        if value < 1000:
            return f"{value:.3g} {prefix}B"
        value /= 1024
    return f"{value:.3g} PiB"
