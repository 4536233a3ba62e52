"""`Experiment.run`: what it keeps, what it scores afresh, and what it refuses."""

from __future__ import annotations

import math
import signal
import threading
from pathlib import Path

import pytest

from chainrule.errors import ConfigError, StoreError
from chainrule.experiments.recipes.recipe import parse_recipe
from chainrule.experiments.recipes.scores import quantity_of, score_of, successes_of
from chainrule.experiments.store import Store
from chainrule.experiments.sweeps.experiment import Experiment
from chainrule.experiments.sweeps.sweeper import SweepEvent
from tests.sweeps.conftest import SUCCESS, Memory, make_experiment, same


def test_seeds_and_axes_can_be_widened_with_the_same_call(memory: Memory) -> None:
    first = make_experiment().run(store=memory, fresh=0)
    assert (first.computed, first.reused, len(first)) == (20, 0, 4)
    assert repr(first) == f"SweepResult({first.recipe.id!r}, 4 cells, 20 runs)"  # and not every number of every run
    assert repr(first.cells[0]) == f"CellResult({first.cells[0].label!r}, 5 runs)"
    more = make_experiment().run(store=memory, seeds=8, fresh=0)
    assert (more.computed, more.reused) == (12, 20)
    wider = make_experiment(rates=(0.5, 2.0, 5.0)).run(store=memory, seeds=8, fresh=0)
    assert (wider.computed, wider.reused) == (16, 32)
    for one in more:
        assert one.seeds == tuple(range(8))
        twin = next(other for other in wider if other.cell.place == one.cell.place)
        assert all(same(a, b) for a, b in zip(one.runs, twin.runs, strict=True))


@pytest.mark.parametrize("open_one", [False, True])
def test_a_store_is_a_path_or_an_open_one(tmp_path: Path, open_one: bool) -> None:
    path = tmp_path / "runs.db"
    if open_one:
        with Store.open(path) as store:
            make_experiment().run(store=store, fresh=0)
            assert store.count() == 20  # it is still open
    else:
        make_experiment().run(store=path, fresh=0)
    assert make_experiment().run(store=str(path), fresh=0).computed == 0


def test_two_recipes_share_a_store(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    make_experiment().run(store=path, fresh=0)
    make_experiment(hidden=(4,)).run(store=path, fresh=0)
    with Store.open(path) as store:
        assert store.count() == 40
    assert make_experiment().run(store=path, fresh=0).computed == 0


def test_the_winner_is_scored_on_seeds_that_did_not_choose_it(memory: Memory) -> None:
    result = make_experiment(epochs=100).run(store=memory, seeds=10)
    (key,) = result.fresh
    winner = max(result, key=lambda one: score_of(result.recipe, one.runs, "success"))
    assert key == winner.cell.setting.key
    assert [run.seed for run in result.fresh[key]] == list(range(10, 20))
    assert result.computed == 50
    assert [run.seed for run in make_experiment().run(store=memory, fresh=3).fresh.popitem()[1]] == [5, 6, 7]  # type: ignore[attr-defined]
    assert make_experiment().run(fresh=0).fresh == {}
    assert make_experiment(rates=(1.0,), optimizers=("sgd",)).run().fresh == {}  # nothing was chosen


def test_a_budget_keeps_cells_even(memory: Memory) -> None:
    result = make_experiment(epochs=50_000).run(store=memory, seeds=2_000, budget=4.0)
    assert result.out_of_time
    assert result.interrupted
    counts = [len(one.runs) for one in result]
    assert 0 < sum(counts) < 8_000
    assert "budget" in result.notes[-1]
    assert all(one.missing == "the time was up" for one in result)
    assert result.fresh == {}


def test_ctrl_c_returns_what_there_is() -> None:
    timer = threading.Timer(1.0, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
    timer.start()
    result = make_experiment(epochs=20_000).run(seeds=20_000)
    assert result.interrupted
    assert not result.out_of_time


def test_events_name_the_cells_and_the_parts() -> None:
    events: list[SweepEvent] = []
    make_experiment(epochs=100).run(progress=events.append)
    assert list(dict.fromkeys(event.phase for event in events)) == ["", "fresh seeds for the best"]
    first = events[0]
    assert [one.label for one in first.cells.values()] == [
        f"learning_rate={rate}, optimizer={name}" for rate in (0.5, 5.0) for name in ("sgd", "adam")
    ]
    assert {one.seeds for one in first.cells.values()} == {5}
    assert {one.seeds for one in events[-1].cells.values()} == {10}
    assert [event.seconds for event in events] == sorted(event.seconds for event in events)


def test_divergence_is_a_result_and_no_failure() -> None:
    result = make_experiment(source="linear(n=30)", loss="mse", rates=(0.1, 1e80), optimizers=("sgd",)).run(
        fail_fast=True, fresh=0
    )
    diverged = [sum(run.stop_reason == "diverged" for run in one.runs) for one in result]
    assert all(len(one.runs) == 5 for one in result)
    assert diverged[0] == 0
    for one in result:
        held = successes_of(result.recipe, one.runs)
        assert not any(won and run.stop_reason == "diverged" for won, run in zip(held, one.runs, strict=True))


def test_fail_fast_says_what_cannot_be_trained() -> None:
    more = f'{SUCCESS}\n[variants.bad]\nset = {{ "training.stopping" = ["patience(5)"] }}'
    result = make_experiment(more=more).run(fresh=0)
    assert [bool(one.missing) for one in result] == [False, True] * 4
    bad = result.cells[1]
    with pytest.raises(ConfigError) as caught:
        make_experiment(more=more).run(fail_fast=True)
    assert str(caught.value) == f"cell '{bad.label}' cannot be trained: {bad.missing}"
    assert "bad" in bad.label


def test_quick_runs_take_the_quick_seeds() -> None:
    assert {one.seeds for one in make_experiment().run(quick=True, fresh=0)} == {(0, 1)}


def test_what_cells_are_preferred_by() -> None:
    def quantity(**changes: object) -> str:
        experiment = make_experiment(**changes)  # type: ignore[arg-type]
        return quantity_of(experiment.recipe, [cell.setting for cell in experiment.cells()])

    assert quantity() == "success"
    assert quantity(more="") == "final loss"
    assert quantity(more="", validation=0.3) == "final validation_loss"


def test_scores_put_success_first_and_loss_second() -> None:
    result = make_experiment(epochs=200, rates=(0.01, 0.1, 1.0, 5.0), optimizers=("sgd",)).run(seeds=12, fresh=0)
    table = []
    for one in result:
        losses = sorted(float(run.final["loss"]) for run in one.runs)
        table.append(
            (successes_of(result.recipe, one.runs).mean(), -losses[5], score_of(result.recipe, one.runs, "success"))
        )
    assert [row[2] for row in sorted(table)] == sorted(row[2] for row in table)
    empty = type(result.cells[0].runs)((), "xor")
    assert score_of(result.recipe, empty, "success") == -math.inf


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"budget": 0}, "budget"),
        ({"budget": math.inf}, "budget"),
        ({"fresh": -1}, "fresh"),
        ({"threads": 0}, "threads"),
        ({"memory": "lots"}, "memory"),
        ({"sampler": "magic"}, "sampler"),
        ({"engine": "warp", "fail_fast": True}, "warp"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], what: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        make_experiment().run(**options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_recipe_that_trains_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trains nothing"):
        Experiment(parse_recipe('id = "x"\nwaits_for = "images"')).run()
    with pytest.raises(StoreError):
        make_experiment().run(store=tmp_path)  # a folder is no store


def test_histories_that_would_not_fit_are_left_to_the_store(memory: Memory) -> None:
    experiment = make_experiment(epochs=500)
    result = experiment.run(store=memory, seeds=50, memory="1MiB", fresh=0)
    assert all(run.history == {} for one in result for run in one.runs)
    assert "not held in memory" in result.notes[0]
    full = experiment.run(store=memory, seeds=50, fresh=0)
    assert (full.computed, full.notes) == (0, ())
    assert all(len(run.history["epoch"]) == 101 for one in full for run in one.runs)
    for a, b in zip(result, full, strict=True):
        assert result.success_rate(a) == full.success_rate(b)
    assert experiment.run(store=memory, memory="1MiB", arrays=True, fresh=0).notes == ()
