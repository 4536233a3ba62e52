"""The table of runs: rows, columns, histories, slices and predictions."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chainrule import Runs, load, mlp, train
from chainrule.errors import ConfigError, ShapeError
from chainrule.runs import STOP_REASONS


def test_runs_are_a_sequence(mixed: Runs) -> None:
    assert len(mixed) == 11
    assert list(mixed) == list(mixed.runs)
    assert mixed[0] is mixed.runs[0]
    assert mixed[-1] is mixed.runs[-1]
    assert mixed[np.int64(2)] is mixed.runs[2]  # type: ignore[call-overload]
    assert mixed[3] in mixed
    with pytest.raises(IndexError):
        mixed[11]


def test_slices_keep_what_is_said_of_all(mixed: Runs) -> None:
    for part in (mixed[2:9:3], mixed.where(lambda run: run.seed == 0), mixed[:0]):
        assert isinstance(part, Runs)
        assert (part.source, part.interrupted, part.notes) == (mixed.source, True, mixed.notes)
    assert [run is mixed[k] for run, k in zip(mixed[2:9:3], (2, 5, 8), strict=True)] == [True] * 3
    assert len(mixed[:0]) == 0


def test_with_seed(mixed: Runs) -> None:
    assert mixed.with_seed(5) is mixed[1]
    assert mixed.with_seed(0) is mixed[2]  # the first
    with pytest.raises(ConfigError, match=r"no run has seed 77 \(seeds here: 3, 5, 0, 1, 0, 1, 0, 0, \.\.\.\)"):
        mixed.with_seed(77)


def test_rows_are_flat_and_complete(mixed: Runs) -> None:
    for run, row in zip(mixed, mixed.to_rows(), strict=True):
        config = run.member.config
        assert (row["seed"], row["learning_rate"], row["epochs"]) == (run.seed, config.learning_rate, config.epochs)
        assert (row["epochs_run"], row["stop_reason"], row["converged"]) == (run.epochs, run.stop_reason, run.converged)
        assert row["stopping"] == " ".join(config.stopping)
        assert {key: row[f"final_{key}"] for key in run.final} == run.final
        assert (row["diverged_epoch"] is None) == (run.divergence is None)
        if run.divergence is not None:
            assert (row["diverged_layer"], row["diverged_cause"]) == (run.divergence.layer, run.divergence.cause)
        assert all(value is None or isinstance(value, str | float | int) for value in row.values())
    assert set(mixed.column("stop_reason")) < set(STOP_REASONS)


def test_columns(mixed: Runs) -> None:
    assert mixed.column("seed").tolist() == [run.seed for run in mixed]
    assert mixed.column("epochs_run").tolist() == [run.epochs for run in mixed]
    assert set(mixed.column("loss_function")) == {"mse"}
    for name in ("loss", "final_loss"):  # the final value, not the setting of that name
        np.testing.assert_array_equal(mixed.column(name), [run.final["loss"] for run in mixed])
    np.testing.assert_array_equal(mixed.column("accuracy"), mixed.column("final_accuracy"))
    validation = mixed.column("validation_loss")
    assert validation.dtype == np.float64
    assert np.isnan(validation).tolist() == ["validation_loss" not in run.final for run in mixed]
    assert mixed.column("diverged_epoch").tolist() == [run.divergence and run.divergence.epoch for run in mixed]
    assert mixed.column("batch_size").tolist() == [run.member.config.batch_size for run in mixed]  # numbers and words
    assert mixed.column("converged").dtype == bool
    assert np.isnan(mixed.column("clip_norm")).sum() == 10
    with pytest.raises(ConfigError, match="unknown column 'acuracy'; did you mean"):
        mixed.column("acuracy")
    with pytest.raises(ConfigError, match="unknown column"):
        mixed[:0].column("seed")


def test_history_is_padded_where_a_run_had_stopped() -> None:
    runs = train(mlp([3]), "xor", seeds=6, epochs=30, learning_rate=2.0, batch_size=3, stopping="loss_below(0.2502)")
    assert len({run.epochs for run in runs}) > 2
    epochs, losses = runs.history("loss")
    assert epochs.tolist() == list(range(max(run.epochs for run in runs) + 1))
    assert losses.shape == (6, len(epochs))
    for run, row in zip(runs, losses, strict=True):
        np.testing.assert_array_equal(row[: run.epochs + 1], run.history["loss"])
        assert np.isnan(row[run.epochs + 1 :]).all()


def test_history_of_different_rows_and_names(mixed: Runs) -> None:
    epochs, losses = mixed.history("loss")
    assert epochs.tolist() == sorted({int(e) for run in mixed for e in run.history["epoch"]})
    for run, row in zip(mixed, losses, strict=True):
        kept = np.isin(epochs, run.history["epoch"])
        np.testing.assert_array_equal(row[kept], run.history["loss"])
        assert np.isnan(row[~kept]).all()
    _, validation = mixed.history("validation_loss")
    assert np.isnan(validation).all(axis=1).tolist() == ["validation_loss" not in run.history for run in mixed]
    with pytest.raises(ConfigError, match="unknown history 'los'; did you mean 'loss'"):
        mixed.history("los")


def test_history_of_a_run_without_any(mixed: Runs) -> None:
    """Interrupted before its first row."""
    runs = Runs((replace(mixed[0], history={}), mixed[1]))
    epochs, losses = runs.history("loss")
    assert epochs.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert np.isnan(losses[0]).all()
    with pytest.raises(ConfigError, match="unknown history 'loss'"):
        runs[:1].history("loss")


def test_predictions_are_those_of_the_weights() -> None:
    runs = train(mlp([3], "tanh"), "curve(n=12)", seeds=3, epochs=4)
    X = np.linspace(-1, 1, 5)[:, None]
    outputs = runs.predict(X)
    assert outputs.shape == (3, 5, 1)
    for k in range(3):
        first, second = runs.params(k)
        by_hand = np.tanh(X @ first["W"] + first["b"]) @ second["W"] + second["b"]
        np.testing.assert_allclose(outputs[k], by_hand, rtol=1e-12)
        np.testing.assert_array_equal(runs.predict(X, k), outputs[k])
        np.testing.assert_array_equal(runs[k].predict([[v] for v in X[:, 0]]), outputs[k])  # type: ignore[arg-type]


def test_predictions_keep_the_precision(mixed: Runs) -> None:
    X = load("xor").draw(0).X
    assert mixed[0].predict(X).dtype == np.float64
    assert mixed[2].predict(X).dtype == np.float32
    assert mixed[2].predict(X.astype(int)).dtype == np.float32


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 5)), r"samples of shape \(n, 2\), got \(3, 5\)"),
        (np.zeros(2), r"samples of shape \(n, 2\), got \(2,\)"),
        ([["a", "b"]], "X must be an array of numbers"),
        ([[1.0], [1.0, 2.0]], "X must be an array of numbers"),
        (np.array([[1j, 2]]), "X must be an array of numbers .n, features.: complex numbers"),
        (None, "X must be an array|samples of shape"),
        ([[{}, []]], "X must be an array of numbers"),
    ],
)
def test_predictions_of_what_is_no_sample(mixed: Runs, X: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        mixed[0].predict(X)


def test_predictions_of_runs_that_do_not_stack(mixed: Runs) -> None:
    runs = Runs((mixed[0], train(mlp([2]), "digits", epochs=0)[0]))
    with pytest.raises(ShapeError, match="samples of shape"):
        runs.predict(np.zeros((3, 2)))
    narrow, wide = train(mlp([2]), "curve", epochs=0)[0], train(mlp([2]), ([[0], [1], [2]], list("abc")), epochs=0)[0]
    with pytest.raises(ShapeError, match=r"differ in shape, \(3, 1\) and \(3, 3\): predict one at a time"):
        Runs((narrow, wide)).predict(np.zeros((3, 1)))
    with pytest.raises(ConfigError, match="no runs to predict with"):
        mixed[:0].predict(np.zeros((3, 2)))


def test_diverged_weights_predict_without_a_warning() -> None:
    run = train(mlp([3], "relu", output="identity"), "xor", learning_rate=1e299, epochs=9)[0]
    run = replace(run, theta=np.full_like(run.theta, np.inf))
    assert not np.isfinite(run.predict(np.array([[0.0, 1.0]]))).any()


def test_successes(mixed: Runs) -> None:
    assert mixed.successes().tolist() == [run.converged for run in mixed]
    assert mixed.successes(lambda run: run.epochs > 5).tolist() == [run.epochs > 5 for run in mixed]
    assert mixed.successes().dtype == bool
    assert mixed[:0].successes().shape == (0,)


def test_runs_travel_between_processes(mixed: Runs) -> None:
    again = pickle.loads(pickle.dumps(mixed))
    assert [run.theta.tobytes() for run in again] == [run.theta.tobytes() for run in mixed]
    np.testing.assert_equal(again.to_rows(), mixed.to_rows())


def test_learning_rates_vary_slowest() -> None:
    runs = train(mlp([2]), "xor", seeds=[4, 2], epochs=0, learning_rates=[0.5, 0.1])
    assert [(run.member.config.learning_rate, run.seed) for run in runs] == [(0.5, 4), (0.5, 2), (0.1, 4), (0.1, 2)]


def test_times_are_finite_and_positive(mixed: Runs) -> None:
    assert all(math.isfinite(run.seconds) and run.seconds > 0 for run in mixed)
