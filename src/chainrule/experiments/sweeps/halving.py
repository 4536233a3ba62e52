"""Successive halving: all cells are trained for few epochs, the best go on, and what that could cost is measured.

Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016. At each
rung every cell left is trained from the same seeds for a share of its epochs, as a run of its own with that many
epochs (a schedule that depends on the number of epochs runs its course on each rung); the best 1/eta go on to the next.

A cell that starts slowly and would have won is lost that way. How often that happens is not assumed but measured: a
random sample of the cells given up is trained to the end all the same, and the report says how many of them beat the
best cell that was kept, and by how much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.experiments.recipes.grid import Cell, Setting, make_setting
from chainrule.experiments.recipes.scores import SUCCESS, quantity_of
from chainrule.experiments.sweeps.halving_report import HalvingReport, Rung
from chainrule.experiments.sweeps.result import CellResult
from chainrule.experiments.sweeps.sweeper import Sweeper
from chainrule.random import stream
from chainrule.spec import require
from chainrule.stats import success_rate

LEAST_CHECKED = 5


@dataclass(frozen=True)
class Halving:
    """How cells are given up.

    Attributes
    ----------
    eta : int
        One cell in so many goes on from a rung to the next, with so many times the epochs.
    rungs : int
        How many there are, the last of which trains to the end.
    check : float
        Share of the cells given up that is trained to the end for the report; at least five of them, 0 for none.
    """

    eta: int = 3
    rungs: int = 3
    check: float = 0.2

    def __post_init__(self) -> None:
        require(2 <= self.eta <= 100, f"halving: eta must be from 2 to 100, got {self.eta}")
        require(2 <= self.rungs <= 10, f"halving: rungs must be from 2 to 10, got {self.rungs}")
        require(0 <= self.check <= 1, f"halving: check must be a share from 0 to 1, got {self.check}")


@dataclass(frozen=True)
class Halved:
    """Cells after halving: results in the order of the grid, and the report (None if it did not get to its end)."""

    cells: tuple[CellResult, ...]
    report: HalvingReport | None


def halve(sweeper: Sweeper, cells: Sequence[Cell], seeds: Sequence[int], plan: Halving) -> Halved:
    """Train all cells a little, the best of them longer, the very best to the end.

    Parameters
    ----------
    sweeper : Sweeper
        Obtains the runs, those of rungs too: a resumed sweep finds them in its store.
    cells : sequence of Cell
        The grid.
    seeds : sequence of int
        The seeds of every cell on every rung.
    plan : Halving
        How.
    """
    pruned: dict[Cell, Setting] = {}
    alive, rungs = list(cells), []
    if not seeds:
        return Halved(_results(sweeper, cells, pruned, seeds), None)
    for number in reversed(range(plan.rungs)):
        settings = [shortened(cell.setting, plan.eta**number) for cell in alive]
        share = plan.eta**-number
        sweeper.watch((setting, cell.label) for setting, cell in zip(settings, alive, strict=True))
        phase = f"rung {plan.rungs - number} of {plan.rungs}: {len(alive)} cells, {100 * share:.3g} % of the epochs"
        if not sweeper.obtain([(setting, seeds) for setting in settings], phase):
            return Halved(_results(sweeper, cells, pruned, seeds), None)
        for cell, setting in list(zip(alive, settings, strict=True)):
            if not len(sweeper.runs(setting, seeds)):  # it cannot be trained: that is no verdict on it
                alive.remove(cell)
                settings.remove(setting)
                sweeper.missing.setdefault(cell.setting.key, sweeper.missing.get(setting.key, "not trained"))
        if not alive:
            return Halved(_results(sweeper, cells, pruned, seeds), None)
        kept = _best(sweeper.scores(settings, seeds), 1.0 if number == 0 else 1.0 / plan.eta)
        rungs.append(Rung(share, len(alive), len(kept)))
        pruned |= {cell: settings[k] for k, cell in enumerate(alive) if k not in kept}
        alive = [alive[k] for k in sorted(kept)]
    checked = _sample(list(pruned), plan.check, seeds[0])
    sweeper.watch((cell.setting, cell.label) for cell in checked)
    whole = sweeper.obtain([(cell.setting, seeds) for cell in checked], f"check: {len(checked)} cells given up")
    if not whole:
        return Halved(_results(sweeper, cells, pruned, seeds), None)
    report = _report(sweeper, cells, alive, pruned, checked, seeds, tuple(rungs), plan)
    for cell in checked:
        del pruned[cell]
    return Halved(_results(sweeper, cells, pruned, seeds), report)


def shortened(setting: Setting, divisor: int) -> Setting:
    """Return a setting with a part of its epochs, rounded up."""
    config = setting.config
    if divisor == 1 or config.epochs == 0:
        return setting
    return make_setting(setting.source, setting.net, config.replace(epochs=-(-config.epochs // divisor)))


def _best(scores: Sequence[float], share: float) -> set[int]:
    """Return the places of the best share of scores, rounded up; those equal to the last of them stay, too."""
    count = max(math.ceil(share * len(scores) - 1e-9), 1)
    last = sorted(scores, reverse=True)[count - 1]
    return {k for k, score in enumerate(scores) if score >= last}


def _sample(pruned: Sequence[Cell], share: float, seed: int) -> list[Cell]:
    """Draw the cells that are checked."""
    if not share or not pruned:
        return []
    count = min(max(math.ceil(share * len(pruned)), LEAST_CHECKED), len(pruned))
    drawn = stream(seed, "bootstrap").choice(len(pruned), size=count, replace=False)
    return [pruned[k] for k in sorted(drawn.tolist())]


def _results(
    sweeper: Sweeper, cells: Sequence[Cell], pruned: dict[Cell, Setting], seeds: Sequence[int]
) -> tuple[CellResult, ...]:
    """Return the cells with the runs of the epochs that they got."""
    results = []
    for cell in cells:
        if cell in pruned:
            runs, epochs = sweeper.runs(pruned[cell], seeds), pruned[cell].config.epochs
            missing = sweeper.missing.get(pruned[cell].key, "")
            results.append(CellResult(cell, runs, missing, epochs))
        else:
            results.append(sweeper.result(cell, seeds=seeds))
    return tuple(results)


def _report(
    sweeper: Sweeper,
    cells: Sequence[Cell],
    alive: Sequence[Cell],
    pruned: dict[Cell, Setting],
    checked: Sequence[Cell],
    seeds: Sequence[int],
    rungs: tuple[Rung, ...],
    plan: Halving,
) -> HalvingReport:
    """Compare the cells checked with the best that was kept, and count the work."""
    scores = sweeper.scores([cell.setting for cell in (*alive, *checked)], seeds)
    best = max(scores[: len(alive)])
    better = [score for score in scores[len(alive) :] if score > best]
    quantity = quantity_of(sweeper.recipe, [cell.setting for cell in cells])
    lost = max(better, default=best) - best
    if quantity == SUCCESS and lost:
        lost = _rate_lost(sweeper, alive, checked, seeds)
    trained = {shortened(cell.setting, plan.eta**k) for k in range(plan.rungs) for cell in cells}
    runs = [run for setting in trained for run in sweeper.runs(setting, seeds)]
    full = {cell: list(sweeper.runs(cell.setting, seeds)) for cell in cells}
    known = [run for cell in (*alive, *checked) for run in full[cell]]
    per_epoch = sum(run.seconds for run in runs) / max(sum(run.epochs for run in runs), 1)
    unknown = sum(cell.setting.config.epochs * len(seeds) for cell in pruned if cell not in checked)
    return HalvingReport(
        rungs=rungs,
        pruned=len(pruned),
        checked=len(checked),
        beaten=success_rate(len(better), len(checked)) if checked else None,
        lost=float(lost),
        quantity=quantity,
        epochs=sum(run.epochs for run in runs),
        epochs_whole=sum(run.epochs for run in known) + unknown,
        seconds=sum(run.seconds for run in runs),
        seconds_whole=sum(run.seconds for run in known) + unknown * per_epoch,
    )


def _rate_lost(sweeper: Sweeper, alive: Sequence[Cell], checked: Sequence[Cell], seeds: Sequence[int]) -> float:
    """Return by how much the best success rate among the cells checked exceeds the best one kept."""
    best = [
        max(float(sweeper.successes(sweeper.runs(cell.setting, seeds)).mean()) for cell in group)
        for group in (alive, checked)
    ]
    return max(best[1] - best[0], 0.0)
