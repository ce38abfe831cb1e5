"""Files on the command line → arrays, and the symbolic sizes that they imply."""

from __future__ import annotations

import wave
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netwright.errors import FormatError, JobError, UnsupportedError
from netwright.frontends.locate import known_dims
from netwright.path.describe import describe

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BYTES = 1 << 30
IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
Dims = tuple[tuple[str, int], ...]


def bound_dims(pairs: list[str]) -> Dims:
    """`name=size` pairs.

    Raises:
        JobError: one is not of that form.
    """
    bound: list[tuple[str, int]] = []
    for pair in pairs:
        name, _, size = pair.rpartition("=")
        if not name or not size.isdigit():
            raise JobError(f"--dim {pair!r}: expected name=size, for example batch=1")
        bound.append((name, int(size)))
    return tuple(bound)


def read_inputs(source: str, files: list[str], dims: Dims) -> tuple[dict[str, NDArray[Any]], Dims]:
    """Arrays by input name, and every symbolic size bound: by `dims`, else by the arrays, else the
    first size of an input (the batch) to 1.

    Raises:
        FormatError: a file cannot be read.
        JobError: there are more files than inputs.
    """
    ports = describe(source).inputs
    arrays: dict[str, NDArray[Any]] = {}
    for index, item in enumerate(files):
        name, _, file = item.rpartition("=")
        if not name:
            if index >= len(ports):
                raise JobError(f"--input {item}: the network has {len(ports)} inputs")
            name = list(ports)[index]
        if name not in ports:
            raise JobError(f"--input {item}: no input {name!r}; there are {list(ports)}")
        arrays[name] = _read(Path(file), ports[name])
    known, bound = known_dims(source), dict(dims)
    for name, shape in ports.items():
        for axis, size in enumerate(shape):
            if isinstance(size, int) or size in bound:
                continue
            if name in arrays and arrays[name].ndim == len(shape):
                bound[size] = arrays[name].shape[axis]
            elif size in known or axis == 0:
                bound[size] = known.get(size, 1)
    return arrays, tuple(sorted(bound.items()))


def _read(path: Path, shape: tuple[int | str, ...]) -> NDArray[Any]:
    if not path.is_file():
        raise FormatError(f"{path}: no such file")
    if path.stat().st_size > MOST_BYTES:
        raise FormatError(f"{path}: larger than {MOST_BYTES} bytes")
    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            return np.load(path, allow_pickle=False)
        if suffix == ".wav":
            return _audio(path, shape)
        if suffix in IMAGES:
            return _image(path, shape)
    except (ValueError, OSError, wave.Error, EOFError) as error:
        raise FormatError(f"{path}: cannot be read ({error})") from error
    raise UnsupportedError(f"{path}: expected .npy, .wav or an image ({', '.join(IMAGES)})")


def _audio(path: Path, shape: tuple[int | str, ...]) -> NDArray[np.float32]:
    with wave.open(str(path)) as sound:
        if sound.getsampwidth() != 2:
            raise UnsupportedError(f"{path}: only 16-bit PCM is read")
        raw = sound.readframes(sound.getnframes())
        samples = np.frombuffer(raw, "<i2").reshape(-1, sound.getnchannels()).mean(axis=1)
    wave_form = (samples / 32768.0).astype(np.float32)
    return wave_form.reshape((1,) * (len(shape) - 1) + (-1,))


def _image(path: Path, shape: tuple[int | str, ...]) -> NDArray[np.float32]:
    try:
        image_module = import_module("PIL.Image")
    except ImportError as error:
        raise UnsupportedError(
            f"{path}: reading images needs Pillow; run: pip install 'netwright[images]', "
            "or give an .npy array"
        ) from error
    if len(shape) != 4:
        raise JobError(f"{path}: an image needs an input of 4 dims, this one has {len(shape)}")
    with image_module.open(path) as image:
        rgb = image.convert("RGB")
        height, width = shape[2], shape[3]
        wide = width if isinstance(width, int) else -(-rgb.width // 32) * 32
        high = height if isinstance(height, int) else -(-rgb.height // 32) * 32
        pixels = np.asarray(rgb.resize((wide, high)), np.float32) / 255.0
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    deviation = np.array([0.229, 0.224, 0.225], np.float32)
    return np.ascontiguousarray(((pixels - mean) / deviation).transpose(2, 0, 1)[None])
