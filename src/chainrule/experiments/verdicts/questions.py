"""Answering the ``[[questions]]`` of a recipe from the runs of its sweep, and from further ones where needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import ConfigError
from chainrule.experiments.recipes.grid import cells_at
from chainrule.experiments.recipes.selectors import selector_words
from chainrule.experiments.recipes.words import axis_word
from chainrule.experiments.running.records import RunKeeper
from chainrule.experiments.sweeps.choice import importances, on_scale, too_few_seeds
from chainrule.experiments.sweeps.result import CellResult, SweepResult
from chainrule.experiments.verdicts.audit import audit_sides, one_cell
from chainrule.experiments.verdicts.bench import Bench, Hear, open_store
from chainrule.experiments.verdicts.compare import Terms, compare_sides
from chainrule.experiments.verdicts.measures import Measure, parse_measure
from chainrule.experiments.verdicts.rankings import rank
from chainrule.experiments.verdicts.sides import Candidate, Side, candidates_of, named, read_selector, side_of
from chainrule.experiments.verdicts.spread import USUAL_LEVELS, spread
from chainrule.experiments.verdicts.verdict import Picture, Verdict
from chainrule.resources import Resources
from chainrule.stats import MIN_PAIRS
from chainrule.stats.sentences import percent, percent_range

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Question
    from chainrule.stats.importance import Importance


def answer(
    question: Question,
    result: SweepResult,
    *,
    more: bool = True,
    store: RunKeeper | str | Path | None = None,
    engine: str = "auto",
    resources: Resources | None = None,
    data_dir: str | None = None,
    progress: Hear | None = None,
) -> Verdict:
    """Answer one question of a recipe.

    Parameters
    ----------
    question : Question
        From ``recipe.questions``.
    result : SweepResult
        The sweep's runs.
    more : bool
        Whether further runs may be trained: a comparison then goes on until it is decided or its ``max_seeds`` are
        used up, and a spread can be had at all. Otherwise the seeds of the sweep must do.
    store, engine, resources, data_dir
        Where further runs come from, as for `chainrule.experiments.running.obtain.obtain`.
    progress : callable, optional
        Told what is done, and which share of it.

    Raises
    ------
    ChainruleError
        If the question cannot be answered from these runs.
    """
    measure = parse_measure(question.quantity, question.better)
    with open_store(store) as keeper:
        bench = Bench(keeper, engine, resources, data_dir, progress)
        found = _ANSWERS[question.ask](question, result, measure, bench, more)
    short = ("The sweep was cut short: this is what its runs say so far.",) if result.cut_short else ()
    caution = ("The sweep chose seeds by looking at its runs; intervals for a fixed number of seeds are too narrow.",)
    looked = question.ask in ("rank", "importance", "audit") and any(one.adaptive for one in result.cells)
    return replace(
        found, notes=(*found.notes, *short, *(caution if looked else ()), *((question.note,) if question.note else ()))
    )


def answer_all(result: SweepResult, **how: object) -> list[Verdict]:
    """Answer every question of a sweep's recipe; what cannot be answered is a verdict that says why."""
    verdicts = []
    for question in result.recipe.questions:
        try:
            verdicts.append(answer(question, result, **how))  # type: ignore[arg-type]
        except ConfigError as error:
            sentence = f"The question '{question.ask}' cannot be answered: {error}."
            if result.cut_short:
                sentence = f"The question '{question.ask}' cannot be answered yet: the sweep was cut short."
            verdicts.append(Verdict(sentence, "no verdict", "compare", question.quantity, level=question.level))
    return verdicts


def _compare(question: Question, result: SweepResult, measure: Measure, bench: Bench, more: bool) -> Verdict:
    if not more:
        sides = named(side_of(result, question.a), side_of(result, question.b))
        return compare_sides(*sides, measure, bench, Terms(question.level, question.margin or None))
    sides = named(side_of(result.recipe, question.a), side_of(result.recipe, question.b))
    for side in sides:
        _teach(bench, side, result, measure)
    terms = Terms(question.level, question.margin or None, True, question.max_seeds, _seeds_of(result) or None)
    return compare_sides(*sides, measure, bench, terms)


def _seeds_of(result: SweepResult) -> tuple[int, ...]:
    """Return the seeds that every cell of a sweep has, unless it was given up."""
    sets = [set(one.seeds) for one in result.cells if len(one.runs) and one.pruned_after is None]
    return tuple(sorted(set.intersection(*sets))) if sets else ()


def _teach(bench: Bench, side: Side, result: SweepResult, measure: Measure) -> None:
    """Let the bench know what the sweep has trained already."""
    runs = {one.cell.setting: one.runs for one in result.cells if one.pruned_after is None}
    for candidate in side.candidates:
        have = runs.get(candidate.setting)
        if have is not None and len(have):
            tuning = len(side.candidates) > 1 and measure.is_success
            bench.learn(candidate, have, [measure, *([parse_measure(candidate.first)] if tuning else [])])


def _cells(question: Question, result: SweepResult) -> tuple[list[CellResult], list[Candidate], tuple[int, ...]]:
    """Return the cells that a question is about, as candidates with runs, and the seeds that all of them have."""
    cells = [one.cell for one in result.cells]
    where = read_selector(question.a, cells)
    chosen = set(cells_at(cells, where))
    kept = [one for one in result.cells if one.cell in chosen and one.pruned_after is None and len(one.runs)]
    if not kept:
        raise ConfigError(f"no cell has finished runs at {selector_words(where) or 'any place'}")
    plain = candidates_of(result.recipe, [one.cell for one in kept])
    candidates = [replace(candidate, runs=one.runs) for candidate, one in zip(plain, kept, strict=True)]
    seeds = sorted(set.intersection(*(set(one.seeds) for one in kept)))
    return kept, candidates, tuple(seeds)


def _rank(question: Question, result: SweepResult, measure: Measure, bench: Bench, more: bool) -> Verdict:
    _, candidates, seeds = _cells(question, result)
    return rank(candidates, measure, bench, seeds, question.level)


def _importance(question: Question, result: SweepResult, measure: Measure, bench: Bench, more: bool) -> Verdict:
    kept, candidates, seeds = _cells(question, result)
    if len(seeds) < MIN_PAIRS:
        raise ConfigError(too_few_seeds(len(seeds)))
    table = bench.values(candidates, seeds, [measure])
    columns = [measure.with_worst(table[place, measure.text]) for place in range(len(candidates))]
    values = np.column_stack(columns)
    finite = values[np.isfinite(values)]
    if not finite.size or (finite.size == values.size and np.ptp(finite) == 0.0):
        raise ConfigError(f"no run differs from another in {measure.words}, so no axis can be said to matter")
    values = values if measure.is_success else on_scale(values, measure.text, measure.better)
    places = [dict(one.cell.place) for one in kept]
    found, left = importances(places, values, measure.better, result, question.level)
    shares = {axis: one for axis, one in found.items() if axis not in left}
    if not shares:
        why = "; ".join(f"{', '.join(axes)}: {reason}" for reason, axes in _grouped(left).items())
        raise ConfigError(why or "no axis has more than one value, so none can matter")
    ordered = sorted(shares, key=lambda axis: -shares[axis].part)
    told = [f"the {shares[a].named(axis_word(a))} {_shares(shares[a])}" for a in ordered]
    sentence = (
        f"Of the variance between {len(kept)} cells in {measure.words}, {_listed(told)} ({len(seeds):,} paired seeds, "
        f"{percent(question.level)} intervals)."
    )
    rows = [(shares[a].named(axis_word(a)), *_part(shares[a])) for a in ordered]
    does = "explains by itself" if any(isnan(one.total) for one in shares.values()) else "has a part in"
    picture = Picture("bars", tuple(rows), f"per cent of the variance of {measure.words} that an axis {does}")
    numbers = {"importance": {axis: asdict(one) for axis, one in shares.items()}, "seeds": seeds}
    limits = _grouped({axis: one.why for axis, one in shares.items() if one.why})
    notes = tuple(f"{', '.join(axes)}: {why[:1].lower()}{why[1:]}." for why, axes in limits.items())
    notes += tuple(f"No importance is given for {', '.join(axes)}: {why}." for why, axes in _grouped(left).items())
    return Verdict(
        sentence,
        "told",
        "importance",
        measure.text,
        tuple(ordered),
        len(seeds),
        question.level,
        numbers=numbers,
        picture=picture,
        notes=notes,
    )


def _spread(question: Question, result: SweepResult, measure: Measure, bench: Bench, more: bool) -> Verdict:
    if not more:
        raise ConfigError("a spread needs runs with crossed seeds, which a sweep does not have: allow further runs")
    cells = [one.cell for one in result.cells]
    cell = one_cell(cells, read_selector(question.a, cells), "a =")
    (candidate,) = candidates_of(result.recipe, [cell])
    levels = min(USUAL_LEVELS, max(int(question.max_seeds**0.5), 1))
    return spread(candidate, measure, bench, levels, question.level)


def _audit(question: Question, result: SweepResult, measure: Measure, bench: Bench, more: bool) -> Verdict:
    """A side that leaves several cells open is tuned first, on seeds that the audit does not use."""
    sides = named(side_of(result, question.a), side_of(result, question.b))
    seeds = tuple(sorted(set.intersection(*(set(side.seeds) for side in sides))))
    if not seeds:
        raise ConfigError("the two sides have no seed in common")
    return audit_sides(sides, measure, bench, seeds, question.runs, level=question.level)


_ANSWERS = {"compare": _compare, "rank": _rank, "importance": _importance, "spread": _spread, "audit": _audit}


def _grouped(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Put axes together that have one reason."""
    groups: dict[str, list[str]] = {}
    for axis, why in reasons.items():
        groups.setdefault(why, []).append(axis_word(axis))
    return groups


def _part(one: Importance) -> tuple[float, float, float]:
    """Return in per cent what an axis has a part in, with its interval; by itself, if that is all that is known."""
    known = (one.share, one.low, one.high) if isnan(one.total) else (one.total, one.total_low, one.total_high)
    return 100 * known[0], 100 * known[1], 100 * known[2]


def _shares(one: Importance) -> str:
    """Write what an axis has a part in and explains by itself; the latter alone where it follows from other axes."""
    total, own = (percent(round(share, 3)) for share in (one.total, one.share))
    if one.why:
        return f"explains {own} by itself ({percent_range(one.low, one.high)})"
    return f"has a part in {total} ({percent_range(one.total_low, one.total_high)}), {own} by itself"


def _listed(parts: Sequence[str]) -> str:
    return f"{'; '.join(parts[:-1])}; and {parts[-1]}" if len(parts) > 1 else "".join(parts)
