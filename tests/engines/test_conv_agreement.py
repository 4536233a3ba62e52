"""Networks that know places in the compiled engines, against the reference engine: 200 steps of every kind of layer.

float64 must agree to rounding. In float32 both round differently at every step, so trajectories part slowly; what a
maximum or a kink lets through may then change hands a step earlier or later, so its tolerance is wider.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Dataset, Dense, Network, Runs, train
from chainrule.nn import (
    AvgPool1D,
    AvgPool2D,
    Conv1D,
    Conv2D,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    MaxPool1D,
    MaxPool2D,
)

ENGINES = ["lanes", "gemm"]
TOLERANCE = {"float64": 1e-10, "float32": 5e-4}

random = np.random.default_rng(7)
X = random.normal(size=(21, 42))
SHAPE = (6, 7)
CLASSES = Dataset.from_arrays(X, np.arange(21) % 3, image_shape=SHAPE)
BINARY = Dataset.from_arrays(X, (X[:, 0] * X[:, 1] > 0).astype(int), image_shape=SHAPE)
NUMBERS = Dataset.from_arrays(X, X[:, :2] @ np.array([[1.0, 2.0], [0.5, -1.0]]) + 0.1 * X[:, 2:4], image_shape=SHAPE)
SMALL = (Conv2D(4, 3, "tanh"), MaxPool2D(2), Conv2D(5, 2, "sigmoid", padding="same"), Flatten())


SEQUENCES = Dataset.from_arrays(X[:, :17], np.arange(21) % 3)


def both(engine: str, layers: tuple[Layer, ...], data: Any, **settings: Any) -> tuple[Runs, Runs]:
    """Train with the reference engine and with another, an output layer on top if the layers end without one."""
    settings = {"epochs": 200, "learning_rate": 0.1, "log_every": 50, "seeds": 2, **settings}
    network = Network(layers if isinstance(layers[-1], Dense) else (*layers, Dense(None, None)))
    return train(network, data, engine="reference", **settings), train(network, data, engine=engine, **settings)


def assert_agree(runs: tuple[Runs, Runs], tolerance: float) -> None:
    """Compare weights, histories, finals and ends."""
    for a, b in zip(*runs, strict=True):
        assert (a.stop_reason, a.epochs, a.converged) == (b.stop_reason, b.epochs, b.converged)
        assert b.theta.dtype == a.theta.dtype
        assert np.all(np.isfinite(a.theta))
        assert np.max(np.abs(a.theta - b.theta)) <= tolerance * max(1.0, float(np.max(np.abs(a.theta))))
        assert list(a.history) == list(b.history)
        for name in a.history:
            scale = 1.0 / len(X) if "accuracy" in name else 0.0  # one sample on the boundary may fall to either side
            np.testing.assert_allclose(b.history[name], a.history[name], rtol=10 * tolerance, atol=tolerance + scale)
        assert set(a.final) == set(b.final)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "layers",
    [
        pytest.param((Conv2D(5, 3, "tanh"), Flatten()), id="one"),
        pytest.param((Conv2D(8, 3, "tanh"), Conv2D(9, 3, "tanh"), Flatten()), id="two"),
        pytest.param((Conv2D(3, (6, 7), "tanh"), Conv2D(2, 1), Flatten()), id="as-large-as-the-image"),
        pytest.param((Conv2D(5, 1, "tanh"), Conv2D(4, 1, "tanh"), GlobalAvgPool()), id="1x1"),
        pytest.param((Conv2D(5, (3, 2), "tanh", padding="same"), Conv2D(6, 3, padding="same"), Flatten()), id="same"),
        pytest.param((Conv2D(4, 3, "tanh", padding=4), Conv2D(3, 2, padding=((0, 3), (2, 0))), Flatten()), id="wide"),
        pytest.param((Conv2D(4, 3, "tanh", stride=2), Conv2D(5, 2, stride=(1, 2)), Flatten()), id="stride"),
        pytest.param((Conv2D(4, 1, "tanh"), Conv2D(5, 2, stride=3, padding=1), Flatten()), id="stride-past-kernel"),
        pytest.param((Conv2D(4, 1), Conv2D(4, 2, "tanh", dilation=(2, 3)), Flatten()), id="dilation"),
        pytest.param(
            (Conv2D(4, 1), Conv2D(5, 3, "tanh", dilation=(3, 2), stride=2, padding=3), Flatten()), id="dilation-stride"
        ),
        pytest.param((Conv2D(6, 2, "tanh"), Conv2D(4, 3, "tanh", groups=2), Flatten()), id="groups"),
        pytest.param((Conv2D(10, 2), Conv2D(10, 3, "tanh", groups=10, padding="same"), Flatten()), id="depthwise"),
        pytest.param((Conv2D(10, 2, "tanh", bias=False), Conv2D(5, 2, groups=5, bias=False), Flatten()), id="no-bias"),
        pytest.param((Conv1D(4, 5, "tanh"), Conv1D(3, 3, stride=2, padding="same"), Flatten()), id="conv1d"),
        pytest.param((Conv1D(6, 4, padding=3), Conv1D(4, 3, "tanh", dilation=4, groups=2), Flatten()), id="conv1d-too"),
    ],
)  # fmt: skip
def test_convolutions(engine: str, dtype: str, layers: tuple[Layer, ...]) -> None:
    data = SEQUENCES if isinstance(layers[0], Conv1D) else CLASSES
    runs = both(engine, layers, data, loss="softmax_cross_entropy", learning_rate=0.03, dtype=dtype)
    assert_agree(runs, TOLERANCE[dtype])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "layers",
    [
        pytest.param((Conv2D(3, 1, "tanh"), MaxPool2D(2), Flatten()), id="max"),
        pytest.param((Conv2D(3, 1, "tanh"), MaxPool2D(3, stride=1), Flatten()), id="max-overlapping"),
        pytest.param((Conv2D(3, 1, "tanh"), MaxPool2D((2, 3), stride=3), Flatten()), id="max-with-gaps"),
        pytest.param((Conv2D(3, 1, "tanh"), MaxPool2D(3, stride=2, padding=1), Flatten()), id="max-padded"),
        pytest.param((Conv2D(3, 1, "tanh"), MaxPool2D(3, padding="same"), Flatten()), id="max-same"),
        pytest.param((Conv2D(3, 1, "relu"), MaxPool2D(2, padding="same"), Flatten()), id="max-of-equals"),
        pytest.param((Conv2D(3, 1, "tanh"), GlobalMaxPool()), id="global-max"),
        pytest.param((Conv2D(3, 1, "tanh"), AvgPool2D(2), Flatten()), id="mean"),
        pytest.param((Conv2D(3, 1, "tanh"), AvgPool2D(3, stride=1, padding=1), Flatten()), id="mean-overlapping"),
        pytest.param((Conv2D(3, 1, "tanh"), AvgPool2D((3, 2), stride=(4, 3)), Flatten()), id="mean-with-gaps"),
        pytest.param((Conv2D(3, 1, "tanh"), AvgPool2D(4, padding="same"), Flatten()), id="mean-same"),
        pytest.param((Conv2D(3, 1, "tanh"), GlobalAvgPool()), id="global-mean"),
        pytest.param((Conv1D(3, 2, "tanh"), MaxPool1D(3, stride=2), AvgPool1D(2), Flatten()), id="sequences"),
        pytest.param((MaxPool2D(2), AvgPool2D(2, stride=1), Flatten()), id="nothing-else"),
    ],
)  # fmt: skip
def test_poolings(engine: str, dtype: str, layers: tuple[Layer, ...]) -> None:
    data = SEQUENCES if isinstance(layers[0], Conv1D) else CLASSES
    runs = both(engine, layers, data, loss="softmax_cross_entropy", dtype=dtype)
    assert_agree(runs, 10 * TOLERANCE[dtype])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "activation",
    ["identity", "sigmoid", "tanh", "relu", "leaky_relu(0.2)", "elu(0.7)", "softplus", "silu", "gelu"],
)
def test_activations(engine: str, dtype: str, activation: str) -> None:
    layers = (Conv2D(4, 3, activation, padding="same"), AvgPool2D(2), Conv2D(3, 2, activation), Flatten())
    runs = both(engine, layers, BINARY, loss="binary_cross_entropy", learning_rate=0.03, epochs=100, dtype=dtype)
    assert_agree(runs, TOLERANCE[dtype])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", ["full", 8])
@pytest.mark.parametrize(
    ("loss", "data"),
    [
        ("mse", NUMBERS), ("half_mse", NUMBERS), ("mae", NUMBERS), ("huber(delta=0.3)", NUMBERS),
        ("binary_cross_entropy(scale=2)", BINARY), ("softmax_cross_entropy(label_smoothing=0.1)", CLASSES),
        ("bce_eps_in_divisions", BINARY), ("mse(reduction=sum)", NUMBERS),
    ],
)  # fmt: skip
def test_losses(engine: str, batch: int | str, loss: str, data: Any) -> None:
    settings = {"epochs": 200 if batch == "full" else 70, "learning_rate": 0.002 if "sum" in loss else 0.05}
    assert_agree(both(engine, SMALL, data, loss=loss, batch_size=batch, **settings), 1e-9)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "optimizer",
    [
        "sgd", "momentum", "nesterov(beta=0.5)", "adagrad", "rmsprop", "adam", "adamw(weight_decay=0.1)",
        "array_normalized_gradient", "adam_overwriting_moments", "momentum_ascent",
    ],
)  # fmt: skip
def test_optimizers(engine: str, dtype: str, optimizer: str) -> None:
    settings = {"loss": "softmax_cross_entropy", "optimizer": optimizer, "learning_rate": 0.001, "dtype": dtype}
    assert_agree(both(engine, SMALL, CLASSES, batch_size=11, epochs=100, **settings), TOLERANCE[dtype])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("batch", "shuffle"), [(1, True), (2, True), (3, False), (5, True), (20, True), (21, False)])
def test_batches(engine: str, dtype: str, batch: int, shuffle: bool) -> None:
    """Tiles of four samples, and what is left of a batch."""
    layers = (Conv2D(4, 3, "tanh", padding="same"), Conv2D(5, 3, "tanh", padding="same"), MaxPool2D(2), Flatten())
    settings = {"loss": "softmax_cross_entropy", "batch_size": batch, "shuffle": shuffle, "dtype": dtype}
    runs = both(engine, layers, CLASSES, epochs=-(-200 * batch // 21), log_every=5, learning_rate=0.03, **settings)
    assert_agree(runs, 10 * TOLERANCE[dtype])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", ["full", 6])
@pytest.mark.parametrize(
    "settings",
    [
        {"clip_value": 0.02}, {"clip_norm": 0.05}, {"clip_value": 0.02, "clip_norm": 0.03},
        {"class_weight": "balanced"}, {"validation": 0.3, "stratify": True}, {"metrics": ("f1", "mse")},
        {"schedule": "cosine(final=0.1)"}, {"schedule": "loss_ratio(window=7)"}, {"window": 3},
        {"stopping": ("patience(5)",), "validation": 0.3}, {"stopping": ("loss_below(0.95)",)},
    ],
    ids=str,
)  # fmt: skip
def test_what_else_a_configuration_may_ask(engine: str, batch: int | str, settings: dict[str, Any]) -> None:
    more = {"loss": "softmax_cross_entropy", "batch_size": batch, "epochs": 60, **settings}
    assert_agree(both(engine, SMALL, CLASSES, **more), 1e-9)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("clip", [None, 0.05])
def test_penalties(engine: str, dtype: str, clip: float | None) -> None:
    layers = (
        Conv2D(6, 3, "tanh", l1=0.01, l2=0.02), MaxPool2D(2), Conv2D(4, 2, "tanh", groups=2, bias=False, l2=0.1),
        Flatten(), Dense(4, "tanh", l1=0.02), Dense(None, None),
    )  # fmt: skip
    runs = both(engine, layers, NUMBERS, loss="mse", batch_size=6, epochs=50, clip_norm=clip, dtype=dtype)
    assert_agree(runs, TOLERANCE[dtype])


@pytest.mark.parametrize("engine", ENGINES)
def test_an_output_that_is_no_dense_layer(engine: str) -> None:
    """A convolution as large as what is left, or a mean over places, may be the output, for numbers."""
    for top in ((Conv2D(2, (4, 5)), Flatten()), (Conv2D(2, 1, "tanh"), GlobalAvgPool())):
        network = Network((Conv2D(3, 3, "tanh"), *top))
        settings: dict[str, Any] = {"epochs": 200, "learning_rate": 0.03, "loss": "mse", "seeds": 2}
        runs = [train(network, NUMBERS, engine=name, **settings) for name in ("reference", engine)]
        assert_agree((runs[0], runs[1]), 1e-10)
