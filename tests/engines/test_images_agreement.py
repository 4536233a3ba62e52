"""Networks that know places in the gemm engine, against the reference engine: 200 steps of every kind of window.

Tolerances as in `test_agreement`. A pooling takes one of two entries that are equal but for rounding, and a relu is on
or off: with learning rates this small no trajectory of these seeds meets such a fork.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Dataset, Network, Runs, train
from chainrule.data import FixedSource
from chainrule.nn import parse_layers

TOLERANCE = {"float64": 1e-9, "float32": 5e-4}
IMAGES = [
    "conv 3 3",
    "conv 4 3 tanh, pool 2, conv 6 2 sigmoid, dense 8 tanh",
    "conv 9 3 same, pool 2, conv 5 3 same stride=2 tanh",
    "conv 4 3x2 stride=2x1 padding=1 dilation=2 tanh, avgpool 2, conv 6 2 groups=2 same sigmoid, dense 5 gelu",
    "conv 3 3 bias=false leaky_relu(0.1), pool 3 stride=2 padding=1, conv 4 2 bias=false elu, globalpool",
    "pool 2, conv 17 2 softplus l1=0.001 l2=0.01, globalmaxpool",
    "avgpool 2 stride=1 padding=1, dense 17 silu, dense 3 tanh bias=false",
    "conv 2 4 stride=3 padding=2, conv 8 1, conv 8 3 same groups=8 tanh, avgpool 2 padding=1",
]
SEQUENCES = [
    "conv1d 4 3 same silu, pool1d 2, conv1d 8 3 groups=4 tanh, avgpool1d 3 stride=1",
    "conv1d 2 2 stride=2 dilation=3 padding=1 tanh, pool1d 2 stride=1, dense 6",
    "avgpool1d 4, conv1d 5 3 elu, globalpool",
]


def images(n: int = 37, height: int = 9, width: int = 8, k: int = 3) -> FixedSource:
    """Images of noise with a bright row that tells the class."""
    rng = np.random.default_rng(n)
    y = np.arange(n) % k
    X = rng.normal(size=(n, height, width))
    X[np.arange(n), 2 * y + 1] += 1.5
    return FixedSource(Dataset.from_arrays(X.reshape(n, -1), y, image_shape=(height, width)))


def sequences(n: int = 37, length: int = 17) -> FixedSource:
    """Walks, and where they end."""
    steps = np.random.default_rng(n).normal(size=(n, length))
    return FixedSource(Dataset.from_arrays(steps, steps.sum(axis=1, keepdims=True) / 4.0))


def both(network: Network | str, data: Any, **settings: Any) -> tuple[Runs, Runs]:
    """Train with the reference engine and with the gemm engine."""
    network = parse_layers(network) if isinstance(network, str) else network
    settings = {"epochs": 67, "batch_size": 13, "learning_rate": 0.02, "log_every": 20, "seeds": 1, **settings}
    return train(network, data, engine="reference", **settings), train(network, data, engine="gemm", **settings)


def assert_agree(reference: Runs, other: Runs, tolerance: float) -> None:
    """Compare weights, histories, finals and ends."""
    for a, b in zip(reference, other, strict=True):
        assert (a.stop_reason, a.epochs, a.converged) == (b.stop_reason, b.epochs, b.converged)
        assert b.theta.dtype == a.theta.dtype
        assert np.max(np.abs(a.theta - b.theta)) <= tolerance * max(1.0, float(np.max(np.abs(a.theta))))
        assert list(a.history) == list(b.history)
        for name in a.history:
            scale = 1.0 / 25 if "accuracy" in name else 0.0
            np.testing.assert_allclose(b.history[name], a.history[name], rtol=10 * tolerance, atol=tolerance + scale)
        assert set(a.final) == set(b.final)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("words", IMAGES)
def test_images(words: str, dtype: str) -> None:
    settings = {"loss": "softmax_cross_entropy", "dtype": dtype}
    assert_agree(*both(words, images(), **settings), TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("words", SEQUENCES)
def test_sequences(words: str, dtype: str) -> None:
    assert_agree(*both(words, sequences(), loss="mse", dtype=dtype), TOLERANCE[dtype])


NETWORK = "conv 4 3 tanh, pool 2, conv 3 2 relu, dense 6"


@pytest.mark.parametrize("batch", [1, 2, 8, 16, 17, 36, "full"])
def test_batches_that_fill_vectors_or_not(batch: int | str) -> None:
    settings: dict[str, Any] = {"batch_size": batch, "epochs": 9, "log_every": 1, "window": 3}
    for dtype in ("float64", "float32"):
        runs = both(NETWORK, images(), loss="softmax_cross_entropy", dtype=dtype, **settings)
        assert_agree(*runs, TOLERANCE[dtype])


def test_two_samples_and_one_that_is_held_out() -> None:
    assert_agree(*both("conv1d 4 3 tanh, pool1d 2, dense 3", sequences(3), loss="mse", validation=0.34), 1e-9)


def test_a_full_batch_of_many_chunks() -> None:
    settings: dict[str, Any] = {"batch_size": "full", "epochs": 3, "learning_rate": 0.1, "log_every": 1}
    assert_agree(*both(NETWORK, images(600), loss="softmax_cross_entropy", **settings), 1e-9)


@pytest.mark.parametrize(
    "optimizer",
    ["momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw(weight_decay=0.1)", "array_normalized_gradient",
     "adam_overwriting_moments", "momentum_ascent"],
)  # fmt: skip
def test_optimizers(optimizer: str) -> None:
    settings = {"loss": "softmax_cross_entropy", "optimizer": optimizer, "learning_rate": 0.001}
    assert_agree(*both(NETWORK, images(), **settings), TOLERANCE["float64"])


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("softmax_cross_entropy(label_smoothing=0.1, reduction=sum)", NETWORK), ("mse", NETWORK), ("mae", NETWORK),
        ("huber(delta=0.3)", NETWORK), ("half_mse", "conv 4 3 tanh, pool 2, dense 6, dense 3 relu"),
    ],
)  # fmt: skip
def test_losses(loss: str, words: str) -> None:
    data = images() if "softmax" in loss else sequences()
    words = words if "softmax" in loss else words.replace("conv", "conv1d").replace("pool", "pool1d")
    assert_agree(*both(words, data, loss=loss, learning_rate=0.005), TOLERANCE["float64"])


@pytest.mark.parametrize("batch", [13, "full"])
@pytest.mark.parametrize(
    "settings",
    [
        {"clip_value": 0.01}, {"clip_norm": 0.05}, {"class_weight": "0=1,1=3,2=2"}, {"validation": 0.3},
        {"validation": 0.3, "test": 0.2, "stratify": True}, {"metrics": ("f1", "mse")}, {"shuffle": False},
        {"schedule": "loss_ratio(window=7)"}, {"schedule": "cosine(final=0.1)"},
        {"stopping": ("patience(3, min_delta=0.01)",), "validation": 0.3, "learning_rate": 0.2},
        {"stopping": ("loss_below(0.9)", "target(0.8)"), "learning_rate": 0.1},
    ],
)  # fmt: skip
def test_what_else_a_configuration_may_ask(batch: int | str, settings: dict[str, Any]) -> None:
    more = {"loss": "softmax_cross_entropy", "batch_size": batch, "epochs": 40, **settings}
    assert_agree(*both(NETWORK, images(), **more), 1e-8)


@pytest.mark.parametrize("batch", [13, "full"])
def test_divergence_is_seen_in_the_same_epoch(batch: int | str) -> None:
    settings: dict[str, Any] = {"learning_rates": [0.01, 30.0], "loss": "mse", "batch_size": batch}
    for a, b in zip(*both("conv1d 4 3 relu, dense 4 relu", sequences(), **settings), strict=True):
        assert (a.stop_reason, a.epochs) == (b.stop_reason, b.epochs)
        assert (a.divergence is None) == (b.divergence is None)
