"""Sentences with an interval and a number of seeds: what the report says about a set of levels."""

from __future__ import annotations

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
    )


def rate_verdict(subject: str, level: Level, rule: str) -> VerdictRecord:
    """Say how often one level succeeded."""
    rate = level.rate
    return VerdictRecord(
        sentence=f"{subject}: {rule} in {share(rate)}.",
        n_seeds=rate.n,
        interval=(rate.low, rate.high, rate.level),
        evidence={"successes": rate.successes, "level": level.name},
    )


def extremes_verdict(subject: str, levels: Sequence[Level], rule: str) -> VerdictRecord | None:
    """Compare the most with the least successful level, paired by seed."""
    if len(levels) < 2:
        return None
    rates = [level.rate.rate for level in levels]
    best, worst = levels[int(np.argmax(rates))], levels[int(np.argmin(rates))]
    if rates[levels.index(best)] == rates[levels.index(worst)]:
        rate = best.rate
        return VerdictRecord(
            sentence=f"{subject}: all levels did equally well; each reached {rule} in {share(rate)}.",
            n_seeds=rate.n,
            interval=(rate.low, rate.high, rate.level),
            kind="question",
        )
    compared = compare_rates(best.success, worst.success, (best.name, worst.name))
    decided = compared.verdict == "a"
    ties = tied_with_best(levels)
    sentence = (
        f"{subject}: {best.name} reached {rule} in {share(best.rate)}, {worst.name} in {share(worst.rate)}"
        + ("" if decided else "; that is not enough to tell the two apart")
        + _ties_told(ties, len(levels))
    )
    return comparison_verdict(sentence, compared, finding=decided, not_told_apart=list(ties))


def _ties_told(ties: Sequence[str], n_levels: int) -> str:
    """Say which levels cannot be told from the best (the first of `ties`)."""
    if len(ties) == n_levels > 2:
        return ". With so few seeds no level can be told from the best."
    return f". Not told apart from the best: {', '.join(ties[1:])}." if len(ties) > 1 else "."


def tied_with_best(levels: Sequence[Level]) -> tuple[str, ...]:
    """Return the levels whose success rate cannot be told from the best one's, Holm-corrected, the best first."""
    rates = [level.rate.rate for level in levels]
    best = levels[int(np.argmax(rates))]
    others = [level for level in levels if level is not best]
    compared = [compare_rates(best.success, level.success) for level in others]
    adjusted = holm([1.0 if one.p_value is None else one.p_value for one in compared])
    return (best.name, *(level.name for level, p in zip(others, adjusted, strict=True) if p > 0.05))


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
