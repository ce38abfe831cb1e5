"""One-pass attention bound to a plane and a line of processing elements: cascade → stages."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.cost.cascade_arrays import Stage
from netwright.graph.op import Einsum
from netwright.graph.ops.attention_forms import BLOCK_ROLES


def attention_stages(cascade: Sequence[Einsum]) -> tuple[Stage, ...]:
    """What both arrays do at once for a cascade of `one_pass_blocked`, stage by stage.

    While the plane makes the scores of a block, the line finishes the block before; while it makes
    weights, the line corrects what is kept. Source: FuseMax (arXiv 2406.10491), section 5.
    """
    scores, own = cascade[: -len(BLOCK_ROLES)], cascade[-len(BLOCK_ROLES) :]
    role = dict(zip(BLOCK_ROLES, own, strict=True))

    def of(*names: str) -> list[Einsum]:
        return [role[name] for name in names]

    return (
        {"plane": [*scores, *of("local_maximum")], "line": of("total", "product", "result")},
        {"line": of("maximum")},
        {
            "plane": of("shifted", "weights", "local_total"),
            "line": of("drop", "correction", "kept_total"),
        },
        {"plane": of("local_product"), "line": of("kept_product")},
    )


def row_stages(cascade: Sequence[Einsum]) -> tuple[Stage, ...]:
    """One stage: products on the plane, softmax on the line, for different tiles of rows.

    Source: FLAT (Kao et al., arXiv 2107.06419), as FuseMax's artifact has it.
    """
    products = [e for e in cascade if e.map == "mul"]
    return ({"plane": products, "line": [e for e in cascade if e.map != "mul"]},)
