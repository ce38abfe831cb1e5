"""`netwright machine`: the library, one machine, and the probe of this one."""

from __future__ import annotations

from math import prod
from statistics import median
from typing import Annotated

import typer
from rich.table import Table

from netwright.cli.screen import print_json, progress
from netwright.cli.tables import console
from netwright.machine.build import dump
from netwright.machine.load import machine, machine_names
from netwright.machine.machine import Machine, Unit
from netwright.machine.probe import probe as probe_here
from netwright.machine.store import store_path
from netwright.plan.quantity import count, quantity

app = typer.Typer(help="Machines: list, show, probe.", no_args_is_help=True)
# Kernels that do two operations for each product of their sizes, and the arithmetic they do it in.
PRODUCTS = {
    "matmul_quant": "int8", "matmul_dense": "fp32", "gemm_packed": "fp32", "conv_packed": "fp32",
    "conv_depthwise": "fp32", "matmul_batched": "fp32",
}  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="print one object")]


@app.command("list")
def list_(json: AsJson = False) -> None:
    """Every machine of the library."""
    machines = [machine(name) for name in machine_names()]
    if json:
        print_json({"machines": [{"name": m.name, "title": m.title} for m in machines]})
        return
    table = Table()
    for column in ("name", "what it is", "kind", "fastest rate", "largest memory"):
        table.add_column(column)
    for m in machines:
        rates = [(r * u.count, c) for u in m.units for c, r in u.rates]
        best = max(rates, default=(0.0, ""))
        memory = max((x.capacity_bytes * x.count for x in m.memories), default=0)
        table.add_row(
            m.name,
            m.title,
            m.kind.value,
            f"{count(best[0])}op/s {best[1]}",
            quantity(memory, "bytes"),
        )
    console.print(table)


@app.command("show")
def show(name: str, json: AsJson = False) -> None:
    """One machine with the source of every number."""
    _show(machine(name), json)


@app.command("probe")
def probe(json: AsJson = False) -> None:
    """Measure this machine (under a minute) and keep the profile."""
    if not json:
        console.print(
            f"measuring; the profile goes to {store_path()}", markup=False, soft_wrap=True
        )
    with progress() as on_progress:
        found = probe_here(progress=on_progress)
    _show(found, json)
    if not json:
        console.print(f"kept in {store_path()}", markup=False, soft_wrap=True)


def kernel_table(unit: Unit) -> Table:
    """What was measured of each kernel: points, their spread, and the share of the peak reached."""
    table = Table(title="measured kernels", title_justify="left")
    for column in ("kernel", "weights", "points", "spread", "best rate", "of the peak"):
        table.add_column(column)
    for measured in unit.tables:
        spread = median(p.spread for p in measured.points)
        rate = max(2 * prod(p.sizes) / p.seconds for p in measured.points)
        peak = unit.rate(PRODUCTS.get(measured.opcode, ""))
        reached = ("", "") if peak is None else (f"{rate:.3g} /s", f"{rate / peak[1]:.0%}")
        name = f"{measured.opcode} {measured.variant}"
        points = str(len(measured.points))
        table.add_row(name, measured.regime.value, points, f"{spread:.1%}", *reached)
    return table


def _show(found: Machine, json: bool) -> None:
    if json:
        print_json(dump(found))
        return
    console.print(f"{found.title} ({found.kind.value})", markup=False)
    for unit in found.units:
        rates = ", ".join(f"{name} {count(rate)}op/s" for name, rate in unit.rates)
        console.print(f"  {unit.count} x {unit.name}: {rates}", markup=False)
        console.print(f"    {unit.source.basis.value}: {unit.source.text}", markup=False)
        if unit.units_speed:
            speeds = ", ".join(f"{n}: {times:.2f}" for n, times in unit.units_speed)
            console.print(f"    arithmetic of so many together, times one: {speeds}", markup=False)
        if unit.tables:
            console.print(kernel_table(unit))
    for memory in found.memories:
        read = memory.read_bytes_per_second
        write = memory.write_bytes_per_second
        speed = "" if read is None else f", reads {quantity(read, 'bytes')}/s"
        speed += "" if write is None else f", writes {quantity(write, 'bytes')}/s"
        console.print(
            f"  {memory.count} x {memory.name}: {quantity(memory.capacity_bytes, 'bytes')}{speed}",
            markup=False,
        )
        if memory.units_read:
            each = ", ".join(f"{n}: {quantity(r, 'bytes')}/s" for n, r in memory.units_read)
            console.print(f"    read by so many threads together: {each}", markup=False)
        console.print(f"    {memory.source.basis.value}: {memory.source.text}", markup=False)
    for link in found.links:
        speed = quantity(link.bandwidth_bytes_per_second, "bytes")
        console.print(f"  {link.name}: {speed}/s, {link.topology.value} over {link.axis}")
        console.print(f"    {link.source.basis.value}: {link.source.text}", markup=False)
