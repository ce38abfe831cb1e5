"""The most bytes of tensors that torch code holds at once, counted at every operator."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, final

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@final
class LiveBytes(TorchDispatchMode):
    """While it is active: storages that operators made, how many bytes live, and how many at most.

    Storages made before count for nothing. What a kernel takes and gives back inside one operator
    (packed factors of a product) is not seen. Forward and backward pass, on the CPU, one thread.
    """

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.live_bytes = 0
        self.peak_bytes = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        for given in tree_leaves((args, kwargs or {})):
            if isinstance(given, torch.Tensor):
                self._note(given.untyped_storage(), 0)  # what stands already was not made here
        result = func(*args, **(kwargs or {}))
        for made in tree_leaves(result):
            if isinstance(made, torch.Tensor):
                storage = made.untyped_storage()
                self._note(storage, storage.nbytes())
        return result

    def _note(self, storage: torch.UntypedStorage, size_bytes: int) -> None:
        place = storage.data_ptr()
        if place in self._known or not storage.nbytes():
            return
        self._known.add(place)
        self.live_bytes += size_bytes
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        weakref.finalize(storage, self._gone, place, size_bytes)

    def _gone(self, place: int, size_bytes: int) -> None:
        self._known.discard(place)
        self.live_bytes -= size_bytes
