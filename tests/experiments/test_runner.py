"""The runner: the same runs from one or two processes, each setting once, and what is left after trouble."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ConfigError
from chainrule.experiments import (
    Cell,
    Job,
    Results,
    RunnerEvent,
    Setting,
    expand,
    make_jobs,
    make_setting,
    parse_recipe,
    run_jobs,
    seeds_of,
)
from chainrule.experiments.running.runner import run_job
from chainrule.nn import mlp
from chainrule.population import TrainingConfig
from chainrule.resources import Resources
from chainrule.training import train

TEXT = """
id = "R1"
title = "Runner"
section = "test"
[data]
source = "xor"
[network]
hidden = [2]
activation = "sigmoid"
output = "sigmoid"
[training]
loss = "binary_cross_entropy"
epochs = 6
[axes]
"training.learning_rate" = [0.1, 1.0]
"network.hidden" = [[2], [3]]
[seeds]
count = 3
"""


def work(text: str = TEXT) -> list[tuple[Cell, tuple[int, ...]]]:
    recipe = parse_recipe(text)
    return [(cell, seeds_of(recipe)) for cell in expand(recipe)]


def theta(results: Results) -> dict[str, list[Any]]:
    return {key: [run.theta.tolist() for run in runs] for key, runs in results.runs.items()}


def test_one_and_two_workers_give_the_same_runs() -> None:
    jobs = make_jobs(work())
    assert len(jobs) == 2  # two widths; the rates of each are one population
    here, there = run_jobs(jobs), run_jobs(jobs, workers=2)
    assert theta(here) == theta(there)
    assert len(here.runs) == 4
    assert not here.missing
    assert not there.missing


def test_runs_are_those_of_train_in_the_order_of_seeds() -> None:
    cells = work()
    results = run_jobs(make_jobs(cells))
    for cell, seeds in cells:
        found = results.of(cell)
        assert found is not None
        assert [run.seed for run in found] == list(seeds)
        alone = train(cell.setting.net, "xor", cell.setting.config, seeds=seeds)
        for run, expected in zip(found, alone, strict=True):
            np.testing.assert_array_equal(run.theta, expected.theta)
            assert run.member.config.learning_rate == cell.setting.config.learning_rate


def test_settings_that_several_recipes_share_are_trained_once() -> None:
    other = TEXT.replace('id = "R1"', 'id = "R2"').replace("count = 3", "count = 5").replace("[[2], [3]]", "[[2]]")
    jobs = make_jobs([*work(), *work(other)])
    members = [(setting.key, seed) for job in jobs for setting in job.settings for seed in job.seeds]
    assert len(members) == len(set(members)) == 2 * 5 + 2 * 3
    results = run_jobs(jobs)
    small, large = work()[0], work(other)[0]
    assert small[0].setting == large[0].setting
    first = results.of(small[0], small[1])
    both = results.of(large[0], large[1])
    assert first is not None
    assert both is not None
    assert (len(first), len(both)) == (3, 5)


def test_long_jobs_come_first_and_big_networks_one_seed_at_a_time() -> None:
    def setting(**changes: Any) -> Setting:
        hidden = changes.pop("hidden", [2])
        return make_setting("xor", mlp(hidden, "sigmoid"), TrainingConfig(**changes))

    settings = [setting(epochs=10), setting(epochs=1000), setting(epochs=100), setting(epochs=3, hidden=[400, 400])]
    cells = [(Cell("R", (), None, one, 1), (0, 1)) for one in settings]
    jobs = make_jobs(cells)
    assert [job.cost for job in jobs] == sorted((job.cost for job in jobs), reverse=True)
    assert sorted(len(job.seeds) for job in jobs) == [1, 1, 2, 2, 2]


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_counts_up_to_the_end(workers: int) -> None:
    events: list[RunnerEvent] = []
    run_jobs(make_jobs(work()), workers=workers, progress=events.append)
    ended = [event for event in events if event.job is not None]
    assert [event.done for event in ended] == [1, 2]
    assert {event.total for event in events} == {2}
    assert events[0].fraction == 0.0
    assert events[-1].fraction == 1.0
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)


def test_a_job_says_how_far_it_is() -> None:
    shares: list[float] = []
    outcome = run_job(make_jobs(work())[0], hear=shares.append)
    assert len(outcome.runs) == 2
    assert shares == sorted(shares)
    assert any(0 < share < 1 for share in shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize("workers", [1, 2])
def test_interruption_returns_what_had_finished(workers: int) -> None:
    jobs = make_jobs(work())

    def stop_after_one(event: RunnerEvent) -> None:
        if event.done == 1:
            raise KeyboardInterrupt

    results = run_jobs(jobs, workers=workers, progress=stop_after_one)
    assert results.interrupted
    assert len(results.runs) == 2
    assert set(results.missing.values()) == {"interrupted"}
    assert set(results.runs) | set(results.missing) == {setting.key for job in jobs for setting in job.settings}


class Deadly(Setting):
    """A setting that ends the process which unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (1,)


def test_a_dying_worker_leaves_a_note_and_no_exception() -> None:
    good = make_jobs(work())
    setting = good[0].settings[0]
    deadly = Deadly(setting.source, setting.network, setting.training.replace('"epochs": 6', '"epochs": 7'))
    results = run_jobs([Job((deadly,), (0,)), *good], workers=2)
    assert not results.interrupted
    assert "died" in results.missing[deadly.key]
    assert set(results.runs) | set(results.missing) >= {s.key for job in good for s in job.settings}


def test_a_job_that_cannot_run_is_missing_and_the_others_go_on() -> None:
    # one percent of 21 points is no point: the split says so when the data are drawn
    bad = work(TEXT.replace("epochs = 6", "epochs = 6\nvalidation = 0.01"))
    results = run_jobs(make_jobs([*work(), *bad]))
    assert len(results.runs) == 4
    assert len(results.missing) == 4
    assert all("none may be empty" in why for why in results.missing.values())


@pytest.mark.parametrize("workers", [1, 2])
def test_engine_and_resources_reach_every_job(workers: int) -> None:
    jobs = make_jobs(work())
    given = run_jobs(jobs, workers, engine="reference", resources=Resources(1, 2**20))
    assert theta(given) == theta(run_jobs(jobs, engine="reference"))
    assert {run.engine for runs in given.runs.values() for run in runs} == {"reference"}
    refused = run_jobs(jobs, workers, engine="nosuch")
    assert not refused.runs
    assert all(why.startswith("unknown engine 'nosuch'") for why in refused.missing.values())


def test_nothing_to_do_is_no_error() -> None:
    assert run_jobs([]).runs == {}


def test_impossible_worker_counts_are_refused() -> None:
    with pytest.raises(ConfigError, match="workers"):
        run_jobs([], workers=0)
