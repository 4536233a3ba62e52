"""Schedules against hand-worked rates, and the promise that every member has its own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import optim
from chainrule.errors import ConfigError
from chainrule.spec import build, spec_of


def rates(spec: str, base: float, n_epochs: int, total: int | None = None) -> list[float]:
    """Return the rate of each epoch."""
    clock = optim.schedule(spec)
    state, seen = clock.init(np.array([base])), []
    for epoch in range(n_epochs):
        state = clock.on_epoch(state, epoch, total or n_epochs)
        seen.append(float(state["lr"][0]))
    return seen


@pytest.mark.parametrize(
    ("spec", "base", "expected"),
    [
        ("constant", 0.3, [0.3] * 6),
        ("step(2)", 1.0, [1, 1, 0.1, 0.1, 0.01, 0.01]),
        ("step(3, 0.5)", 0.8, [0.8, 0.8, 0.8, 0.4, 0.4, 0.4]),
        ("exponential(0.5)", 0.8, [0.8, 0.4, 0.2, 0.1, 0.05, 0.025]),
        ("cosine", 2.0, [2, 1 + math.sqrt(3) / 2, 1.5, 1, 0.5, 1 - math.sqrt(3) / 2]),
        ("cosine(0.5)", 2.0, [2, 1.5 + math.sqrt(3) / 4, 1.75, 1.5, 1.25, 1.5 - math.sqrt(3) / 4]),
        ("self_multiplying(2)", 0.8, [0.8, 0.8, 0.64, 0.64, 0.4096, 0.4096]),
        ("warmup(4)", 1.0, [0.25, 0.5, 0.75, 1, 1, 1]),
        ("warmup(2, then=exponential)", 0.0, []),
        ("warmup(2, then='exponential(0.5)')", 1.0, [0.5, 1, 1, 0.5, 0.25, 0.125]),
        ("warmup(2, then=cosine)", 1.0, [0.5, 1, 1, 0.5 + math.sqrt(2) / 4, 0.5, 0.5 - math.sqrt(2) / 4]),
        ("warmup(1, 'self_multiplying(2)')", 0.5, [0.5, 0.5, 0.5, 0.25, 0.25, 0.0625]),
    ],
)
def test_rates_by_hand(spec: str, base: float, expected: list[float]) -> None:
    if not expected:
        with pytest.raises(ConfigError, match="'exponential' needs a value for 'decay'"):
            optim.schedule(spec)
        return
    np.testing.assert_allclose(rates(spec, base, 6), expected, rtol=1e-14)


def test_report_a_squares_the_rate_every_500_epochs() -> None:
    seen = rates("self_multiplying(500)", 0.8, 1501)
    assert [seen[e] for e in (0, 499)] == [0.8, 0.8]
    np.testing.assert_allclose([seen[e] for e in (500, 999, 1000, 1500)], [0.64, 0.64, 0.4096, 0.16777216], rtol=1e-14)


def test_a_rate_above_one_explodes_without_a_warning() -> None:
    assert rates("self_multiplying(1)", 10.0, 12)[-1] == math.inf
    assert rates("step(1, 1e6)", 1.0, 60)[-1] == math.inf


def test_cosine_ends_at_the_final_rate_after_the_last_epoch() -> None:
    clock = optim.schedule("cosine(0.2)")
    state = clock.on_epoch(clock.init(np.array([0.5])), 10, 10)
    assert state["lr"][0] == pytest.approx(0.1)


def test_every_member_has_its_own_rate() -> None:
    base = np.array([0.8, 0.1, 1.0])
    for spec in ("constant", "step(2)", "exponential(0.9)", "cosine", "self_multiplying(2)", "warmup(3, cosine)"):
        clock = optim.schedule(spec)
        state = clock.init(base)
        for epoch in range(6):
            state = clock.on_epoch(state, epoch, 6)
            assert all(len(v) == 3 for v in state.values())
        assert state["lr"].tolist() == [rates(spec, float(b), 6)[-1] for b in base]


def feed(spec: str, base: list[float], losses: list[list[float]]) -> list[list[float]]:
    """Return the rates after each step of a schedule that watches the loss."""
    clock = optim.schedule(spec)
    assert clock.needs_step_loss
    state, seen = clock.on_epoch(clock.init(np.array(base)), 0, 1), []
    for loss in losses:
        state = clock.on_step(state, np.array(loss))
        seen.append(state["lr"].tolist())
    return seen


def test_loss_ratio_by_hand() -> None:
    # Windows of two: means 2, 1, 3 for the first member and 1, 1, 0.5 for the second.
    seen = feed("loss_ratio(2)", [0.1, 0.4], [[1, 1], [3, 1], [1, 1], [1, 1], [4, 0.5], [2, 0.5]])
    first, second = [row[0] for row in seen], [row[1] for row in seen]
    np.testing.assert_allclose(first, [0.1, 0.1, 0.1, 0.05, 0.05, 0.15], rtol=1e-14)
    np.testing.assert_allclose(second, [0.4, 0.4, 0.4, 0.4, 0.4, 0.2], rtol=1e-14)


def test_loss_ratio_keeps_the_rate_where_the_ratio_is_no_number() -> None:
    nan, inf = math.nan, math.inf
    columns = {
        "previous mean zero": [0.0, 1.0],
        "both zero": [0.0, 0.0],
        "previous mean nan": [nan, 1.0],
        "this mean nan": [1.0, nan],
        "previous mean infinite": [inf, 1.0],
        "this mean infinite": [1.0, inf],
        "this mean zero": [1.0, 0.0],
    }
    seen = feed("loss_ratio(1)", [0.3] * len(columns), [list(step) for step in zip(*columns.values(), strict=True)])
    assert seen[-1] == [0.3] * len(columns)


def test_loss_ratio_runs_across_epochs_and_recovers_after_a_bad_window() -> None:
    clock = optim.schedule("loss_ratio(2)")
    state = clock.init(np.array([1.0]))
    for epoch, loss in enumerate([4.0, 4.0, 2.0, 2.0, math.nan, 1.0, 8.0, 8.0, 2.0, 2.0]):
        state = clock.on_step(clock.on_epoch(state, epoch, 10), np.array([loss]))
    assert state["lr"][0] == pytest.approx(0.5 * 0.25)  # 2/4, then (nan, skipped twice), then 2/8


def test_warmup_hides_its_steps_from_the_schedule_that_follows() -> None:
    clock = optim.schedule("warmup(1, then='loss_ratio(1)')")
    assert clock.needs_step_loss
    assert not optim.schedule("warmup(1)").needs_step_loss
    state = clock.on_epoch(clock.init(np.array([0.5])), 0, 3)
    for loss in (9.0, 3.0):
        state = clock.on_step(state, np.array([loss]))
    state = clock.on_epoch(state, 1, 3)
    assert state["lr"][0] == 0.5
    for loss in (4.0, 2.0):
        state = clock.on_step(state, np.array([loss]))
    assert state["lr"][0] == 0.25


@given(
    spec=st.sampled_from(
        ["constant", "step(3)", "exponential(0.9)", "cosine", "self_multiplying(4)", "loss_ratio(2)", "warmup(2)"]
    ),
    losses=st.lists(st.floats(0, 10), min_size=6, max_size=6),
)
def test_calls_are_pure_and_members_do_not_disturb_each_other(spec: str, losses: list[float]) -> None:
    clock = optim.schedule(spec)
    both, alone = clock.init(np.array([0.5, 0.9])), clock.init(np.array([0.9]))
    for epoch, loss in enumerate(losses):
        for array in both.values():
            array.setflags(write=False)
        both = clock.on_step(clock.on_epoch(both, epoch, 6), np.array([1.0, loss]))
        alone = clock.on_step(clock.on_epoch(alone, epoch, 6), np.array([loss]))
        assert all(np.array_equal(both[k][1:], alone[k], equal_nan=True) for k in alone)


@pytest.mark.parametrize("spec", ["step(5, 0.3)", "cosine(0.1)", "warmup(3, then='step(5, factor=0.5)')", "constant"])
def test_specs_round_trip(spec: str) -> None:
    clock = optim.schedule(spec)
    assert build(optim.SCHEDULES, spec_of(clock), "schedule") == clock
    assert optim.schedule(clock) is clock


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cosin", "did you mean 'cosine'"),
        ("step", "needs a value for 'every'"),
        ("step(0)", "every must be a whole number from 1"),
        ("step(5, 0)", "factor must be above 0"),
        ("step(1.5)", "'every' must be int"),
        ("exponential(-1)", "decay must be above 0"),
        ("exponential(nan)", "decay"),
        ("cosine(1.5)", "final must be from 0 to 1"),
        ("self_multiplying(0)", "every"),
        ("loss_ratio(0)", "window"),
        ("loss_ratio(10000000000)", "window"),
        ("warmup(0)", "epochs"),
        ("warmup(3, then=cosin)", "did you mean 'cosine'"),
        ("warmup(3, then='warmup(2)')", "without warm-up"),
    ],
)
def test_impossible_values_name_the_key(spec: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        optim.schedule(spec)
