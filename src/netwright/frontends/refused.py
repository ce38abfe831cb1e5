"""Files that are refused: pickles run code when they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from netwright.errors import FormatError

PICKLE_SUFFIXES: Final = frozenset(
    {".pth", ".pt", ".bin", ".pkl", ".pickle", ".ckpt", ".joblib", ".jit"}
)


def refuse_pickle(path: Path, head: bytes) -> None:
    """Raises a FormatError with the way out if a file is a pickle, by name or by its first bytes.

    PyTorch's files are zip archives that hold a pickle; older ones are pickles of protocol 2 to 5.
    """
    pickled = len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5
    if not (pickled or head.startswith(b"PK\x03\x04") or path.suffix.lower() in PICKLE_SUFFIXES):
        return
    raise FormatError(
        f"{path}: refused, because a pickle can run any code when it is read; where you trust it, "
        "load it in PyTorch with torch.load(..., weights_only=True) and save it with "
        "safetensors.torch.save_file, or export the network with torch.onnx.export"
    )
