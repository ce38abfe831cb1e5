"""Cycles of cascades on two arrays, by hand and by law."""

from netwright.cost.attention_stages import attention_stages
from netwright.cost.cascade_arrays import Elements, Stage, busy_cycles, staged_cycles
from netwright.graph.op import Access, Einsum, Projection, TensorType
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.attention_forms import one_pass_blocked

ROWS, KEYS, WIDTH = ("p", 8), ("s", 4), ("d", 3)


def over(*loops: tuple[str, int], function: str = "mul") -> Einsum:
    out = Access(-1, (Projection((("p", 1),)),))
    return Einsum(loops, (out,), out, function)


ARRAYS = {"plane": Elements(16, {"exp": 6.0}), "line": Elements(4, {"scale": 0.0})}
PRODUCT, GROWN = over(ROWS, KEYS, WIDTH), over(ROWS, KEYS, function="exp")
LARGEST, FOLDED = over(ROWS, function="max"), over(ROWS, KEYS, function="scale")


def test_by_hand() -> None:
    assert ARRAYS["plane"].of(PRODUCT) == 8 * 4 * 3 / 16
    assert ARRAYS["plane"].of(GROWN) == 6 * 8 * 4 / 16
    assert ARRAYS["line"].of(FOLDED) == 0.0
    stages: list[Stage] = [
        {"plane": [PRODUCT], "line": [LARGEST]},
        {"plane": [GROWN]},
        {"line": [LARGEST]},
    ]
    assert staged_cycles(ARRAYS, stages) == max(6, 2) + 12 + 2
    assert busy_cycles(ARRAYS, stages) == {"plane": 18.0, "line": 4.0}


def test_no_order_is_below_the_busiest_array_or_above_all_work() -> None:
    stages: list[Stage] = [
        {"plane": [PRODUCT, GROWN], "line": [LARGEST] * 5},
        {"line": [LARGEST], "plane": []},
    ]
    busy = busy_cycles(ARRAYS, stages)
    assert max(busy.values()) <= staged_cycles(ARRAYS, stages) <= sum(busy.values())


def test_stages_of_attention_hold_every_einsum_once_and_none_before_what_it_needs() -> None:
    given: list[TensorType | None] = [TensorType((8, 1, 4))] * 3
    kind = Attention(0.5)
    cascade = one_pass_blocked(kind, given, kind.infer(given)[0], 2)
    stages = attention_stages(cascade)
    bound = [e for stage in stages for einsums in stage.values() for e in einsums]
    assert sorted(map(repr, bound)) == sorted(map(repr, cascade))
    # In one stage the line works on the block before: its einsums of the first stage come last.
    order = [e for stage in stages[1:] for einsums in stage.values() for e in einsums]
    made = {e.output.operand for e in stages[0]["plane"]}
    late = {e.output.operand for e in stages[0]["line"]}
    for einsum in order:
        for source in einsum.inputs:
            known = source.operand >= 0 or source.operand in made | late
            assert known or source.operand in {e.output.operand for e in order}
        assert einsum.output.operand not in late
