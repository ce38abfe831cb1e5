"""ResNet-18 without weights, for a spatial array.

netwright plan examples/resnet18.py --machine eyeriss-like --explain
"""

from netwright.graph.zoo.resnet import ResnetSizes, resnet

network = resnet(ResnetSizes(), seed=None)
