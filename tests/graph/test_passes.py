"""Passes over inputs, against the counts of the FuseMax paper; the forms agree in value."""

import numpy as np
import pytest
from tests.graph.oracle import types_of

from netwright.errors import GraphError
from netwright.graph.evaluate import evaluate
from netwright.graph.ops.attention import Attention
from netwright.graph.ops.attention_forms import BLOCK_ROLES, one_pass, one_pass_blocked, two_pass
from netwright.graph.ops.linear import Linear
from netwright.graph.ops.norm import BatchNorm, LayerNorm, RmsNorm
from netwright.graph.ops.recurrent import Lstm
from netwright.graph.ops.softmax import Softmax
from netwright.graph.passes import passes

KIND = Attention(0.3, softcap=5.0)
RANDOM = np.random.default_rng(0)
ARRAYS = [RANDOM.standard_normal(s) for s in ((3, 4, 5), (6, 2, 5), (6, 2, 7), (4, 3, 6))]
TYPES = types_of(ARRAYS)
OUTPUT = KIND.infer(TYPES)[0]
FORMS = [
    (KIND.einsums(TYPES, (OUTPUT,)), 3, 1),
    (two_pass(KIND, TYPES, OUTPUT), 2, 1),
    (one_pass(KIND, TYPES, OUTPUT), 1, 1),
]


@pytest.mark.parametrize(("cascade", "key_passes", "value_passes"), FORMS, ids=["3", "2", "1"])
def test_attention_passes_and_value(cascade, key_passes, value_passes):
    # Nayak et al., arXiv 2406.10491: 3-pass, 2-pass and 1-pass attention.
    counted = passes(cascade)
    assert counted.ranks["s"] == key_passes
    assert counted.operands == {0: 1, 1: key_passes, 2: value_passes, 3: key_passes}
    values = evaluate(cascade, dict(enumerate(ARRAYS)), {4: OUTPUT.shape}, {})
    np.testing.assert_allclose(values[4], KIND.reference(ARRAYS)[0], rtol=1e-10)


@pytest.mark.parametrize("block", [1, 2, 3, 6])
def test_blocks_of_keys_need_one_pass_and_give_the_same(block):
    cascade = one_pass_blocked(KIND, TYPES, OUTPUT, block)
    assert passes(cascade).ranks["m"] == 1
    assert len(cascade) - len(BLOCK_ROLES) == len(KIND.einsums(TYPES, (OUTPUT,))) - 6
    values = evaluate(cascade, dict(enumerate(ARRAYS)), {4: OUTPUT.shape}, {})
    np.testing.assert_allclose(values[4], KIND.reference(ARRAYS)[0], rtol=1e-10)


def test_blocks_must_divide_the_keys():
    with pytest.raises(GraphError, match="6 keys are no multiple of a block of 4"):
        one_pass_blocked(KIND, TYPES, OUTPUT, 4)


@pytest.mark.parametrize(
    ("kind", "shapes", "expected"),
    [
        (Softmax(-1), [(3, 4)], 3),
        (LayerNorm(1, 1e-5), [(3, 4), (4,)], 3),
        (RmsNorm(1e-5), [(3, 4), (4,)], 2),
        (BatchNorm(1e-5), [(2, 3, 4), (3,), (3,), (3,), (3,)], 1),
        (Linear(), [(3, 4), (5, 4), (5,)], 1),
        (Lstm(4), [(5, 2, 3), (1, 16, 3), (1, 16, 4), (1, 32)], 1),
    ],
    ids=lambda v: type(v).__name__,
)
def test_passes_over_the_first_input(kind, shapes, expected):
    types = types_of([np.ones(s) for s in shapes])
    assert passes(kind.einsums(types, kind.infer(types))).operands[0] == expected
