"""Runs of every kind: both precisions, several settings, diverged, stopped, interrupted, with windows and tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainrule import Runs, load, mlp, train
from chainrule.engines import ProgressEvent

TABLE = """age,colour,height,species
31,red,1.81,cat
,blue,1.62,dog
45,red,,cat
28,green,1.75,dog
52,red,1.69,dog
39,blue,1.93,cat
61,green,1.58,cat
23,red,1.71,dog
"""


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV file with numbers, words and gaps."""
    path = tmp_path_factory.mktemp("table") / "pets.csv"
    path.write_text(TABLE)
    return path


def _press(event: ProgressEvent) -> None:
    if event.epoch >= 4:
        raise KeyboardInterrupt


@pytest.fixture(scope="session")
def mixed(table: Path) -> Runs:
    """All of these in one table, which no single training could give."""
    unbounded = mlp([3], "leaky_relu(0.1)", output="identity", l2=0.01, dropout=0.1)
    parts = [
        train(mlp([4], "tanh"), "xor", seeds=[3, 5], epochs=6, window=2, batch_size=4, validation=0.2),
        train(unbounded, "xor", seeds=2, epochs=40, learning_rates=[1e-3, 1e30], dtype="float32", batch_size=7),
        train(mlp([], l1=0.1), "xor", epochs=9, stopping="loss_below(10, times=4)", optimizer="adam", clip_norm=1),
        train(mlp([2]), "xor", seeds=2, epochs=9, log_every=4, metrics="tolerance_accuracy(0.4)", progress=_press),
        train(mlp([3]), load(f"{table}?target=species", missing="impute"), epochs=3, validation=0.25, seeds=2),
    ]
    runs = tuple(run for part in parts for run in part)
    assert {run.stop_reason for run in runs} == {"epochs", "diverged", "loss_below", "interrupted"}
    assert {str(run.theta.dtype) for run in runs} == {"float32", "float64"}
    return Runs(runs, "several", interrupted=True, notes=("success: accuracy >= 0.9", "by hand"))
