"""Spread: how much of the scatter between runs comes from initial weights, data, split, batch order and dropout.

Every source gets seeds of its own (`chainrule.random.crossed_seed`), and the runs cross them: with p seeds a source
(p prime) p^2 runs hold every pair of seeds of any two sources exactly once. This orthogonal array (Rao 1947; Bose and
Bush 1952) has as many levels as the square root of the runs whatever the number of sources, where the full crossing of
five sources would have four; and because no combination occurs twice, what sources do together scatters like noise
over the runs and falls to the remainder, not to another source.

Two numbers tell about a source. *By itself*: what it explains whatever the others are (its variance component). *When
only it changes*: how far two runs lie apart that share everything else, as half their mean squared difference; this
counts what it does together with others too (the total effect: Jansen 1999), so these add up to more than the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.cohorts import bind_to_data
from chainrule.errors import ConfigError
from chainrule.experiments.recipes.settings import Setting
from chainrule.experiments.running.tasks import source_of
from chainrule.experiments.verdicts.bench import Bench, check_measure
from chainrule.experiments.verdicts.measures import Measure, Values
from chainrule.experiments.verdicts.pairing import draws_order, parts_of
from chainrule.experiments.verdicts.sides import Candidate
from chainrule.experiments.verdicts.verdict import Picture, Verdict
from chainrule.random import CROSSED_SEEDS, SOURCES, crossed_seed, stream
from chainrule.stats.changes import ChangedShare, changed_share
from chainrule.stats.sentences import number, percent, percent_range

if TYPE_CHECKING:
    from chainrule.stats.variance import CrossedComponents

WORDS = {
    "init": "the initial weights",
    "data": "the data",
    "split": "the split",
    "order": "the batch order",
    "dropout": "dropout",
}
LEAST_LEVELS, USUAL_LEVELS = 5, 31
"""Seeds a source: fewer than 5 say nothing about a variance; 31 make 961 runs."""

MENTIONED = 0.005
"""What a source explains by itself is said from this share on."""

PARTNERS = 100
"""Runs that are done once more for each source, with that source's seed alone changed."""


def spread(
    candidate: Candidate,
    measure: Measure,
    bench: Bench,
    levels: int = USUAL_LEVELS,
    level: float = 0.95,
) -> Verdict:
    """Split the variance of a measure between the sources that a setting draws from.

    Parameters
    ----------
    candidate : Candidate
        The setting.
    measure : Measure
        What scatters; runs without a value count as the worst where the measure has bounds.
    bench : Bench
        Where runs come from.
    levels : int
        Seeds a source, rounded down to a prime number; the square of it is the number of runs.
    level : float
        Confidence of the intervals.

    Raises
    ------
    ConfigError
        If runs have no finite value, or the levels are too few or too many.
    """
    p = prime_below(levels)
    check_measure(measure, [candidate])
    drawn, idle = sources_of(candidate.setting, bench.data_dir)
    if not drawn:
        raise ConfigError(f"nothing scatters: every seed gives the same run ({'; '.join(idle.values())})")
    design = crossed_design(drawn, p)
    pairs = {} if len(drawn) == 1 else changed_alone(design, p)
    seeds = [*seeds_of_design(design), *(seed for partners in pairs.values() for _, seed in partners)]
    values = measure.with_worst(bench.values([candidate], seeds, [measure])[0, measure.text])
    lost = int(np.sum(~np.isfinite(values)))
    if lost:
        raise ConfigError(
            f"{lost} of {len(values)} runs have no finite '{measure.text}', so its variance is not a number: ask for "
            "success, or for a quantity that such runs have"
        )
    crossed = values[: p * p]
    partners = dict(zip(pairs, np.split(values[p * p :], max(len(pairs), 1)), strict=False))
    alone = {
        name: changed_share(crossed[[run for run, _ in pairs[name]]], found, level) for name, found in partners.items()
    }
    return _verdict(candidate, measure, design, crossed, alone, idle, level, bench)


def changed_alone(design: Mapping[str, Sequence[int]], p: int) -> dict[str, list[tuple[int, int]]]:
    """Return, by source, runs of the design and the seed of a partner in which only that source has another seed.

    The runs are spread evenly over the design, and every partner's seed is new.
    """
    rows = [dict(zip(design, row, strict=True)) for row in zip(*design.values(), strict=True)]
    count = min(PARTNERS, len(rows))
    chosen = [k * len(rows) // count for k in range(count)]
    return {
        name: [(run, crossed_seed(**{**rows[run], name: p + place})) for place, run in enumerate(chosen)]
        for name in design
    }


def sources_of(setting: Setting, data_dir: str | None = None) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the sources that a setting draws from, and of the others why they cannot matter."""
    source, config = source_of(setting.source, data_dir), setting.config
    parts = parts_of(config, source)
    network = bind_to_data(setting.net, parts, config)
    weights = [network.pack(network.init(stream(seed, "init"))) for seed in (0, 1)]
    matters: dict[str, tuple[bool, str]] = {
        "init": (not np.array_equal(weights[0], weights[1]), "the initial weights are the same for every seed"),
        "data": (source.varies, f"the data ({source.spec}) are the same for every seed"),
        "split": (bool(config.validation or config.test), "nothing is held out, so there is no split"),
        "order": (
            draws_order(config, source),
            "the samples keep their order"
            if not config.shuffle
            else "each step takes all samples, so no order is drawn",
        ),
        "dropout": (network.has_dropout, "the network has no dropout"),
    }
    drawn = tuple(name for name in SOURCES if matters[name][0])
    return drawn, {name: matters[name][1] for name in SOURCES if not matters[name][0]}


def crossed_design(sources: Sequence[str], p: int) -> dict[str, list[int]]:
    """Return the level of every source in each of the p^2 runs: any two sources meet in every combination, once.

    Parameters
    ----------
    sources : sequence of str
        At most p + 1 of them; a single one just runs through p^2 levels.
    p : int
        A prime number.

    Returns
    -------
    dict of str to list of int
        Source k has the level i + k j (mod p) in run (i, j), the last source j: for k != l, the levels of k and l
        give i and j back, as k - l has an inverse modulo p.
    """
    if len(sources) == 1:
        return {sources[0]: list(range(p * p))}
    grid = [(i, j) for i in range(p) for j in range(p)]
    design = {name: [(i + k * j) % p for i, j in grid] for k, name in enumerate(sources[:-1])}
    return design | {sources[-1]: [j for _, j in grid]}


def seeds_of_design(design: Mapping[str, Sequence[int]]) -> list[int]:
    """Return the crossed seed of each run; sources that do not matter stay at 0."""
    return [crossed_seed(**dict(zip(design, row, strict=True))) for row in zip(*design.values(), strict=True)]


def prime_below(number_of: int) -> int:
    """Return the largest prime number that is not larger.

    Raises
    ------
    ConfigError
        If that would be too few seeds for a variance, or more than a crossed seed can hold.
    """
    most = int(CROSSED_SEEDS**0.5)
    if not LEAST_LEVELS <= number_of <= most:
        raise ConfigError(
            f"a spread crosses {LEAST_LEVELS} to {most} seeds a source, {LEAST_LEVELS**2} to {most**2:,} runs; "
            f"got {number_of} seeds, {number_of**2:,} runs"
        )
    return next(n for n in range(number_of, 1, -1) if all(n % d for d in range(2, int(n**0.5) + 1)))


def _verdict(
    candidate: Candidate,
    measure: Measure,
    design: Mapping[str, Sequence[int]],
    values: Values,
    alone: Mapping[str, ChangedShare],
    idle: Mapping[str, str],
    level: float,
    bench: Bench,
) -> Verdict:
    from chainrule.stats.variance import crossed_components

    numbers: dict[str, Any] = {
        "mean": float(np.mean(values)),
        "standard_deviation": float(np.std(values, ddof=1)),
        "not_crossed": dict(idle),
        "computed": bench.computed,
        "reused": bench.reused,
    }
    picture = None
    if values.min() == values.max():
        sentence = (
            f"There is no spread to split: all {len(values):,} runs have the {measure.words} {number(values[0])}."
        )
    elif len(design) == 1:
        (only,) = design
        deviation = number(numbers["standard_deviation"])
        sentence = (
            f"All the spread of {measure.words} (standard deviation {deviation} over {len(values):,} runs) comes from "
            f"{WORDS[only]}: nothing else is drawn."
        )
    else:
        found = crossed_components(design, values, level)
        numbers["components"] = {one.name: asdict(one) for one in (*found.factors, found.remainder)}
        numbers["changed_alone"] = {name: asdict(one) for name, one in alone.items()}
        sentence = _sentence(measure, found, alone)
        rows = [(_named(name), 100 * one.share, 100 * one.low, 100 * one.high) for name, one in alone.items()]
        picture = Picture("bars", tuple(rows), f"per cent of the variance of {measure.words} when only this changes")
    return Verdict(
        sentence,
        "told",
        "spread",
        measure.text,
        tuple(design),
        len(values),
        level,
        None,
        "",
        numbers,
        picture,
        notes=_notes(candidate, measure, idle),
    )


def _sentence(measure: Measure, found: CrossedComponents, alone: Mapping[str, ChangedShare]) -> str:
    """Name the sources from the largest share to the smallest: when only they change, and by themselves."""
    ordered = sorted(alone, key=lambda name: -alone[name].share)
    shares = [_share(alone[name].share, alone[name].low, alone[name].high) for name in ordered]
    first = f"Changing only {WORDS[ordered[0]]} brings {shares[0]} of the variance of {measure.words} between runs"
    others = [f", only {WORDS[name]} {share}" for name, share in zip(ordered[1:], shares[1:], strict=True)]
    own = sorted((one for one in found.factors if one.share >= MENTIONED), key=lambda one: -one.share)
    told = [f"{WORDS[one.name]} {_share(one.share, one.share_low, one.share_high)}" for one in own]
    rest = _share(found.remainder.share, found.remainder.share_low, found.remainder.share_high)
    return (
        f"{first}{''.join(others)}; whatever the others are, {', '.join(told) or 'no source'} of it, and {rest} comes "
        f"from how they meet ({percent(found.level)} intervals, {found.n:,} crossed runs and "
        f"{sum(one.n for one in alone.values()):,} more)."
    )


def _share(share: float, low: float, high: float) -> str:
    return f"{percent(round(share, 3))} ({percent_range(low, high)})"


def _named(name: str) -> str:
    return {"init": "initial weights", "order": "batch order"}.get(name, name)


def _notes(candidate: Candidate, measure: Measure, idle: Mapping[str, str]) -> tuple[str, ...]:
    """Say what is not listed, and why."""
    left_out = (f"Not listed: {'; '.join(idle.values())}.",) if idle else ()
    return (*left_out, *((f"Success: {candidate.rule}.",) if measure.is_success else ()))
