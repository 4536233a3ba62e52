"""Sweeps made up run by run, so that every number of a summary can be worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.experiments import Cell, expand, parse_recipe
from chainrule.experiments.sweeps.result import CellResult, SweepResult
from chainrule.population import Member
from chainrule.runs import Divergence, Run, Runs

RULE = '[success]\nmetric = "accuracy"\nat_least = 0.9\n'
Axes = dict[str, list[Any]]
TWO_AXES: Axes = {"training.optimizer": ["sgd", "adam"], "training.learning_rate": [0.01, 0.1, 1.0]}


@dataclass(frozen=True)
class Outcome:
    """What one made-up run ended with; by default its loss goes with its accuracy."""

    accuracy: float = 1.0
    loss: float | None = None
    diverged: bool = False
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    final: Mapping[str, float] = field(default_factory=dict)


Make = Callable[[dict[str, Any], int], Outcome | None]
Surely = Callable[[dict[str, Any], int], Outcome]


def recipe_text(axes: Mapping[str, Sequence[Any]], rule: str = RULE, training: str = "", more: str = "") -> str:
    """A recipe on xor with these axes."""
    listed = "".join(f'"{axis}" = {json.dumps(list(values))}\n' for axis, values in axes.items())
    return f"""
id = "made-up"
title = "Made up"
section = "test"
[data]
source = "xor"
[network]
hidden = [2]
[training]
epochs = 100
loss = "binary_cross_entropy"
{training}
[seeds]
count = 2
{"[axes]" if listed else ""}
{listed}
{rule}
{more}
"""


def make_run(cell: Cell, seed: int, outcome: Outcome) -> Run:
    """One run of a cell."""
    loss = 1.0 - outcome.accuracy + 0.01 if outcome.loss is None else outcome.loss
    history: dict[str, Any] = {name: np.array(column, dtype=np.float64) for name, column in outcome.history.items()}
    if history:
        history["epoch"] = np.arange(len(next(iter(history.values()))))
    return Run(
        member=Member(cell.setting.net, cell.setting.config, seed),
        stop_reason="diverged" if outcome.diverged else "epochs",
        converged=False,
        epochs=7 if outcome.diverged else 100,
        final={"loss": float("nan") if outcome.diverged else loss, "accuracy": outcome.accuracy, **outcome.final},
        history=history,
        windows={},
        theta=np.zeros(9),
        divergence=Divergence(7, "loss", "loss", "made up") if outcome.diverged else None,
        seconds=0.25,
        engine="made up",
    )


def make_sweep(
    make: Make,
    axes: Mapping[str, Sequence[Any]] = TWO_AXES,
    seeds: Iterable[int] = range(10),
    *,
    text: str = "",
    cells: Mapping[int, Mapping[str, Any]] | None = None,
    **more: Any,
) -> SweepResult:
    """A sweep whose runs `make(place, seed)` tells; `cells` changes fields of single cells by number."""
    recipe = parse_recipe(text or recipe_text(axes))
    found = []
    numbers = list(seeds)
    for number, cell in enumerate(expand(recipe)):
        outcomes = [(seed, make(dict(cell.place), seed)) for seed in numbers]
        runs = tuple(make_run(cell, seed, outcome) for seed, outcome in outcomes if outcome is not None)
        changes = dict((cells or {}).get(number, {}))
        found.append(CellResult(cell, Runs(runs, cell.setting.source), **changes))
    return SweepResult(recipe, tuple(found), **more)


def rate_is(successes: Mapping[tuple[Any, ...], int]) -> Surely:
    """Cells whose first so many seeds succeed, by their values on the axes."""

    def make(place: dict[str, Any], seed: int) -> Outcome:
        return Outcome(accuracy=1.0 if seed < successes.get(tuple(place.values()), 0) else 0.5)

    return make
