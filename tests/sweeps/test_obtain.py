"""Obtaining runs: each once, whatever goes wrong."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from chainrule import train
from chainrule.engines import ProgressEvent
from chainrule.errors import ConfigError, StoreError
from chainrule.experiments.recipes.grid import Setting, make_setting
from chainrule.experiments.running.chunks import FIRST_RUNS, Pace
from chainrule.experiments.running.endings import ended
from chainrule.experiments.running.obtain import obtain
from chainrule.experiments.running.records import Obtained, ObtainEvent, UntrainableError
from chainrule.experiments.running.tasks import Task, make_tasks, source_of
from chainrule.experiments.store import Store
from chainrule.nn import mlp
from chainrule.population import TrainingConfig
from chainrule.runs import Run
from chainrule.training import train_members
from tests.sweeps.conftest import Memory, same


def setting(source: str = "xor", hidden: Sequence[int] = (3,), **training: object) -> Setting:
    return make_setting(source, mlp(list(hidden), "tanh"), TrainingConfig().replace(**({"epochs": 20} | training)))


GOOD = [setting(learning_rate=rate) for rate in (0.1, 0.5, 3.0)] + [setting(hidden=(4, 2)), setting("linear(n=30)")]
BAD = setting(stopping=["patience(5)"])  # there is no validation part to watch, which only its data could bring


def seeds_of(obtained: Obtained, one: Setting) -> list[int]:
    return [run.seed for run in obtained.runs[one.key]] if one.key in obtained.runs else []


def test_runs_are_those_of_train_to_the_last_bit(memory: Memory) -> None:
    got = obtain([(one, range(7)) for one in GOOD], store=memory)
    assert (got.computed, got.reused, got.missing) == (35, 0, {})
    for one in GOOD:
        alone = train(one.net, one.source, one.config, seeds=7)
        assert all(same(a, b) for a, b in zip(got.runs[one.key], alone, strict=True))


def test_more_seeds_and_more_settings_train_only_what_is_new(memory: Memory) -> None:
    obtain([(one, range(4)) for one in GOOD[:2]], store=memory)
    got = obtain([(one, (9, 3, 5)) for one in GOOD[:3]], store=memory)
    assert (got.computed, got.reused) == (7, 2)
    assert [seeds_of(got, one) for one in GOOD[:3]] == [[9, 3, 5]] * 3  # in the order asked for
    again = obtain([(one, (9, 3, 5)) for one in GOOD[:3]], store=memory)
    assert (again.computed, again.reused) == (0, 9)
    assert memory.held == set()


def test_a_run_named_twice_is_trained_once(memory: Memory) -> None:
    got = obtain([(GOOD[0], (1, 2)), (GOOD[0], (2, 3))], store=memory)
    assert got.computed == 3
    assert seeds_of(got, GOOD[0]) == [1, 2, 3]


def test_a_setting_that_cannot_be_trained_loses_no_other(memory: Memory) -> None:
    work = [(one, range(20)) for one in (*GOOD[:2], BAD, *GOOD[2:])]
    got = obtain(work, store=memory)
    assert list(got.missing) == [BAD.key]
    assert "validation" in got.missing[BAD.key]
    assert "\n" not in got.missing[BAD.key]
    assert all(seeds_of(got, one) == list(range(20)) for one in GOOD)
    assert memory.held == set()
    with pytest.raises(UntrainableError, match="validation") as caught:
        obtain(work, store=Memory(), fail_fast=True)
    assert caught.value.setting == BAD


def test_data_that_cannot_be_read_lose_no_others(memory: Memory) -> None:
    got = obtain([(setting("mnist"), range(3)), (GOOD[0], range(3))], store=memory, data_dir="/nonexistent")
    assert seeds_of(got, GOOD[0]) == [0, 1, 2] if got.missing else len(got.runs) == 2


def test_events_tell_of_every_run_once(memory: Memory) -> None:
    obtain([(GOOD[0], range(3))], store=memory)
    events: list[ObtainEvent] = []
    obtain([(one, range(30)) for one in (*GOOD, BAD)], store=memory, progress=events.append)
    told = [task for event in events for task, _ in event.runs]
    assert len(told) == len(set(told)) == 150
    assert {task.seed for event in events if not event.trained for task, _ in event.runs} == {0, 1, 2}
    last = events[-1]
    assert (last.done, last.total, last.failed) == (150, 180, 30)
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert [event.seconds for event in events] == sorted(event.seconds for event in events)


def test_nothing_is_begun_after_the_deadline(memory: Memory) -> None:
    pace = Pace()
    pace.begun = True
    got = obtain([(GOOD[0], range(5))], store=memory, deadline=time.monotonic() - 1, pace=pace)
    assert (got.computed, got.out_of_time, got.whole) == (0, True, False)
    assert got.missing == {GOOD[0].key: "the time was up"}
    many = obtain([(GOOD[0], range(5000))], store=memory, deadline=time.monotonic() - 1)
    assert (many.computed, many.out_of_time) == (FIRST_RUNS, True)  # one chunk, so that it gets on
    memory.runs.clear()
    assert obtain([(GOOD[0], range(5))], store=memory, deadline=time.monotonic() + 60).computed == 5
    # what is stored is read even when there is no time left
    assert obtain([(GOOD[0], range(5))], store=memory, deadline=time.monotonic() - 1).reused == 5


def test_a_deadline_is_overrun_by_one_chunk_at_most() -> None:
    long = setting(epochs=20_000, log_every=100)
    chunks_seen: list[tuple[float, int]] = []

    def hear(event: ObtainEvent) -> None:
        if event.runs:
            chunks_seen.append((time.monotonic(), len(event.runs)))

    obtain([(long, range(2))])  # compile
    deadline = time.monotonic() + 1.5
    got = obtain([(long, range(4_000))], deadline=deadline, progress=hear)
    assert got.out_of_time
    assert 0 < got.computed < 4_000
    assert sum(moment > deadline for moment, _ in chunks_seen) <= 1


class Interrupting(Memory):
    """Presses Ctrl-C at a chosen moment."""

    at = ""

    def claim(self, tasks: Sequence[Task]) -> list[Task]:
        claimed = super().claim(tasks)
        if self.at == "claim" and len(self.chunks) == 2:
            signal.raise_signal(signal.SIGINT)
        return claimed

    def save(self, runs: Sequence[tuple[Task, Run]]) -> None:
        if self.at == "save" and len(self.chunks) == 2:
            signal.raise_signal(signal.SIGINT)  # it must wait until the chunk is saved
        super().save(runs)


@pytest.mark.parametrize(("moment", "saved"), [("claim", 1), ("save", 2)])
def test_ctrl_c_keeps_what_is_finished(moment: str, saved: int) -> None:
    memory = Interrupting()
    memory.at = moment
    got = obtain([(GOOD[0], range(2000))], store=memory)
    assert got.interrupted
    assert got.computed == len(memory.runs) == sum(len(chunk) for chunk in memory.chunks[:saved])
    assert got.missing == {GOOD[0].key: "interrupted"}
    assert memory.held == set()
    assert len(obtain([(GOOD[0], range(2000))], store=memory).runs[GOOD[0].key]) == 2000


def test_ctrl_c_in_training_keeps_the_members_that_had_ended(memory: Memory) -> None:
    work = [(setting(epochs=1), range(3)), (setting(epochs=10**7, hidden=(9,), log_every=1000), range(2))]
    tasks = make_tasks(work)
    pressed: list[ProgressEvent] = []

    def press(event: ProgressEvent) -> None:
        if event.fraction > 0 and not pressed:
            pressed.append(event)
            signal.raise_signal(signal.SIGINT)

    runs = train_members([task.member for task in tasks], source_of("xor"), progress=press)
    assert runs.interrupted
    pairs = ended(tasks, runs)
    assert {task.seed for task, _ in pairs if task.setting == work[0][0]} <= {0, 1, 2}
    assert all(task.setting == work[0][0] for task, _ in pairs)
    assert all(run.epochs == 1 and task.seed == run.seed for task, run in pairs)


def test_members_that_never_began_leave_no_gap_in_the_pairs() -> None:
    tasks = make_tasks([(one, range(3)) for one in GOOD[:4]])
    runs = train_members([task.member for task in tasks], source_of("xor"))
    kept = [0, 2, 3, 7, 9, 11]
    cut = type(runs)(tuple(runs[k] for k in kept), runs.source, interrupted=True)
    assert [(task, run.seed) for task, run in ended(tasks, cut)] == [(tasks[k], tasks[k].seed) for k in kept]


class Neighbour(Memory):
    """Another process has some of the runs in work, and saves them while we wait; or dies."""

    def __init__(self, theirs: Sequence[tuple[Task, Run]], saves: bool) -> None:
        super().__init__()
        self.theirs, self.saves = dict(theirs), saves
        self.elsewhere = {task.key for task in self.theirs}

    def load(self, tasks: Sequence[Task], arrays: bool = True) -> dict[Task, Run]:
        if self.looks == 3:
            self.elsewhere = set()
            if self.saves:
                self.runs |= {task.key: run for task, run in self.theirs.items()}
        return super().load(tasks, arrays)


@pytest.mark.parametrize("saves", [True, False])
def test_what_others_compute_is_waited_for_or_taken_over(saves: bool) -> None:
    tasks = make_tasks([(GOOD[0], range(10))])
    theirs = list(zip(tasks, train_members([task.member for task in tasks[2:5]], source_of("xor")), strict=False))
    theirs = [(tasks[k + 2], run) for k, (_, run) in enumerate(theirs)]
    memory = Neighbour(theirs, saves)
    events: list[ObtainEvent] = []
    got = obtain([(GOOD[0], range(10))], store=memory, progress=events.append)
    assert seeds_of(got, GOOD[0]) == list(range(10))
    assert (got.computed, got.reused) == ((7, 3) if saves else (10, 0))
    assert max(event.elsewhere for event in events) == 3
    assert memory.looks > 3


def test_waiting_for_others_ends_at_the_deadline() -> None:
    tasks = make_tasks([(GOOD[0], range(4))])
    memory = Memory(elsewhere={task.key for task in tasks[:2]})
    started = time.monotonic()
    got = obtain([(GOOD[0], range(4))], store=memory, deadline=started + 1.5)
    assert time.monotonic() - started < 15
    assert got.out_of_time
    assert seeds_of(got, GOOD[0]) == [2, 3]


class Full(Memory):
    """Its disk is full at the second save."""

    def save(self, runs: Sequence[tuple[Task, Run]]) -> None:
        if len(self.chunks) == 2:
            raise StoreError("the disk is full")
        super().save(runs)


def test_trouble_with_the_store_is_told_and_leaves_no_claim() -> None:
    memory = Full()
    with pytest.raises(StoreError, match="full"):
        obtain([(GOOD[0], range(500))], store=memory)
    assert memory.held == set()
    assert len(memory.runs) == len(memory.chunks[0])


def test_a_real_store_resumes(tmp_path: Path) -> None:
    with Store.open(tmp_path / "runs.db") as store:
        first = obtain([(one, range(6)) for one in GOOD], store=store)
    with Store.open(tmp_path / "runs.db") as store:
        again = obtain([(one, range(8)) for one in GOOD], store=store)
    assert (again.computed, again.reused) == (10, 30)
    for one in GOOD:
        assert all(same(a, b) for a, b in zip(first.runs[one.key], again.runs[one.key], strict=False))


def test_reference_and_compiled_arithmetic_are_kept_apart(memory: Memory) -> None:
    obtain([(GOOD[0], range(3))], store=memory)
    assert obtain([(GOOD[0], range(3))], store=memory, engine="reference").computed == 3
    assert obtain([(GOOD[0], range(3))], store=memory, engine="gemm").reused == 3


def test_an_unknown_engine_fails_every_setting_or_at_once(memory: Memory) -> None:
    got = obtain([(GOOD[0], range(3))], store=memory, engine="warp")
    assert "warp" in got.missing[GOOD[0].key]
    with pytest.raises(ConfigError, match="warp"):
        obtain([(GOOD[0], range(3))], engine="warp", fail_fast=True)


def test_members_of_many_settings_share_a_chunk(memory: Memory) -> None:
    many = [setting(learning_rate=0.01 * (k + 1)) for k in range(12)]
    obtain([(one, range(5)) for one in many], store=memory)
    assert [len(chunk) for chunk in memory.chunks] == [12, 48]  # a seed of each first
    assert [len({task.setting for task in chunk}) for chunk in memory.chunks] == [12, 12]


def test_runs_without_arrays_are_saved_with_them(memory: Memory) -> None:
    light = obtain([(GOOD[0], range(5))], store=memory, arrays=False).runs[GOOD[0].key]
    again = obtain([(GOOD[0], range(5))], store=memory, arrays=False).runs[GOOD[0].key]
    full = obtain([(GOOD[0], range(5))], store=memory).runs[GOOD[0].key]
    for a, b, c in zip(light, again, full, strict=True):
        assert a.final == b.final == c.final
        assert (a.theta.size, a.history, b.theta.size, b.history) == (0, {}, 0, {})
        assert c.theta.size > 0
        assert len(c.history["epoch"]) == 21
