"""Bytes that torch holds for the backward pass, counted while they are held."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor


@final
@dataclass(slots=True)
class Held:
    """Bytes of activations held now and at most; filled while `held_for_backward` is open."""

    now_bytes: int = 0
    peak_bytes: int = 0


@final
class _Kept:
    """A saved tensor; lives as long as the graph that saved it."""

    __slots__ = ("__weakref__", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


@contextmanager
def held_for_backward() -> Generator[Held, None, None]:
    """Counts what autograd saves inside, parameters left out, each piece of memory once.

    A view counts as what it shows, and two saved tensors of one address as the larger.
    """
    held, users = Held(), dict[int, list[int]]()

    def release(address: int, size: int) -> None:
        sizes = users[address]
        before = max(sizes)
        sizes.remove(size)
        held.now_bytes -= before - max(sizes, default=0)
        if not sizes:
            del users[address]

    def pack(tensor: Tensor) -> _Kept | Tensor:
        if isinstance(tensor, torch.nn.Parameter) or isinstance(tensor._base, torch.nn.Parameter):
            return tensor
        kept, address, size = _Kept(tensor), tensor.data_ptr(), tensor.nbytes
        sizes = users.setdefault(address, [])
        held.now_bytes += max(0, size - max(sizes, default=0))
        sizes.append(size)
        held.peak_bytes = max(held.peak_bytes, held.now_bytes)
        weakref.finalize(kept, release, address, size)
        return kept

    def unpack(kept: _Kept | Tensor) -> Tensor:
        return kept.tensor if isinstance(kept, _Kept) else kept

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        yield held
