"""Stopping rules against hand-worked epochs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import optim
from chainrule.errors import ConfigError
from chainrule.spec import build, spec_of

NAN = math.nan


def stop_epoch(spec: str, values: list[float]) -> int | None:
    """Return the first epoch (from 0) after which the rule stops the only member."""
    rule = optim.stopping_rule(spec)
    state = rule.init(1)
    for epoch, value in enumerate(values):
        stop, state = rule.update(state, {rule.needs[0]: np.array([value])})
        assert stop.dtype == np.bool_
        if stop[0]:
            return epoch
    return None


@pytest.mark.parametrize(
    ("spec", "values", "expected"),
    [
        ("loss_below(0.5)", [0.9, 0.5, 0.4], 2),
        ("loss_below(0.5, times=3)", [0.4, 0.9, 0.3, 0.8, 0.2, 0.1], 4),  # the third time, not in a row
        ("loss_below(0.5)", [NAN, 0.6, math.inf], None),
        ("target(0.9)", [0.5, 0.89, 0.9], 2),
        ("target(0.9, times=2)", [0.95, 0.1, 0.9], 2),
        ("target(0.1, metric=mse)", [0.5, 0.1, 0.0], 1),
        ("target(0.1, metric=loss)", [0.5, 0.2, 0.05], 2),
        ("target(0.5, metric=validation_r2)", [0.2, NAN, 0.7], 2),
        ("target(0.1, metric=mae)", [NAN, NAN], None),
        ("patience(2)", [1.0, 0.9, 0.9, 0.95], 3),
        ("patience(2)", [1.0, 0.9, 0.95, 0.8, 0.81, 0.82], 5),
        ("patience(1, min_delta=0.1)", [1.0, 0.95], 1),
        ("patience(2, min_delta=0.1)", [1.0, 0.95, 0.85, 0.8, 0.76], 4),  # 0.85 improves on 1.0, the rest too little
        ("patience(2)", [NAN, NAN], 1),
        ("patience(2)", [1.0, NAN, 0.5, NAN, NAN], 4),
        ("patience(2, monitor=validation_accuracy)", [0.5, 0.6, 0.6, 0.4], 3),
        ("patience(1, monitor=loss)", [1.0, 0.9, 0.8, 0.8], 3),
    ],
)
def test_stop_epoch_by_hand(spec: str, values: list[float], expected: int | None) -> None:
    assert stop_epoch(spec, values) == expected


def test_members_stop_on_their_own() -> None:
    rule = optim.stopping_rule("loss_below(0.5, times=2)")
    state = rule.init(3)
    stops = []
    for losses in ([0.4, 0.6, NAN], [0.4, 0.4, NAN], [0.9, 0.4, 0.1]):
        stop, state = rule.update(state, {"loss": np.array(losses), "accuracy": np.zeros(3)})
        stops.append(stop.tolist())
    assert stops == [[False] * 3, [True, False, False], [True, True, False]]


def test_patience_marks_the_epochs_whose_weights_are_to_be_kept() -> None:
    rule = optim.stopping_rule("patience(5)")
    assert rule.restore_best
    state = rule.init(2)
    marks = []
    for losses in ([1.0, NAN], [0.5, 2.0], [0.7, 3.0], [0.4, 1.0]):
        _, state = rule.update(state, {"validation_loss": np.array(losses)})
        marks.append(state["improved"].tolist())
    assert marks == [[True, False], [True, True], [False, False], [True, True]]
    assert state["best"].tolist() == [0.4, 1.0]


@given(st.lists(st.one_of(st.floats(0, 2), st.just(NAN)), min_size=1, max_size=30), st.integers(1, 5))
def test_patience_equals_its_definition(values: list[float], wait: int) -> None:
    """It stops at the first epoch whose last `wait` values are no better than the best before them."""
    expected, best = None, math.inf
    last = -1
    for epoch, value in enumerate(values):
        if value < best:
            best, last = value, epoch
        if epoch - last >= wait:
            expected = epoch
            break
    assert stop_epoch(f"patience({wait})", values) == expected


def test_states_can_be_compacted_and_calls_are_pure() -> None:
    for spec in ("loss_below(0.5, 2)", "patience(2, monitor=loss)", "target(0.5, loss, times=2)"):
        rule = optim.stopping_rule(spec)
        _, state = rule.update(rule.init(4), {"loss": np.array([0.1, 0.9, 0.2, 0.8])})
        for array in state.values():
            array.setflags(write=False)
        whole, _ = rule.update(state, {"loss": np.array([0.2, 0.2, 0.9, 0.9])})
        part, _ = rule.update({k: v[[1, 2]] for k, v in state.items()}, {"loss": np.array([0.2, 0.9])})
        assert part.tolist() == whole[[1, 2]].tolist()


def test_reasons_and_needs() -> None:
    facts = {
        "loss_below(0.1)": ("loss_below", True, False, ("loss",)),
        "patience(3)": ("patience", False, True, ("validation_loss",)),
        "target(0.9)": ("target", True, False, ("accuracy",)),
        "target(0.9, 'validation_tolerance_accuracy(0.1)')": (
            "target",
            True,
            False,
            ("validation_tolerance_accuracy",),
        ),
        "target(0.9, 'tolerance_accuracy(0.2)')": ("target", True, False, ("tolerance_accuracy(tol=0.2)",)),
    }
    for spec, expected in facts.items():
        rule = optim.stopping_rule(spec)
        assert (rule.reason, rule.converged, rule.restore_best, rule.needs) == expected
        assert build(optim.STOPPING_RULES, spec_of(rule), "stopping rule") == rule
        assert optim.stopping_rule(rule) is rule


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("loss_belo(1)", "did you mean 'loss_below'"),
        ("loss_below", "needs a value for 'threshold'"),
        ("loss_below(nan)", "threshold must be a finite number"),
        ("loss_below(0.1, times=0)", "times must be a whole number from 1"),
        ("patience(0)", "epochs must be a whole number from 1"),
        ("patience(3, min_delta=-1)", "min_delta must be at least 0"),
        ("patience(3, monitor=validation_los)", "unknown metric 'los'"),
        ("target(inf)", "value must be a finite number"),
        ("target(0.9, metric=accurcy)", "did you mean 'accuracy'"),
    ],
)
def test_impossible_values_name_the_key(spec: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        optim.stopping_rule(spec)
