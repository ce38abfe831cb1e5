"""A CUDA device → a machine file: bandwidth by working set, matrix rates, launch and copy cost.

NOT YET RUN: written without a GPU at hand; its first run has to be checked against the datasheet.
Needs `netwright[torch]`; run as `python -m netwright.machine.probe_gpu gpu.yaml`.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from netwright.errors import MachineError
from netwright.machine.build import build
from netwright.machine.document import Document

WARM_UP = 3
REPEATS = 20
MATRIX_SIZE = 8192
SMALLEST_SWEEP_BYTES = 2**18
LARGEST_SWEEP_BYTES = 2**32


def probe_gpu(index: int = 0) -> Document:
    """The device's document; `netwright.machine.build.build` makes a Machine of it.

    Raises:
        MachineError: torch or a CUDA device is not there.
    """
    torch = _torch()
    device = torch.device("cuda", index)
    facts = torch.cuda.get_device_properties(device)
    sweep = read_sweep(torch, device, facts.total_memory)
    cache = getattr(facts, "L2_cache_size", 0) or 2**22
    day = datetime.now(UTC).date().isoformat()
    memory = sweep[max(sweep)]
    inner = max(rate for size, rate in sweep.items() if size <= max(cache // 2, min(sweep)))
    return {
        "name": re.sub(r"[^a-z0-9]+", "-", facts.name.lower()).strip("-") + "-measured",
        "title": f"{facts.name}, measured",
        "kind": "gpu",
        "sources": {
            "probe": {
                "basis": "measured",
                "text": f"{facts.name} on {day}, torch {torch.__version__}, CUDA "
                f"{torch.version.cuda}, best of {REPEATS}; read sweep (bytes: bytes per second) "
                + ", ".join(f"{size}: {rate:.3g}" for size, rate in sweep.items()),
            }
        },
        "source": "probe",
        "axes": [{"name": "device", "count": 1}],
        "launch_seconds": launch_seconds(torch, device),
        "units": [
            {
                "name": "gpu",
                "cost_model": "roofline",
                "rates": matrix_rates(torch, device),
                "memories": ["l2", "memory"],
            }
        ],
        "memories": _memories(cache, max(inner, memory), facts.total_memory, memory),
        "links": [
            {
                "name": "host",
                "axis": "host",
                "topology": "point-to-point",
                "bandwidth_bytes_per_second": copy_rate(torch, device),
            }
        ],
    }


def _memories(
    cache_bytes: int, cache_rate: float, memory_bytes: int, memory_rate: float
) -> list[Document]:
    rows = (
        ("l2", cache_bytes, "cache", cache_rate),
        ("memory", memory_bytes, "scratchpad", memory_rate),
    )
    return [
        {
            "name": name,
            "capacity_bytes": capacity,
            "management": management,
            "read_bytes_per_second": rate,
            "write_bytes_per_second": rate,
        }
        for name, capacity, management, rate in rows
    ]


def _torch() -> Any:
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        raise MachineError("GPU probe: torch is not installed; install netwright[torch]") from error
    if not torch.cuda.is_available():
        raise MachineError("GPU probe: torch sees no CUDA device; run it on a machine with one")
    return torch


def _seconds(torch: Any, action: Callable[[], object]) -> float:
    """The shortest of REPEATS by CUDA events."""
    for _ in range(WARM_UP):
        action()
    best = float("inf")
    for _ in range(REPEATS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        action()
        end.record()
        torch.cuda.synchronize()
        best = min(best, begin.elapsed_time(end) * 1e-3)
    return best


def read_sweep(torch: Any, device: Any, memory_bytes: int) -> dict[int, float]:
    """Working set in bytes → bytes per second of a sum over it."""
    sweep: dict[int, float] = {}
    size = SMALLEST_SWEEP_BYTES
    while size <= min(LARGEST_SWEEP_BYTES, memory_bytes // 4):
        data = torch.ones(size // 4, dtype=torch.float32, device=device)
        sweep[size] = size / _seconds(torch, data.sum)
        size *= 4
    return sweep


def matrix_rates(torch: Any, device: Any) -> dict[str, float]:
    """Operations per second of a large square product, by format that the device takes."""
    operations = 2.0 * MATRIX_SIZE**3
    rates: dict[str, float] = {}
    shape = (MATRIX_SIZE, MATRIX_SIZE)
    for name, kind in (("fp32", torch.float32), ("fp16", torch.float16), ("bf16", torch.bfloat16)):
        a = torch.ones(shape, dtype=kind, device=device)
        rates[name] = operations / _seconds(torch, lambda a=a: a @ a)
    a = torch.ones(shape, dtype=torch.int8, device=device)
    # Where the device or the build has no int8 product, the file has no rate for it.
    with contextlib.suppress(RuntimeError):
        rates["int8"] = operations / _seconds(torch, lambda: torch._int_mm(a, a.t()))
    return rates


def launch_seconds(torch: Any, device: Any) -> float:
    """Seconds of one small kernel in a long row of them."""
    data = torch.ones(1, device=device)

    def row() -> None:
        for _ in range(1000):
            data.add_(0.0)

    return _seconds(torch, row) / 1000


def copy_rate(torch: Any, device: Any) -> float:
    """Bytes per second from pinned host memory to the device."""
    size = 2**28
    there = torch.empty(size, dtype=torch.uint8, device=device)
    here = torch.empty(size, dtype=torch.uint8, pin_memory=True)
    return size / _seconds(torch, lambda: there.copy_(here, non_blocking=True))


def main() -> None:
    """Writes the machine file named on the command line, once it is known to load."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "gpu.yaml")
    document = probe_gpu()
    build(document, str(path))
    path.write_text(yaml.safe_dump(document, sort_keys=False, width=100))
    print(path)


if __name__ == "__main__":
    main()
