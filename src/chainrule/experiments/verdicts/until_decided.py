"""Adding seeds until a comparison is decided, with intervals that stay valid however often one looks.

Shares of seeds (success) are compared by the mean difference within seeds (`chainrule.stats.sequential`'s
`MeanSequence`); metrics by who is ahead in more seeds, and by the median difference where they may be practically equal
(`PairedSequence`), where a diverged run counts as the worst. The mean of an accuracy could be followed, too, but its
bounds of 0 and 1 say so little about differences of a few hundredths that it takes ten to twenty times the seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from chainrule.experiments.verdicts.judging import Pair, chance_of
from chainrule.experiments.verdicts.measures import Measure, Values
from chainrule.experiments.verdicts.verdict import Decision, Picture, Verdict, interval_words, points, seeds_words
from chainrule.stats import MIN_PAIRS, Interval, success_rate
from chainrule.stats.sentences import number, percent
from chainrule.stats.sequential import MeanSequence, PairedSequence, paired_differences

FIRST_BATCH, LARGEST_BATCH = 16, 1024
GROWTH = 0.5
"""Each batch adds this share of the seeds there are, so that at most a third of all is more than was needed."""

GetPair = Callable[[Sequence[int]], tuple[Values, Values]]
"""Given further seeds, returns both sides' values for them."""


def batches(seeds: Sequence[int], first: int = FIRST_BATCH) -> Iterator[tuple[int, ...]]:
    """Cut seeds into batches that grow with what there is already.

    Any cut is valid: the sequences look at every seed. Larger batches train faster, smaller ones stop sooner.
    """
    done = 0
    while done < len(seeds):
        size = max(first, min(int(GROWTH * done), LARGEST_BATCH))
        yield tuple(seeds[done : done + size])
        done += size


def run_until_decided(
    names: tuple[str, str],
    measure: Measure,
    seeds: Sequence[int],
    get: GetPair,
    level: float = 0.95,
    margin: float = 0.0,
    hear: Callable[[int, Interval], None] | None = None,
) -> Verdict:
    """Add seeds until a comparison is decided.

    Parameters
    ----------
    names : (str, str)
        What to call the two.
    measure : Measure
        What is compared.
    seeds : sequence of int
        All that may be used, in the order of their use.
    get : callable
        Brings both sides' values for further seeds.
    level : float
        The chance of any false verdict, however long it goes on, is at most 1 - level.
    margin : float
        Differences up to this size do not matter; with 0 the verdict is never "practically equal".
    hear : callable, optional
        Told the number of seeds and the interval after each batch.
    """
    sequence = sequence_of(measure, level)
    a, b = np.empty(0), np.empty(0)
    path: list[tuple[int, float, float, float]] = []
    decision: Decision = "undecided"
    for batch in batches(seeds):
        new_a, new_b = get(batch)
        a, b = np.concatenate([a, new_a]), np.concatenate([b, new_b])
        interval = sequence.update(_differences(new_a, new_b, measure))
        path.append((len(a), interval.low, _middle(a, b, measure), interval.high))
        if hear is not None:
            hear(len(a), interval)
        alike = interval.low == 0 == interval.high  # ties through and through: no further seed can change that
        decision = "equal" if alike else sequence.decide(margin, measure.better)
        if decision != "undecided" and len(a) >= MIN_PAIRS:
            break
    if len(a) < MIN_PAIRS:
        decision = "no verdict"
    pair = Pair(names, tuple(seeds[: len(a)]), a, b, measure)
    return _verdict(pair, decision, sequence.interval, path, margin, len(seeds))


def sequence_of(measure: Measure, level: float) -> MeanSequence | PairedSequence:
    """Return what follows the paired differences: their mean for shares of seeds, else who is ahead, and the median."""
    return MeanSequence(-1.0, 1.0, level) if measure.is_share else PairedSequence(level)


def _differences(a: Values, b: Values, measure: Measure) -> Values:
    if measure.is_share:
        return measure.with_worst(a) - measure.with_worst(b)
    return paired_differences(a, b, measure.better)


def _middle(a: Values, b: Values, measure: Measure) -> float:
    """Return the mean or the median difference so far."""
    differences = _differences(a, b, measure)
    return float(np.mean(differences) if measure.is_share else _median(differences))


def _median(values: Values) -> float:
    """Return the median where some values may be infinite."""
    ordered = np.sort(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float(low if low == high else (low + high) / 2)


def _verdict(
    pair: Pair,
    decision: Decision,
    interval: Interval,
    path: Sequence[tuple[int, float, float, float]],
    margin: float,
    most: int,
) -> Verdict:
    measure, level = pair.measure, interval.level
    statistic = "mean" if measure.is_share else "median"
    numbers: dict[str, Any] = {
        "difference": path[-1][2] if path else None,
        "statistic": statistic,
        "margin": margin,
        "max_seeds": most,
        "seeds": pair.seeds,
        "path": path,
        "better": measure.better,
    }
    if measure.is_share and pair.n:
        rates = [success_rate(int(np.sum(values > 0)), pair.n, level) for values in (pair.a, pair.b)]
        numbers["rates"] = {name: asdict(rate) for name, rate in zip(pair.names, rates, strict=True)}
    words = f"difference in {measure.words}, {pair.names[0]} minus {pair.names[1]}"
    return Verdict(
        _sentence(pair, decision, interval, numbers["difference"], margin, most),
        decision,
        "until decided",
        measure.text,
        pair.names,
        pair.n,
        level,
        interval,
        f"the {statistic} {words}, valid at every number of seeds",
        numbers | chance_of(pair, level),
        Picture("path", tuple(path), words, margin) if path else None,
    )


def _sentence(
    pair: Pair, decision: Decision, interval: Interval, difference: float | None, margin: float, most: int
) -> str:
    """Say it, and name the seeds that it took."""
    (a, b), measure = pair.names, pair.measure
    if decision == "no verdict" or difference is None:
        return f"No verdict between {a} and {b}: {pair.n} paired seeds, and at least {MIN_PAIRS} are needed."
    used = f"after {pair.n:,} of at most {most:,} paired seeds ({seeds_words(pair.seeds)})"
    if decision == "b":
        figures = _figures(pair, -difference, Interval(-interval.high, -interval.low, interval.level), swapped=True)
        return f"{b} {_beats(measure)} than {a}: {figures}, decided {used}."
    figures = _figures(pair, difference, interval)
    if decision == "a":
        return f"{a} {_beats(measure)} than {b}: {figures}, decided {used}."
    if decision == "equal":
        size = f" to within {points(margin) if measure.is_share else number(margin)}" if margin else ""
        return f"{a} and {b} are practically equal in {measure.words}{size}: {figures}, decided {used}."
    return f"It cannot be told yet whether {a} or {b} is better in {measure.words}: {figures}, {used}."


def _beats(measure: Measure) -> str:
    """Say what the better one does."""
    if measure.is_success:
        return "succeeds more often"
    if measure.is_share:
        return f"has {measure.text} {'less' if measure.better == 'lower' else 'more'} often"
    return f"has a {measure.better} {measure.words}"


def _figures(pair: Pair, difference: float, interval: Interval, swapped: bool = False) -> str:
    """Say the difference, for shares of seeds beside the shares themselves."""
    told = interval_words(interval, pair.measure.is_share, anytime=True)
    sides = (pair.b, pair.a) if swapped else (pair.a, pair.b)
    if pair.measure.is_share:
        rates = " against ".join(percent(float(np.mean(values > 0))) for values in sides)
        return f"{rates}, a difference of {points(difference)} {told}"
    ahead, behind = (int(np.sum(_differences(*sides, pair.measure) * sign > 0)) for sign in _signs(pair.measure))
    ties = "" if ahead + behind == pair.n else f" and behind in {behind:,}"
    return f"ahead in {ahead:,} of {pair.n:,} seeds{ties}, median difference {number(difference)} {told}"


def _signs(measure: Measure) -> tuple[int, int]:
    """Return the signs of a difference that is better, and worse."""
    return (1, -1) if measure.better == "higher" else (-1, 1)
