"""The Triton kernels, in processes of their own: Triton reads at import whether it interprets."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from netwright.errors import UnsupportedError
from netwright.learn import lif_triton
from netwright.learn.lif_triton import tile_of

HERE = Path(__file__).parent
needs_triton = pytest.mark.skipif(
    find_spec("triton") is None, reason="Triton is not installed: `make test-triton`"
)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def run_in_own_process(name: str, settings: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(HERE / name)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **settings}
    found = subprocess.run(
        command, env=environment, cwd=HERE.parents[1], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "skipped" not in found.stdout


@needs_triton
def test_in_the_interpreter() -> None:
    run_in_own_process("triton_kernels.py", {"TRITON_INTERPRET": "1"})


@needs_triton
def test_compiled_for_gpus_that_are_not_here(tmp_path: Path) -> None:
    settings = {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    run_in_own_process("triton_compiled.py", settings)


@needs_triton
@needs_gpu
def test_on_the_gpu() -> None:
    run_in_own_process("triton_kernels.py", {"TRITON_INTERPRET": "0"})


@pytest.mark.parametrize(
    ("sizes", "programs", "outer", "inner"),
    [
        ((3, 16, 1024), 128, 1, 128),
        ((900, 16, 1024), 128, 1, 128),
        ((3, 16, 10), 2, 8, 16),
        ((3, 1, 1), 1, 128, 1),
        ((3, 128, 1025), 384, 1, 512),
        ((3, 1 << 17, 3), 1024, 128, 4),
        ((3, 0, 5), 0, 16, 8),
    ],
)
def test_every_lane_has_a_program(
    sizes: tuple[int, int, int], programs: int, outer: int, inner: int
) -> None:
    tile = tile_of([torch.zeros(()).expand(sizes)])
    assert (tile.programs, tile.compiled["OUTER"], tile.compiled["INNER"]) == (
        programs,
        outer,
        inner,
    )
    assert not tile.compiled["ADJACENT"]


def test_without_triton_the_message_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}", name="triton")

    monkeypatch.setattr(lif_triton, "import_module", absent)
    with pytest.raises(UnsupportedError, match=r"pip install 'netwright\[triton\]'"):
        lif_triton.kernels()
