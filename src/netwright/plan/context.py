"""A graph's caches and symbols cut to what a job asks."""

from __future__ import annotations

from dataclasses import replace

from netwright.errors import JobError
from netwright.graph.graph import Graph
from netwright.graph.tensor import Role, Tensor
from netwright.job.job import Generate, Job


def for_job(graph: Graph, job: Job) -> Graph:
    """The graph with caches of as many rows as the job has tokens.

    Raises:
        JobError: the job has more tokens than the graph's context, or is of another kind.
    """
    has_symbols = bool(graph.symbols)
    if not isinstance(job, Generate):
        if has_symbols:
            names = ", ".join(s.name for s in graph.symbols)
            raise JobError(
                f"{graph.name}: its sizes depend on {names}; ask for nw.Generate(prompt, tokens)"
            )
        return graph
    if not has_symbols:
        raise JobError(f"{graph.name}: is no generating network; ask for nw.Infer()")
    if job.prompt < 1 or job.tokens < 1:
        raise JobError(f"prompt {job.prompt} and tokens {job.tokens} must both be at least 1")
    rows = job.prompt + job.tokens
    tensors = tuple(_cut(graph, t, rows) for t in graph.tensors)
    symbols = tuple(replace(s, high=min(s.high, rows)) for s in graph.symbols)
    return replace(graph, tensors=tensors, symbols=symbols)


def _cut(graph: Graph, tensor: Tensor, rows: int) -> Tensor:
    if tensor.role is not Role.CACHE:
        return tensor
    first, *rest = tensor.dims
    if isinstance(first.size, int) and first.size < rows:
        raise JobError(
            f"{graph.name}: {rows} tokens (prompt and generated) exceed its context of "
            f"{first.size}; ask for fewer tokens or shorten the prompt"
        )
    return replace(tensor, dims=(replace(first, size=rows), *rest))
