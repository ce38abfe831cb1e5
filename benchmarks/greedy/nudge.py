"""The same model, changed as little as can be: python -m benchmarks.greedy.nudge IN.gguf OUT.gguf.

Every weight of the first norm becomes the next larger fp32: 2^-24 to 2^-23 of its value. What an
engine says of such a file instead of its own is how well its text is defined at all.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np

from netwright.frontends.gguf_file import read_gguf

FIRST_NORM = "blk.0.attn_norm.weight"


def nudge(source: Path, path: Path) -> None:
    """Copies the file and changes the bytes of one tensor in place."""
    tensor = read_gguf(source).tensors[FIRST_NORM]
    shutil.copyfile(source, path)
    values = np.memmap(path, np.float32, "r+", tensor.offset_bytes, (tensor.size_bytes // 4,))
    values[:] = np.nextafter(values, np.copysign(np.float32(np.inf), values))
    values.flush()


if __name__ == "__main__":
    nudge(Path(sys.argv[1]), Path(sys.argv[2]))
