"""The bench on which settings are compared: it gets the runs that a comparison asks for and hands out their values.

Runs come from the store where it has them and are trained otherwise; only values are kept here, so that a comparison of
thousands of seeds needs no more memory than their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ConfigError
from chainrule.experiments.recipes.quantities import check_quantity, parse_quantity
from chainrule.experiments.recipes.recipe import known_keys
from chainrule.experiments.running.chunks import Pace
from chainrule.experiments.running.obtain import obtain
from chainrule.experiments.running.records import Obtained, RunKeeper
from chainrule.experiments.verdicts.measures import Measure, Values
from chainrule.experiments.verdicts.sides import Candidate, take_seeds
from chainrule.resources import Resources
from chainrule.runs import Runs

Hear = Callable[[str, float], None]
"""Is told what is being done and which share of it is done."""


@dataclass
class Bench:
    """Gets runs.

    Attributes
    ----------
    store : RunKeeper or None
        Where runs are kept; None trains and forgets.
    engine : str
        ``"auto"`` or the name of an engine.
    resources : Resources or None
        Threads and memory.
    data_dir : str or None
        Where to look for data files first.
    hear : callable or None
        Is told how far the training is.
    computed, reused : int
        Runs trained, and runs found in the store.
    """

    store: RunKeeper | None = None
    engine: str = "auto"
    resources: Resources | None = None
    data_dir: str | None = None
    hear: Hear | None = None
    computed: int = 0
    reused: int = 0
    pace: Pace = field(default_factory=Pace, repr=False)
    _known: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict, repr=False)

    def values(self, candidates: Sequence[Candidate], seeds: Sequence[int], measures: Sequence[Measure]) -> Table:
        """Return the measures of some candidates for some seeds.

        Returns
        -------
        dict
            (place of the candidate, text of the measure) -> values (n_seeds,), NaN where a diverged run has none.

        Raises
        ------
        ConfigError
            If a run is missing, with the reason.
        KeyboardInterrupt
            If training was interrupted; what had finished is in the store.
        """
        self._obtain(candidates, seeds, measures)
        return {
            (place, measure.text): np.array([self._of(candidate, measure)[seed] for seed in seeds], dtype=np.float64)
            for place, candidate in enumerate(candidates)
            for measure in measures
        }

    def learn(self, candidate: Candidate, runs: Runs, measures: Sequence[Measure]) -> None:
        """Take the values of runs that are at hand already, so that they are not trained again."""
        self._keep(candidate, [run.seed for run in runs], runs, measures)

    def _of(self, candidate: Candidate, measure: Measure) -> dict[int, float]:
        # the rule is part of the key: two sides may judge the same runs by different rules
        return self._known.setdefault((candidate.setting.key, f"{measure.text}/{candidate.rule}"), {})

    def _obtain(self, candidates: Sequence[Candidate], seeds: Sequence[int], measures: Sequence[Measure]) -> None:
        """Make the values known of candidates whose runs are not."""
        lacking: list[tuple[Candidate, list[int]]] = []
        for candidate in candidates:
            new = [seed for seed in seeds if any(seed not in self._of(candidate, one) for one in measures)]
            if new and candidate.runs is not None:
                self._keep(candidate, new, take_seeds(candidate.runs, new), measures)
            elif new:
                lacking.append((candidate, new))
        if not lacking:
            return
        obtained = self._train(lacking)
        for candidate, new in lacking:
            why = obtained.missing.get(candidate.setting.key, "")
            if why or candidate.setting.key not in obtained.runs:
                raise ConfigError(f"{candidate.label or 'a setting'} could not be trained: {why or 'no run came back'}")
            self._keep(candidate, new, take_seeds(obtained.runs[candidate.setting.key], new), measures)

    def _train(self, lacking: Sequence[tuple[Candidate, list[int]]]) -> Obtained:
        obtained = obtain(
            [(candidate.setting, seeds) for candidate, seeds in lacking],
            store=self.store,
            engine=self.engine,
            resources=self.resources,
            data_dir=self.data_dir,
            pace=self.pace,
            progress=None if self.hear is None else self._tell,
        )
        self.computed += obtained.computed
        self.reused += obtained.reused
        if obtained.interrupted:
            raise KeyboardInterrupt
        return obtained

    def _keep(self, candidate: Candidate, seeds: Sequence[int], runs: Runs, measures: Sequence[Measure]) -> None:
        """Take the values of runs, which are then let go."""
        if len(runs) < len(seeds):
            there = {run.seed for run in runs}
            missing = next(seed for seed in seeds if seed not in there)
            raise ConfigError(f"{candidate.label or 'a side'} has no run of seed {missing}")
        for measure in measures:
            values = candidate.values(runs, measure)
            self._of(candidate, measure).update(zip(seeds, map(float, values), strict=True))

    def _tell(self, event: Any) -> None:
        assert self.hear is not None, "only asked for with a listener"
        self.hear("training", event.done / event.total if event.total else 1.0)


Table = dict[tuple[int, str], Values]
"""Values (n_seeds,) by the place of a candidate and the text of a measure."""


def check_measure(measure: Measure, candidates: Sequence[Candidate]) -> None:
    """Refuse a measure that runs of these settings do not have, before anything is trained.

    Raises
    ------
    ConfigError
        One line that names what there is.
    """
    for candidate in candidates:
        if measure.is_success:
            if not candidate.rule:
                raise ConfigError(
                    "nothing says when a run is a success: give the recipe a [success] rule or a stopping rule that "
                    "means success, or compare another quantity such as 'final loss'"
                )
        elif candidate.runs is None:
            check_quantity(parse_quantity(measure.text), candidate.setting.config, keys_of(candidate))
        elif len(candidate.runs):
            candidate.values(candidate.runs[:1], measure)


def keys_of(candidate: Candidate) -> list[str]:
    """Return the history keys that runs of a candidate have."""
    return known_keys(candidate)  # type: ignore[arg-type]  # all it asks of a cell is its setting


def open_store(store: RunKeeper | str | Path | None) -> AbstractContextManager[RunKeeper | None]:
    """Return a store as a context: opened and closed here if it is named, left open if it is given open."""
    if store is None or not isinstance(store, str | Path):
        return nullcontext(store)
    from chainrule.experiments.store import Store

    opened: AbstractContextManager[RunKeeper | None] = Store.open(store)
    return opened
