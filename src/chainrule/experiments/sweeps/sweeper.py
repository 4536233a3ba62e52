"""`Sweeper`: obtains the runs of a sweep part by part, each run once, and keeps count."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chainrule.experiments.recipes.grid import Cell, Setting
from chainrule.experiments.recipes.scores import quantity_of, score_of, successes_of
from chainrule.experiments.running.chunks import Pace
from chainrule.experiments.running.obtain import obtain
from chainrule.experiments.running.records import Hear, Obtained, ObtainEvent, RunKeeper, UntrainableError
from chainrule.experiments.sweeps.result import CellResult
from chainrule.resources import Resources
from chainrule.runs import Run, Runs

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe

Work = Iterable[tuple[Setting, Sequence[int]]]


@dataclass(frozen=True)
class SweepMeans:
    """What every part of a sweep is run with; see `chainrule.experiments.running.obtain`."""

    store: RunKeeper | None = None
    engine: str = "auto"
    resources: Resources | None = None
    data_dir: str | None = None
    deadline: float | None = None
    fail_fast: bool = False
    progress: Callable[[SweepEvent], None] | None = None


@dataclass(frozen=True)
class Watched:
    """A cell as whoever watches the sweep should name it, and how many seeds it is to get."""

    label: str
    seeds: int


@dataclass(frozen=True)
class SweepEvent(ObtainEvent):
    """An `ObtainEvent` of one part of a sweep.

    Attributes
    ----------
    phase : str
        What the part does; empty for the grid.
    cells : mapping of str to Watched
        The cells it is about, by `Setting.key`, in the order of the grid.
    """

    phase: str = ""
    cells: Mapping[str, Watched] = field(default_factory=dict)


class Sweeper:
    """Obtains runs of a recipe's cells in several steps that depend on one another.

    Parameters
    ----------
    recipe : Recipe
        Says what a success is.
    means : SweepMeans
        How runs are obtained.

    Attributes
    ----------
    computed, reused : int
        Runs trained, and runs that the store had, so far.
    missing : dict of str to str
        By `Setting.key`: why seeds are lacking.
    interrupted, out_of_time : bool
        Whether Ctrl-C or the deadline ended it: then no further step does anything.
    arrays : bool
        Whether runs keep weights and histories in memory.
    """

    def __init__(self, recipe: Recipe, means: SweepMeans) -> None:
        self.recipe, self.means = recipe, means
        self.pace = Pace()
        self.started = time.monotonic()
        self.computed = self.reused = 0
        self.missing: dict[str, str] = {}
        self.interrupted = self.out_of_time = False
        self.arrays = True
        self._known: dict[str, dict[int, Run]] = {}
        self._watched: dict[str, Watched] = {}

    @property
    def stopped(self) -> bool:
        """Whether something has ended the sweep early."""
        return self.interrupted or self.out_of_time

    @property
    def seconds(self) -> float:
        """Wall time since it was made."""
        return time.monotonic() - self.started

    def watch(self, cells: Iterable[tuple[Setting, str]]) -> None:
        """Say which cells the next parts are about, and how they are called."""
        self._watched = {setting.key: Watched(label, len(self._known.get(setting.key, ()))) for setting, label in cells}

    def obtain(self, work: Work, phase: str = "") -> bool:
        """Obtain what is not there yet, and return whether nothing ended it early."""
        if self.stopped:
            return False
        lacking = []
        for setting, seeds in work:
            known = self._known.get(setting.key, {})
            lacking.append((setting, [seed for seed in seeds if seed not in known]))
            if setting.key in self._watched:
                more = len(known) + len(lacking[-1][1])
                self._watched[setting.key] = replace(self._watched[setting.key], seeds=more)
        got = self._obtain([(setting, seeds) for setting, seeds in lacking if seeds], phase)
        for key, runs in got.runs.items():
            self._known.setdefault(key, {}).update((run.seed, run) for run in runs)
        self.missing |= got.missing
        self.computed, self.reused = self.computed + got.computed, self.reused + got.reused
        self.interrupted, self.out_of_time = got.interrupted, got.out_of_time
        return got.whole

    def _obtain(self, lacking: Work, phase: str) -> Obtained:
        """Obtain runs that are not there yet; whoever is to fail fast learns which cell cannot be trained."""
        means = self.means
        try:
            return obtain(
                lacking,
                store=means.store,
                engine=means.engine,
                resources=means.resources,
                data_dir=means.data_dir,
                progress=self._telling(phase),
                deadline=means.deadline,
                fail_fast=means.fail_fast,
                pace=self.pace,
                arrays=self.arrays,
            )
        except UntrainableError as error:
            watched = self._watched.get(error.setting.key)
            name = f"cell '{watched.label}'" if watched is not None and watched.label else "the only cell"
            raise UntrainableError(error.setting, f"{name} cannot be trained: {error}") from error

    def _telling(self, phase: str) -> Hear | None:
        """Return what adds the name of the part, and the time of the whole, to its events."""
        progress, before = self.means.progress, self.seconds
        if progress is None:
            return None

        cells = dict(self._watched)

        def tell(event: ObtainEvent) -> None:
            told = {f.name: getattr(event, f.name) for f in fields(event)} | {"seconds": before + event.seconds}
            progress(SweepEvent(**told, phase=phase, cells=cells))

        return tell

    def runs(self, setting: Setting, seeds: Iterable[int] | None = None) -> Runs:
        """Return the runs of a setting in the order of their seeds; of some seeds only, if they are named."""
        known = self._known.get(setting.key, {})
        wanted = sorted(known) if seeds is None else [seed for seed in seeds if seed in known]
        return Runs(tuple(known[seed] for seed in wanted), setting.source)

    def successes(self, runs: Runs) -> npt.NDArray[np.bool_]:
        """Return which runs are successes (n_runs,)."""
        return successes_of(self.recipe, runs)

    def scores(self, settings: Sequence[Setting], seeds: Iterable[int]) -> list[float]:
        """Return the score of each setting on some seeds, higher is better; see `experiments.recipes.scores`."""
        seeds = list(seeds)
        quantity = quantity_of(self.recipe, settings)
        return [score_of(self.recipe, self.runs(setting, seeds), quantity) for setting in settings]

    def result(self, cell: Cell, *, adaptive: bool = False, seeds: Iterable[int] | None = None) -> CellResult:
        """Return what there is of a cell."""
        key = cell.setting.key
        return CellResult(cell, self.runs(cell.setting, seeds), self.missing.get(key, ""), adaptive=adaptive)
