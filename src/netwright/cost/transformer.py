"""A transformer's layer as work: the operators of one of its t tensor-parallel parts.

As Megatron-LM runs a decoder layer (Shoeybi et al., arXiv 1909.08053; Narayanan et al., arXiv
2104.04473; Korthikanti et al., arXiv 2205.05198): columns of the first and rows of the second
matrix of each half are cut by t, scores are written out, scale, mask and softmax are one kernel,
and so are bias with gelu and bias with dropout and sum. Norms, dropouts and sums outside the halves
are done by every part, or cut along the sequence. Two bytes an element, masks of one byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from netwright.cost.work import Traffic, TrafficKind, Work
from netwright.errors import JobError

ARITHMETIC = "fp16"
ITEM, MASK, SUM = 2, 1, 4  # bytes of an element, of a mask's element, of a gradient's sum


@final
@dataclass(frozen=True, slots=True)
class Transformer:
    """A decoder of equal layers: width `hidden`, attention of `heads`, an inner width of four
    times the hidden one, learned positions, the embedding tied to the output.

    Raises:
        JobError: a size is below one, or the heads do not divide the width.
    """

    hidden: int
    layers: int
    heads: int
    sequence: int = 2048
    vocabulary: int = 51200

    def __post_init__(self) -> None:
        sizes = (self.hidden, self.layers, self.heads, self.sequence, self.vocabulary)
        if min(sizes) < 1 or self.hidden % self.heads:
            raise JobError(
                f"a transformer of hidden, layers, heads, sequence, vocabulary {sizes}: expected"
                " sizes from 1 up, and the heads to divide the hidden width"
            )

    @property
    def inner(self) -> int:
        """Width between the two matrices of the feed-forward half."""
        return 4 * self.hidden

    @property
    def layer_parameters(self) -> int:
        """Matrices, biases and norms of one layer."""
        return 12 * self.hidden**2 + 13 * self.hidden

    @property
    def parameters(self) -> int:
        """All of them (equation 2 of arXiv 2104.04473, and the last norm)."""
        ends = (self.vocabulary + self.sequence + 2) * self.hidden
        return self.layers * self.layer_parameters + ends

    def operations(self, sequences: int) -> float:
        """Of the products of a step, forward and backward once each; attention as if not causal."""
        h, s = self.hidden, self.sequence
        layer = 24.0 * s * h * h * (1 + s / (6 * h))
        return 3.0 * sequences * (self.layers * layer + 2.0 * s * h * self.vocabulary)


@final
@dataclass(frozen=True, slots=True)
class Part:
    """One of `tensor` parts of a layer, for a micro-batch of so many sequences.

    `along_sequence`: what is outside the halves is cut along the sequence (sequence parallelism).
    """

    network: Transformer
    sequences: int
    tensor: int = 1
    along_sequence: bool = False

    @property
    def tokens(self) -> int:
        """Of the micro-batch."""
        return self.sequences * self.network.sequence

    @property
    def boundary_bytes(self) -> int:
        """The activation between two layers, whole."""
        return ITEM * self.tokens * self.network.hidden

    @property
    def outside(self) -> int:
        """Elements of an activation outside the halves that one part has to do with."""
        whole = self.tokens * self.network.hidden
        return -(-whole // self.tensor) if self.along_sequence else whole

    @property
    def scores(self) -> int:
        """Elements of the attention's scores, of this part's heads."""
        return self.sequences * self.heads * self.network.sequence**2

    @property
    def heads(self) -> int:
        """This part's."""
        return -(-self.network.heads // self.tensor)

    @property
    def width(self) -> int:
        """Columns of this part's heads."""
        return self.heads * (self.network.hidden // self.network.heads)

    @property
    def inner(self) -> int:
        """Columns of this part's feed-forward half."""
        return -(-self.network.inner // self.tensor)


def product(rows: int, inner: int, columns: int, times: int = 1) -> Work:
    """`times` products of [rows, inner] and [inner, columns]."""
    sizes = (rows, inner, columns) if times == 1 else (times, rows, inner, columns)
    first, second, out = (ITEM * times * n for n in (rows * inner, inner * columns, rows * columns))
    return Work(
        "gemm_packed" if times == 1 else "matmul_batched",
        ARITHMETIC,
        sizes,
        ((ARITHMETIC, 2.0 * times * rows * inner * columns),),
        (
            Traffic(TrafficKind.WEIGHTS, second),
            Traffic(TrafficKind.ACTIVATIONS, first, out),
        ),
        first + second + out,
    )


def moved(name: str, read_bytes: int, written_bytes: int = 0) -> Work:
    """A kernel that is bound by its bytes."""
    traffic = Traffic(TrafficKind.ACTIVATIONS, read_bytes, written_bytes)
    return Work(name, ARITHMETIC, (), (), (traffic,), read_bytes + written_bytes)


def core_forward(part: Part) -> tuple[Work, ...]:
    """Scores, softmax, dropout, and the sum of the values: what selective recomputation repeats."""
    s, each, n = part.network.sequence, part.width // part.heads, part.scores
    times = part.sequences * part.heads
    return (
        product(s, each, s, times),
        moved("scale_mask_softmax", ITEM * n, ITEM * n),
        moved("dropout", ITEM * n, (ITEM + MASK) * n),
        product(s, s, each, times),
    )


def core_backward(part: Part) -> tuple[Work, ...]:
    """The gradients of `core_forward`."""
    s, each, n = part.network.sequence, part.width // part.heads, part.scores
    times = part.sequences * part.heads
    return (
        product(s, each, s, times),
        product(s, s, each, times),
        moved("dropout_gradient", (ITEM + MASK) * n, ITEM * n),
        moved("softmax_gradient", 2 * ITEM * n, ITEM * n),
        product(s, s, each, times),
        product(s, s, each, times),
    )


def layer_forward(part: Part) -> tuple[Work, ...]:
    """One layer, a micro-batch onwards; sums over the parts are not in it."""
    tokens, hidden, out = part.tokens, part.network.hidden, part.outside
    inside = ITEM * tokens * part.width
    norm = moved("norm", ITEM * out, ITEM * out)
    add = moved("bias_dropout_add", 2 * ITEM * out, (ITEM + MASK) * out)
    gelu = ITEM * tokens * part.inner
    return (
        norm,
        product(tokens, hidden, 3 * part.width),
        *core_forward(part),
        moved("merge_heads", inside, inside),
        product(tokens, part.width, hidden),
        add,
        norm,
        product(tokens, hidden, part.inner),
        moved("bias_gelu", gelu, gelu),
        product(tokens, part.inner, hidden),
        add,
    )


def layer_backward(part: Part) -> tuple[Work, ...]:
    """The gradients of one layer's inputs and weights, without what is done again."""
    tokens, hidden, out = part.tokens, part.network.hidden, part.outside
    inside, gelu = ITEM * tokens * part.width, ITEM * tokens * part.inner
    norm = (
        moved("norm_gradient", 2 * ITEM * out, ITEM * out),
        moved("norm_weight_gradient", 2 * ITEM * out),
        moved("residual_sum", 2 * ITEM * out, ITEM * out),
    )
    add = (
        moved("dropout_gradient", (ITEM + MASK) * out, ITEM * out),
        moved("bias_gradient", ITEM * out),
    )
    return (
        *add,
        *_gradients(tokens, part.inner, hidden),
        moved("gelu_gradient", 2 * gelu, gelu),
        moved("bias_gradient", gelu),
        *_gradients(tokens, hidden, part.inner),
        *norm,
        *add,
        *_gradients(tokens, part.width, hidden),
        moved("merge_heads", inside, inside),
        *core_backward(part),
        moved("join_gradients", 3 * inside, 3 * inside),
        moved("bias_gradient", 3 * inside),
        *_gradients(tokens, hidden, 3 * part.width),
        *norm,
    )


def embedding(part: Part) -> tuple[Work, ...]:
    """Rows and positions, their sum, dropout."""
    whole = part.tokens * part.network.hidden
    return (
        moved("embedding", ITEM * whole, ITEM * whole),
        moved("positions", 2 * ITEM * whole, ITEM * whole),
        moved("dropout", ITEM * part.outside, (ITEM + MASK) * part.outside),
    )


def head_forward(part: Part) -> tuple[Work, ...]:
    """Last norm, logits of this part's words, their cross-entropy in 32 bits."""
    words = -(-part.network.vocabulary // part.tensor)
    logits = part.tokens * words
    return (
        moved("norm", ITEM * part.outside, ITEM * part.outside),
        product(part.tokens, part.network.hidden, words),
        moved("widen", ITEM * logits, SUM * logits),
        moved("largest", SUM * logits),
        moved("exponents", 2 * SUM * logits, 2 * SUM * logits),
        moved("sum", SUM * logits),
    )


def head_backward(part: Part) -> tuple[Work, ...]:
    """The gradients of `head_forward`."""
    words = -(-part.network.vocabulary // part.tensor)
    logits = part.tokens * words
    return (
        moved("cross_entropy_gradient", SUM * logits, SUM * logits),
        moved("narrow", SUM * logits, ITEM * logits),
        *_gradients(part.tokens, part.network.hidden, words),
        moved("norm_gradient", 2 * ITEM * part.outside, ITEM * part.outside),
        moved("norm_weight_gradient", 2 * ITEM * part.outside),
    )


def gradient_sum(parameters: float) -> Work:
    """A micro-batch's gradients into their sums."""
    read, written = round((ITEM + SUM) * parameters), round(SUM * parameters)
    return moved("gradient_sum", read, written)


def optimiser(parameters: float) -> tuple[Work, ...]:
    """Adam with 32-bit weights: unscaling, norm, update, narrowing, clearing of the sums."""
    n = round(SUM * parameters)
    return (
        moved("unscale", n, n),
        moved("gradient_norm", n),
        moved("adam", 4 * n, 3 * n),
        moved("narrow", n, n // 2),
        moved("clear", 0, n),
    )


def _gradients(rows: int, inner: int, columns: int) -> tuple[Work, Work]:
    """Of a product's input, and of its weight."""
    return product(rows, columns, inner), product(inner, rows, columns)
