"""Write a GGUF file with its matrices in another format: the same file for us and for our peers.

Run: python -m benchmarks.networks.requantise smollm2 q8_0 out.gguf
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netwright.frontends.describe import locate
from netwright.frontends.gguf_file import GgufTensor, read_gguf
from netwright.frontends.gguf_write import GgufData, write_gguf
from netwright.graph.format import format_of


def requantise(source: Path, form: str, path: Path) -> Path:
    """`path` with every matrix of `source` in `form`; vectors stay as they are."""
    file = read_gguf(source)
    raw = np.memmap(source, np.uint8, "r")
    tensors = [_tensor(t, raw, form) for t in file.tensors.values()]
    partial = path.with_suffix(".part")
    write_gguf(partial, dict(file.metadata), tensors)  # pyright: ignore[reportArgumentType]
    return partial.rename(path)


def _tensor(tensor: GgufTensor, raw: NDArray[np.uint8], form: str) -> GgufData:
    stored = raw[tensor.offset_bytes : tensor.offset_bytes + tensor.size_bytes]
    if len(tensor.shape) < 2 or tensor.format == form:
        return GgufData(tensor.name, tensor.shape, tensor.format, np.asarray(stored))
    before, after = format_of(tensor.format), format_of(form)
    values = before.decode(stored.reshape(tensor.shape[0], -1)).reshape(tensor.shape)
    encoded = after.encode(values.astype(np.float64)).reshape(-1)
    return GgufData(tensor.name, tensor.shape, form, encoded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("format")
    parser.add_argument("path", type=Path)
    given = parser.parse_args()
    path = requantise(locate(given.source), given.format, given.path)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
