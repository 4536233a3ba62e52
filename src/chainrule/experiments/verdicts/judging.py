"""Judging two settings on a number of seeds that was fixed beforehand: the paired tests and the sentence."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from chainrule.experiments.verdicts.measures import Measure, Values
from chainrule.experiments.verdicts.verdict import Decision, Picture, Verdict, interval_words, points
from chainrule.stats import (
    Interval,
    MetricComparison,
    RateComparison,
    compare_metric,
    compare_rates,
    success_rate,
)
from chainrule.stats.sentences import number, percent

Statistic = Literal["mean", "median"]


@dataclass(frozen=True)
class Pair:
    """Two settings with a value a seed each (n_seeds,), NaN where a diverged run has none, and their names."""

    names: tuple[str, str]
    seeds: tuple[int, ...]
    a: Values
    b: Values
    measure: Measure

    @property
    def n(self) -> int:
        """Number of seeds."""
        return len(self.seeds)

    @property
    def filled(self) -> tuple[Values, Values]:
        """Both sides with the worst value where a run has none."""
        return self.measure.with_worst(self.a), self.measure.with_worst(self.b)


def judge(pair: Pair, level: float = 0.95, margin: float | None = None, statistic: Statistic = "mean") -> Verdict:
    """Compare two settings on the seeds there are.

    Parameters
    ----------
    pair : Pair
        The values.
    level : float
        Confidence of the intervals; a verdict needs p <= 1 - level.
    margin : float, optional
        Differences up to this size do not matter: if the whole interval is that small, the two are equal.
    statistic : "mean" or "median"
        What is taken over the paired differences of a metric.
    """
    if pair.measure.is_share:
        return _judge_rates(pair, level, margin)
    return _judge_metric(pair, level, margin, statistic)


def _judge_rates(pair: Pair, level: float, margin: float | None) -> Verdict:
    a, b = pair.a > 0, pair.b > 0
    compared = compare_rates(a, b, pair.names, level)
    flipped = pair.measure.better == "lower"  # of divergences fewer are better
    decision = _decision(compared, compared.interval, margin, flipped)
    words = {"success": "succeeded more often", "converged": "converged more often"}
    sentence = compared.verdict_sentence(words.get(pair.measure.text, "diverged more often"))
    if decision == "equal":
        assert compared.rate_a is not None
        assert compared.rate_b is not None
        assert compared.interval is not None
        sentence = (
            f"{pair.names[0]} and {pair.names[1]} are practically equal in {pair.measure.words}: "
            f"{percent(compared.rate_a.rate)} against {percent(compared.rate_b.rate)} of {pair.n:,} paired seeds, and "
            f"the difference {interval_words(compared.interval, share=True)} is within {points(margin or 0.0)}."
        )
    numbers = {
        "rates": dict(zip(pair.names, (compared.rate_a, compared.rate_b), strict=True)),
        "only_a": compared.only_a,
        "only_b": compared.only_b,
        "difference": compared.difference,
        "p_value": compared.p_value,
        "test": "exact McNemar test",
    }
    return _verdict(pair, sentence, decision, level, compared.interval, numbers | chance_of(pair, level))


def _judge_metric(pair: Pair, level: float, margin: float | None, statistic: Statistic) -> Verdict:
    better = pair.measure.better
    compared = compare_metric(pair.a, pair.b, pair.names, pair.measure.words, better, statistic, level)
    decision = _decision(compared, compared.interval, margin)
    sentence = compared.verdict_sentence()
    if decision == "equal":
        assert compared.interval is not None
        sentence = (
            f"{pair.names[0]} and {pair.names[1]} are practically equal in {pair.measure.words}: over {compared.n:,} "
            f"paired seeds the {statistic} difference {interval_words(compared.interval)} is within "
            f"{number(margin or 0.0)}."
        )
    numbers = {
        "difference": compared.difference,
        "statistic": statistic,
        "p_value": compared.p_value,
        "test": "sign-flip permutation test" if statistic == "mean" else "sign test",
        "better": better,
        "left_out": compared.dropped,
    }
    verdict = _verdict(pair, sentence, decision, level, compared.interval, numbers | chance_of(pair, level))
    if not compared.dropped:
        return verdict
    lost = [int(np.sum(~np.isfinite(values))) for values in (pair.a, pair.b)]
    note = (
        f"Seeds without a finite value are left out of the test, and that favours whoever has more of them: "
        f"{pair.names[0]} {lost[0]}, {pair.names[1]} {lost[1]} of {pair.n}."
    )
    return replace(verdict, notes=(*verdict.notes, note))


def _decision(
    compared: RateComparison | MetricComparison, interval: Interval | None, margin: float | None, flipped: bool = False
) -> Decision:
    """Return who is better: equal comes first, as a difference that does not matter is none."""
    if compared.verdict == "no verdict":
        return "no verdict"
    if margin and interval is not None and -margin <= interval.low and interval.high <= margin:
        return "equal"
    if compared.verdict == "no difference shown":
        return "undecided"
    winner: Decision = compared.verdict
    if flipped:
        return "b" if winner == "a" else "a"
    return winner


def chance_of(pair: Pair, level: float) -> dict[str, Any]:
    """Return the probability that the first beats the second on a seed, with its interval; nothing without seeds."""
    if not pair.n:
        return {}
    from chainrule.stats.ranking import prob_better

    return {"chance_a_beats_b": asdict(prob_better(pair.a, pair.b, pair.measure.better, level))}


def picture_of(pair: Pair, level: float) -> Picture | None:
    """Return the picture of a pair: rates with intervals, or every value."""
    if not pair.n:
        return None
    if pair.measure.is_share:
        rates = [success_rate(int(np.sum(values > 0)), pair.n, level) for values in (pair.a, pair.b)]
        rows = [(name, r.successes, r.n, r.low, r.high) for name, r in zip(pair.names, rates, strict=True)]
        return Picture("rates", tuple(rows), pair.measure.words)
    samples = [(name, tuple(map(float, values))) for name, values in zip(pair.names, (pair.a, pair.b), strict=True)]
    return Picture("samples", tuple(samples), pair.measure.words)


def _verdict(
    pair: Pair, sentence: str, decision: Decision, level: float, interval: Interval | None, numbers: dict[str, Any]
) -> Verdict:
    return Verdict(
        sentence,
        decision,
        "compare",
        pair.measure.text,
        pair.names,
        pair.n,
        level,
        interval,
        f"the difference {pair.names[0]} minus {pair.names[1]}",
        numbers | {"seeds": pair.seeds},
        picture_of(pair, level),
    )
