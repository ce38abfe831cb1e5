"""A language model in a process: python -m benchmarks.workers.text LIBRARY MODEL CONTEXT THREADS.

A request has `prompt` (ids, from an empty cache) and `tokens` (ids, one call each); the answer has
the CPU seconds of both, the wall seconds, and the most memory that was resident.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from benchmarks.workers.protocol import Answer, claim_output, memory_bytes, serve


class Engine(Protocol):
    """A loaded model with an empty cache or a text in it."""

    def clear(self) -> None: ...

    def take(self, ids: Sequence[int], first: int) -> None: ...


class Llama:
    """llama.cpp and its fork, by the C interface that both wheels bind. Their own defaults."""

    def __init__(self, module: str, model: Path, context: int, threads: int, repack: bool) -> None:
        self._api: Any = import_module(module)
        api = self._api
        api.llama_backend_init()
        parameters = api.llama_model_default_params()
        if repack:
            parameters.repack_tensors = True
        self._model = api.llama_model_load_from_file(str(model).encode(), parameters)
        if not self._model:
            raise SystemExit(f"{module} cannot load {model}")
        options = api.llama_context_default_params()
        options.n_ctx = context
        options.n_batch = options.n_ubatch = 512
        options.n_threads = options.n_threads_batch = threads
        options.type_k = options.type_v = 1  # fp16
        self._context = api.llama_init_from_model(self._model, options)
        self._batch = api.llama_batch_init(512, 0, 1)

    def clear(self) -> None:
        if hasattr(self._api, "llama_kv_cache_clear"):
            self._api.llama_kv_cache_clear(self._context)
        else:
            self._api.llama_memory_clear(self._api.llama_get_memory(self._context), True)

    def take(self, ids: Sequence[int], first: int) -> None:
        batch = self._batch
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i] = token
            batch.pos[i] = first + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = i == len(ids) - 1
        if self._api.llama_decode(self._context, batch) != 0:
            raise SystemExit("llama_decode failed")
        self._api.llama_get_logits_ith(self._context, len(ids) - 1)  # waits for the result


class Netwright:
    """Ours: the program of the cached plan, as `netwright run` has it."""

    def __init__(self, model: Path, context: int, threads: int) -> None:
        decoder = import_module("netwright.run.decoder")
        native = import_module("netwright.run.native")
        program = import_module("netwright.program.file")
        self._decoder = decoder.NativeDecoder(
            native.NativeRuntime(program.open_program(model), threads), 1 << 30
        )

    def clear(self) -> None:
        self._decoder.reset()

    def take(self, ids: Sequence[int], first: int) -> None:
        if len(ids) == 1:
            self._decoder.decode(ids[0])
        else:
            self._decoder.prefill(ids)


def engine(library: str, model: Path, context: int, threads: int) -> Engine:
    """The library's engine with the model loaded (for ours, `model` is the program's file)."""
    if library.startswith("netwright"):
        return Netwright(model, context, threads)
    module = "llama_cpp" if library == "llama.cpp" else "ik_llama_cpp._ctypes_api"
    return Llama(module, model, context, threads, library.endswith("repacked"))


def main() -> None:
    answers = claim_output()
    library, model, context, threads = sys.argv[1:]
    loaded = engine(library, Path(model), int(context), int(threads))

    def handle(request: Answer) -> Answer:
        prompt, tokens = request["prompt"], request["tokens"]
        loaded.clear()
        wall, start = time.perf_counter(), time.process_time()
        loaded.take(prompt, 0)
        middle, middle_wall = time.process_time(), time.perf_counter()
        for i, token in enumerate(tokens):
            loaded.take([token], len(prompt) + i)
        return {
            "prompt_seconds": middle - start,
            "tokens_seconds": time.process_time() - middle,
            "prompt_wall_seconds": middle_wall - wall,
            "tokens_wall_seconds": time.perf_counter() - middle_wall,
            "peak_bytes": memory_bytes("VmHWM"),
        }

    serve(answers, {"resident_bytes": memory_bytes("VmRSS")}, handle)


if __name__ == "__main__":
    main()
