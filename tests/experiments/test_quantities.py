"""Quantities on hand-made runs whose every number is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ConfigError
from chainrule.experiments import parse_quantity, values_of
from chainrule.nn import mlp
from chainrule.population import Member, TrainingConfig
from chainrule.runs import Divergence, Run, Runs

CONFIG = TrainingConfig(epochs=40, log_every=10, validation=0.2, metrics=("tolerance_accuracy(0.1)",), window=5)


def run(seed: int = 0, **changes: Any) -> Run:
    """Return a run of 40 epochs, logged every 10, with numbers that are easy to follow."""
    history = {
        "epoch": np.array([0, 10, 20, 30, 40]),
        "loss": np.array([1.0, 0.5, 0.7, 0.2, 0.1]),
        "accuracy": np.array([0.5, 0.6, 0.9, 0.95, 1.0]),
        "tolerance_accuracy": np.array([0.0, 0.1, 0.2, 0.3, 0.4]),
        "learning_rate": np.array([0.8, 0.8, 0.4, 0.4, 0.2]),
    }
    final = {"loss": 0.1, "accuracy": 1.0, "tolerance_accuracy": 0.4, "validation_tolerance_accuracy": 0.8}
    windows = {"loss": np.arange(1.0, 9.0)}
    values: dict[str, Any] = {
        "member": Member(mlp([2]).bind(2, 1, "sigmoid"), CONFIG, seed),
        "stop_reason": "epochs",
        "converged": False,
        "epochs": 40,
        "final": final,
        "history": history,
        "windows": windows,
        "theta": np.zeros(9),
    }
    return Run(**(values | changes))


def value(text: str, *runs: Run) -> Any:
    """Return a quantity of runs on the 21 xor points."""
    return values_of(text, Runs(runs or (run(),), "xor"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loss@0", 1.0),
        ("loss@30", 0.2),
        ("final loss", 0.1),
        ("final learning_rate", 0.2),
        ("tolerance_accuracy(0.1)@20", 0.2),
        ("final tolerance_accuracy", 0.4),
        ("final tolerance_accuracy(0.1) (all data)", (17 * 0.4 + 4 * 0.8) / 21),
        ("epochs", 40.0),
        ("converged", 0.0),
        ("diverged", 0.0),
        ("parameters", 9.0),
        ("first accuracy>=0.9", 20.0),
        ("first loss<=0.5", 10.0),
        ("first loss<=0.01", math.inf),
        ("change accuracy@10..40", 0.4),
        ("swing loss@10..30", 0.5),
    ],
)
def test_values_of_a_hand_made_run(text: str, expected: float) -> None:
    np.testing.assert_allclose(value(text), [expected], rtol=1e-12)


def test_windows_are_put_together() -> None:
    np.testing.assert_array_equal(value("windows(5)@0..40"), [[1, 2, 3, 4, 5, 6, 7, 8]])
    np.testing.assert_array_equal(value("windows(10)@0..40"), [[1.5, 3.5, 5.5, 7.5]])
    np.testing.assert_array_equal(value("windows(10)@20..40"), [[5.5, 7.5]])
    with pytest.raises(ConfigError, match="window"):
        value("windows(7)@0..40")


def test_a_run_that_ended_early_keeps_its_last_value() -> None:
    history = {"epoch": np.array([0, 10, 14]), "loss": np.array([1.0, 0.5, 0.3]), "accuracy": np.array([0.5, 0.7, 0.8])}
    early = run(
        stop_reason="loss_below", converged=True, epochs=14, final={"loss": 0.3, "accuracy": 0.8}, history=history
    )
    assert value("loss@30", early) == [0.3]
    assert value("loss@10", early) == [0.5]
    assert value("converged", early) == [1.0]


def test_a_diverged_run_has_no_loss_afterwards() -> None:
    history = {"epoch": np.array([0, 10]), "loss": np.array([1.0, 9.0]), "accuracy": np.array([0.5, 0.4])}
    lost = run(
        stop_reason="diverged",
        epochs=12,
        final={"loss": math.nan, "accuracy": 0.0},
        history=history,
        divergence=Divergence(12, "layer 1 (Dense)", "Z", "too large a step"),
    )
    assert value("loss@10", lost) == [9.0]
    assert math.isnan(value("loss@20", lost)[0])
    assert value("accuracy@20", lost) == [0.0]
    assert value("diverged", lost) == [1.0]
    assert value("swing loss@0..40", lost) == [math.inf]


def test_a_run_without_a_single_row() -> None:
    lost = run(stop_reason="diverged", epochs=0, final={"loss": math.nan, "accuracy": 0.5}, history={})
    assert math.isnan(value("loss@0", lost)[0])
    assert value("accuracy@20", lost) == [0.5]
    assert value("first accuracy>=0.9", lost) == [math.inf]


def test_several_runs_give_one_value_each() -> None:
    np.testing.assert_array_equal(value("final loss", run(0), run(1)), [0.1, 0.1])
    assert value("windows(5)@0..10", run(0), run(1)).shape == (2, 2)
    short = run(1, windows={"loss": np.array([1.0])})
    np.testing.assert_array_equal(value("windows(5)@0..10", run(0), short), [[1, 2], [1, np.nan]])


@pytest.mark.parametrize(
    "text", ["", "loss", "loss@", "loss@-1", "loss@1.5", "loss@3..5", "swing loss@5", "swing loss@9..5", "first loss=3",
             "first loss>=x", "final tolerance_accuracy(x=3)"]
)  # fmt: skip
def test_what_cannot_be_read_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_quantity(text)


@pytest.mark.parametrize("text", ["los@10", "final los", "loss@15"])
def test_what_the_runs_do_not_have_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError):
        value(text)


def test_which_quantities_count_samples_and_how_long_they_need() -> None:
    assert parse_quantity("final validation_accuracy").counted
    assert parse_quantity("tolerance_accuracy(0.2)@5").counted
    assert not parse_quantity("final mse").counted
    assert not parse_quantity("first accuracy>=0.5").counted
    assert parse_quantity("loss@100").epochs_needed(5000) == 100
    assert parse_quantity("final loss").epochs_needed(5000) == 5000
