"""Write the networks that ship as .pth files as ONNX: python -m benchmarks.networks.export."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from benchmarks.networks.modules import DigitCnn, EfficientNetLite0
from torch import nn

from netwright.frontends.packages import package_file

OPSET = 17


class Exported(NamedTuple):
    """How to build a module, and the shape of its input."""

    module: Callable[[], nn.Module]
    shape: tuple[int, ...]


NETWORKS = {
    "efficientnet-lite0": Exported(EfficientNetLite0, (1, 3, 224, 224)),
    "digits": Exported(DigitCnn, (1, 1, 28, 28)),
}


def module(name: str) -> nn.Module:
    """The network with its shipped weights, for inference."""
    made = NETWORKS[name].module()
    state = torch.load(package_file(name), map_location="cpu", weights_only=True)
    made.load_state_dict(state)
    return made.eval()


def export(name: str, folder: Path) -> Path:
    """`folder/name.onnx`, written unless it is there already. Input "x", output "y"."""
    path = folder / f"{name}.onnx"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".part")
    with warnings.catch_warnings():
        # The exporter that needs no further package is the older one, and says so.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module(name),
            (torch.zeros(NETWORKS[name].shape),),
            str(written),
            input_names=["x"],
            output_names=["y"],
            opset_version=OPSET,
            dynamo=False,
            do_constant_folding=False,
        )
    written.rename(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(NETWORKS))
    parser.add_argument("--folder", type=Path, default=Path("build/networks"))
    arguments = parser.parse_args()
    for name in arguments.names:
        print(export(name, arguments.folder))


if __name__ == "__main__":
    main()
