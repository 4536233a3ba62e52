"""Sweeps that are killed, and sweeps beside each other; `python -m studies.kill_test` does it fifty times."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from chainrule import mlp, train
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
