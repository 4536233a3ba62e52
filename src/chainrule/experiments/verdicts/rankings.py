"""Comparing many settings at once: a ranking whose groups cannot be separated, corrected for all pairs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.errors import ConfigError
from chainrule.experiments.verdicts.bench import Bench, check_measure
from chainrule.experiments.verdicts.judging import Statistic
from chainrule.experiments.verdicts.measures import Measure, Values
from chainrule.experiments.verdicts.pairing import check_same_data
from chainrule.experiments.verdicts.sides import Candidate
from chainrule.experiments.verdicts.verdict import Decision, Picture, Verdict
from chainrule.stats import MIN_PAIRS, bootstrap_interval, compare_metric, compare_rates, holm, median_interval
from chainrule.stats.intervals import success_rate
from chainrule.stats.sentences import number, percent

MOST_PAIRS = 66
"""Pairs are tested one by one, beside the ranking, for up to 12 settings."""

MOST_NAMED = 6


def rank(
    candidates: Sequence[Candidate], measure: Measure, bench: Bench, seeds: Sequence[int], level: float = 0.95
) -> Verdict:
    """Rank settings on the same seeds.

    Parameters
    ----------
    candidates : sequence of Candidate
        At least two, on the same data; their labels name them.
    measure : Measure
        What they are ranked by: by its mean where it has bounds, else by its median.
    bench : Bench
        Where runs come from.
    seeds : sequence of int
        The seeds of all of them.
    level : float
        Confidence for all statements together.

    Returns
    -------
    Verdict
        `decision` is ``"a"`` if one setting is shown to be best, else ``"undecided"`` or ``"no verdict"``.
    """
    if len(candidates) < 2:
        raise ConfigError("a ranking needs at least two settings: name a second recipe or give this one an axis")
    check_measure(measure, candidates)
    for other in candidates[1:]:
        check_same_data(candidates[0].setting, other.setting)
    table = bench.values(candidates, seeds, [measure])
    columns = [table[place, measure.text] for place in range(len(candidates))]
    names = [candidate.label or f"setting {place + 1}" for place, candidate in enumerate(candidates)]
    verdict = rank_values(names, columns, measure, tuple(seeds), level)
    rules = dict.fromkeys(candidate.rule for candidate in candidates) if measure.is_success else {}
    return replace(
        verdict,
        numbers={**verdict.numbers, "computed": bench.computed, "reused": bench.reused},
        notes=tuple(f"Success: {rule}." for rule in rules),
    )


def rank_values(
    names: Sequence[str], columns: Sequence[Values], measure: Measure, seeds: tuple[int, ...], level: float = 0.95
) -> Verdict:
    """Rank settings by their values (n_seeds,) on the same seeds; see `rank`."""
    from chainrule.stats.best_set import best_set
    from chainrule.stats.ranking import rank_groups

    statistic: Statistic = "mean" if measure.bounds is not None else "median"
    values = np.column_stack([measure.with_worst(column) for column in columns])
    best = best_set(values, measure.better, level, statistic)
    ranking = rank_groups(values, list(names), measure.better, level, statistic)
    enough = len(seeds) >= MIN_PAIRS
    decision: Decision = "no verdict" if not enough else "a" if len(best.members) == 1 else "undecided"
    numbers: dict[str, Any] = {
        "order": ranking.names,
        "groups": [[ranking.names[place] for place in group] for group in ranking.groups],
        "letters": dict(zip(ranking.names, ranking.letters, strict=True)),
        "not_told_from_best": [names[place] for place in best.members],
        "p_against_best": dict(zip(names, best.p_adjusted, strict=True)),
        "statistic": statistic,
        "pairs": pairs_table(names, columns, measure, level),
        "seeds": seeds,
    }
    return Verdict(
        _sentence(names, values, best.best, best.members, measure, statistic),
        decision,
        "rank",
        measure.text,
        tuple(names),
        len(seeds),
        level,
        None,
        "",
        numbers,
        _picture(names, [values[:, place] for place in ranking.order], ranking.order, measure, level),
    )


def pairs_table(
    names: Sequence[str], columns: Sequence[Values], measure: Measure, level: float
) -> list[dict[str, Any]]:
    """Return every pair with its own test, corrected for all of them by Holm's method; none for very many settings."""
    pairs = list(itertools.combinations(range(len(names)), 2))
    if len(pairs) > MOST_PAIRS:
        return []
    compared = []
    for i, j in pairs:
        if measure.is_share:
            one: Any = compare_rates(columns[i] > 0, columns[j] > 0, (names[i], names[j]), level)
        else:
            one = compare_metric(
                columns[i], columns[j], (names[i], names[j]), measure.words, measure.better, level=level
            )
        compared.append(one)
    adjusted = holm([1.0 if one.p_value is None else one.p_value for one in compared])
    return [
        {"a": one.name_a, "b": one.name_b, "difference": one.difference, "p_value": one.p_value, "p_holm": p}
        for one, p in zip(compared, adjusted, strict=True)
    ]


def _sentence(
    names: Sequence[str], values: Values, best: int, members: Sequence[int], measure: Measure, statistic: Statistic
) -> str:
    """Say who is best and who cannot be told from it."""
    n, k = values.shape
    if n < MIN_PAIRS:
        return (
            f"No verdict on {k} settings: {n} paired seed{'' if n == 1 else 's'}, and at least {MIN_PAIRS} are needed."
        )
    others = [names[place] for place in members if place != best]
    told = f"{n:,} paired seeds, corrected for all {k} settings"
    top = f"{names[best]} has the best {measure.words} ({_centre_text(values[:, best], measure, statistic)})"
    if not others:
        return f"{top} of {k} settings, and every other one is shown to be worse ({told})."
    if len(others) == k - 1:
        return f"{top} of {k} settings, but none of the others can be told from it ({told})."
    shown = "; ".join(others[:MOST_NAMED]) + (
        f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    )
    return f"{top} of {k} settings; {len(others)} cannot be told from it ({shown}), the rest are worse ({told})."


def _centre_text(values: Values, measure: Measure, statistic: Statistic) -> str:
    if measure.is_share:
        return percent(float(np.mean(values > 0)))
    ordered = np.sort(values)
    centre = float(np.mean(values)) if statistic == "mean" else float(ordered[(len(ordered) - 1) // 2])
    return f"{statistic} {number(centre)}"


def _picture(
    names: Sequence[str], columns: Sequence[Values], order: Sequence[int], measure: Measure, level: float
) -> Picture:
    """Draw the settings from best to worst with their intervals."""
    named = [names[place] for place in order]
    if measure.is_share:
        rates = [success_rate(int(np.sum(values > 0)), len(values), level) for values in columns]
        shares = [(name, r.successes, r.n, r.low, r.high) for name, r in zip(named, rates, strict=True)]
        return Picture("rates", tuple(shares), measure.words)
    if measure.bounds is not None:
        spans = [bootstrap_interval(values, "mean", level) for values in columns]
        middles = [float(np.mean(values)) for values in columns]
    else:
        spans = [median_interval(values, level) for values in columns]
        middles = [float(np.sort(values)[(len(values) - 1) // 2]) for values in columns]
    rows = [(name, m, s.low, s.high) for name, m, s in zip(named, middles, spans, strict=True)]
    return Picture("bars", tuple(rows), f"{'mean' if measure.bounds is not None else 'median'} {measure.words}")
