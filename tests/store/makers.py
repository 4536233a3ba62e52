"""Runs that were never trained, for tests that need many or need them in another process."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from chainrule.experiments.recipes.grid import make_setting
from chainrule.experiments.running.tasks import Task
from chainrule.nn import mlp
from chainrule.population import Member, TrainingConfig
from chainrule.runs import Run

DATA = "0" * 32


@functools.cache
def _parts() -> tuple[Task, Run]:
    network, config = mlp([3], "tanh"), TrainingConfig(epochs=20)
    bound = network.bind(2, 1, "sigmoid")
    epochs = np.arange(21)
    history = {"epoch": epochs, "loss": np.exp(-epochs / 7), "accuracy": epochs / 20}
    final = {"loss": 0.5, "accuracy": 0.75}
    member = Member(bound, config, 0)
    run = Run(member, "epochs", False, 20, final, history, {}, np.zeros(bound.n_parameters), engine="made up")
    return Task(make_setting("xor", network, config), 0, DATA, "compiled-1"), run


def made_up(first: int, count: int) -> list[tuple[Task, Run]]:
    """Return runs of so many seeds, each with numbers of its own."""
    task, run = _parts()
    pairs = []
    for seed in range(first, first + count):
        random = np.random.default_rng(seed)
        final = {"loss": float(random.random()), "accuracy": float(random.integers(5)) / 4}
        theta = random.normal(size=run.theta.shape)
        member = replace(run.member, seed=seed)
        pairs.append((replace(task, seed=seed), replace(run, member=member, final=final, theta=theta)))
    return pairs
