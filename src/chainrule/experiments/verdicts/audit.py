"""Audit: the chance that a study of a given size shows a claimed order, whatever the truth.

"Adam beats momentum" after five runs each is a statement about five runs. With enough seeds of our own we can say how
often five of them show that order, and how often the other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from chainrule.errors import ConfigError
from chainrule.experiments.recipes.grid import Cell, cells_at
from chainrule.experiments.recipes.selectors import VARIANT, Selector, axes_of, selector_words
from chainrule.experiments.running.jobs import Job, job_cost
from chainrule.experiments.verdicts.bench import Bench, check_measure
from chainrule.experiments.verdicts.fair_tuning import Tuned, split_seeds, tune, tuning_words
from chainrule.experiments.verdicts.measures import Measure, Values
from chainrule.experiments.verdicts.pairing import check_same_data
from chainrule.experiments.verdicts.sides import Candidate, Side
from chainrule.experiments.verdicts.verdict import Picture, Verdict, jsonable
from chainrule.stats import Interval, success_rate
from chainrule.stats.audit import Chance, Shown
from chainrule.stats.orders import chain_chance
from chainrule.stats.sentences import number, percent, percent_range

MANY, FEW = 300, 30
CHEAP = 300.0
"""Estimated work (`job_cost`) of all runs up to which `MANY` seeds are taken; engines are about ten times faster."""


def one_cell(cells: Sequence[Cell], selector: Selector, option: str = "--at") -> Cell:
    """Return the only cell at a selector, or say how to choose one."""
    found = cells_at(cells, selector)
    if len(found) == 1:
        return found[0]
    axes = {axis: values for axis, values in axes_of(found).items() if len(values) > 1 and axis != VARIANT}
    example = ",".join(f"{axis.split('.')[-1]}={values[0]}" for axis, values in axes.items())
    what = selector_words(selector) or "the recipe"
    raise ConfigError(f"{what} is {len(found)} cells: choose one of them, such as {option} {example}")


def usual_seeds(candidates: Sequence[Candidate], own: Sequence[int]) -> tuple[int, ...]:
    """Return the seeds an audit takes if nobody says how many: a few hundred where they are cheap."""
    cost = sum(job_cost(Job((candidate.setting,), tuple(range(MANY)))) for candidate in candidates)
    count = max(MANY if cost <= CHEAP else FEW, len(own))
    start = own[0] if own else 0
    return tuple(range(start, start + count))


def audit_sides(
    sides: Sequence[Side],
    measure: Measure,
    bench: Bench,
    seeds: Sequence[int],
    runs: int = 5,
    *,
    statistic: Shown = "mean",
    paired: bool = False,
    level: float = 0.95,
) -> Verdict:
    """Return the chance that a study shows sides in the order given, each at the best of its cells; see `audit`.

    If a side leaves several cells open, the first half of the seeds chooses for every side and the second half is
    audited; the verdict says how the sides were tuned, or that they were not.
    """
    _check_comparable([candidate for side in sides for candidate in side.candidates], measure)
    choosing: Sequence[int] = ()
    tuned = tuple(Tuned(side, side.candidates[0]) for side in sides)
    if any(len(side.candidates) > 1 for side in sides):
        if len(seeds) < 2:
            raise ConfigError("sides of several cells are tuned on one half of the seeds: give --seeds at least 2")
        choosing, seeds = split_seeds(seeds)
        tuned = tune(sides, measure, bench, choosing)
    labelled = [replace(one.chosen, label=one.name) for one in tuned]
    verdict = audit(labelled, measure, bench, seeds, runs, statistic=statistic, paired=paired, level=level)
    words = tuning_words(tuned, len(choosing))
    tuning = {
        "words": words,
        "choosing_seeds": tuple(choosing),
        "scores": {one.side.name: jsonable(one.scores) for one in tuned if one.scores},
    }
    sentence = f"{verdict.sentence.removesuffix('.')}; {words}." if words else verdict.sentence
    return replace(verdict, sentence=sentence, numbers={**verdict.numbers, "tuning": tuning})


def _check_comparable(candidates: Sequence[Candidate], measure: Measure) -> None:
    """Refuse settings that do not record the measure, or see other data."""
    check_measure(measure, candidates)
    for other in candidates[1:]:
        check_same_data(candidates[0].setting, other.setting)


def audit(
    candidates: Sequence[Candidate],
    measure: Measure,
    bench: Bench,
    seeds: Sequence[int],
    runs: int = 5,
    *,
    statistic: Shown = "mean",
    paired: bool = False,
    level: float = 0.95,
) -> Verdict:
    """Return the chance that a study shows settings in the order given.

    Parameters
    ----------
    candidates : sequence of Candidate
        The settings, claimed best first; their labels name them.
    measure : Measure
        What the study compares.
    bench : Bench
        Where our runs come from.
    seeds : sequence of int
        Our seeds; they stand for all seeds.
    runs : int
        Runs a side of the study.
    statistic : "mean" or "median"
        What the study takes over its runs.
    paired : bool
        Whether the study uses the same seeds on all sides.
    level : float
        Confidence of the interval.
    """
    _check_comparable(candidates, measure)
    table = bench.values(candidates, seeds, [measure])
    columns = [table[place, measure.text] for place in range(len(candidates))]
    names = tuple(candidate.label for candidate in candidates)
    verdict = audit_values(names, columns, measure, runs, statistic=statistic, paired=paired, level=level)
    rule = (f"Success: {candidates[0].rule}.",) if measure.is_success else ()
    numbers = {**verdict.numbers, "computed": bench.computed, "reused": bench.reused}
    return replace(verdict, numbers=numbers, notes=(*verdict.notes, *rule))


def audit_values(
    names: Sequence[str],
    columns: Sequence[Values],
    measure: Measure,
    runs: int = 5,
    *,
    statistic: Shown = "mean",
    paired: bool = False,
    level: float = 0.95,
) -> Verdict:
    """Return the chance that a study shows an order, from values (n_seeds,) a setting; see `audit`."""
    if runs < 1:
        raise ConfigError(f"a study has at least one run a side, got {runs}")
    filled = [measure.with_worst(column) for column in columns]
    chance = chain_chance(filled, runs, measure.better, statistic, paired, level)
    numbers = {
        "chance": asdict(chance),
        "runs": runs,
        "statistic": statistic,
        "paired": paired,
        "better": measure.better,
        "ours": {name: _ours(values, measure, statistic) for name, values in zip(names, filled, strict=True)},
    }
    rest = "a tie" if len(names) == 2 else "another order"
    rows = (
        ("as claimed", chance.shows, chance.interval.low, chance.interval.high),
        ("the other way round", chance.reversed, chance.reversed, chance.reversed),
        (rest, chance.ties, chance.ties, chance.ties),
    )
    return Verdict(
        _sentence(names, chance, numbers["ours"], measure, statistic),  # type: ignore[arg-type]
        "told",
        "audit",
        measure.text,
        tuple(names),
        chance.n,
        level,
        chance.interval,
        "the chance that such a study shows the order",
        numbers,
        Picture("chances", rows, f"chance that a study with {_runs(runs)} a side shows it"),
    )


def _ours(values: Values, measure: Measure, statistic: Shown) -> float:
    """Return what all our seeds show."""
    if measure.is_share:
        return success_rate(int(np.sum(values > 0)), len(values)).rate
    with np.errstate(invalid="ignore"):
        return float(np.median(values) if statistic == "median" else np.mean(values))


def _sentence(names: Sequence[str], chance: Chance, ours: dict[str, float], measure: Measure, statistic: Shown) -> str:
    """Say how often, and what all our seeds show."""
    order = " ahead of ".join(names)
    tail = f"{_percent(chance.reversed)} show {'the reverse' if len(names) == 2 else 'exactly the reverse'}"
    rest = (
        f" and {_percent(chance.ties)} {'a tie' if len(names) == 2 else 'another order'}"
        if round(chance.ties, 3) > 0
        else ""
    )
    all_ours = ", ".join(f"{name} {_value(ours[name], measure)}" for name in names)
    what = measure.words if measure.is_share else f"{statistic} {measure.words}"
    return (
        f"A study with {_runs(chance.runs)} each shows {order} in {measure.words} in {_percent(chance.shows)} of cases "
        f"({_interval(chance.interval)}); {tail}{rest}; over {_all_seeds(chance.n)} the {what} is: {all_ours}."
    )


def _all_seeds(n: int) -> str:
    return f"all {n:,} seeds" if n > 1 else "the one seed there is"


def _runs(runs: int) -> str:
    return f"{runs} run{'' if runs == 1 else 's'}"


def _percent(share: float) -> str:
    return percent(round(share, 3))


def _interval(interval: Interval) -> str:
    return f"{percent(interval.level)} interval {percent_range(interval.low, interval.high)}"


def _value(value: float, measure: Measure) -> str:
    return percent(value) if measure.is_share else number(value) if np.isfinite(value) else "not finite"
