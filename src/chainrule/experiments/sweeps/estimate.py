"""How long a recipe takes on this machine, and how much memory: by training a small sample of it.

Cells that differ in nothing but rate and schedule are one *kind*. The kinds that the most work is expected of are
trained for real, a few members and as many epochs as fit in the time allowed; what one run of a kind takes is a part
that does not depend on the epochs, and a part that grows with them. The other kinds follow from those that were
measured, by the arithmetic they need. Runs that stop early are only noticed where the sample trains all epochs, so
that the estimate is rather too long than too short.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from chainrule.cohorts import Cohort, make_cohorts
from chainrule.data import DataSource, FixedSource
from chainrule.engines import ENGINES, choose_all
from chainrule.errors import ChainruleError, DataError
from chainrule.experiments.recipes.data_checks import not_at_hand
from chainrule.experiments.recipes.grid import Cell, Setting, expand, seeds_of
from chainrule.experiments.running.tasks import source_of
from chainrule.population import Member
from chainrule.resources import Resources, resources_from
from chainrule.training import train_members

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe

BUDGET = 2.0
"""Seconds that measuring takes, roughly."""
MOST_MEASURED = 6
"""Kinds measured at most."""
MOST_KINDS = 300
"""Kinds looked at; of more, an even sample stands for all."""
MEMBERS = 48
"""Members of a sample at most: enough to fill the lanes of both engines."""
WORK_A_SECOND = 3e8
"""Multiplications with a weight that a thread does in a second, forward and backward: a first guess, from below."""
GROWTH = 6
"""The sample trains so many times as many epochs, as long as they are not seen in its time."""
STEP_WORK, UNIT_WORK = 400.0, 12.0
"""What a step, and a unit for each sample, cost in multiplications with a weight."""
ROW_BYTES, RUN_BYTES = 480, 4096
"""What a run takes beside its numbers: in a store, and in memory."""
PACKED = 0.95
"""Size of a stored history compared with eight bytes a number: exponents compress, digits do not."""


@dataclass(frozen=True)
class Kind:
    """Cells whose runs take about the same time.

    Attributes
    ----------
    cells : tuple of Cell
        Of different settings; the first speaks for all.
    runs : int
        How many runs they need in sum.
    engine : str
        What trains them; empty if nothing can.
    work : float
        Multiplications that an epoch of one member needs, roughly.
    member_bytes, run_bytes, stored_bytes : int
        Memory of a member in training, of its finished run, and of the run in a store.
    problem : str
        Why it cannot be trained.
    """

    cells: tuple[Cell, ...]
    runs: int
    engine: str = ""
    work: float = 0.0
    member_bytes: int = 0
    run_bytes: int = 0
    stored_bytes: int = 0
    problem: str = ""

    @property
    def setting(self) -> Setting:
        """The setting that speaks for all."""
        return self.cells[0].setting

    @property
    def epochs(self) -> int:
        """Epochs of a run, and one more for what comes before the first."""
        return self.setting.config.epochs + 1


@dataclass(frozen=True)
class Estimate:
    """What running a recipe takes; times and sizes are estimates.

    Attributes
    ----------
    cells, settings, runs : int
        Cells of the grid; different settings among them; runs, each setting from each seed once.
    members : dict of str to int
        Runs by the engine that will train them.
    seconds : float
        Wall time on this machine, store and pictures aside; NaN if nothing could be measured.
    startup : float
        Seconds of those that a new process needs before it trains.
    memory : int
        Bytes of the members in training at a time, at most.
    kept : int
        Bytes of all finished runs in memory.
    stored : int
        Bytes of all runs in a store, with weights and histories.
    measured : int
        Runs that were trained for it.
    problems : dict of str to str
        Cells that cannot be trained, by their label, and why.
    """

    cells: int
    settings: int
    runs: int
    members: dict[str, int] = field(default_factory=dict)
    seconds: float = math.nan
    startup: float = 0.0
    memory: int = 0
    kept: int = 0
    stored: int = 0
    measured: int = 0
    problems: dict[str, str] = field(default_factory=dict)


def estimate(
    recipe: Recipe,
    *,
    seeds: int | None = None,
    quick: bool = False,
    engine: str = "auto",
    resources: Resources | None = None,
    data_dir: str | None = None,
    budget: float = BUDGET,
) -> Estimate:
    """Estimate time and memory of a recipe by training a small sample of it.

    Parameters
    ----------
    recipe : Recipe
        What would be run.
    seeds : int, optional
        Seeds of each cell, instead of the recipe's number.
    quick : bool
        Whether the quick run is meant.
    engine, resources, data_dir
        As for `chainrule.experiments.running.obtain.obtain`.
    budget : float
        Seconds that the sample may take; one epoch of very large data may take longer. 0 trains nothing.

    Raises
    ------
    ConfigError
        For an engine that does not exist.
    """
    cells, numbers = expand(recipe, quick), seeds_of(recipe, quick, seeds)
    distinct = {cell.setting: cell for cell in cells}
    taken = resources or resources_from()
    kinds, share = _sampled(_kinds_of(distinct.values(), len(numbers)))
    kinds = _examined(kinds, numbers, engine, taken, data_dir)
    able = [kind for kind in kinds if not kind.problem]
    measuring = _Measuring(engine, taken, data_dir, numbers, budget)
    seconds = measuring.seconds(able) if budget > 0 and numbers else math.nan
    members: dict[str, float] = {}
    for kind in able:
        members[kind.engine] = members.get(kind.engine, 0.0) + kind.runs * share
    return Estimate(
        len(cells),
        len(distinct),
        len(distinct) * len(numbers),
        {name: round(count) for name, count in members.items()},
        seconds * share + measuring.startup,
        measuring.startup,
        max((min(kind.member_bytes * kind.runs, taken.memory) for kind in able), default=0),
        round(share * sum(kind.run_bytes * kind.runs for kind in able)),
        round(share * sum(kind.stored_bytes * kind.runs for kind in able)),
        measuring.trained,
        {cell.label or "the only cell": kind.problem for kind in kinds if kind.problem for cell in kind.cells},
    )


def _kinds_of(cells: Iterable[Cell], seeds: int) -> list[Kind]:
    """Group cells of different settings."""
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        training = json.loads(cell.setting.training) | {"learning_rate": None, "schedule": None}
        key = (cell.setting.source, cell.setting.network, json.dumps(training, sort_keys=True))
        groups.setdefault(key, []).append(cell)
    return [Kind(tuple(group), len(group) * seeds) for group in groups.values()]


def _sampled(kinds: list[Kind]) -> tuple[list[Kind], float]:
    """Return an even sample of very many kinds, and how many runs each of its runs stands for."""
    if len(kinds) <= MOST_KINDS:
        return kinds, 1.0
    chosen = [kinds[k * len(kinds) // MOST_KINDS] for k in range(MOST_KINDS)]
    return chosen, sum(kind.runs for kind in kinds) / max(sum(kind.runs for kind in chosen), 1)


def _examined(
    kinds: Sequence[Kind], seeds: Sequence[int], engine: str, resources: Resources, data_dir: str | None
) -> list[Kind]:
    """Bind every kind's network to the data, and find out what trains it and what it needs."""
    found: dict[int, Kind] = {}
    by_source: dict[str, dict[int, Cohort]] = {}
    for number, kind in enumerate(kinds):
        try:
            source = source_of(kind.setting.source, data_dir)
            if not_at_hand(source, data_dir):
                raise DataError(f"its data are not at hand: `chainrule data {source.name}` fetches them")
            members = [Member(kind.setting.net, kind.setting.config, seed) for seed in (seeds or (0,))[:4]]
            ((_, cohort),) = make_cohorts(members, source)
            by_source.setdefault(kind.setting.source, {})[number] = cohort
        except ChainruleError as error:
            found[number] = replace(kind, problem=str(error))
    for cohorts in by_source.values():
        for number, (name, problem) in _choices(cohorts, engine, resources).items():
            found[number] = _described(kinds[number], cohorts[number], name, problem)
    return [found[number] for number in range(len(kinds))]


def _choices(cohorts: dict[int, Cohort], engine: str, resources: Resources) -> dict[int, tuple[str, str]]:
    """Return the engine of each cohort, or why there is none."""
    try:
        choices = choose_all(engine, list(cohorts.values()), resources)
        return {number: (choice.engine, "") for number, choice in zip(cohorts, choices, strict=True)}
    except ChainruleError as error:
        if engine not in ("auto", *ENGINES):
            raise
        if len(cohorts) == 1:
            return dict.fromkeys(cohorts, ("", str(error)))
    return {number: _choices({number: cohort}, engine, resources)[number] for number, cohort in cohorts.items()}


def _described(kind: Kind, cohort: Cohort, engine: str, problem: str) -> Kind:
    """Say what a kind needs."""
    if problem:
        return replace(kind, problem=problem)
    config, data = cohort.config, cohort.splits[0]
    n, weights = data.train.n, cohort.network.n_parameters
    units = sum(int(np.prod(shape)) for shape in cohort.network.shapes[1:])
    steps = 1 if config.batch_size == "full" else math.ceil(n / int(config.batch_size))
    rows = config.epochs // config.log_every + 2
    columns = (2 + len(config.metrics)) * (2 if data.validation is not None else 1) + 2
    windows = 2 * config.epochs * steps // config.window if config.window else 0
    values = rows * columns + windows
    itemsize = np.dtype(config.dtype).itemsize
    return replace(
        kind,
        engine=engine,
        work=n * (weights + UNIT_WORK * units) + STEP_WORK * steps,
        member_bytes=ENGINES[engine]().member_bytes(cohort),
        run_bytes=RUN_BYTES + 2 * weights * itemsize + 8 * values,
        stored_bytes=ROW_BYTES + round(1.05 * weights * itemsize + PACKED * 8 * values),
    )


class _Measuring:
    """Trains samples of kinds until the time allowed is spent."""

    def __init__(
        self, engine: str, resources: Resources, data_dir: str | None, seeds: Sequence[int], budget: float
    ) -> None:
        self.engine, self.resources, self.data_dir = engine, resources, data_dir
        self.seeds, self.budget = seeds, budget
        self.trained, self.startup = 0, 0.0

    def seconds(self, kinds: Sequence[Kind]) -> float:
        """Return the seconds of all runs of kinds."""
        if not kinds:
            return math.nan
        heaviest = sorted(kinds, key=lambda kind: kind.work * kind.epochs * kind.runs, reverse=True)
        chosen = _of_each_engine(heaviest)
        known: list[tuple[Kind, float]] = []
        started = time.perf_counter()
        for place, kind in enumerate(chosen):
            elapsed = time.perf_counter() - started - self.startup
            if known and elapsed > self.budget:
                break
            known.append((kind, self._run_seconds(kind, (self.budget - elapsed) / (len(chosen) - place))))
        measured = dict(known)
        return sum(kind.runs * measured.get(kind, _like(kind, known)) for kind in kinds)

    def _run_seconds(self, kind: Kind, budget: float) -> float:
        """Return the seconds of one run of a kind, in company."""
        source = source_of(kind.setting.source, self.data_dir)
        members = self._members(kind, budget)
        source, part = self._cut(kind, source, len(members), budget)
        cold = self._time(members, source, kind, 0)
        base = self._time(members, source, kind, 0)
        self.startup += max(cold - base, 0.0)
        epochs, guess = kind.epochs - 1, self._expected(kind, len(members)) * part
        last = max(min(epochs, int(budget / 4 / guess)), min(epochs, 1))
        seconds = self._time(members, source, kind, last) if last else base
        spent = base + seconds
        while last < epochs and seconds < 3 * base + 0.03 and spent < budget:
            last = min(GROWTH * last, epochs)
            seconds = self._time(members, source, kind, last)
            spent += seconds
        base = min(base, seconds)
        # What other work on the machine takes away may hide the epochs: then the guess is better than nothing.
        clear = last == epochs or seconds > 1.3 * base
        slope = (seconds - base) / max(last, 1) if clear else guess
        self.trained += len(members)
        return (base + slope * epochs / part) / len(members)

    def _expected(self, kind: Kind, members: int) -> float:
        """Return a first guess of the seconds of an epoch of some members."""
        return members * kind.work / WORK_A_SECOND / self.resources.threads

    def _members(self, kind: Kind, budget: float) -> list[tuple[Setting, int]]:
        """Return settings and seeds of a sample, evenly over both."""
        threads = self.resources.threads
        fits = int(budget / 4 * WORK_A_SECOND * threads / max(kind.work, 1.0))
        number = min(kind.runs, max(min(fits, MEMBERS), threads))
        pairs = [(cell.setting, seed) for seed in self.seeds[:number] for cell in kind.cells]
        return [pairs[k * len(pairs) // number] for k in range(number)]

    def _cut(self, kind: Kind, source: DataSource, members: int, budget: float) -> tuple[DataSource, float]:
        """Return the data, or a part of them if a single epoch would take too long, and how large that part is."""
        expected = self._expected(kind, members)
        if expected < 2 * budget:
            return source, 1.0
        data = source.draw(self.seeds[0])
        rows = max(int(data.n * 2 * budget / expected), min(data.n, 512))
        index = np.linspace(0, data.n - 1, rows).astype(np.intp)
        return FixedSource(data.take(index)), rows / data.n

    def _time(self, chosen: Sequence[tuple[Setting, int]], source: DataSource, kind: Kind, epochs: int) -> float:
        """Train a sample for some epochs and return the seconds."""
        members = [Member(setting.net, setting.config.replace(epochs=epochs), seed) for setting, seed in chosen]
        started = time.perf_counter()
        # For so few another engine might be chosen: force the one that the whole will have.
        runs = train_members(
            members, source, engine=kind.engine, threads=self.resources.threads, memory=self.resources.memory
        )
        if runs.interrupted:
            raise KeyboardInterrupt
        return time.perf_counter() - started


def _of_each_engine(kinds: Sequence[Kind]) -> list[Kind]:
    """Return the kinds to measure: the heaviest of each engine first, then the heaviest of all."""
    first = {kind.engine: kind for kind in reversed(kinds)}
    chosen = [kind for kind in kinds if kind in first.values()]
    return [*chosen, *(kind for kind in kinds if kind not in chosen)][:MOST_MEASURED]


def _like(kind: Kind, known: Sequence[tuple[Kind, float]]) -> float:
    """Return the seconds of a run of a kind that was not measured, from the measured kind most like it."""
    own = [pair for pair in known if pair[0].engine == kind.engine] or list(known)
    nearest, seconds = min(own, key=lambda pair: abs(math.log(pair[0].work / kind.work)))
    return seconds * (kind.work * kind.epochs) / (nearest.work * nearest.epochs)
