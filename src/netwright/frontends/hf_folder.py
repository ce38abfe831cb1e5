"""A Hugging Face model folder: config.json, and the weights in one file or in shards."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast, final

from netwright.errors import FormatError
from netwright.frontends.safetensors_file import read_safetensors
from netwright.frontends.weights import Entry, Weights

MOST_CONFIG_BYTES: Final = 1 << 24
MOST_SHARDS: Final = 4096


def read_json(path: Path) -> Mapping[str, Any]:
    """A JSON object from a file of at most 16 MiB.

    Raises:
        FormatError: unreadable, too large, or no JSON object.
    """
    found = _parse(path)
    if not isinstance(found, dict):
        raise FormatError(f"{path}: got {type(found).__name__}, expected a JSON object")
    return cast("dict[str, Any]", found)


def read_json_list(path: Path) -> Sequence[Any]:
    """A JSON list from a file of at most 16 MiB; see `read_json`."""
    found = _parse(path)
    if not isinstance(found, list):
        raise FormatError(f"{path}: got {type(found).__name__}, expected a JSON list")
    return cast("list[Any]", found)


def _parse(path: Path) -> Any:
    try:
        if path.stat().st_size > MOST_CONFIG_BYTES:
            raise FormatError(f"{path}: larger than the {MOST_CONFIG_BYTES} bytes allowed")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not JSON ({str(error)[:80]}); fetch the file again") from None


@final
@dataclass(frozen=True, slots=True)
class Config:
    """Typed access to config.json; every error names the file and the key."""

    path: Path
    values: Mapping[str, Any]

    def _wrong(self, key: str, value: object, expected: str) -> FormatError:
        return FormatError(
            f"{self.path}: key {key!r}: got {value!r}, expected {expected}; fetch the file again"
        )

    def _value(self, key: str, default: Any) -> Any:
        value = self.values.get(key)
        return default if value is None else value

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """An integer in low..high; required where there is no default."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._wrong(key, value, f"an integer from {low} to {high}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number; required where there is no default."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, value, "a number")
        if not math.isfinite(value):
            raise self._wrong(key, value, "a finite number")
        return float(value)

    def text(self, key: str, default: str | None = None) -> str:
        """A text; required where there is no default."""
        value = self._value(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, value, "a text")
        return value

    def boolean(self, key: str, *, default: bool) -> bool:
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def section(self, key: str) -> Config:
        """A nested object; empty where there is none."""
        value = self._value(key, {})
        if not isinstance(value, dict):
            raise self._wrong(key, value, "an object")
        return Config(self.path, cast("dict[str, Any]", value))


def read_config(folder: Path) -> Config:
    """The folder's config.json."""
    path = folder / "config.json"
    return Config(path, read_json(path))


def read_weights(folder: Path) -> Weights:
    """The tensors of model.safetensors, or of the shards that model.safetensors.index.json lists.

    Raises:
        FormatError: there is neither, a shard is missing or lies elsewhere, or a name is twice.
    """
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return Weights(str(single), read_safetensors(single).tensors)
    if not index.is_file():
        raise FormatError(
            f"{folder}: has neither {single.name} nor {index.name}; if it has a pickle "
            "(pytorch_model.bin), convert that with safetensors.torch.save_file first"
        )
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict):
        raise FormatError(f"{index}: key 'weight_map' is missing; fetch the file again")
    names = sorted({str(name) for name in cast("dict[str, Any]", shards).values()})
    if len(names) > MOST_SHARDS:
        raise FormatError(f"{index}: names {len(names)} shards, at most {MOST_SHARDS} are allowed")
    entries: dict[str, Entry] = {}
    for name in names:
        # a shard is a file of this folder: a path in the index may lead anywhere
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise FormatError(f"{index}: names {name!r}, expected a .safetensors file beside it")
        tensors = read_safetensors(folder / name).tensors
        twice = entries.keys() & tensors.keys()
        if twice:
            raise FormatError(f"{folder / name}: holds {min(twice)!r}, which another shard has too")
        entries |= tensors
    return Weights(str(index), entries)
