"""Sentences with an interval and a number of seeds: what the report says about a set of levels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from chainrule.lab.context import Level
from chainrule.report.records import VerdictRecord
from chainrule.stats import (
    MIN_PAIRS,
    MetricComparison,
    RateComparison,
    RateInterval,
    compare_metric,
    compare_rates,
    holm,
)

ALPHA = 0.05
"""A verdict needs a p-value of at most this, after correction."""


def share(rate: RateInterval) -> str:
    """Write a rate with its exact interval: ``28 of 30 seeds (93 %, 95 % interval 78 to 99 %)``."""
    return (
        f"{rate.successes} of {rate.n} seeds ({rate.rate:.0%}, {rate.level:.0%} interval "
        f"{rate.low:.0%} to {rate.high:.0%})"
    ).replace("%", " %")


def comparison_verdict(
    sentence: str, compared: RateComparison | MetricComparison, *, finding: bool | None = None, **evidence: object
) -> VerdictRecord:
    """Put a sentence about a paired comparison together with its interval, its n and its p-value.

    `finding` says whether the comparison supports the sentence; by default, whether it decided for either side.
    """
    interval = compared.interval
    decided = compared.verdict in ("a", "b") if finding is None else finding
    return VerdictRecord(
        sentence=sentence,
        n_seeds=compared.n,
        interval=None if interval is None else (interval.low, interval.high, interval.level),
        kind="finding" if decided else "question",
        evidence={"p_value": compared.p_value, "difference": compared.difference, **evidence},
        interval_of=f"the difference {compared.name_a} minus {compared.name_b}",
    )


def rate_verdict(subject: str, level: Level) -> VerdictRecord:
    """Say how often one level succeeded."""
    rate = level.rate
    return VerdictRecord(
        sentence=f"{subject}: {level.rule} in {share(rate)}.",
        n_seeds=rate.n,
        interval=(rate.low, rate.high, rate.level),
        evidence={"successes": rate.successes, "level": level.name},
        interval_of="the share",
    )


def extremes_verdict(subject: str, levels: Sequence[Level]) -> VerdictRecord | None:
    """Compare the most with the least successful level, paired by seed, corrected for all pairs that could be meant.

    Which two are compared is only known after looking, so every pair of levels counts in the correction (Holm).
    """
    if len(levels) < 2:
        return None
    rates = [level.rate.rate for level in levels]
    best, worst = levels[int(np.argmax(rates))], levels[int(np.argmin(rates))]
    if best.rate.rate == worst.rate.rate:
        return _no_level_stands_out(subject, levels)
    adjusted = _adjusted(levels)
    compared = compare_rates(best.success, worst.success, (best.name, worst.name))
    decided = adjusted[id(best), id(worst)] <= ALPHA
    ties = [level.name for level in levels if level is not best and adjusted[id(best), id(level)] > ALPHA]
    sentence = (
        f"{subject}: {best.name} reached {best.rule} in {share(best.rate)}, {worst.name} in {share(worst.rate)}"
        + ("" if decided else "; among so many comparisons that is not enough to tell the two apart")
        + _ties_told(ties, len(levels))
    )
    return comparison_verdict(
        sentence,
        compared,
        finding=decided,
        not_told_apart=[best.name, *ties],
        p_adjusted=adjusted[id(best), id(worst)],
    )


def _no_level_stands_out(subject: str, levels: Sequence[Level]) -> VerdictRecord:
    """Say that all levels succeeded equally often."""
    rate = levels[0].rate
    count = "no level" if rate.successes == 0 else "every level"
    return VerdictRecord(
        sentence=f"{subject}: {count} reached {levels[0].rule}, each in {share(rate)}, so this rule does not tell them "
        "apart.",
        n_seeds=rate.n,
        interval=(rate.low, rate.high, rate.level),
        kind="question",
        interval_of="the share",
    )


def _adjusted(levels: Sequence[Level]) -> dict[tuple[int, int], float]:
    """Return the Holm-adjusted p-value of every pair of levels, by their ids in both orders."""
    pairs = list(itertools.combinations(levels, 2))
    compared = [compare_rates(a.success, b.success) for a, b in pairs]
    adjusted = holm([1.0 if one.p_value is None else one.p_value for one in compared])
    table = {(id(a), id(b)): p for (a, b), p in zip(pairs, adjusted, strict=True)}
    return table | {(b, a): p for (a, b), p in table.items()}


def _ties_told(ties: Sequence[str], n_levels: int) -> str:
    """Say which levels cannot be told from the best."""
    if len(ties) == n_levels - 1 and n_levels > 2:
        return ". No level can be told from the best."
    return f". Not told apart from the best: {', '.join(ties)}." if ties else "."


def tied_with_best(levels: Sequence[Level]) -> tuple[str, ...]:
    """Return the best level and those whose success rate cannot be told from its, corrected for all pairs."""
    rates = [level.rate.rate for level in levels]
    best = levels[int(np.argmax(rates))]
    adjusted = _adjusted(levels)
    ties = [level.name for level in levels if level is not best and adjusted[id(best), id(level)] > ALPHA]
    return (best.name, *ties)


def metric_verdict(
    subject: str, a: Level, b: Level, quantity: str, words: str, *, better: str = "lower"
) -> VerdictRecord:
    """Compare a quantity of two levels over the seeds where both have it."""
    x, y = a.values(quantity), b.values(quantity)
    n = int((np.isfinite(x) & np.isfinite(y)).sum())
    if n < MIN_PAIRS:
        return VerdictRecord(
            sentence=f"{subject}: no verdict on {words} between {a.name} and {b.name}; both have it for {n} seeds, "
            f"and fewer than {MIN_PAIRS} pairs decide nothing.",
            n_seeds=n,
            kind="question",
        )
    compared = compare_metric(x, y, (a.name, b.name), words, "lower" if better == "lower" else "higher", "median")
    return comparison_verdict(f"{subject}: {compared.verdict_sentence()}", compared)
