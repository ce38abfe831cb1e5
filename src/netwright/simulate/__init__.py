"""Program × Machine → Timeline."""

from netwright.simulate.generate import simulate_generate
from netwright.simulate.price import Price, TaskCost, machine_price
from netwright.simulate.simulate import Simulation, simulate, simulate_call, simulation

__all__ = [
    "Price",
    "Simulation",
    "TaskCost",
    "machine_price",
    "simulate",
    "simulate_call",
    "simulate_generate",
    "simulation",
]
