"""Nest × Machine → the native search's problem."""

from __future__ import annotations

from typing import Any

from netwright.cost.nest import Nest
from netwright.machine.array import FLOWS, OPERANDS, SpatialArray
from netwright.machine.machine import Machine
from netwright.native import core


def native_problem(machine: Machine, array: SpatialArray, nest: Nest) -> Any:
    """What `core.NestProblem` computes costs of and searches."""
    ports: list[float] = []
    hidden: list[bool] = []
    port_inputs = [0, 0, 0]
    levels: list[tuple[Any, ...]] = []
    for level in array.levels:
        memory = machine.memory(level.memory)
        numbers = [-1] * (len(OPERANDS) * len(FLOWS))
        for port in level.ports:
            if port.bits_per_cycle is None:
                continue
            for flow in port.flows:
                operand, _, direction = flow.partition(".")
                which = OPERANDS.index(operand)
                numbers[which * len(FLOWS) + FLOWS.index(direction)] = len(ports)
                port_inputs[which] |= 1 << len(ports)
            ports.append(port.bits_per_cycle)
            hidden.append(port.hidden)
        serves = sum(1 << i for i, axis in enumerate(array.axes) if axis.name in level.serves)
        word_bytes = level.word_bits / 8
        levels.append(
            (
                8.0 * memory.capacity_bytes,
                (memory.read_joules_per_byte or 0.0) * word_bytes,
                (memory.write_joules_per_byte or 0.0) * word_bytes,
                level.access_bits,
                level.word_bits,
                serves,
                level.holds,
                numbers,
            )
        )
    dims = [[_dim(d.terms, d.extent) for d in operand] for operand in nest.operands]
    bits = [array.input_bits, array.weight_bits, array.sum_bits, array.output_bits]
    return core.NestProblem(
        list(nest.sizes),
        dims,
        [axis.multicast for axis in array.axes],
        levels,
        ports,
        hidden,
        port_inputs,
        bits,
        array.reads_first_sum,
        array.timing == "windows",
    )


def _dim(terms: tuple[tuple[int, int], ...], extent: int) -> tuple[int, int, int, int, int]:
    if not terms:
        return (-1, 1, -1, 1, extent)
    (first, step), *rest = terms
    second, stride = rest[0] if rest else (-1, 1)
    return (first, step, second, stride, extent)
