"""`Experiment`: a recipe that can be run, from Python as from the command line."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from chainrule.errors import ChainruleError, ConfigError, show
from chainrule.experiments.recipes.grid import Cell, Setting, expand, seeds_of
from chainrule.experiments.recipes.recipe import load_recipe
from chainrule.experiments.running.chunks import bytes_of
from chainrule.experiments.running.records import RunKeeper
from chainrule.experiments.running.tasks import source_of
from chainrule.experiments.sweeps.adaptive import Adaptive, add_seeds, check_adaptive
from chainrule.experiments.sweeps.halving import Halving, halve
from chainrule.experiments.sweeps.result import SPENT, SweepResult, on_shared_seeds
from chainrule.experiments.sweeps.samplers import SAMPLERS, Sampling, sample_cells
from chainrule.experiments.sweeps.sweeper import Sweeper, SweepEvent, SweepMeans
from chainrule.nn import Network
from chainrule.resources import Resources, memory_text, resources_from
from chainrule.spec import require

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe

Plan = TypeVar("Plan", Adaptive, Halving)

FRESH_SHARE = 4
"""Of so many cells one is scored on fresh seeds, at least one: it costs a quarter more at most."""
FRESH_CELLS = 5
"""Cells scored on fresh seeds at most."""


@dataclass(frozen=True)
class Experiment:
    """A recipe, ready to run.

    Examples
    --------
    >>> from chainrule.experiments import Experiment
    >>> experiment = Experiment.from_toml("recipe.toml")  # doctest: +SKIP
    >>> result = experiment.run(store="chainrule.db", seeds=100)  # doctest: +SKIP
    """

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
        store: RunKeeper | str | Path | None = None,
        seeds: int | None = None,
        quick: bool = False,
        engine: str = "auto",
        threads: int | None = None,
        memory: int | str | None = None,
        resources: Resources | None = None,
        data_dir: str | Path | None = None,
        budget: float | None = None,
        adaptive: bool | Adaptive = False,
        halving: bool | Halving = False,
        sampler: str = "grid",
        trials: int | None = None,
        fresh: int | None = None,
        fail_fast: bool = False,
        arrays: bool | None = None,
        progress: Callable[[SweepEvent], None] | None = None,
    ) -> SweepResult:
        """Run the cells of the recipe from its seeds, and return what came of it.

        With a store, whatever it has is not trained again: going on after an interruption, asking for more seeds
        and widening an axis are all this same call.

        Parameters
        ----------
        store : Store, str, Path or None
            An open store (or anything that is a `RunKeeper`), the path of one, or a ``postgresql://`` URL. Without
            one nothing is kept.
        seeds : int, optional
            How many, instead of the recipe's number.
        quick : bool
            Use the recipe's quick settings and seeds.
        engine : str
            ``"auto"`` or the name of an engine.
        threads, memory, resources
            What the training may take, as for `chainrule.train`; no result depends on it.
        data_dir : str or Path, optional
            Where to look for data files first.
        budget : float, optional
            Seconds after which no further chunk of runs is begun.
        adaptive : bool or Adaptive
            Add seeds where it is open whether a cell works or fails.
        halving : bool or Halving
            Give cells up that do badly after a part of their epochs.
        sampler : str
            ``"grid"`` runs every cell; ``"random"`` draws `trials` of them; ``"optuna"`` lets Optuna propose.
        trials : int, optional
            Cells that a sampler tries.
        fresh : int, optional
            Seeds, none of them used in choosing, from which the best cells are run again for a fair score; by
            default as many as each cell had at first, 0 for none.
        fail_fast : bool
            Raise the first error of a cell that cannot be trained, instead of going on with the others.
        arrays : bool, optional
            Whether the runs of the result have their weights and histories (a store has them anyway); by default if
            they are expected to fit into `memory`.
        progress : callable, optional
            Gets a `chainrule.experiments.sweeps.sweeper.SweepEvent` now and then.

        Returns
        -------
        SweepResult
            After Ctrl-C, or when the budget is spent: what there is, with `interrupted` set and notes that say so.

        Raises
        ------
        ConfigError
            For options that cannot work, or a recipe that trains nothing.
        StoreError
            If the store cannot be used.
        """
        sampling = Sampling(sampler, trials)
        _check(self.recipe, budget, adaptive, halving, sampling, fresh)
        numbers = seeds_of(self.recipe, quick, seeds)
        plan = _plan(adaptive, Adaptive)
        most = None if plan is None else plan.most
        require(
            most is None or most >= len(numbers),
            f"adaptive: most is {most}, fewer than the {len(numbers)} seeds that every cell gets at first",
        )
        taken = resources or resources_from(threads, memory)
        folder = None if data_dir is None else str(data_dir)
        with _opened(store) as keeper:
            deadline = None if budget is None else time.monotonic() + budget
            means = SweepMeans(keeper, engine, taken, folder, deadline, fail_fast, progress)
            sweep = _Sweep(Sweeper(self.recipe, means), numbers, quick, arrays, taken.memory)
            result = sweep.run(sampling, plan, _plan(halving, Halving))
            wanted = len(numbers) if fresh is None else fresh
            return sweep.finish(sweep.rescored(result, wanted))


class _Sweep:
    """One call of `Experiment.run`."""

    def __init__(self, sweeper: Sweeper, seeds: Sequence[int], quick: bool, arrays: bool | None, memory: int) -> None:
        self.sweeper, self.recipe, self.seeds, self.quick = sweeper, sweeper.recipe, seeds, quick
        self.arrays, self.memory = arrays, memory
        sweeper.arrays = arrays is not False
        self.notes: list[str] = []

    def run(self, sampling: Sampling, adaptive: Adaptive | None, halving: Halving | None) -> SweepResult:
        """Obtain the runs of all cells."""
        sweeper, seeds = self.sweeper, self.seeds
        if not seeds:
            self.notes.append("the recipe is left out of quick runs: it asks for no seeds there")
        cells, note = sample_cells(sweeper, sampling, seeds, self.quick)
        self.notes += [note] if note else []
        chosen_by = sampling.kind if note else "grid"  # a sampler that tries every place of a grid tries the grid
        if sampling.kind != "optuna":  # its cells have been run
            self._check_memory(cells)
        if halving is not None:
            halved = halve(sweeper, cells, seeds, halving)
            self.notes += [] if halved.report is None else [halved.report.sentence]
            return SweepResult(self.recipe, halved.cells, seeds=tuple(seeds), halving=halved.report, sampler=chosen_by)
        if adaptive is not None:
            check_adaptive(self.recipe, cells)
        sweeper.watch((cell.setting, cell.label) for cell in cells)
        whole = sweeper.obtain([(cell.setting, seeds) for cell in cells])
        if adaptive is not None and seeds and whole:
            self.notes.append(add_seeds(sweeper, cells, seeds, adaptive))
        results = [sweeper.result(cell, adaptive=adaptive is not None) for cell in cells]
        return SweepResult(self.recipe, tuple(results), seeds=tuple(seeds), sampler=chosen_by)

    def _check_memory(self, cells: Sequence[Cell]) -> None:
        """Leave weights and histories to the store if they would not fit."""
        size = sum(_held_bytes(cell.setting, self.sweeper.means.data_dir) for cell in cells) * len(self.seeds)
        self.sweeper.arrays = size <= self.memory if self.arrays is None else self.arrays
        if self.arrays is None and not self.sweeper.arrays:
            self.notes.append(
                f"histories and weights are not held in memory, where they would take about {memory_text(size)}: what "
                "needs curves is left out; allow more memory, keep fewer rows (log_every), or ask for fewer seeds"
            )

    def rescored(self, result: SweepResult, count: int) -> SweepResult:
        """Run the best cells from seeds that played no part in finding them."""
        if count < 1 or len(result) < 2 or self.sweeper.stopped:
            return result
        from chainrule.experiments.sweeps.choice import choose, criterion_of

        compared = on_shared_seeds(result)
        choice = choose(compared, criterion_of(compared))
        if choice.winner is None:
            return result
        others = sorted((k for k in choice.members if k != choice.winner), key=lambda k: -choice.p_adjusted.get(k, 0.0))
        most = min(max(len(result) // FRESH_SHARE, 1), FRESH_CELLS)
        best = [result.cells[k].cell for k in [choice.winner, *others][:most]]
        settings = [cell.setting for cell in best]
        self.sweeper.watch((cell.setting, cell.label) for cell in best)
        first = 1 + max(seed for one in result for seed in one.seeds)
        seeds = range(first, first + count)
        before = self.sweeper.computed
        whole = self.sweeper.obtain([(setting, seeds) for setting in settings], "fresh seeds for the best")
        if not whole:
            self.notes.append("the best cell was not scored on all of its fresh seeds")
        runs = {setting.key: self.sweeper.runs(setting, seeds) for setting in settings}
        fresh = {key: found for key, found in runs.items() if len(found)}
        return replace(result, fresh=fresh, rescored=self.sweeper.computed - before)

    def finish(self, result: SweepResult) -> SweepResult:
        """Add how it came about."""
        sweeper = self.sweeper
        if sweeper.out_of_time:
            self.notes.append(SPENT)
        return replace(
            result,
            computed=sweeper.computed,
            reused=sweeper.reused,
            seconds=sweeper.seconds,
            interrupted=sweeper.stopped,
            out_of_time=sweeper.out_of_time,
            notes=tuple(self.notes),
        )


def _held_bytes(setting: Setting, data_dir: str | None) -> int:
    """Return roughly what a run's history and weights take."""
    return bytes_of(setting) + 8 * _weights(setting.source, setting.network, data_dir)


@lru_cache(maxsize=4096)
def _weights(source: str, network: str, data_dir: str | None) -> int:
    """Return how many weights a network has; 0 if its data cannot be read or do not fit: it will not be trained."""
    try:
        data = source_of(source, data_dir).draw(0)
        unbound = Network.from_description(json.loads(network))
        return unbound.bind(data.feature_shape, data.n_outputs, data.output_activation).n_parameters
    except ChainruleError:
        return 0


def _check(
    recipe: Recipe,
    budget: float | None,
    adaptive: bool | Adaptive,
    halving: bool | Halving,
    sampling: Sampling,
    fresh: int | None,
) -> None:
    """Refuse what cannot work, before anything is trained."""
    if not recipe.trains:
        raise ConfigError(f"recipe '{recipe.id}' trains nothing: it has no [data] table")
    require(
        budget is None or (math.isfinite(budget) and budget > 0), f"budget must be seconds above 0, got {show(budget)}"
    )
    require(fresh is None or fresh >= 0, f"fresh must be a number of seeds from 0, got {show(fresh)}")
    require(not (adaptive and halving), "adaptive seeds and halving cannot be combined: choose one")
    require(not (halving and sampling.kind == "optuna"), "halving and the sampler 'optuna' cannot be combined")
    assert sampling.kind in SAMPLERS


def _plan(given: bool | Plan, kind: type[Plan]) -> Plan | None:
    """Return the plan that True or a plan stands for."""
    return given if isinstance(given, kind) else kind() if given else None


@contextmanager
def _opened(store: RunKeeper | str | Path | None) -> Iterator[RunKeeper | None]:
    """Give what was given, or the store that a path or URL means; that is closed again."""
    if not isinstance(store, str | Path):
        yield store
        return
    from chainrule.experiments.store import Store

    with Store.open(store) as opened:
        yield opened
