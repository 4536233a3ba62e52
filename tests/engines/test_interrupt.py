"""Ctrl-C at any moment: what was trained comes back, whole and true."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import CO_GENERATOR
from types import FrameType
from typing import Any

import numpy as np
import pytest

from chainrule import Member, Run, Runs, TrainingConfig, mlp, train, train_members
from chainrule.engines import ProgressEvent, _session, reference
from chainrule.engines._evaluation import Evaluation
from chainrule.engines._session import Session

SETTINGS: dict[str, Any] = {
    "epochs": 12,
    "batch_size": 7,
    "stopping": ("loss_below(0.1)", "patience(1, monitor=validation_loss)"),
    "validation": 0.2,
    "optimizer": "momentum",
    "window": 4,
}
NETWORK = mlp([4], "tanh", output="identity")


def members() -> list[Member]:
    configs = [TrainingConfig(learning_rate=rate, **SETTINGS) for rate in (0.005, 0.05, 1e100)]
    return [Member(NETWORK, config, seed) for seed in range(3) for config in configs]


@pytest.fixture(scope="module")
def whole() -> dict[Member, Run]:
    """The same members, left in peace."""
    return dict(zip(members(), train_members(members(), "linear(n=25)", engine="reference"), strict=True))


def check(runs: Runs, whole: dict[Member, Run]) -> None:
    """Finished runs are those of undisturbed training; interrupted ones are on the way there."""
    assert runs.interrupted
    for run in runs:
        full = next(
            full for member, full in whole.items() if (member.config, member.seed) == (run.member.config, run.seed)
        )
        rows = len(run.history.get("epoch", ()))
        for name, values in run.history.items():
            np.testing.assert_array_equal(values, full.history[name][:rows])
        for name, values in run.windows.items():
            np.testing.assert_array_equal(values, full.windows[name][: len(values)])
        if run.stop_reason != "interrupted":
            assert run.theta.tobytes() == full.theta.tobytes()
            assert (run.stop_reason, run.epochs, run.divergence) == (full.stop_reason, full.epochs, full.divergence)
            np.testing.assert_equal(run.final, full.final)
        else:
            assert run.epochs <= full.epochs
            assert not run.converged
            assert set(run.final) == set(full.final)
            assert np.isfinite(run.theta).all()
    order = [(run.seed, run.member.config) for run in runs]
    asked = [(member.seed, member.config) for member in whole]
    assert order == [pair for pair in asked if pair in order]


class PressCtrlC:
    """Progress that presses Ctrl-C at one event, and at every one after it."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def __call__(self, event: ProgressEvent) -> None:
        self.count += 1
        if self.count >= self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("chunk_bytes", [1, 10**9])
@pytest.mark.parametrize("at", [1, 2, 5, 13, 14])
def test_ctrl_c_while_progress_is_told(
    whole: dict[Member, Run], monkeypatch: pytest.MonkeyPatch, at: int, chunk_bytes: int
) -> None:
    monkeypatch.setattr(reference, "CHUNK_BYTES", chunk_bytes)
    press = PressCtrlC(at)
    runs = train_members(members(), "linear(n=25)", engine="reference", progress=press)
    check(runs, whole)
    assert press.count == at
    assert (len(runs) == 9) == (chunk_bytes > 1)  # else only those that had started
    if chunk_bytes > 1:
        assert any(run.stop_reason == "interrupted" for run in runs) == (at < 14)  # the last event: all have ended


def test_an_interrupted_run_is_as_it_was_after_its_last_epoch() -> None:
    """Told before epoch 5 is trained: the weights are those after 5 epochs."""

    def press(event: ProgressEvent) -> None:
        if event.epoch == 5 and event.record is not None:
            raise KeyboardInterrupt

    runs = train(
        NETWORK, "xor", seeds=3, epochs=50, batch_size=4, learning_rate=0.2, progress=press, engine="reference"
    )
    exact = train(NETWORK, "xor", seeds=3, epochs=5, batch_size=4, learning_rate=0.2, engine="reference")
    assert runs.interrupted
    for run, other in zip(runs, exact, strict=True):
        assert (run.stop_reason, run.epochs) == ("interrupted", 5)
        assert run.theta.tobytes() == other.theta.tobytes()
        assert run.final == other.final
        assert run.history["epoch"].tolist() == [0, 1, 2, 3, 4, 5]


def test_an_interrupted_run_with_patience_gives_its_best_weights() -> None:
    def press(event: ProgressEvent) -> None:
        if event.epoch == 30 and event.record is not None:
            raise KeyboardInterrupt

    settings: dict[str, Any] = {"validation": 0.4, "batch_size": 3, "learning_rate": 2.0}
    network = mlp([4], "tanh")
    run = train(network, "linear(n=30)", stopping=("patience(100)",), progress=press, engine="reference", **settings)[0]
    best = int(np.argmin(run.history["validation_loss"]))
    assert (run.stop_reason, run.epochs, best < 30) == ("interrupted", 30, True)
    exact = train(network, "linear(n=30)", epochs=best, **settings, engine="reference")[0]
    assert run.theta.tobytes() == exact.theta.tobytes()


def test_ctrl_c_in_the_middle_of_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long epoch tells progress between its steps; a member whose loss has broken by then is told from the others."""
    monkeypatch.setattr(_session, "SECONDS_BETWEEN_EVENTS", 0.0)

    def press(event: ProgressEvent) -> None:
        if event.record is None and event.epoch == 4:
            raise KeyboardInterrupt

    network = mlp([3], "identity", output="identity")
    rates = (0.01, 1e40)
    runs = train(network, "xor", epochs=9, batch_size=1, learning_rates=rates, progress=press, engine="reference")
    assert [run.stop_reason for run in runs] == ["interrupted", "diverged"]
    runs = train(network, "xor", epochs=9, batch_size=21, learning_rates=rates, progress=press, engine="reference")
    assert runs.interrupted


def test_ctrl_c_before_anything_started_goes_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def press(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "_gather", press)
    with pytest.raises(KeyboardInterrupt):
        train(NETWORK, "xor", epochs=3, engine="reference")


def test_ctrl_c_while_finishing_loses_nothing(whole: dict[Member, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """The members are trained; the key is pressed while their final metrics are computed."""
    finals, pressed = Evaluation.finals, [False]

    def press_once(*args: Any) -> Any:
        if not pressed[0]:
            pressed[0] = True
            raise KeyboardInterrupt
        return finals(*args)

    monkeypatch.setattr(Evaluation, "finals", press_once)
    monkeypatch.setattr(reference, "CHUNK_BYTES", 1)  # one member a chunk: the others do not start
    runs = train_members(members(), "linear(n=25)", engine="reference")
    check(runs, whole)
    assert len(runs) == 1
    assert runs[0].stop_reason != "interrupted"


@pytest.mark.parametrize("at", range(1, 7))
def test_ctrl_c_while_members_are_taken_out_keeps_their_reason(
    whole: dict[Member, Run], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """The members have their outcome, but are not yet taken out of the arrays."""
    keep, calls, given = Session._keep, [0], {}

    def press_once(session: Session, staying: Any) -> None:
        calls[0] += 1
        if calls[0] == at:
            given.update(session.outcome)
            raise KeyboardInterrupt
        keep(session, staying)

    monkeypatch.setattr(Session, "_keep", press_once)
    runs = train_members(members(), "linear(n=25)", engine="reference")
    check(runs, whole)
    by_setting = {(run.seed, run.member.config): run.stop_reason for run in runs}
    ended = sorted(outcome.reason for outcome in given.values())
    assert sorted(reason for reason in by_setting.values() if reason != "interrupted") == ended
    assert at == 1 or {"patience", "loss_below"} & set(ended)


def test_a_second_ctrl_c_costs_one_chunk_only(whole: dict[Member, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    finals, calls = Evaluation.finals, [0]

    def press_from_the_third_on(*args: Any) -> Any:
        calls[0] += 1
        if calls[0] >= 3:
            raise KeyboardInterrupt
        return finals(*args)

    monkeypatch.setattr(Evaluation, "finals", press_from_the_third_on)
    monkeypatch.setattr(reference, "CHUNK_BYTES", 1)
    runs = train_members(members(), "linear(n=25)", engine="reference")
    check(runs, whole)
    assert len(runs) == 2


@contextmanager
def ctrl_c_at(number: int) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt at the `number`-th call made by the engine, where Python would deliver a signal.

    Not in generators: Python drops what is raised while it closes one.
    """
    calls = [0]

    def watch(frame: FrameType, event: str, _: Any) -> None:
        inside = "/chainrule/engines/" in frame.f_code.co_filename and not frame.f_code.co_flags & CO_GENERATOR
        if event in ("call", "c_call") and inside:
            calls[0] += 1
            if calls[0] == number:
                raise KeyboardInterrupt

    sys.setprofile(watch)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def test_ctrl_c_at_any_call_of_the_engine(whole: dict[Member, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the middle of taking members out, keeping a row, or putting runs together."""
    monkeypatch.setattr(reference, "CHUNK_BYTES", 60_000)
    with ctrl_c_at(-1) as calls:
        train_members(members(), "linear(n=25)", engine="reference")
    ends = set()
    for number in range(1, calls[0], max(calls[0] // 150, 1)):
        try:
            with ctrl_c_at(number):
                runs = train_members(members(), "linear(n=25)", engine="reference")
        except KeyboardInterrupt:
            assert number < calls[0] // 4  # only before the first chunk started
            continue
        check(runs, whole)
        ends |= {run.stop_reason for run in runs}
    assert ends == {"interrupted", "diverged", "loss_below", "patience", "epochs"}
