"""The GPT of the zoo written again in torch: the oracle of training."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from netwright.graph.graph import Graph
from netwright.graph.interpret import Interpreter
from netwright.graph.zoo.gpt import GptSizes


def weights_of(graph: Graph) -> dict[str, NDArray]:
    """Values by name of every weight of a flat network."""
    known = Interpreter(graph)
    read = {i for op, _ in graph.ops() for i in op.inputs if i is not None}
    return {graph[i].name: known.weight(i, 0) for i in read if graph[i].data}


def torch_loss(
    sizes: GptSizes, w: dict[str, torch.Tensor], tokens: NDArray, targets: NDArray
) -> torch.Tensor:
    """The network written again, by the names of its weights."""
    batch, count = tokens.shape
    x = w["embedding"][torch.as_tensor(tokens)] + w["positions"]
    for layer in range(sizes.layers):

        def norm(name: str, x: torch.Tensor, layer: int = layer) -> torch.Tensor:
            scale, bias = w[f"{name}_scale.{layer}"], w[f"{name}_bias.{layer}"]
            return F.layer_norm(x, (sizes.width,), scale, bias, sizes.epsilon)

        def linear(name: str, x: torch.Tensor, layer: int = layer) -> torch.Tensor:
            return F.linear(x, w[f"{name}_weight.{layer}"], w[f"{name}_bias.{layer}"])

        qkv = linear("qkv", norm("attention_norm", x)).reshape(batch, count, 3, sizes.heads, -1)
        q, k, v = (qkv[:, :, i].transpose(1, 2) for i in range(3))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
        x = x + linear("attention_output", mixed.reshape(batch, count, -1))
        hidden = F.gelu(linear("up", norm("feed_forward_norm", x)), approximate="tanh")
        x = x + linear("down", hidden)
    x = F.layer_norm(x, (sizes.width,), w["final_norm_scale"], w["final_norm_bias"], sizes.epsilon)
    logits = x @ (w["embedding"] if sizes.tied else w["output"]).T
    return F.cross_entropy(logits.reshape(batch * count, -1), torch.as_tensor(targets).reshape(-1))
