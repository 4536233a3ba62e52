"""Audit: the chance that a study of a given size shows a claimed order, whatever the truth.

"Adam beats momentum" after five runs each is a statement about five runs. With enough seeds of our own we can say how
often five of them show that order, and how often the other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, ConfigError, one_line
from chainrule.experiments.recipes.grid import Cell, cells_at
from chainrule.experiments.recipes.selectors import (
    VARIANT,
    Axes,
    Selector,
    axes_of,
    find_value,
    parse_selector,
    selector_words,
    split_outside,
)
from chainrule.experiments.running.jobs import Job, job_cost
from chainrule.experiments.verdicts.bench import Bench, check_measure
from chainrule.experiments.verdicts.measures import Measure, Values
from chainrule.experiments.verdicts.pairing import check_same_data
from chainrule.experiments.verdicts.sides import Candidate
from chainrule.experiments.verdicts.verdict import Picture, Verdict
from chainrule.stats import Interval, success_rate
from chainrule.stats.audit import Chance, Shown
from chainrule.stats.orders import chain_chance
from chainrule.stats.sentences import number, percent, percent_range

MANY, FEW = 300, 30
CHEAP = 300.0
"""Estimated work (`job_cost`) of all runs up to which `MANY` seeds are taken; engines are about ten times faster."""


@dataclass(frozen=True)
class ClaimedOrder:
    """A claim such as ``adam > sgd``: selectors, claimed best first, and their names."""

    text: str
    selectors: tuple[dict[str, Any], ...]
    names: tuple[str, ...]


def parse_claim(text: str, cells: Sequence[Cell], where: Selector = {}) -> ClaimedOrder:  # noqa: B006
    """Read ``adam > sgd``, ``adam > momentum > sgd`` or ``sgd < adam``; ``>`` means *is better than*.

    Parameters
    ----------
    text : str
        Values of one axis, or selectors such as ``optimizer=adam,learning_rate=0.1``.
    cells : sequence of Cell
        The grid.
    where : mapping
        What holds for all of them.

    Raises
    ------
    ConfigError
        If it has no such form, or names a value that no axis has.
    """
    signs = [sign for sign in "<>" if len(split_outside(text, sign)) > 1]
    if len(signs) != 1 or "=" in text.replace(" ", "").partition(signs[0])[2][:1]:
        raise ConfigError(
            f"cannot read the claim '{one_line(text)}': write 'adam > sgd' (adam is better) or 'sgd < adam'"
        )
    parts = [part.strip() for part in split_outside(text, signs[0])]
    if not all(parts):
        raise ConfigError(f"the claim '{one_line(text)}' lacks a side: write 'adam > sgd'")
    if signs[0] == "<":
        parts.reverse()
    axes = axes_of(cells)
    own = _selectors(parts, axes)
    if len({repr(sorted(one.items(), key=str)) for one in own}) < len(own):
        raise ConfigError(f"the claim '{one_line(text)}' compares a setting with itself")
    return ClaimedOrder(text, tuple({**where, **one} for one in own), tuple(map(selector_words, own)))


def _selectors(parts: Sequence[str], axes: Axes) -> list[dict[str, Any]]:
    """Return what each part of a claim selects: all parts are values of one axis, or selectors."""
    if any(len(split_outside(part, "=")) > 1 for part in parts):
        return [parse_selector(part, axes) for part in parts]
    if not axes:
        raise ConfigError("a claim is about values of an axis, and this recipe has none: it is a single cell")
    fitting: list[list[dict[str, Any]]] = []
    for axis, values in axes.items():
        try:
            fitting.append([{axis: find_value(part, axis, values)} for part in parts])
        except ChainruleError:
            continue
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        named = " and ".join(next(iter(one[0])) for one in fitting)
        raise ConfigError(f"the claim could be about {named}: write {next(iter(fitting[0][0]))}={parts[0]} > ...")
    raise _unknown_value(parts, axes)


def _unknown_value(parts: Sequence[str], axes: Axes) -> ConfigError:
    """Say which part of a claim no axis has: of the axis that has most of the others."""

    def known(part: str, axis: str) -> bool:
        try:
            find_value(part, axis, axes[axis])
        except ChainruleError:
            return False
        return True

    nearest = max(axes, key=lambda axis: (sum(known(part, axis) for part in parts), isinstance(axes[axis][0], str)))
    wrong = next(part for part in parts if not known(part, nearest))
    try:
        find_value(wrong, nearest, axes[nearest])
    except ChainruleError as error:
        return ConfigError(str(error))
    return ConfigError(f"no axis has all of {', '.join(map(one_line, parts))}")


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
    check_measure(measure, candidates)
    for other in candidates[1:]:
        check_same_data(candidates[0].setting, other.setting)
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
    rest = f" and {_percent(chance.ties)} {'a tie' if len(names) == 2 else 'another order'}" if chance.ties > 0 else ""
    all_ours = ", ".join(f"{name} {_value(ours[name], measure)}" for name in names)
    what = measure.words if measure.is_share else f"{statistic} {measure.words}"
    return (
        f"A study with {_runs(chance.runs)} each shows {order} in {measure.words} in {_percent(chance.shows)} of cases "
        f"({_interval(chance.interval)}); {tail}{rest}. Over {_all_seeds(chance.n)} the {what} is: {all_ours}."
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
