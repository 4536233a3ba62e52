"""Ctrl-C while compiled engines train: at any moment, what was trained comes back, whole and true."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import CO_GENERATOR
from types import FrameType
from typing import Any

import numpy as np
import pytest

from chainrule import Member, Run, Runs, TrainingConfig, mlp, train, train_members
from chainrule.engines import ProgressEvent
from chainrule.engines.compiled import bundles, relay, session

COMPILED = ["lanes", "gemm"]
NETWORK = mlp([4], "tanh", output="identity")
SETTINGS: dict[str, Any] = {
    "epochs": 12,
    "batch_size": 7,
    "stopping": ("loss_below(0.1)", "patience(1, monitor=validation_loss)"),
    "validation": 0.2,
    "optimizer": "momentum",
    "window": 4,
}


def members() -> list[Member]:
    configs = [TrainingConfig(learning_rate=rate, **SETTINGS) for rate in (0.005, 0.05, 1e100)]
    return [Member(NETWORK, config, seed) for seed in range(3) for config in configs]


@pytest.fixture(scope="module", params=COMPILED)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def whole(engine: str) -> dict[Member, Run]:
    """The same members, left in peace."""
    return dict(zip(members(), train_members(members(), "linear(n=25)", engine=engine), strict=True))


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


@pytest.fixture
def one_epoch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "TARGET_SECONDS", 1e-9)
    monkeypatch.setattr(session, "LONGEST_SECONDS", 1e-9)


class PressCtrlC:
    """Progress that presses Ctrl-C at one event."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def __call__(self, event: ProgressEvent) -> None:
        self.count += 1
        if self.count == self.at:
            raise KeyboardInterrupt


@pytest.mark.usefixtures("one_epoch_at_a_time")
@pytest.mark.parametrize("most", [1, 4, 100])
@pytest.mark.parametrize("at", [1, 2, 3, 5, 9])
def test_ctrl_c_while_progress_is_told(
    engine: str, whole: dict[Member, Run], monkeypatch: pytest.MonkeyPatch, at: int, most: int
) -> None:
    monkeypatch.setattr(bundles, "MOST_MEMBERS", most)
    press = PressCtrlC(at)
    runs = train_members(members(), "linear(n=25)", engine=engine, progress=press)
    check(runs, whole)
    assert press.count == at
    assert (len(runs) == 9) == (most == 100)  # else only those that had started
    if most == 100:
        assert any(run.stop_reason == "interrupted" for run in runs)


@pytest.mark.usefixtures("one_epoch_at_a_time")
def test_an_interrupted_run_is_as_it_was_after_its_last_epoch(engine: str) -> None:
    def press(event: ProgressEvent) -> None:
        if event.epoch == 5 and event.record is not None:
            raise KeyboardInterrupt

    settings: dict[str, Any] = {"batch_size": 4, "learning_rate": 0.2, "seeds": 3, "engine": engine}
    runs = train(NETWORK, "xor", epochs=50, progress=press, **settings)
    assert runs.interrupted
    for run in runs:
        exact = train(NETWORK, "xor", epochs=run.epochs, **settings).with_seed(run.seed)
        assert run.stop_reason == "interrupted"
        assert 5 <= run.epochs < 50
        assert run.theta.tobytes() == exact.theta.tobytes()
        assert run.final == pytest.approx(exact.final, rel=1e-12)


@pytest.mark.usefixtures("one_epoch_at_a_time")
def test_an_interrupted_run_with_patience_gives_its_best_weights(engine: str) -> None:
    def press(event: ProgressEvent) -> None:
        if event.epoch == 30:
            raise KeyboardInterrupt

    settings: dict[str, Any] = {"validation": 0.4, "batch_size": 3, "learning_rate": 2.0, "engine": engine}
    run = train(mlp([4], "tanh"), "linear(n=30)", stopping=("patience(100)",), progress=press, **settings)[0]
    best = int(np.argmin(run.history["validation_loss"]))
    assert (run.stop_reason, best < 30 <= run.epochs) == ("interrupted", True)
    exact = train(mlp([4], "tanh"), "linear(n=30)", epochs=best, **settings)[0]
    assert run.theta.tobytes() == exact.theta.tobytes()


@pytest.mark.parametrize("batch_size", ["full", 5])
def test_a_signal_in_the_middle_of_a_kernel(engine: str, batch_size: int | str) -> None:
    """It ends at the next step, not at the end of the stretch."""
    alarm = threading.Timer(0.03, os.kill, (os.getpid(), signal.SIGINT))

    def set_the_alarm(event: ProgressEvent) -> None:
        if event.epoch > 0 and alarm.ident is None:
            alarm.start()

    settings: dict[str, Any] = {"batch_size": batch_size, "log_every": 10**6, "seeds": 3, "engine": engine}
    runs = train(NETWORK, "xor", epochs=10**9, progress=set_the_alarm, **settings)
    alarm.join()
    assert runs.interrupted
    for run in runs:
        assert run.stop_reason == "interrupted"
        assert 0 < run.epochs < 10**9
        assert np.isfinite(run.theta).all()
        if batch_size == "full":
            exact = train(NETWORK, "xor", epochs=run.epochs, **settings).with_seed(run.seed)
            assert run.theta.tobytes() == exact.theta.tobytes()


def test_weights_that_broke_in_the_epoch_of_ctrl_c_are_told_from_the_others(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rate of 1e40 breaks the first epoch; it is cancelled before its end, in which divergence would be found."""
    monkeypatch.setattr(relay, "SECONDS_BETWEEN_GLANCES", 0.001)
    rng = np.random.default_rng(0)
    data = (rng.normal(size=(100_000, 4)), rng.normal(size=100_000))

    def press(event: ProgressEvent) -> None:
        if event.fraction > 0.6 / 50:  # of an epoch, both together: both have begun
            raise KeyboardInterrupt

    settings: dict[str, Any] = {"batch_size": 1, "epochs": 50, "log_every": 100, "threads": 2, "engine": engine}
    network = mlp([32], "identity", output="identity")
    runs = train(network, data, learning_rates=(1e-4, 1e40), progress=press, **settings)
    assert [run.stop_reason for run in runs] == ["interrupted", "diverged"]


def test_ctrl_c_before_anything_started_goes_on_its_way(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", press)
    with pytest.raises(KeyboardInterrupt):
        train(NETWORK, "xor", epochs=3, engine=engine)


def test_a_second_ctrl_c_ends_the_waiting(
    engine: str, whole: dict[Member, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chunks that had ended are kept; nobody waits for the one in training."""
    monkeypatch.setattr(bundles, "MOST_MEMBERS", 1)
    finish, release = session._Chunk._finish, threading.Event()
    finished: list[Any] = []
    join = threading.Thread.join

    def slow(self: Any) -> None:
        if len(finished) == 2:
            release.wait(10)
        finished.append(self)
        finish(self)

    def press(thread: threading.Thread, *arguments: Any) -> None:
        if thread.name == "chainrule-training":
            raise KeyboardInterrupt
        join(thread, *arguments)

    def press_while_the_third_is_trained(event: ProgressEvent) -> None:
        if len(finished) == 2:
            monkeypatch.setattr(threading.Thread, "join", press)
            raise KeyboardInterrupt

    monkeypatch.setattr(session._Chunk, "_finish", slow)
    runs = train_members(members(), "linear(n=25)", engine=engine, progress=press_while_the_third_is_trained)
    release.set()
    check(runs, whole)
    assert len(runs) == 2


@contextmanager
def ctrl_c_at(number: int) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt at the `number`-th call that the engine makes in this thread, as a signal would.

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


@pytest.mark.usefixtures("one_epoch_at_a_time")
def test_ctrl_c_at_any_call_of_the_engine(
    engine: str, whole: dict[Member, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the choice of the engine to the end; what leads the training never hears of it."""
    monkeypatch.setattr(bundles, "MOST_MEMBERS", 5)
    with ctrl_c_at(-1) as calls:
        train_members(members(), "linear(n=25)", engine=engine, progress=lambda event: None)
    for number in range(1, calls[0] + 1, max(calls[0] // 100, 1)):
        try:
            with ctrl_c_at(number):
                runs = train_members(members(), "linear(n=25)", engine=engine, progress=lambda event: None)
        except KeyboardInterrupt:
            continue
        if runs.interrupted:  # the number of calls differs from time to time
            check(runs, whole)
