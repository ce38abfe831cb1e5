"""Spiking chips: what a recorded run costs, by the events of every step on every core.

A step lasts until its slowest core is done, sending and receiving side by side, and a barrier ends
it; the network on chip is taken as never full. Source: the "simple" timing of SANA-FE (Boyle et
al., IEEE TCAD 2025, 10.1109/TCAD.2025.3537971), whose published energies and times it gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.cost.cost import Setting
from netwright.cost.work import Work
from netwright.errors import UnsupportedError
from netwright.machine.machine import Machine, Unit
from netwright.machine.spiking import SpikingMesh

Counts: TypeAlias = NDArray[np.int64]
Figures: TypeAlias = NDArray[Any]  # float64

SYNAPSES = ("synapse_dense", "synapse_sparse", "synapse_convolution")


def refuse(machine: Machine, unit: Unit, work: Work, setting: Setting) -> NoReturn:
    """Without spikes nothing is known of the cost.

    Raises:
        UnsupportedError: always; says what to do.
    """
    raise UnsupportedError(
        f"{machine.name}: unit {unit.name!r} is priced by spikes, and {work.opcode} alone has none;"
        " simulate a spiking network with `--input spikes.npz`"
    )


@final
@dataclass(frozen=True, slots=True, eq=False)
class Happened:
    """Events of a run: [steps, cores], `synapses` [steps, cores, kinds]; hops of packets that leave
    a core, in the step that sends them; `updated` neurons of a core in every step [cores].
    """

    updated: Counts
    fired: Counts
    packets_out: Counts
    packets_in: Counts
    synapses: Counts
    column_hops: Counts
    row_hops: Counts


@final
@dataclass(frozen=True, slots=True, eq=False)
class Paid:
    """`send_seconds` and `receive_seconds` [steps, cores], `step_seconds` [steps] with its barrier;
    joules [steps, cores] by part.
    """

    send_seconds: Figures
    receive_seconds: Figures
    step_seconds: Figures
    synapse_joules: Figures
    soma_joules: Figures
    network_joules: Figures


def pay(mesh: SpikingMesh, happened: Happened) -> Paid:
    """Events times what each costs."""
    by = dict(mesh.events)
    access, update, spike = by["neuron_access"], by["neuron_update"], by["spike"]
    out, into = by["axon_out"], by["axon_in"]
    each_synapse = [by[name] for name in SYNAPSES]
    updated, fired = happened.updated[None, :], happened.fired
    synapses = happened.synapses
    send = updated * (access.seconds + update.seconds) + fired * spike.seconds
    send = send + happened.packets_out * out.seconds
    receive = happened.packets_in * into.seconds
    receive = receive + synapses @ np.array([e.seconds for e in each_synapse])
    in_use = np.flatnonzero((happened.updated > 0) | (happened.packets_in.sum(0) > 0))
    barrier = mesh.barrier(in_use.tolist())
    steps = np.maximum(send.max(1, initial=0.0), receive.max(1, initial=0.0)) + barrier
    soma = updated * (access.joules + update.joules) + fired * spike.joules
    network = happened.packets_out * out.joules + happened.packets_in * into.joules
    network = network + happened.column_hops * by["hop_column"].joules
    network = network + happened.row_hops * by["hop_row"].joules
    joules = synapses @ np.array([e.joules for e in each_synapse])
    return Paid(send, receive, steps, joules, soma, network)
