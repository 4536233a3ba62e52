"""Sweeps that are killed, and sweeps beside each other; `python -m studies.kill_test` does it fifty times."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chainrule import mlp, train
from chainrule.errors import StoreError
from chainrule.experiments.store import Store
from chainrule.experiments.sweeps.experiment import Experiment
from studies.kill_test import compare, study, sweep_command, wanted

RECIPE = """
[data]
source = "xor"
[network]
hidden = [4, 4]
[training]
loss = "binary_cross_entropy"
epochs = 2000
log_every = 100
[axes]
"training.learning_rate" = [0.3, 3.0, 30.0]
"training.optimizer" = ["sgd", "adam"]
[success]
metric = "accuracy"
at_least = 0.99
"""

UNDECIDED = """
seeds = 10
success = "accuracy >= 0.99"
[data]
source = "xor"
[network]
hidden = [4, 4]
[training]
loss = "binary_cross_entropy"
epochs = 2000
[axes]
"training.optimizer" = ["adam(0.9)", "adam(0.9001)"]
[[questions]]
ask = "compare"
a = { "training.optimizer" = "adam(0.9)" }
b = { "training.optimizer" = "adam(0.9001)" }
quantity = "final loss"
max_seeds = 5000
"""
"""Its question asks for 9,980 further runs, for two settings that nobody can tell apart."""


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """Compile the kernel before, if it is not: kills are spread over the time that the sweep itself takes."""
    train(mlp([4, 4]), "xor", seeds=8, epochs=1, loss="binary_cross_entropy", engine="lanes")


def test_a_sweep_killed_again_and_again_ends_with_the_same_store(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    outcome = study(kills=3, seeds=200, longest=None, seed=1, recipe=recipe)
    assert outcome.differences == []
    assert outcome.kills == 3
    assert outcome.runs == 1200


def test_two_sweeps_on_one_store_share_the_work(tmp_path: Path) -> None:
    recipe, store, alone = tmp_path / "recipe.toml", tmp_path / "shared.db", tmp_path / "alone.db"
    recipe.write_text(RECIPE)
    both = [
        subprocess.Popen(sweep_command(recipe, str(store), tmp_path / name, 60), stdout=subprocess.PIPE, text=True)
        for name in ("a", "b")
    ]
    told = [json.loads(process.communicate(timeout=500)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(one["trained"] for one in told) == 360  # none was trained twice
    assert [one["trained"] + one["found"] for one in told] == [360, 360]  # and both have all
    Experiment.from_toml(recipe).run(store=alone, seeds=60, fresh=0)
    assert compare(str(alone), str(store), wanted(recipe, 60)) == []


def test_ctrl_c_while_questions_are_answered_ends_with_what_is_there(tmp_path: Path) -> None:
    recipe, place = tmp_path / "recipe.toml", tmp_path / "runs.db"
    recipe.write_text(UNDECIDED)
    command = sweep_command(recipe, str(place), tmp_path / "page", 10)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: runs_in(place) > 20 or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=100)
    told = json.loads(out)
    assert process.returncode == 130
    assert told["interrupted"]
    assert any("questions were interrupted" in note.lower() for note in told["notes"])
    assert [one["n_seeds"] for one in told["answers"]] == [10]  # from the runs of the cells
    there = runs_in(place)
    assert 20 < there < 10_000
    assert (told["trained"], told["found"], told["trained_for"]["questions"]) == (there, 0, there - 20)
    budget = subprocess.run([*command, "--resume", "--budget", "60s"], capture_output=True, text=True, timeout=100)
    again = json.loads(budget.stdout)
    assert (budget.returncode, again["trained"], again["found"]) == (0, 0, 20)  # a budget leaves questions no more runs


def runs_in(place: Path) -> int:
    """Return how many runs a store has; none before it is there."""
    try:
        with Store.open(place, create=False, read_only=True) as store:
            return store.count()
    except StoreError:
        return 0


def until(held: Callable[[], bool], seconds: float = 100.0) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not held():
        assert time.monotonic() < end
        time.sleep(0.05)
