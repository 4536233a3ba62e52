"""What is saved comes back to the last bit; what is reserved is nobody else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import StoreError
from chainrule.experiments.running.obtain import obtain
from chainrule.experiments.running.tasks import make_tasks
from chainrule.experiments.store import Store
from tests.store.conftest import Open, Pairs, assert_same, setting_of
from tests.store.makers import made_up


def test_runs_of_every_kind_come_back_to_the_last_bit(opened: Open, mixed: Pairs) -> None:
    with opened() as store:
        store.save(mixed)
    found = opened(create=False).load([task for task, _ in mixed])
    assert list(found) != []
    for task, run in mixed:
        assert_same(found[task], run)


def test_odd_numbers_come_back_to_the_last_bit(store: Store, plain: Pairs) -> None:
    task, run = plain[0]
    payload = np.array([0x7FF8_0000_0000_BEEF, 0x8000_0000_0000_0000, 0xFFF0_0000_0000_0000], np.uint64).view("f8")
    odd = replace(
        run,
        final={"nan": float(payload[0]), "minus zero": -0.0, "infinite": -np.inf, "tiny": 5e-324, "one": 1.0},
        history={"epoch": np.arange(3.0), "odd": payload, "none": np.empty(0), "half": np.ones(2, np.float16)},
        windows={},
        theta=payload[np.arange(run.theta.size) % 3],
    )
    store.save([(task, odd)])
    assert_same(store.load([task])[task], odd)


def test_without_arrays_everything_else_is_there(store: Store, mixed: Pairs) -> None:
    store.save(mixed)
    for task, run in store.load([task for task, _ in mixed], arrays=False).items():
        whole = dict(mixed)[task]
        assert run.final.keys() == whole.final.keys()
        assert (run.member, run.divergence) == (whole.member, whole.divergence)
        assert run.theta.size == 0
        assert (run.history, run.windows) == ({}, {})


@pytest.mark.parametrize(("weights", "histories"), [(False, True), (True, False), (False, False)])
def test_arrays_are_kept_as_asked(opened: Open, mixed: Pairs, weights: bool, histories: bool) -> None:
    store = opened(keep_weights=weights, keep_histories=histories)
    store.save(mixed)
    found = store.load([task for task, _ in mixed])
    for task, run in mixed:
        assert np.array_equal(found[task].theta, run.theta if weights else [], equal_nan=True)
        assert list(found[task].history) == (list(run.history) if histories else [])
        assert (found[task].normalization is None) == (run.normalization is None or not weights)


def test_a_task_is_claimed_once_until_it_is_released(opened: Open, plain: Pairs) -> None:
    one, other = opened(), opened()
    tasks = [task for task, _ in plain]
    assert one.claim(tasks[:8]) == tasks[:8]
    assert other.claim(tasks) == tasks[8:]
    assert one.claim(tasks) == tasks[:8]  # its own again
    other.release(tasks)  # what is not its own stays reserved
    assert one.claim(tasks) == tasks
    one.close()
    assert other.claim([*tasks, tasks[0]]) == tasks


def test_stored_runs_are_not_claimed(opened: Open, plain: Pairs) -> None:
    one, other = opened(), opened()
    one.claim([task for task, _ in plain])
    one.save(plain[:5])
    assert other.claim([task for task, _ in plain]) == []
    one.release([task for task, _ in plain])
    assert other.claim([task for task, _ in plain]) == [task for task, _ in plain[5:]]


def test_saving_again_changes_nothing_and_other_numbers_are_refused(store: Store, plain: Pairs) -> None:
    store.save(plain)
    store.save(plain)
    store.save([plain[0], plain[0]])
    assert store.count() == len(plain)
    task, run = plain[3]
    with pytest.raises(StoreError, match="other numbers for seed 3"):
        store.save([(task, replace(run, theta=run.theta + 1))])
    assert_same(store.load([task])[task], run)


def test_nothing_is_nothing(store: Store, plain: Pairs) -> None:
    store.save([])
    store.release([plain[0][0]])
    assert store.claim([]) == []
    assert store.load([]) == {}
    assert store.load([plain[0][0]]) == {}
    assert store.count() == 0


def test_obtaining_twice_trains_once(opened: Open) -> None:
    work = [(setting_of(learning_rate=rate), range(4)) for rate in (0.1, 0.5)]
    first = obtain(work, store=opened())
    wider = [(setting_of(learning_rate=rate), range(6)) for rate in (0.1, 0.5, 2.0)]
    second = obtain(wider, store=opened())
    assert (first.computed, first.reused, second.computed, second.reused) == (8, 0, 10, 8)
    alone = obtain(wider)
    for key, runs in alone.runs.items():
        for run, stored in zip(runs, second.runs[key], strict=True):
            assert stored.theta.tobytes() == run.theta.tobytes()


def test_a_store_that_is_read_only_is_read(where: str, plain: Pairs) -> None:
    tasks = [task for task, _ in plain]
    with Store.open(where) as store:
        store.save(plain)
    with Store.open(where, read_only=True) as store:
        assert len(store.load(tasks)) == len(plain)
        for write in (lambda: store.claim(tasks), lambda: store.save(plain)):
            with pytest.raises(StoreError, match="opened to read only"):
                write()


def test_a_seed_may_be_as_large_as_any(store: Store) -> None:
    from tests.store.conftest import train

    pairs = train(make_tasks([(setting_of(epochs=1), [2**62 - 1, 0])]))
    store.save(pairs)
    assert {task.seed for task in store.load([task for task, _ in pairs])} == {2**62 - 1, 0}


def test_the_place_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_STORE", str(tmp_path / "from_environment.db"))
    with Store.open():
        pass
    assert (tmp_path / "from_environment.db").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["from_environment.db"]  # the log is folded in


def test_made_up_runs_differ(plain: Pairs) -> None:
    pairs = made_up(5, 3)
    assert [task.seed for task, _ in pairs] == [5, 6, 7]
    assert len({run.theta.tobytes() for _, run in pairs}) == 3
    assert replace(pairs[0][1], seconds=1.0).final.keys() == plain[0][1].final.keys()
