"""`Experiment`: a recipe that can be run, from Python as from the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.experiments.grid import Cell, expand, seeds_of
from chainrule.experiments.obtain import ObtainEvent, RunKeeper, obtain
from chainrule.experiments.recipe import load_recipe
from chainrule.experiments.sweep_result import CellResult, SweepResult
from chainrule.resources import Resources
from chainrule.runs import Runs

if TYPE_CHECKING:
    from chainrule.experiments.schema import Recipe


@dataclass(frozen=True)
class Experiment:
    """A recipe, ready to run."""

    recipe: Recipe

    @classmethod
    def from_toml(cls, path: str | Path) -> Experiment:
        """Read a recipe file; `RecipeError` says in one line what is wrong with it."""
        return cls(load_recipe(path))

    def cells(self, quick: bool = False) -> list[Cell]:
        """Return the cells of the grid."""
        return expand(self.recipe, quick)

    def run(
        self,
        *,
        store: RunKeeper | None = None,
        seeds: int | None = None,
        quick: bool = False,
        engine: str = "auto",
        resources: Resources | None = None,
        data_dir: str | None = None,
        progress: Callable[[ObtainEvent], None] | None = None,
    ) -> SweepResult:
        """Run every cell from every seed and return the result."""
        cells, numbers = self.cells(quick), seeds_of(self.recipe, quick, seeds)
        obtained = obtain(
            [(cell.setting, numbers) for cell in cells],
            store=store,
            engine=engine,
            resources=resources,
            data_dir=data_dir,
            progress=progress,
        )
        found = [
            CellResult(
                cell,
                obtained.runs.get(cell.setting.key, Runs((), cell.setting.source)),
                obtained.missing.get(cell.setting.key, ""),
            )
            for cell in cells
        ]
        return SweepResult(
            self.recipe,
            tuple(found),
            obtained.computed,
            obtained.reused,
            obtained.seconds,
            obtained.interrupted,
        )
