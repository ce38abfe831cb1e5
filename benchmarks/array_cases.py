"""The networks of arrays that are measured: where each is, at which sizes, with which inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from benchmarks.networks.bert import export_bert
from benchmarks.networks.export import export
from numpy.typing import NDArray

from netwright.frontends.packages import SHIPPED, package_file
from netwright.job.job import Infer, Limits
from netwright.path.arrays import random_inputs
from netwright.path.prepare import Prepared, Request, prepare

NETWORKS = Path("build/networks")
TOKENS = 128


@final
@dataclass(frozen=True, slots=True)
class ArrayCase:
    """A network at one setting. `source` is a shipped network; `dims` bind its sizes."""

    name: str
    source: str
    dims: tuple[tuple[str, int], ...] = ()

    @property
    def onnx(self) -> Path:
        """The file that ONNX runtimes read: the shipped one, or one exported now."""
        if self.source == "minilm":
            tokens = dict(self.dims)["n_tokens"]
            return export_bert(NETWORKS / f"minilm-{tokens}.onnx", tokens).resolve()
        if self.source in ("efficientnet-lite0", "digits"):
            return export(self.source, NETWORKS).resolve()
        return package_file(self.source)

    def request(self, threads: int = 1) -> Request:
        """Ours, planned for this machine. MiniLM is read as shipped, the .pth ones as exported."""
        path = package_file("minilm") if self.source == "minilm" else self.onnx
        shipped = dict(SHIPPED[self.source].dims)
        dims = self.dims if self.source == "minilm" else ({**shipped, **dict(self.dims)}).items()
        job = Infer(limits=Limits(threads=threads))
        return Request(str(path), "here", job, tuple(sorted(dims)))

    def prepare(self, threads: int = 1) -> Prepared:
        """The cached program."""
        return prepare(self.request(threads))


def case_inputs(prepared: Prepared, vocabulary: int = 1000) -> dict[str, NDArray[Any]]:
    """Seeded inputs: normal reals, small integers, every token present."""
    made = random_inputs(prepared)
    rng = np.random.default_rng(1)
    for name, value in made.items():
        if name in ("input_ids", "bytes"):
            made[name] = rng.integers(1, 256, value.shape).astype(value.dtype)
        elif name == "attention_mask":
            made[name] = np.ones_like(value)
        elif name == "token_type_ids":
            made[name] = np.zeros_like(value)
    return made


def _sizes(source: str, **sizes: int) -> tuple[tuple[str, int], ...]:
    names = [name for name, _ in SHIPPED[source].dims]
    values: Mapping[str, str] = dict(zip(("batch", "height", "width"), names, strict=True))
    return tuple((values[k], v) for k, v in sizes.items())


def detector(height: int, width: int) -> ArrayCase:
    """The text detector on an image of this size."""
    sizes = _sizes("ocr-det", height=height, width=width)
    return ArrayCase(f"OCR det {height}x{width}", "ocr-det", sizes)


def recogniser(width: int) -> ArrayCase:
    """The text recogniser on a line of this width."""
    return ArrayCase(f"OCR rec 48x{width}", "ocr-rec", _sizes("ocr-rec", width=width))


def minilm(tokens: int) -> ArrayCase:
    """The sentence encoder on one text of this length."""
    return ArrayCase(f"MiniLM {tokens} tokens", "minilm", (("n_tokens", tokens),))


CASES = (
    detector(480, 480),
    recogniser(320),
    ArrayCase("OCR cls 48x192", "ocr-cls"),
    minilm(128),
    ArrayCase("EfficientNet-Lite0", "efficientnet-lite0"),
    ArrayCase("Silero VAD, one step", "silero-vad"),
    ArrayCase("basic-pitch", "basic-pitch"),
    ArrayCase("magika", "magika"),
    ArrayCase("digits", "digits"),
)
