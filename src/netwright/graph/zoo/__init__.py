"""Families of networks, built by code with seeded random weights, or (seed None) as shapes only."""

from netwright.graph.zoo.gpt import gpt
from netwright.graph.zoo.llama import llama
from netwright.graph.zoo.mlp import mlp
from netwright.graph.zoo.mobilenet import mobilenet_v1
from netwright.graph.zoo.resnet import resnet

__all__ = ["gpt", "llama", "mlp", "mobilenet_v1", "resnet"]
