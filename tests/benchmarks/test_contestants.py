"""Every contestant does the work: its final losses are those of the reference engine in float64.

PyTorch's and JAX's are checked where those are (`make oracle` has PyTorch); the suite itself proves every one of them
again before it measures.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases import convolutions
from benchmarks.contestants import contestant
from benchmarks.work import Work, join_layers

PLAIN = ["chainrule", "numpy"]
TORCH = ["pytorch batched", "farias"]
JAX = ["jax padded", "jax shapes", "jax lanes"]
IMAGES = ["pytorch images", "pytorch channels last", "pytorch grouped"]
IMAGES += ["jax images", "jax images threads", "jax patches", "jax patches threads"]


def agree(work: Work, name: str, rtol: float = 1e-4) -> None:
    judge = contestant("reference")(work)
    judge.train()
    expected = work.losses(judge.weights())
    player = contestant(name)(work)
    player.train()
    player.train()  # the second call starts from the initial weights again
    found = work.losses(player.weights())
    np.testing.assert_allclose(found, expected, rtol=rtol)
    assert not np.allclose(found, work.losses([work.theta(k) for k in range(len(work))]), rtol=1e-3)
    for trained, weights in ((False, [work.theta(k) for k in range(len(work))]), (True, player.weights())):
        told = player.evaluate(trained)
        if told.size:
            np.testing.assert_allclose(told, work.losses(weights), rtol=1e-4)


@pytest.mark.parametrize("name", PLAIN)
def test_population(population: Work, name: str) -> None:
    agree(population, name)


@pytest.mark.parametrize("name", PLAIN)
def test_mixture(mixture: Work, name: str) -> None:
    agree(mixture, name, rtol=1e-3)  # near a relu's kink the last bit decides


@pytest.mark.parametrize("name", PLAIN)
def test_minibatches(minibatches: Work, name: str) -> None:
    agree(minibatches, name)


def test_scikit_learn_full_batch(population: Work) -> None:
    agree(population.first(1).with_config(loss="binary_cross_entropy"), "scikit-learn")


def test_scikit_learn_minibatches(minibatches: Work) -> None:
    agree(minibatches.first(1).with_config(epochs=1), "scikit-learn")


def test_chainrule_says_which_engine(population: Work) -> None:
    player = contestant("chainrule")(population)
    player.train()
    assert player.about().endswith(": 5")


def test_weights_of_another_shape_are_no_proof(mixture: Work) -> None:
    """Flat weights are read member by member: two members' weights swapped give other losses."""
    player = contestant("numpy")(mixture)
    player.train()
    weights = player.weights()
    assert [len(flat) for flat in weights] == [member.network.n_parameters for member in mixture.members]
    for k in range(len(mixture)):
        np.testing.assert_array_equal(join_layers(mixture.layers(k)), mixture.theta(k))


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["pytorch", *TORCH, "jax", *JAX])
def test_population_in_frameworks(population: Work, name: str) -> None:
    pytest.importorskip("jax" if "jax" in name else "torch")
    agree(population, name)


@pytest.mark.oracle
@pytest.mark.parametrize("name", [*TORCH, *JAX])
def test_mixture_in_frameworks(mixture: Work, name: str) -> None:
    pytest.importorskip("jax" if "jax" in name else "torch")
    agree(mixture, name, rtol=1e-3)  # near a relu's kink the last bit decides


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["pytorch", "jax", "jax threads"])
def test_minibatches_in_frameworks(minibatches: Work, name: str) -> None:
    pytest.importorskip("jax" if "jax" in name else "torch")
    agree(minibatches, name)


@pytest.mark.oracle
def test_one_network_in_broadcast_sums(population: Work) -> None:
    pytest.importorskip("jax")
    agree(population.first(1), "jax broadcast")


def test_images(images: Work) -> None:
    agree(images, "chainrule")


@pytest.mark.oracle
@pytest.mark.parametrize("name", IMAGES)
def test_images_in_frameworks(images: Work, name: str) -> None:
    pytest.importorskip("jax" if "jax" in name else "torch")
    agree(images, name)


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["pytorch images", "jax images", "jax patches"])
def test_one_network_on_images(images: Work, name: str) -> None:
    pytest.importorskip("jax" if "jax" in name else "torch")
    agree(images.first(1), name)


def test_layers_of_images_are_those_of_the_network(images: Work) -> None:
    for k, member in enumerate(images.members):
        expected = [layer for layer in member.network.unpack(images.theta(k)) if layer]
        for (W, b), layer in zip(images.layers(k), expected, strict=True):
            np.testing.assert_array_equal(W, layer["W"])
            np.testing.assert_array_equal(b, layer["b"])


@pytest.mark.parametrize("layers", ["conv 4 3 stride=2", "conv 4 3 same", "avgpool 2", "conv 4 3, norm", "pool 3 2"])
def test_layers_that_the_contestants_do_not_know(layers: str) -> None:
    with pytest.raises(ValueError, match="no such layer"):
        _ = convolutions(layers, "digits", 100, 1, 0.1, 1).shapes
