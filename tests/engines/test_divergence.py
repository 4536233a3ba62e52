"""The divergence guard: the first epoch, the first layer and a cause that fits, and neighbours that feel nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Dataset, Dense, Network, mlp, train
from chainrule.data import load
from chainrule.engines._divergence import finite_members


def replay(start: Any, X: Any, Y: Any, rate: float, epochs: int, bce: bool = False) -> tuple[int, np.ndarray[Any, Any]]:
    """Train a network of affine maps (sigmoid after each if `bce`) by full batch; return the epoch that broke.

    An epoch breaks when its loss, or a weight after it, is not finite. Also returned are the weights it broke with.
    """
    W, b = [layer["W"] for layer in start], [layer["b"] for layer in start]
    flat = np.zeros(0)
    with np.errstate(all="ignore"):
        for epoch in range(epochs):
            A = [X]
            for weight, bias in zip(W, b, strict=True):
                Z = A[-1] @ weight + bias
                A.append(1 / (1 + np.exp(-Z)) if bce else Z)
            out = A[-1]
            loss = np.mean(-(Y * np.log(out) + (1 - Y) * np.log(1 - out))) if bce else np.mean((out - Y) ** 2)
            flat = np.concatenate([part.ravel() for pair in zip(W, b, strict=True) for part in pair])
            if not np.isfinite(loss):
                return epoch, flat
            slope = -(Y / (out + 1e-8) - (1 - Y) / (1 - out + 1e-8)) if bce else 2 * (out - Y)
            delta = slope / Y.size * (out * (1 - out) if bce else 1.0)
            for k in reversed(range(len(W))):
                gW, gb = A[k].T @ delta, delta.sum(axis=0)
                delta = delta @ W[k].T * (A[k] * (1 - A[k]) if bce else 1.0)
                W[k], b[k] = W[k] - rate * gW, b[k] - rate * gb
            flat = np.concatenate([part.ravel() for pair in zip(W, b, strict=True) for part in pair])
            if not np.isfinite(flat).all():
                return epoch, flat
    raise AssertionError("it did not diverge")


def first_broken(params: Any, X: Any) -> tuple[str, str]:
    """Name what is not finite first in a network of affine maps."""
    A = X
    with np.errstate(all="ignore"):
        for k, layer in enumerate(params):
            if not all(np.isfinite(part).all() for part in layer.values()):
                return f"layer {k + 1} (Dense)", "weights"
            A = A @ layer["W"] + layer["b"]
            if not np.isfinite(A).all():
                return f"layer {k + 1} (Dense)", "Z"
    return "loss", "loss"


@pytest.mark.parametrize("rate", [0.9, 3.0, 100.0, 1e30])
def test_identity_network_names_the_first_epoch(rate: float) -> None:
    data = load("xor").draw(0)
    network = mlp([3], "identity", output="identity", weight_init="normal(1.0)")
    for seed in range(4):
        run = train(network, data, seeds=[seed], learning_rate=rate, epochs=400)[0]
        start = train(network, data, seeds=[seed], epochs=0)[0].params
        epoch, weights = replay(start, data.X, data.Y, rate, 400)
        assert run.divergence is not None
        assert run.stop_reason == "diverged"
        assert (run.converged, run.epochs, run.divergence.epoch) == (False, epoch, epoch)
        # rounding grows with the weights, so only their size and signs are compared
        assert np.isfinite(run.theta).all() == np.isfinite(weights).all()
        if np.isfinite(weights).all():
            np.testing.assert_allclose(run.theta, weights, rtol=1e-6)
        assert (run.divergence.layer, run.divergence.quantity) == first_broken(run.params, data.X)
        assert "identity does not bound its output" in run.divergence.cause
        assert f"learning rate {rate:g} " in run.divergence.cause
        assert run.history["epoch"].tolist() == list(range(epoch))  # every row is finite
        assert all(np.isfinite(run.history[name]).all() for name in ("loss", "accuracy"))


def test_textbook_cross_entropy_with_saturated_outputs() -> None:
    """Report A6: the loss is NaN although every weight is finite."""
    data = load("linear(n=100)").draw(3)
    network = mlp([100, 100], "sigmoid", weight_init="normal(6.0)")
    run = train(network, data, seeds=[3], learning_rate=0.8, loss="bce_eps_in_divisions", epochs=200)[0]
    start = train(network, data, seeds=[3], epochs=0)[0].params
    epoch, weights = replay(start, data.X, data.Y, 0.8, 200, bce=True)
    assert run.divergence is not None
    assert epoch > 0
    assert (run.divergence.epoch, run.divergence.layer, run.divergence.quantity) == (epoch, "loss", "loss")
    np.testing.assert_allclose(run.theta, weights, rtol=1e-9, atol=1e-9)
    assert "binary_cross_entropy, computed from logits, stays finite" in run.divergence.cause
    outputs = run.predict(data.X)
    assert ((outputs == 0) | (outputs == 1)).any()
    sound = train(network, data, seeds=[3], learning_rate=0.8, loss="binary_cross_entropy", epochs=200)[0]
    assert sound.stop_reason == "epochs"


def test_layers_are_named_from_the_input_on() -> None:
    """Steps of about 1e200: the second layer multiplies two such numbers."""
    network = mlp([4, 4], "leaky_relu(0.5)", output="identity", weight_init="normal(1.0)")
    run = train(network, "curve(n=10)", learning_rate=1e200, epochs=9)[0]
    assert run.divergence is not None
    assert (run.divergence.epoch, run.divergence.layer, run.divergence.quantity) == (1, "layer 2 (Dense)", "Z")
    first, second, _ = run.params
    assert np.isfinite(run.theta).all()
    with np.errstate(all="ignore"):
        Z1 = load("curve(n=10)").draw(0).X @ first["W"] + first["b"]
        assert np.isfinite(Z1).all()
        assert not np.isfinite(np.where(Z1 > 0, Z1, 0.5 * Z1) @ second["W"] + second["b"]).all()
    assert "leaky_relu does not bound its output" in run.divergence.cause


def test_weights_that_overflow_are_named() -> None:
    data = Dataset("steep", np.array([[1e5], [3e5]]), np.array([0.0, 1e5]), "regression")
    run = train(mlp([], weight_init="constant(1.0)"), data, learning_rate=9e299, epochs=5)[0]
    assert run.divergence is not None
    assert (run.epochs, run.divergence.layer, run.divergence.quantity) == (0, "layer 1 (Dense)", "weights")
    assert not np.isfinite(run.theta).all()
    assert np.isnan(run.final["loss"]) or np.isinf(run.final["loss"])
    assert not np.isfinite(run.predict(data.X)).all()  # and no warning


def test_momentum_that_climbs() -> None:
    run = train(mlp([3], "relu", output="identity"), "xor", optimizer="momentum_ascent", learning_rate=0.5, epochs=900)[
        0
    ]
    assert run.divergence is not None
    assert run.divergence.cause == (
        "outputs are so large that the loss overflows before they do; "
        "the optimizer climbs the loss, so the weights grow without bound"
    )


def test_data_that_are_too_large_from_the_start() -> None:
    data = Dataset("huge", np.array([[1e200], [3e200]]), np.array([0.0, 1.0]), "regression")
    run = train(mlp([2], "tanh", output="identity"), data, epochs=5)[0]
    assert run.stop_reason == "epochs"  # tanh bounds it
    run = train(mlp([], weight_init="constant(1.0)"), data, epochs=5)[0]
    assert run.divergence is not None
    assert (run.epochs, run.divergence.layer) == (0, "loss")
    assert run.divergence.cause.startswith("no step has been made yet: inputs of up to 3e+200 and initial weights")
    assert run.history["epoch"].tolist() == []


def test_a_loss_that_is_not_finite_meets_no_rule() -> None:
    data = Dataset("huge", np.array([[1e200], [3e200]]), np.array([0.0, 1.0]), "regression")
    stopping = ("target(1e300, metric=mae)",)  # the error is below it, but the squared error overflows
    run = train(mlp([], weight_init="constant(1.0)"), data, epochs=5, stopping=stopping)[0]
    assert (run.stop_reason, run.converged, run.epochs) == ("diverged", False, 0)
    run = train(mlp([], weight_init="constant(1.0)"), data, epochs=0, stopping=stopping)[0]
    assert (run.stop_reason, run.converged, run.epochs) == ("diverged", False, 0)


def test_a_penalty_that_overflows_is_told_from_the_loss() -> None:
    network = mlp([3], "tanh", l2=1.0)
    run = train(network, "xor", loss="binary_cross_entropy", learning_rate=1e200, epochs=5)[0]
    assert run.divergence is not None
    assert (run.divergence.epoch, run.divergence.layer) == (1, "loss")
    assert run.divergence.cause.startswith("the penalty on the weights overflows before their outputs do")
    assert np.isfinite(run.final["loss"])  # which is without the penalty


def test_bounded_activations_with_an_enormous_rate() -> None:
    run = train(mlp([3], "tanh", output="tanh"), "xor", optimizer="adam", learning_rate=9e299, epochs=20)[0]
    assert run.divergence is None or "learning rate 9e+299" in run.divergence.cause


def test_the_rate_named_is_the_one_of_that_epoch() -> None:
    network = mlp([], output="identity", weight_init="constant(1.0)")
    run = train(network, "curve(n=9)", learning_rate=1.5, schedule="self_multiplying(1)", epochs=50)[0]
    assert run.divergence is not None
    rate = 1.5 ** (2**run.divergence.epoch)
    assert f"learning rate {rate:g} " in run.divergence.cause


@pytest.mark.parametrize("batch_size", [4, 1])
def test_the_step_that_broke_freezes_the_weights(batch_size: int) -> None:
    """Below full batch the weights kept are those of the step, not those at the end of the epoch."""
    network = mlp([4], "identity", output="identity", weight_init="normal(1.0)")
    run = train(network, "xor", learning_rate=5.0, batch_size=batch_size, epochs=300, window=1)[0]
    assert run.divergence is not None
    assert run.divergence.layer == "loss"
    assert np.isfinite(run.theta).all()
    losses = run.windows["loss"]
    assert np.isfinite(losses).all()
    steps = -(-21 // batch_size)
    assert run.epochs * steps <= len(losses) < (run.epochs + 1) * steps
    assert losses.max() > 1e100


def test_a_loss_that_breaks_with_the_very_last_step() -> None:
    network = mlp([], output="identity", weight_init="constant(1.0)")
    free = train(network, "curve(n=9)", learning_rate=1e60, epochs=50)[0]
    assert free.divergence is not None
    epochs = free.divergence.epoch
    run = train(network, "curve(n=9)", learning_rate=1e60, epochs=epochs)[0]
    assert run.divergence is not None
    assert (run.epochs, run.divergence.epoch, run.divergence.layer) == (epochs, epochs, "loss")
    assert train(network, "curve(n=9)", learning_rate=1e60, epochs=epochs - 1)[0].stop_reason == "epochs"


def test_divergence_is_written_as_a_sentence() -> None:
    run = train(mlp([2], "identity", output="identity"), "xor", learning_rate=50.0, epochs=400)[0]
    assert str(run.divergence).startswith(f"epoch {run.epochs}, layer 2 (Dense): Z is not finite; identity does not")
    assert run.to_row()["diverged_epoch"] == run.epochs


def test_layer_numbers_count_every_layer() -> None:
    layers = (Dense(3, "identity", weight_init="constant(1e200)"), Dense(2, "identity", weight_init="constant(1e200)"))
    run = train(Network((*layers, Dense(None, None))), "curve(n=9)", epochs=2)[0]
    assert run.divergence is not None
    assert (run.divergence.epoch, run.divergence.layer, run.divergence.quantity) == (0, "layer 2 (Dense)", "Z")


def test_finite_members_looks_behind_sums_that_overflow() -> None:
    theta = np.array([[1e308, 1e308], [1.0, np.nan], [np.inf, -np.inf], [1.0, 2.0], [-np.inf, 1.0]])
    with np.errstate(all="ignore"):
        assert finite_members(theta).tolist() == [True, False, False, True, False]
