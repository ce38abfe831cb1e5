"""The Triton kernels compiled for GPUs that are not here; run by test_lif_triton.py."""

import inspect
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, make_backend
from triton.runtime.jit import create_function_from_signature

from netwright.graph.ops.neuron import Lif
from netwright.learn import lif_kernels, lif_triton
from netwright.learn.lif_step import Gradient, step_of
from netwright.learn.surrogate import FORMULAS, surrogate

TARGETS = [GPUTarget("cuda", 80, 32), GPUTarget("cuda", 90, 32)]
Call = tuple[Any, dict[str, Any]]  # a kernel and its arguments by name


class Recorder:
    """Stands for the module of kernels: keeps what it would be launched with, runs nothing."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def __getattr__(self, name: str) -> "dict[Any, Any] | Any":
        kernel = getattr(lif_kernels, name)

        class Launch:
            def __getitem__(_, grid: tuple[int]) -> Any:
                def call(*arguments: Any, enable_fp_fusion: bool, **compiled: Any) -> None:
                    assert not enable_fp_fusion
                    bound = inspect.signature(kernel.fn).bind(*arguments, **compiled)
                    self.calls.append((kernel, bound.arguments))

                return call

        return Launch()


def calls(x: torch.Tensor, reset: int = 1, code: int = 0, learnt: bool = True) -> list[Call]:
    """What forward and backward would launch for x."""
    recorder = Recorder()
    step = step_of(Lif(5e-3), Gradient(surrogate(FORMULAS[code].name)))
    step = type(step)(step.gain, step.drive, step.reset_value, reset, True, step.gradient)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lif_triton, "kernels", lambda: recorder)
        decay = torch.full(x.shape[2:], 0.5, requires_grad=learnt)
        leaf = x.detach().requires_grad_()
        spikes, _ = lif_triton.lif_on_triton(leaf, None, decay, torch.tensor(1.0), step)
        spikes.backward(torch.zeros_like(x))
    assert [kernel.fn.__name__ for kernel, _ in recorder.calls] == ["forward", "backward"]
    return recorder.calls


def variant(call: Call, target: GPUTarget = TARGETS[0]) -> list[Any]:
    """What decides which compiled kernel a launch uses."""
    kernel, arguments = call
    binder = create_function_from_signature(kernel.signature, kernel.params, make_backend(target))
    return binder(**arguments)[1]


def compiled(call: Call, target: GPUTarget) -> Any:
    kernel, arguments = call
    types, constants, hints = {}, {}, {}
    for place, (name, kind) in enumerate(zip(arguments, variant(call, target), strict=True)):
        types[name] = kind[0]
        if kind[0] == "constexpr":
            constants[(place,)] = arguments[name]
        elif kind[1] == "D":
            hints[(place,)] = [["tt.divisibility", 16]]
    source = ASTSource(kernel, types, constants, hints)
    return triton.compile(source, target=target, options={"enable_fp_fusion": False})


def spilt_bytes(found: Any, folder: Path) -> int:
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    (folder / "it.cubin").write_bytes(found.asm["cubin"])
    command = [tool, "--dump-resource-usage", folder / "it.cubin"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    stack, local = re.findall(r"STACK:(\d+)|LOCAL:(\d+)", text)
    return int(stack[0]) + int(local[1])


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"sm_{t.arch}")
@pytest.mark.parametrize("reset", range(5))
def test_every_reset_compiles_without_spilling(
    target: GPUTarget, reset: int, tmp_path: Path
) -> None:
    wide = torch.zeros((4, 16, 8192))
    for call in calls(wide, reset, reset % len(FORMULAS), learnt=reset % 2 == 0):
        found = compiled(call, target)
        assert spilt_bytes(found, tmp_path) == 0
        assert not re.search(r"\bfma\.", found.asm["ptx"]) or call[0] is lif_kernels.backward


@pytest.mark.parametrize("code", range(len(FORMULAS)), ids=lambda c: FORMULAS[c].name)
def test_every_surrogate_compiles_for_any_strides(code: int) -> None:
    for call in calls(torch.zeros((7, 5, 3)).permute(1, 2, 0), 4, code):
        compiled(call, TARGETS[1])


def test_memory_moves_sixteen_bytes_at_a_time_and_ahead_of_its_use() -> None:
    for call in calls(torch.zeros((4, 16, 8192))):
        text = compiled(call, TARGETS[1]).asm["ptx"]
        assert "cp.async.cg.shared.global" in text, "loads of later steps are under way, 16 bytes"
        assert text.count("st.global.v4") >= 1 + (call[0] is lif_kernels.forward)


@pytest.mark.parametrize("neurons", [64, 77])
def test_another_number_of_steps_is_the_same_kernel(neurons: int) -> None:
    def variants(steps: int, order: tuple[int, ...]) -> list[list[Any]]:
        sizes = (steps, 4, neurons)
        sizes = tuple(sizes[axis] for axis in order)
        back = [order.index(axis) for axis in range(3)]
        return [variant(call) for call in calls(torch.zeros(sizes).permute(back))]

    for order in ((0, 1, 2), (1, 0, 2), (0, 2, 1)):  # time, batch, neurons from the outside in
        assert all(variants(steps, order) == variants(7, order) for steps in (1, 2, 16, 500))
