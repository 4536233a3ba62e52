"""What goes wrong in training, put into every engine on purpose: none may crash, mix members up, or say nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import ChainruleError, Dense, Member, Network, TrainingConfig, mlp, train, train_members

ENGINES = ["reference", "lanes", "gemm"]
COMPILED = ENGINES[1:]

random = np.random.default_rng(11)
X = random.normal(size=(12, 2))
NUMBERS = (X, X[:, :1] * X[:, 1:])
BINARY = (X, (X[:, 0] > 0).astype(int))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_inputs_that_are_no_numbers_are_refused_before_training(engine: str, bad: float) -> None:
    broken = X.copy()
    broken[3, 1] = bad
    with pytest.raises(ChainruleError, match=r"X\[3, 1\]|row 3|finite"):
        train(mlp([3], "tanh"), (broken, BINARY[1]), engine=engine, epochs=2)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_inputs_near_the_largest_float_diverge_with_a_cause(engine: str, dtype: str) -> None:
    large = X * (1e300 if dtype == "float64" else 1e30)
    runs = train(mlp([3], "relu"), (large, NUMBERS[1]), engine=engine, epochs=3, seeds=5, dtype=dtype)
    for run in runs:
        assert run.stop_reason == "diverged"
        assert run.divergence is not None
        assert run.divergence.cause


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", ["full", 5])
def test_weights_that_overflow_freeze_their_member_only(engine: str, batch: str | int) -> None:
    settings: dict[str, Any] = {"epochs": 30, "batch_size": batch, "log_every": 10}
    mixed = train(mlp([4], "relu"), NUMBERS, engine=engine, seeds=6, learning_rates=[0.01, 1e30], **settings)
    alone = train(mlp([4], "relu"), NUMBERS, engine=engine, seeds=6, learning_rate=0.01, **settings)
    assert all(run.stop_reason == "diverged" for run in mixed[6:])
    for a, b in zip(mixed[:6], alone, strict=True):
        assert a.theta.tobytes() == b.theta.tobytes()
        assert np.array_equal(a.history["loss"], b.history["loss"])


@pytest.mark.parametrize("engine", ENGINES)
def test_huge_initial_weights_are_told_from_growing_ones(engine: str) -> None:
    layers = (Dense(4, "relu", weight_init="normal(std=1e200)"), Dense(1, "identity", weight_init="normal(std=1e200)"))
    (run,) = train(Network(layers), NUMBERS, engine=engine, epochs=5)
    assert run.divergence is not None
    assert "no step has been made yet" in run.divergence.cause


@pytest.mark.parametrize("engine", ENGINES)
def test_labels_of_one_class_are_refused(engine: str) -> None:
    with pytest.raises(ChainruleError, match="nothing to learn"):
        train(mlp([3], "tanh"), (X, np.ones(12, dtype=int)), engine=engine, epochs=2)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_samples_are_refused(engine: str) -> None:
    with pytest.raises(ChainruleError):
        train(mlp([3], "tanh"), (X[:0], BINARY[1][:0]), engine=engine, epochs=2)


@pytest.mark.parametrize("engine", COMPILED)
@pytest.mark.parametrize("batch", ["full", 1])
def test_three_samples_of_which_one_is_held_out(engine: str, batch: str | int) -> None:
    data = (X[:3], np.array([[0.5], [-0.5], [0.25]]))
    settings: dict[str, Any] = {"validation": 0.34, "epochs": 20, "batch_size": batch, "seeds": 3}
    reference = train(mlp([3], "tanh"), data, engine="reference", **settings)
    for a, b in zip(reference, train(mlp([3], "tanh"), data, engine=engine, **settings), strict=True):
        np.testing.assert_allclose(b.theta, a.theta, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(b.history["validation_loss"], a.history["validation_loss"], rtol=1e-12)


@pytest.mark.parametrize("engine", COMPILED)
@pytest.mark.parametrize("hidden", [[1], [1, 1, 1], [512], [512, 3], [3, 512]])
def test_widths_from_1_to_512(engine: str, hidden: list[int]) -> None:
    settings: dict[str, Any] = {"loss": "binary_cross_entropy", "epochs": 20, "seeds": 2}
    reference = train(mlp(hidden, "tanh"), BINARY, engine="reference", **settings)
    for a, b in zip(reference, train(mlp(hidden, "tanh"), BINARY, engine=engine, **settings), strict=True):
        np.testing.assert_allclose(b.theta, a.theta, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", ["full", 5])
def test_no_epochs_evaluate_the_initial_weights(engine: str, batch: str | int) -> None:
    runs = train(mlp([3], "tanh"), BINARY, engine=engine, epochs=0, seeds=3, batch_size=batch)
    reference = train(mlp([3], "tanh"), BINARY, engine="reference", epochs=0, seeds=3)
    for a, b in zip(reference, runs, strict=True):
        assert (b.epochs, b.stop_reason, b.history["epoch"].tolist()) == (0, "epochs", [0])
        assert a.theta.tobytes() == b.theta.tobytes()
        np.testing.assert_allclose(b.history["loss"], a.history["loss"], rtol=1e-13)


def test_a_hundred_thousand_members_are_the_members_that_they_are_alone() -> None:
    data = (np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0]))
    config = TrainingConfig(epochs=2, log_every=2, dtype="float32", learning_rate=1.0)
    network = mlp([2], "sigmoid")
    runs = train_members([Member(network, config, seed) for seed in range(100_000)], data)
    assert len(runs) == 100_000
    assert runs[0].engine == "lanes"
    for k in (0, 31, 32, 50_001, 99_999):
        (alone,) = train_members([Member(network, config, k)], data, engine="lanes")
        assert runs[k].seed == k
        assert alone.theta.tobytes() == runs[k].theta.tobytes()
