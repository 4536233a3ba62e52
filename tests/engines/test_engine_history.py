"""Histories, windows, schedules and stops: what the rows say, held to runs trained exactly that far."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, mean_absolute_error, r2_score

from chainrule import Dataset, TrainingConfig, mlp, train
from chainrule.data import load, split
from chainrule.engines._cohort_data import Samples
from chainrule.engines._evaluation import Evaluation
from chainrule.engines._history import Recorder

pytestmark = pytest.mark.usefixtures("every_engine")


def test_row_e_describes_the_weights_after_e_epochs() -> None:
    settings: dict[str, Any] = {
        "batch_size": 6, "optimizer": "adam", "validation": 0.3, "metrics": ("mae",), "learning_rate": 0.05,
    }  # fmt: skip
    run = train(mlp([4], "tanh", l2=0.01), "xor", seeds=[2], epochs=6, **settings)[0]
    assert run.history["epoch"].tolist() == [0, 1, 2, 3, 4, 5, 6]
    data = split(load("xor").draw(2), 2, validation=0.3)
    assert data.validation is not None
    for epoch in range(7):
        short = train(mlp([4], "tanh", l2=0.01), "xor", seeds=[2], epochs=epoch, **settings)[0]
        for prefix, part in (("", data.train), ("validation_", data.validation)):
            A = short.predict(part.X)
            assert run.history[f"{prefix}loss"][epoch] == pytest.approx(np.mean((A - part.Y) ** 2), rel=1e-12)
            assert run.history[f"{prefix}accuracy"][epoch] == accuracy_score(part.y, A[:, 0] >= 0.5)
            assert run.history[f"{prefix}mae"][epoch] == pytest.approx(mean_absolute_error(part.Y, A), rel=1e-12)


@pytest.mark.parametrize("batch_size", ["full", 5])
def test_how_often_is_logged_changes_nothing_else(batch_size: int | str) -> None:
    settings: dict[str, Any] = {"batch_size": batch_size, "stopping": ("loss_below(0.2497)",), "learning_rate": 2.0}
    every = train(mlp([3]), "xor", seeds=8, epochs=60, **settings)
    assert {run.stop_reason for run in every} == {"loss_below", "epochs"}
    for log_every in (7, 1000):
        seldom = train(mlp([3]), "xor", seeds=8, epochs=60, log_every=log_every, **settings)
        for one, other in zip(every, seldom, strict=True):
            assert one.theta.tobytes() == other.theta.tobytes()
            assert (one.epochs, one.stop_reason, one.final) == (other.epochs, other.stop_reason, other.final)
            kept = [e for e in range(one.epochs + 1) if e % log_every == 0 or e == one.epochs]
            assert other.history["epoch"].tolist() == kept  # first, every so many, and the one that stopped it
            for name, values in one.history.items():
                np.testing.assert_array_equal(other.history[name], values[kept])


def test_how_often_is_logged_does_not_decide_who_diverges() -> None:
    """A loss that is not finite in passing, between two steps that are, is no row but no end either."""
    settings: dict[str, Any] = {"loss": "bce_eps_in_divisions", "batch_size": 3, "epochs": 40}
    network = mlp([3], "tanh", output="identity")  # outputs beyond [0, 1]: the textbook loss is NaN now and then
    often = train(network, "xor", seeds=20, learning_rate=1e-4, **settings)
    seldom = train(network, "xor", seeds=20, learning_rate=1e-4, log_every=40, **settings)
    assert any(run.stop_reason == "epochs" and len(run.history["epoch"]) < 41 for run in often)
    assert any(run.stop_reason == "diverged" for run in often)
    for one, other in zip(often, seldom, strict=True):
        assert one.theta.tobytes() == other.theta.tobytes()
        assert (one.epochs, one.stop_reason, one.divergence) == (other.epochs, other.stop_reason, other.divergence)


def test_final_metrics_are_those_of_the_final_weights() -> None:
    settings: dict[str, Any] = {"loss": "binary_cross_entropy", "metrics": ("log_loss", "f1", "r2", "accuracy")}
    run = train(mlp([4]), "moons(n=60)", epochs=30, validation=0.25, test=0.25, learning_rate=1.0, **settings)[0]
    data = split(load("moons(n=60)").draw(0), 0, validation=0.25, test=0.25)
    for prefix, part in (("", data.train), ("validation_", data.validation), ("test_", data.test)):
        assert part is not None
        A = run.predict(part.X)[:, 0]
        loss = -np.mean(part.y * np.log(A) + (1 - part.y) * np.log(1 - A))
        assert run.final[f"{prefix}loss"] == pytest.approx(loss, rel=1e-10)
        assert run.final[f"{prefix}log_loss"] == pytest.approx(log_loss(part.y, A), rel=1e-10)
        assert run.final[f"{prefix}accuracy"] == accuracy_score(part.y, A >= 0.5)
        assert run.final[f"{prefix}f1"] == pytest.approx(f1_score(part.y, A >= 0.5), rel=1e-12)
        assert run.final[f"{prefix}r2"] == pytest.approx(r2_score(part.y, A), rel=1e-10)
    assert len(run.final) == 15
    assert all(isinstance(value, float) for value in run.final.values())
    for name, values in run.history.items():
        if name in run.final:
            assert values[-1] == run.final[name]


def test_losses_and_metrics_in_slices_are_those_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(mlp([4], "tanh"), "ellipse(n=500, held_out=70)", epochs=3, batch_size=50, engine="reference")[0]
    monkeypatch.setattr("chainrule.engines._evaluation.SLICE", 64)
    sliced = train(mlp([4], "tanh"), "ellipse(n=500, held_out=70)", epochs=3, batch_size=50, engine="reference")[0]
    assert sliced.theta.tobytes() == whole.theta.tobytes()
    assert sliced.history.keys() == whole.history.keys()
    for name, values in whole.history.items():
        np.testing.assert_allclose(sliced.history[name], values, rtol=1e-13)


def test_slices_are_forgotten_once_their_outputs_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hidden layer makes of all samples, 16 MB, is never in memory at a time; of a slice it is 0.3 MB."""
    network = mlp([2000], "tanh").bind(2, 1, "sigmoid")
    params = network.unpack(np.zeros((1, network.n_parameters)))
    samples = Samples(np.zeros((1000, 2)), np.zeros((1000, 1)), None, shared=True)
    monkeypatch.setattr("chainrule.engines._evaluation.SLICE", 20)
    evaluation = Evaluation(network, TrainingConfig(), "binary")
    tracemalloc.start()
    values, _ = evaluation.record(params, samples, None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values["loss"] == pytest.approx(0.25)
    assert peak < 4e6


def test_samples_that_are_standardised_together_are_evaluated_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch statistic over a slice would be another number than the one that predictions use."""
    monkeypatch.setattr("chainrule.engines._evaluation.SLICE", 16)
    run = train(mlp([4], "tanh", normalize=True), "moons(n=100)", epochs=2)[0]
    data = load("moons(n=100)").draw(0)
    assert run.final["loss"] == pytest.approx(float(np.mean((run.predict(data.X) - data.Y) ** 2)), rel=1e-12)


# -- learning rates, running losses and windows ------------------------------------------------------------


def test_self_multiplying_rates_in_the_history() -> None:
    run = train(mlp([2]), "xor", epochs=7, learning_rate=0.8, schedule="self_multiplying(2)")[0]
    # epochs 0 1 | 2 3 | 4 5 | 6; a row shows the rate of the epoch just trained
    expected = [0.8, 0.8, 0.8, 0.64, 0.64, 0.4096, 0.4096, 0.16777216]
    np.testing.assert_allclose(run.history["learning_rate"], expected, rtol=1e-14)


def test_warm_up_rates_in_the_history() -> None:
    run = train(mlp([2]), "xor", epochs=4, learning_rate=0.3, schedule="warmup(3)")[0]
    np.testing.assert_allclose(run.history["learning_rate"], [0.3, 0.1, 0.2, 0.3, 0.3], rtol=1e-14)


def test_the_rate_moves_the_weights() -> None:
    """Two epochs at rates r and r^2 are one epoch each at r and at r^2."""
    line = Dataset("line", np.array([[1.0], [3.0]]), np.array([2.0, 5.0]), "regression")
    network = mlp([], weight_init="constant(0.5)")
    run = train(network, line, epochs=2, learning_rate=0.1, schedule="self_multiplying(1)")[0]
    w, b = 1.7, 0.5  # after the first step, see the steps worked by hand; residuals 0.2, 0.6
    np.testing.assert_allclose(run.theta, [w - 0.01 * (0.2 + 1.8), b - 0.01 * 0.8], rtol=1e-12)


def test_the_base_rate_is_exact_in_float32() -> None:
    run = train(mlp([2]), "xor", epochs=2, learning_rate=0.1, dtype="float32")[0]
    assert run.history["learning_rate"].tolist() == [0.1, 0.1, 0.1]
    assert run.theta.dtype == np.float32
    assert run.history["loss"].dtype == np.float64


def test_windows_are_means_of_step_losses_across_epochs() -> None:
    """Report E's curves: 21 samples one by one are 21 steps an epoch; a window of 10 runs across epochs."""
    settings: dict[str, Any] = {"batch_size": 1, "epochs": 4, "seeds": [3], "learning_rate": 0.4}
    single = train(mlp([3]), "xor", window=1, **settings)[0]
    assert len(single.windows["loss"]) == 84
    for window in (4, 10, 84, 85):
        run = train(mlp([3]), "xor", window=window, **settings)[0]
        whole = 84 // window
        means = single.windows["loss"][: whole * window].reshape(whole, window).mean(axis=1)
        np.testing.assert_allclose(run.windows["loss"] if whole else np.zeros(0), means, rtol=1e-13)
        assert run.theta.tobytes() == single.theta.tobytes()
    epochs = single.windows["loss"].reshape(4, 21).mean(axis=1)
    np.testing.assert_allclose(single.history["running_loss"][1:], epochs, rtol=1e-13)
    assert math.isnan(single.history["running_loss"][0])
    assert train(mlp([3]), "xor", **settings)[0].windows == {}


def test_loss_ratio_follows_the_windows() -> None:
    """Report E's adaptive rate: after each window, times the ratio of this window's mean loss to the last one's."""
    settings: dict[str, Any] = {"batch_size": 1, "epochs": 3, "learning_rate": 0.4, "window": 9}
    run = train(mlp([3]), "xor", schedule="loss_ratio(9)", **settings)[0]
    rate, expected = 0.4, []
    for k, mean in enumerate(run.windows["loss"]):
        rate *= mean / run.windows["loss"][k - 1] if k else 1.0
        expected.append(rate)
    assert len(expected) == 7
    np.testing.assert_allclose(run.windows["learning_rate"], expected, rtol=1e-12)
    assert run.history["learning_rate"][-1] == run.windows["learning_rate"][-1]


# -- stopping ------------------------------------------------------------------------------------------------


def test_report_a_stops_when_the_loss_is_below_for_the_third_time() -> None:
    """On a path that crosses the threshold back and forth: the times need not be in a row."""
    settings: dict[str, Any] = {"batch_size": 3, "learning_rate": 2.0, "seeds": [1]}
    free = train(mlp([3]), "xor", epochs=60, **settings)[0]
    threshold = float(np.quantile(free.history["loss"], 0.3))
    below = np.flatnonzero(free.history["loss"] < threshold)
    assert below[2] > below[0] + 2  # it does go back
    for times in (1, 2, 3):
        stopping = (f"loss_below({threshold!r}, times={times})",)
        run = train(mlp([3]), "xor", epochs=60, stopping=stopping, **settings)[0]
        assert (run.epochs, run.stop_reason, run.converged) == (below[times - 1], "loss_below", True)
        np.testing.assert_array_equal(run.history["loss"], free.history["loss"][: run.epochs + 1])
        assert run.final["loss"] < threshold


def test_target_stops_at_the_first_epoch_that_meets_it() -> None:
    free = train(mlp([4], "tanh"), "xor", seeds=[5], epochs=300, learning_rate=0.5, optimizer="momentum")[0]
    first = int(np.argmax(free.history["accuracy"] >= 0.9))
    assert first > 3
    run = train(
        mlp([4], "tanh"), "xor", seeds=[5], epochs=300, learning_rate=0.5, optimizer="momentum",
        stopping=("target(0.9)",), log_every=10**6,
    )[0]  # fmt: skip
    assert (run.epochs, run.stop_reason, run.converged) == (first, "target", True)
    assert run.final["accuracy"] >= 0.9
    assert run.history["epoch"].tolist() == [0, first]


def test_stopping_metrics_are_recorded() -> None:
    stopping = ("target(0.99, metric='validation_f1')",)
    run = train(mlp([2]), "xor", epochs=2, validation=0.3, stopping=stopping)[0]
    assert {"f1", "validation_f1"} <= run.history.keys()


NOISY: dict[str, Any] = {"validation": 0.4, "learning_rate": 0.5, "optimizer": "adam", "batch_size": 6}


def test_patience_restores_the_weights_of_the_best_epoch() -> None:
    for seed in range(5):
        run = train(mlp([8], "tanh"), "linear(n=40)", seeds=[seed], epochs=80, stopping=("patience(6)",), **NOISY)[0]
        best = int(np.argmin(run.history["validation_loss"]))
        assert (run.stop_reason, run.converged, run.epochs) == ("patience", False, best + 6)
        exact = train(mlp([8], "tanh"), "linear(n=40)", seeds=[seed], epochs=best, **NOISY)[0]
        assert run.theta.tobytes() == exact.theta.tobytes()
        assert run.final == pytest.approx(exact.final, rel=1e-12)


def test_best_weights_also_count_when_the_epochs_run_out() -> None:
    run = train(mlp([8], "tanh"), "linear(n=40)", epochs=12, stopping=("patience(1000)",), **NOISY)[0]
    best = int(np.argmin(run.history["validation_loss"]))
    assert best < 12
    assert (run.stop_reason, run.epochs) == ("epochs", 12)
    exact = train(mlp([8], "tanh"), "linear(n=40)", epochs=best, **NOISY)[0]
    assert run.theta.tobytes() == exact.theta.tobytes()


def test_a_member_that_met_its_target_keeps_the_weights_that_met_it() -> None:
    """Not those of an earlier epoch with a better validation loss, which need not meet the target at all."""
    rules = ("patience(1000)", "target(0.97)")
    runs = train(mlp([8], "tanh"), "linear(n=40)", seeds=6, epochs=200, stopping=rules, **NOISY)
    met = [run for run in runs if run.stop_reason == "target"]
    assert all(run.final["accuracy"] >= 0.97 for run in met)
    assert any(np.argmin(run.history["validation_loss"]) < run.epochs for run in met)


def test_patience_watches_scores_upwards() -> None:
    settings = NOISY | {"stopping": ("patience(5, monitor=validation_accuracy)",)}
    run = train(mlp([8], "tanh"), "linear(n=40)", epochs=100, **settings)[0]
    best = int(np.argmax(run.history["validation_accuracy"]))  # the first of the best
    assert run.epochs == best + 5
    assert run.final["validation_accuracy"] == run.history["validation_accuracy"].max()


def test_no_epochs_evaluate_the_initial_weights() -> None:
    run = train(mlp([3]), "xor", epochs=0, seeds=[4])[0]
    assert (run.epochs, run.stop_reason, run.history["epoch"].tolist()) == (0, "epochs", [0])
    network = run.member.network
    from chainrule.random import stream

    assert run.theta.tobytes() == network.pack(network.init(stream(4, "init"))).tobytes()
    assert run.final["loss"] == run.history["loss"][0]


def test_a_rule_that_holds_at_once_stops_before_any_training() -> None:
    run = train(mlp([3]), "xor", epochs=50, stopping=("loss_below(1e6)",))[0]
    assert (run.epochs, run.stop_reason, run.history["epoch"].tolist()) == (0, "loss_below", [0])


def test_the_first_of_several_rules_gives_the_reason() -> None:
    run = train(mlp([3]), "xor", epochs=9, stopping=("target(0.0)", "loss_below(1e6)"))[0]
    assert run.stop_reason == "target"


# -- the recorder ----------------------------------------------------------------------------------------------


def test_recorder_gives_every_member_its_own_rows() -> None:
    recorder = Recorder(3)
    assert recorder.split() == [{}, {}, {}]
    recorder.add(np.array([0, 1, 2]), {"epoch": np.zeros(3), "loss": np.array([1.0, 2.0, 3.0])})
    recorder.add(np.array([2, 0]), {"epoch": np.full(2, 5), "loss": np.array([30.0, 10.0])})
    recorder.add(np.array([], dtype=int), {"epoch": np.zeros(0), "loss": np.zeros(0)})
    recorder.add(np.array([2]), {"epoch": np.full(1, 9), "loss": np.array([300.0])})
    zero, one, two = recorder.split()
    assert (zero["epoch"].tolist(), zero["loss"].tolist()) == ([0, 5], [1.0, 10.0])
    assert (one["epoch"].tolist(), one["loss"].tolist()) == ([0], [2.0])
    assert (two["epoch"].tolist(), two["loss"].tolist()) == ([0, 5, 9], [3.0, 30.0, 300.0])
    assert zero["epoch"].dtype == np.int64


def test_default_history_columns() -> None:
    run = train(mlp([2]), "curve(n=9)", TrainingConfig(epochs=1, validation=0.3))[0]
    assert list(run.history) == [
        "epoch", "loss", "mae", "validation_loss", "validation_mae", "learning_rate", "running_loss",
    ]  # fmt: skip
