"""A network of arrays in a process. Arguments: LIBRARY FILE INPUTS OUTPUTS.

FILE is an ONNX file (for ours: a planned program), INPUTS an .npz, OUTPUTS the .npz to write. The
answer to {"calls": n} has the CPU seconds of each of n calls, and the most memory resident.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.workers.protocol import Answer, claim_output, memory_bytes, serve
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
Call = Callable[[Arrays], Arrays]


def netwright(file: Path, inputs: Arrays) -> Call:
    """The program of the cached plan."""
    runtime = import_module("netwright.run.native").NativeRuntime(
        import_module("netwright.program.file").open_program(file)
    )
    return lambda given: runtime.call("forward", given, {})


def onnxruntime(file: Path, inputs: Arrays) -> Call:
    """One thread, all optimisations, no spinning."""
    library = import_module("onnxruntime")
    options = library.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = library.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return lambda given: dict(zip(names, session.run(None, dict(given)), strict=True))


def openvino(file: Path, inputs: Arrays) -> Call:
    """One thread, static shapes, the latency hint, fp32."""
    library = import_module("openvino")
    core = library.Core()
    model = core.read_model(str(file))
    model.reshape({name: list(value.shape) for name, value in inputs.items()})
    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": 1,
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def call(given: Arrays) -> Arrays:
        found = request.infer(dict(given))
        return {str(i): value for i, value in enumerate(found.values())}

    return call


LIBRARIES = {"netwright": netwright, "onnxruntime": onnxruntime, "openvino": openvino}


def main() -> None:
    answers = claim_output()
    library, file, inputs_path, outputs_path = sys.argv[1:]
    with np.load(inputs_path) as archive:
        inputs = {name: archive[name] for name in archive.files}
    before, start = memory_bytes("VmRSS"), time.process_time()
    call = LIBRARIES[library](Path(file), inputs)
    outputs = call(inputs)
    first_seconds = time.process_time() - start
    named: dict[str, Any] = {f"{i:03}": np.array(v) for i, v in enumerate(outputs.values())}
    np.savez(outputs_path, **named)

    def handle(request: Answer) -> Answer:
        seconds: list[float] = []
        for _ in range(request["calls"]):
            begun = time.process_time()
            call(inputs)
            seconds.append(time.process_time() - begun)
        return {"seconds": seconds, "peak_bytes": memory_bytes("VmHWM")}

    serve(answers, {"first_seconds": first_seconds, "before_bytes": before}, handle)


if __name__ == "__main__":
    main()
