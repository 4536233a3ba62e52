"""Metrics by hand, against scikit-learn, and with the member axis, NaN and misfits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from chainrule import metrics
from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.spec import build, spec_of

F64 = NDArray[np.float64]
ALL = [name for name in metrics.METRICS if name != "median_threshold_accuracy"]


def column(*values: float) -> F64:
    return np.array(values, dtype=np.float64)[:, None]


def draw(seed: int, n: int, k: int) -> tuple[F64, F64]:
    """Return probabilities and targets that contain every class."""
    rng = np.random.default_rng(seed)
    if k == 1:
        return rng.uniform(0.01, 0.99, (n, 1)), rng.permutation(np.arange(n) % 2)[:, None].astype(float)
    p = rng.dirichlet(np.ones(k), n)
    return p, np.eye(k)[rng.permutation(np.arange(n) % k)]


def test_binary_accuracy_by_hand_exactly_one_half_means_class_1() -> None:
    A, Y = column(0.49, 0.5, 0.9, 0.2), column(0, 1, 0, 0)
    assert metrics.metric("accuracy").value(A, Y) == 0.75
    assert metrics.metric("accuracy").value(column(0.5), column(0)) == 0.0


def test_multiclass_accuracy_by_hand() -> None:
    A = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.4, 0.6, 0.0], [0.0, 0.0, 1.0]])
    assert metrics.metric("accuracy").value(A, np.array([0, 2, 0, 2])) == 0.75


def test_tolerance_accuracy_is_report_bs() -> None:
    A, Y = column(0.05, 0.91, 0.85, 0.2), column(0, 1, 1, 0)
    assert metrics.metric("tolerance_accuracy").value(A, Y) == 0.5
    assert metrics.metric("tolerance_accuracy(0.16)").value(A, Y) == 0.75
    assert metrics.metric("tolerance_accuracy").value(column(0.1), column(0)) == 1.0  # at most, not below
    both = np.array([[0.05, 0.95], [0.05, 0.5]])
    assert metrics.metric("tolerance_accuracy").value(both, np.array([[0, 1], [0, 1]])) == 0.5


def test_median_threshold_accuracy_is_report_cs() -> None:
    A, Y = column(-3.0, -2.0, 7.0, 9.0), column(0, 0, 1, 1)
    assert metrics.metric("median_threshold_accuracy").value(A, Y) == 1.0
    assert metrics.metric("accuracy").value(A - 10, Y) == 0.5
    assert metrics.metric("median_threshold_accuracy").value(A - 10, Y) == 1.0
    constant = column(2.0, 2.0, 2.0)  # nothing exceeds its own median: class 0 everywhere
    assert metrics.metric("median_threshold_accuracy").value(constant, column(0, 0, 1)) == pytest.approx(2 / 3)
    members = np.stack([A, -A, A * np.nan])
    assert metrics.metric("median_threshold_accuracy").value(members, Y).tolist() == [1.0, 0.0, 0.0]


def test_errors_by_hand() -> None:
    A, Y = column(1.0, 2.0, 4.0), column(1.0, 4.0, 1.0)
    assert metrics.metric("mse").value(A, Y) == pytest.approx(13 / 3)
    assert metrics.metric("mae").value(A, Y) == pytest.approx(5 / 3)
    assert metrics.metric("r2").value(A, Y) == pytest.approx(1 - 13 / 6)  # total 1 + 4 + 1


def test_log_loss_and_brier_by_hand() -> None:
    A, Y = column(0.8, 0.4), column(1, 0)
    assert metrics.metric("log_loss").value(A, Y) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert metrics.metric("brier").value(A, Y) == pytest.approx((0.04 + 0.16) / 2)
    A3, Y3 = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]), np.array([1, 2])
    assert metrics.metric("log_loss").value(A3, Y3) == pytest.approx(-(math.log(0.3) + math.log(0.8)) / 2)
    assert metrics.metric("brier").value(A3, Y3) == pytest.approx((0.25 + 0.49 + 0.04 + 0.01 + 0.01 + 0.04) / 2)


def test_certain_and_wrong_is_finite_as_in_scikit_learn() -> None:
    loss = float(metrics.metric("log_loss").value(column(0.0, 1.0), column(1, 0)))
    assert loss == pytest.approx(-math.log(np.finfo(np.float64).eps), rel=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_against_scikit_learn(seed: int, k: int) -> None:
    A, Y = draw(seed, 23, k)
    truth = Y[:, 0].astype(int) if k == 1 else Y.argmax(axis=1)
    guess = (A[:, 0] >= 0.5).astype(int) if k == 1 else A.argmax(axis=1)
    average = "binary" if k == 1 else "macro"
    expected: dict[str, Any] = {
        "accuracy": sk.accuracy_score(truth, guess),
        "mse": sk.mean_squared_error(Y, A),
        "mae": sk.mean_absolute_error(Y, A),
        "r2": sk.r2_score(Y, A),
        "log_loss": sk.log_loss(truth, A[:, 0] if k == 1 else A),
        "brier": sk.brier_score_loss(truth, A[:, 0] if k == 1 else A, scale_by_half=(k == 1)),
        "precision": sk.precision_score(truth, guess, average=average),
        "recall": sk.recall_score(truth, guess, average=average),
        "f1": sk.f1_score(truth, guess, average=average),
    }
    for name, value in expected.items():
        for targets in (Y, truth):
            assert float(metrics.metric(name).value(A, targets)) == pytest.approx(float(value), rel=1e-12), name
    assert np.array_equal(metrics.confusion_matrix(A, Y), sk.confusion_matrix(truth, guess))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("m", [1, 3, 5])
def test_leading_axes_equal_a_loop_and_targets_may_be_shared(name: str, k: int, m: int) -> None:
    pairs = [draw(seed, 3 * k, k) for seed in range(m)]
    A, Y = np.stack([a for a, _ in pairs]), np.stack([y for _, y in pairs])
    rule = metrics.metric(name)
    own, shared = rule.value(A, Y), rule.value(A, Y[0])
    assert own.shape == shared.shape == (m,)
    assert own.tolist() == [float(rule.value(a, y)) for a, y in pairs]
    assert shared.tolist() == [float(rule.value(a, Y[0])) for a in A]
    assert np.array_equal(rule.value(A[None], Y[None]), own[None])
    assert rule.value(A[:0], Y[0]).shape == (0,)
    if k > 1:  # class numbers say the same as one-hot rows
        np.testing.assert_allclose(rule.value(A, Y.argmax(axis=-1)), own, rtol=1e-13)
        np.testing.assert_allclose(rule.value(A, Y[0].argmax(axis=-1)), shared, rtol=1e-13)


def test_as_many_members_as_samples_as_classes_is_not_ambiguous_for_columns() -> None:
    pairs = [draw(seed, 4, 4) for seed in range(4)]
    A, Y = np.stack([a for a, _ in pairs]), np.stack([y for _, y in pairs])
    for name in ALL:
        rule = metrics.metric(name)
        assert rule.value(A, Y).tolist() == [float(rule.value(a, y)) for a, y in pairs]


@pytest.mark.parametrize("name", list(metrics.METRICS))
def test_nan_predicts_nothing_right_and_disturbs_no_other_member(name: str) -> None:
    A, Y = draw(0, 8, 1)
    members = np.stack([A, A, A])
    members[1, 3] = np.nan
    members[2] = np.nan
    rule = metrics.metric(name)
    value = rule.value(members, Y)
    assert value[0] == rule.value(A, Y)
    if "accuracy" in name:
        assert value[2] == 0.0
        assert value[1] <= 7 / 8
    else:
        assert np.isnan(value[1:]).all()


def test_a_nan_row_is_wrong_for_every_class() -> None:
    A = np.array([[np.nan, 0.2, 0.3], [0.1, np.nan, 0.9], [0.2, 0.1, 0.7]])
    for truth in range(3):
        assert metrics.metric("accuracy").value(A, np.full(3, truth)) == (1 / 3 if truth == 2 else 0.0)


def test_exploding_outputs_give_no_warning() -> None:
    A, Y = column(np.inf, -np.inf, 1e300), column(1, 0, 1)
    assert metrics.metric("mse").value(A, Y) == np.inf
    assert metrics.metric("accuracy").value(A, Y) == 1.0
    assert np.isnan(metrics.metric("r2").value(A, Y))
    assert np.isnan(metrics.metric("log_loss").value(A, Y))


@pytest.mark.parametrize("name", ["log_loss", "brier"])
def test_what_is_no_probability_has_no_score(name: str) -> None:
    rule = metrics.metric(name)
    assert np.isnan(rule.value(column(0.5, 1.1), column(0, 1)))
    assert np.isnan(rule.value(column(0.5, -0.1), column(0, 1)))
    assert np.isnan(rule.value(np.array([[0.5, 0.6], [0.5, 0.5]]), np.array([0, 1])))
    single = np.array([[0.3, 0.7], [0.6, 0.4]], dtype=np.float32)
    assert np.isfinite(rule.value(single / single.sum(axis=1, keepdims=True), np.array([0, 1])))


def test_r2_of_one_sample_is_undefined_and_of_constant_targets_is_scikit_learns() -> None:
    assert np.isnan(metrics.metric("r2").value(column(1.0), column(1.0)))
    assert metrics.metric("r2").value(column(1.0, 1.0), column(1.0, 1.0)) == 1.0
    assert metrics.metric("r2").value(column(1.0, 2.0), column(1.0, 1.0)) == 0.0


def test_scores_without_any_case_are_zero_without_a_warning() -> None:
    for name in ("precision", "recall", "f1"):
        assert metrics.metric(name).value(column(0.1, 0.2), column(0, 0)) == 0.0


@given(st.integers(0, 1000), st.integers(2, 12))
def test_properties(seed: int, n: int) -> None:
    A, Y = draw(seed, n, 1)
    score = {name: float(metrics.metric(name).value(A, Y)) for name in metrics.METRICS}
    assert score["mse"] == pytest.approx(score["brier"], rel=1e-12)
    assert score["mae"] ** 2 <= score["mse"] * (1 + 1e-12)
    assert score["tolerance_accuracy"] <= score["accuracy"]
    flipped = 1 - Y
    off_half = metrics.metric("accuracy").value(A, flipped)
    assert score["accuracy"] + off_half == pytest.approx(1.0)
    perfect = metrics.metric("f1").value(Y, Y)
    assert perfect == 1.0


@pytest.mark.parametrize(
    ("A", "Y", "message"),
    [
        ((4, 1), (5, 1), r"\(5, 1\) do not fit predictions of shape \(4, 1\)"),
        ((3, 4, 1), (2, 4, 1), r"\(2, 4, 1\) do not fit predictions of shape \(3, 4, 1\)"),
        ((4, 3), (4, 2), r"\(4, 2\) do not fit"),
        ((4,), (4,), r"must be \(\.\.\., n, k\)"),
        ((0, 1), (0, 1), "at least one sample"),
    ],
)
def test_shapes_that_do_not_fit_name_both(A: tuple[int, ...], Y: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        metrics.metric("mse").value(np.zeros(A), np.zeros(Y))


def test_other_misfits() -> None:
    with pytest.raises(ShapeError, match="needs one output"):
        metrics.metric("median_threshold_accuracy").value(np.zeros((4, 2)), np.zeros((4, 2)))
    with pytest.raises(DataError, match="class numbers must be from 0 to 2 for 3 outputs, got 1 to 3"):
        metrics.metric("accuracy").value(np.zeros((2, 3)), np.array([1, 3]))


@pytest.mark.parametrize("name", list(metrics.METRICS))
def test_specs_round_trip(name: str) -> None:
    rule = metrics.metric(name)
    assert build(metrics.METRICS, spec_of(rule), "metric") == rule
    assert metrics.metric(rule) is rule
    assert set(rule.tasks) <= {"binary", "multiclass", "regression"}


def test_names_of_records() -> None:
    assert metrics.record_key("loss") == "loss"
    assert metrics.record_key("validation_loss") == "validation_loss"
    assert metrics.record_key("tolerance_accuracy(0.1)") == "tolerance_accuracy"
    assert metrics.record_key("validation_tolerance_accuracy(0.2)") == "validation_tolerance_accuracy(tol=0.2)"
    higher = {name for name in metrics.METRICS if metrics.higher_is_better(f"validation_{name}")}
    assert set(metrics.METRICS) - higher == {"mse", "mae", "log_loss", "brier"}
    assert not metrics.higher_is_better("validation_loss")
    for task in ("binary", "multiclass", "regression"):
        for spec in metrics.for_task(task):
            assert task in metrics.metric(spec).tasks
    with pytest.raises(ConfigError, match="did you mean 'accuracy'"):
        metrics.record_key("validation_acuracy")
    with pytest.raises(ConfigError, match="tol must be at least 0"):
        metrics.metric("tolerance_accuracy(-0.1)")
