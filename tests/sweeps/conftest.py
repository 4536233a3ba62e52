"""A small recipe, a store in memory, and what two runs must agree in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from chainrule.experiments.recipes.recipe import parse_recipe
from chainrule.experiments.running.endings import without_arrays
from chainrule.experiments.running.tasks import Task
from chainrule.experiments.sweeps.experiment import Experiment
from chainrule.runs import Run

RECIPE = """
id = "small"
[data]
source = "{source}"
[network]
hidden = {hidden}
[training]
loss = "{loss}"
epochs = {epochs}
log_every = 5
validation = {validation}
[axes]
"training.learning_rate" = {rates}
"training.optimizer" = {optimizers}
[seeds]
count = 5
quick = 2
{more}
"""
SUCCESS = '[success]\nmetric = "accuracy"\nat_least = 0.75'

Make = Callable[..., Experiment]


def make_experiment(
    source: str = "xor",
    hidden: Sequence[int] = (3,),
    loss: str = "binary_cross_entropy",
    epochs: int = 30,
    validation: float = 0.0,
    rates: Sequence[float] = (0.5, 5.0),
    optimizers: Sequence[str] = ("sgd", "adam"),
    more: str = SUCCESS,
) -> Experiment:
    """Return a small experiment."""
    lists: dict[str, Any] = {"hidden": list(hidden), "rates": list(rates)}
    words = "[" + ", ".join(f'"{name}"' for name in optimizers) + "]"
    text = RECIPE.format(
        source=source, loss=loss, epochs=epochs, validation=validation, optimizers=words, more=more, **lists
    )
    return Experiment(parse_recipe(text))


@dataclass
class Memory:
    """A store in memory that keeps the contract and a record of what was asked of it."""

    runs: dict[bytes, Run] = field(default_factory=dict)
    held: set[bytes] = field(default_factory=set)
    elsewhere: set[bytes] = field(default_factory=set)
    chunks: list[list[Task]] = field(default_factory=list)
    looks: int = 0

    def claim(self, tasks: Sequence[Task]) -> list[Task]:
        """Reserve what is free."""
        assert not self.held, "one chunk is in work at a time: it is what a kill can cost"
        free = [task for task in tasks if task.key not in self.runs | dict.fromkeys(self.held | self.elsewhere)]
        self.held |= {task.key for task in free}
        self.chunks.append(free)
        return free

    def release(self, tasks: Sequence[Task]) -> None:
        """Give back."""
        self.held -= {task.key for task in tasks}

    def save(self, runs: Sequence[tuple[Task, Run]]) -> None:
        """Keep."""
        for task, run in runs:
            assert task.key in self.held, "only what was claimed is saved"
            assert task.key not in self.runs, "nothing is trained twice"
            self.runs[task.key] = run
        self.release([task for task, _ in runs])

    def load(self, tasks: Sequence[Task], arrays: bool = True) -> dict[Task, Run]:
        """Return what there is."""
        self.looks += 1
        there = {task: self.runs[task.key] for task in tasks if task.key in self.runs}
        return there if arrays else {task: without_arrays(run) for task, run in there.items()}


@pytest.fixture
def memory() -> Memory:
    """Return an empty store."""
    return Memory()


def same(one: Run, other: Run) -> bool:
    """Return whether two runs agree to the last bit, in everything but time and engine."""
    plain = ("member", "stop_reason", "converged", "epochs", "divergence", "fingerprint")
    arrays = [({"theta": run.theta} | run.history | run.windows | run.final) for run in (one, other)]
    return all(getattr(one, name) == getattr(other, name) for name in plain) and (
        {name: np.asarray(value).tobytes() for name, value in arrays[0].items()}
        == {name: np.asarray(value).tobytes() for name, value in arrays[1].items()}
    )
