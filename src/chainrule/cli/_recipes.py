"""What `chainrule recipe` tells of a recipe: its axes, its cells, and what they take."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from chainrule.cli._console import Output, clean, count, pairs, table
from chainrule.cli._durations import duration_text
from chainrule.experiments.recipes.grid import Cell, expand, seeds_of
from chainrule.machine import usable_memory
from chainrule.resources import memory_text

if TYPE_CHECKING:
    from chainrule.experiments.recipes.axes import AnyAxis
    from chainrule.experiments.recipes.schema import Recipe
    from chainrule.experiments.sweeps.estimate import Estimate

MOST_CELLS = 30
"""Cells listed unless all are asked for."""
MOST_PROBLEMS = 5
"""Cells that cannot be trained listed."""
MOST_VALUES = 8
"""Values of an axis listed."""


def told(recipe: Recipe, quick: bool = False, seeds: int | None = None) -> dict[str, Any]:
    """Return the counts of a recipe: cells, settings, seeds, runs."""
    cells, numbers = expand(recipe, quick), seeds_of(recipe, quick, seeds)
    settings = len({cell.setting for cell in cells})
    return {
        "id": recipe.id,
        "cells": len(cells),
        "settings": settings,
        "seeds": len(numbers) if cells else 0,
        "runs": settings * len(numbers),
    }


@dataclass(frozen=True)
class Shown:
    """A recipe as ``recipe show`` tells it."""

    recipe: Recipe
    estimate: Estimate
    seeds: int | None
    quick: bool
    everything: bool

    @property
    def cells(self) -> list[Cell]:
        """The cells of the grid."""
        return expand(self.recipe, self.quick)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        numbers = seeds_of(self.recipe, self.quick, self.seeds)
        return {
            "file": self.recipe.file,
            "title": self.recipe.title,
            "quick": self.quick,
            **told(self.recipe, self.quick, self.seeds),
            "seed_list": list(numbers),
            "axes": [
                {"keys": list(axis.keys), "values": [[value for _, value in row] for row in axis.rows()],
                 "only": dict(axis.only)}
                for axis in self.recipe.all_axes
            ],
            "grid": [
                {"label": cell.label, "place": dict(cell.place), "variant": cell.variant, "key": cell.setting.key}
                for cell in self.cells
            ],
            "questions": [question.model_dump() for question in self.recipe.questions],
            "estimate": asdict(self.estimate),
        }  # fmt: skip

    def show(self, output: Output) -> None:
        """Print it."""
        recipe = self.recipe
        output.detail(recipe.title, "bold")
        if recipe.about:
            output.detail(clean(recipe.about))
        if not recipe.trains:
            output.result("this recipe trains nothing")
            return
        self._show_axes(output)
        self._show_cells(output)
        self._show_counts(output)

    def _show_axes(self, output: Output) -> None:
        axes = self.recipe.all_axes
        if axes:
            rows = [[", ".join(axis.keys), str(len(axis)), _values(axis), _where(axis)] for axis in axes]
            width = 4 if any(axis.only for axis in axes) else 3
            columns = ["axis", "values", "", "only where"][:width]
            made = table(columns, [row[:width] for row in rows], "lrll")
            made.columns[0].no_wrap = True
            output.detail(made)

    def _show_cells(self, output: Output) -> None:
        cells = self.cells
        listed = cells if self.everything else cells[:MOST_CELLS]
        rows = [[str(number), cell.label or "the only cell"] for number, cell in enumerate(listed, 1)]
        output.detail(table(["", "cell"], rows, "rl"))
        if len(cells) > len(listed):
            output.detail(f"... and {len(cells) - len(listed):,} more (--all lists them)")
        for first, second in _equal_settings(cells)[:5]:
            output.note(f"'{first}' and '{second}' are the same setting: it is trained once")

    def _show_counts(self, output: Output) -> None:
        made = self.estimate
        seeds = count(len(seeds_of(self.recipe, self.quick, self.seeds)), "seed")
        cells = count(made.cells, "cell")
        different = f", {count(made.settings, 'different setting')}" if made.settings < made.cells else ""
        output.result(f"{cells}{different} x {seeds} = {count(made.runs, 'run')}")
        if facts := self._facts():
            output.result(pairs(facts))
        if made.kept > (memory := usable_memory() or made.kept):
            kept = f"the results take {memory_text(made.kept)} of memory, and there are {memory_text(memory)}"
            output.warn(f"{kept}: sweep fewer seeds at a time, or keep fewer rows (training.log_every)")
        for label, problem in list(made.problems.items())[:MOST_PROBLEMS]:
            output.warn(f"cell '{clean(label)}' cannot be trained: {problem}")
        if len(made.problems) > MOST_PROBLEMS:
            output.warn(f"{len(made.problems) - MOST_PROBLEMS:,} further cells cannot be trained either")

    def _facts(self) -> dict[str, str]:
        """Return what the runs take, in words."""
        made = self.estimate
        facts: dict[str, str] = {}
        if made.members:
            facts["trained by"] = ", ".join(f"{name} ({count(n, 'run')})" for name, n in made.members.items())
        if math.isfinite(made.seconds):
            start = f", {duration_text(made.startup)} of it to start" if made.startup >= 0.2 else ""
            by = f"an estimate: {count(made.measured, 'run')} trained for it"
            facts["time"] = f"about {duration_text(made.seconds)}{start} ({by})"
        if made.members:
            facts["memory"] = f"{memory_text(made.memory)} in training, {memory_text(made.kept)} for results, at most"
            facts["store"] = f"about {memory_text(made.stored)}, with weights and histories"
        if self.recipe.questions:
            facts["questions"] = ", ".join(question.ask for question in self.recipe.questions)
        return facts


def _values(axis: AnyAxis) -> str:
    """Write the values of an axis; of a long range what it is."""
    rows = axis.rows()
    note = getattr(axis, "written", "")
    if note and len(rows) > MOST_VALUES:
        return str(note)
    listed = ", ".join(" & ".join(_word(value) for _, value in row) for row in rows[:MOST_VALUES])
    return listed + (", ..." if len(rows) > MOST_VALUES else "")


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_word, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _where(axis: AnyAxis) -> str:
    return ", ".join(f"{key.split('.')[-1]} = {_any_of(value)}" for key, value in axis.only.items())


def _any_of(value: object) -> str:
    return " or ".join(map(_word, value)) if isinstance(value, list) else _word(value)


def _equal_settings(cells: list[Cell]) -> list[tuple[str, str]]:
    """Return pairs of cells that are the same setting."""
    first: dict[object, Cell] = {}
    found = []
    for cell in cells:
        other = first.setdefault(cell.setting, cell)
        if other is not cell:
            found.append((other.label, cell.label))
    return found
