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
        f"{path}: refused: it is a pickle, and reading one can run any code. Where you trust it, "
        "export the network in PyTorch: module.load_state_dict(torch.load(file, "
        "weights_only=True)); torch.onnx.export(module, example, 'network.onnx'); give that file"
    )


def shipped_pickle(name: str, path: Path) -> FormatError:
    """The error for a shipped network whose package has its weights as a pickle only."""
    return FormatError(
        f"{name}: refused: its package has only {path.name}, a pickle, and reading one can run any "
        "code. In a checkout of Netwright after `make test`, "
        "`.venv/bin/python -m benchmarks.networks.export` writes it as "
        f"build/networks/{name}.onnx; give that file instead"
    )
