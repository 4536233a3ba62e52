"""Every contestant does the work: its final losses are those of the reference engine in float64.

PyTorch's and JAX's are checked where those are (`make oracle` has PyTorch); the suite itself proves every one of them
again before it measures.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.contestants import contestant
from benchmarks.work import Work, join_layers

PLAIN = ["chainrule", "numpy"]
TORCH = ["pytorch batched", "farias"]
JAX = ["jax padded", "jax shapes", "jax lanes"]


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
