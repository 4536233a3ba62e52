"""What a sweep asked and what may be said after it, in sentences."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from chainrule.experiments.recipes.words import axis_word, metric_word
from chainrule.experiments.sweeps.metrics import Middle
from chainrule.experiments.sweeps.result import SPENT
from chainrule.experiments.sweeps.summary import CellSummary, SweepSummary
from chainrule.report.records import VerdictRecord
from chainrule.report.sweeps.words import count, level_text, listed, percent, place_words, score_text
from chainrule.stats import MIN_PAIRS, RateInterval

if TYPE_CHECKING:
    from chainrule.stats.importance import Importance


MOST_NAMED = 6
"""Members of the best set that a sentence names; the pictures and tables mark them all."""


def asked(summary: SweepSummary) -> str:
    """Say what was run: ``3 optimizers × 5 learning rates: 15 cells, 20 seeds each, 300 runs.``"""
    axes = " × ".join(f"{axis_word(axis)} ({len(values)})" for axis, values in summary.axes.items())
    sources = list(dict.fromkeys(one.cell.setting.source for one in summary.result))
    source = f"`{sources[0]}`" if len(sources) == 1 else f"{len(sources)} data sources"
    what = f"{axes}: {count(len(summary.cells), 'cell')}" if axes else count(len(summary.cells), "cell")
    told = f"{what} on {source}, {_seeds_each(summary)}, {count(summary.runs, 'run')} in all."
    rule = success_rule(summary)
    return _capital(f"{told} Success: {rule}." if rule else told)


def _seeds_each(summary: SweepSummary) -> str:
    """Say how many seeds each cell has."""
    counts = sorted({cell.n for cell in summary.cells if cell.n})
    if not counts:
        return "no seeds"
    return f"{count(counts[0], 'seed')} each" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,} seeds each"


def success_rule(summary: SweepSummary) -> str:
    """Return the rule of success in words; empty where there is none."""
    rule = summary.result.recipe.success
    if rule is not None:
        bound, sign = (rule.at_least, "≥") if rule.at_least is not None else (rule.at_most, "≤")
        assert bound is not None, "a success rule has one bound"
        shown = f"{100 * bound:g} %" if "accuracy" in rule.metric else f"{bound:g}"
        return f"final {metric_word(rule.metric)} {sign} {shown}"
    ended = any(cell.success is not None and cell.success.successes for cell in summary.cells)
    return "a stopping rule that means success ended the run" if ended else ""


def lead(summary: SweepSummary) -> str:
    """Return the report's first sentences: what was asked, and what may be said."""
    so_far = " So far: the sweep is not finished." if summary.result.interrupted else ""
    return f"{asked(summary)} {best_sentence(summary)}{so_far}"


def best_sentence(summary: SweepSummary) -> str:
    """Say which cell did best, and how many cannot be told from it."""
    choice = summary.choice
    winner = winner_of(summary)
    if winner is None or summary.winner is None:
        return f"Nothing can be said: {choice.why[:1].lower()}{choice.why[1:]}"
    score = score_text(summary.winner.choosing, summary.criterion.words)
    did = f"succeeded in {score}" if isinstance(summary.winner.choosing, RateInterval) else f"had {score}"
    if len(summary.cells) == 1:
        return f"It {did}."
    told = f"{_capital(place_words(winner.place, summary.axes))} did best: it {did}."
    if not choice.decided:
        return f"{told} {choice.why}"
    return f"{told} {_others(len(choice.members) - 1, len(choice.p_adjusted) - 1)}, at {level_text(summary.level)}."


def _others(alike: int, others: int) -> str:
    """Say how many of the cells beside the best cannot be told from it."""
    if others == 1:
        return "The other cell cannot be told from it" if alike else "The other cell is shown to be worse"
    if alike == 0:
        return f"All {others:,} others are shown to be worse"
    if alike == others:
        return f"None of the {others:,} others can be told from it"
    return f"{count(alike, 'other cell')} cannot be told from it"


def winner_of(summary: SweepSummary) -> CellSummary | None:
    """Return the best cell."""
    return None if summary.choice.winner is None else summary.cells[summary.choice.winner]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def best_set_verdict(summary: SweepSummary) -> VerdictRecord:
    """State the set of cells that cannot be told from the best."""
    choice = summary.choice
    members = [place_words(summary.cells[k].place, summary.axes) for k in choice.members if k != choice.winner]
    score = summary.winner.choosing if summary.winner else None
    interval = None if score is None or _unbounded(score) else (score.low, score.high, score.level)
    more = f" They are: {listed(members)}." if members and choice.decided and len(members) <= MOST_NAMED else ""
    return VerdictRecord(
        sentence=best_sentence(summary) + more,
        n_seeds=len(choice.seeds),
        interval=interval,
        kind="finding" if choice.decided and len(choice.members) < len(choice.p_adjusted) else "question",
        interval_of=f"the best cell's {'success rate' if summary.criterion.is_success else 'median'}",
        evidence={
            "members": [summary.cells[k].label for k in choice.members],
            "p_adjusted": {summary.cells[k].label: p for k, p in choice.p_adjusted.items()},
        },
    )


def _unbounded(score: RateInterval | Middle) -> bool:
    return isinstance(score, Middle) and not score.bounded


def curse_verdict(summary: SweepSummary) -> VerdictRecord | None:
    """State the winner's score on fresh seeds beside the one that made it win; warn where there are none."""
    winner, scores = winner_of(summary), summary.winner
    if winner is None or scores is None or len(summary.cells) < 2:
        return None
    name = _capital(place_words(winner.place, summary.axes))
    noun = summary.criterion.words
    if scores.fresh is None:
        return VerdictRecord(
            sentence=f"The best of {len(summary.cells)} cells owes part of its score to luck. {name} was not tried on "
            "fresh seeds, so its own score flatters it.",
            kind="caution",
        )
    fresh = scores.fresh
    return VerdictRecord(
        sentence=f"{name} on seeds that played no part in choosing it: {score_text(fresh, noun)}. On those that chose "
        f"it: {score_text(scores.choosing, noun)}. The first is its fair score.",
        n_seeds=fresh.n,
        kind="finding" if fresh.n >= MIN_PAIRS else "question",
        interval=None if _unbounded(fresh) else (fresh.low, fresh.high, fresh.level),
        interval_of="the fair score",
    )


def importance_sentence(summary: SweepSummary) -> str:
    """Say which axes matter, in the order of what they have a part in."""
    told = []
    for axis in summary.by_importance():
        one = summary.importance.get(axis)
        if one is not None:
            told.append(f"{one.named(axis_word(axis))} {_part(one)}")
    return f"Each axis has a part in the variance between cells in {summary.criterion.words}: {'; '.join(told)}."


def _part(one: Importance) -> str:
    """Write an importance; where an axis follows from others, only what goes with it by itself means anything."""
    alone = f"{percent(one.share)} % by itself ({percent(one.low)} to {percent(one.high)} %)"
    if one.why:
        return alone
    return f"{percent(one.total)} % ({percent(one.total_low)} to {percent(one.total_high)} %), {alone}"


def lost_lines(summary: SweepSummary) -> list[str]:
    """Say what an interrupted or failing sweep lacks, a line each."""
    lines = []
    if summary.result.interrupted:
        lines.append(_cut_short(summary))
    short = "the time was up", "interrupted"
    reasons = Counter(cell.missing or "no runs" for cell in summary.missing if cell.missing not in short)
    total = f"of {len(summary.cells):,} lack runs"
    lines += [f"{count(n, 'cell')} {total}: {why.rstrip('.')}." for why, n in reasons.most_common(12)]
    if len(reasons) > 12:
        lines.append(f"{len(reasons) - 12} more reasons are in the table of cells.")
    return lines


def _cut_short(summary: SweepSummary) -> str:
    """Say that a sweep was cut short, what is there, and how it goes on."""
    result = summary.result
    why = "The time given was used up" if result.out_of_time else "The sweep was interrupted"
    wanted, seeds = result.wanted, {cell.n for cell in summary.cells}
    if wanted and summary.runs >= wanted:
        return f"{why} when the cells had all their runs, but not what follows them; the same command goes on."
    done = f"{summary.runs:,} of {count(wanted, 'run')}" if wanted else count(summary.runs, "run")
    each = f"{min(seeds):,} to {max(seeds):,}" if len(seeds) > 1 else f"{max(seeds, default=0):,}"
    had = f" (a cell has {each} of {count(len(result.seeds), 'seed')})" if summary.runs and wanted else ""
    return f"{why}: {done} had finished{had}; the same command goes on from there."


def remarks(summary: SweepSummary) -> list[str]:
    """Return what a reader must know besides: diverged runs, cells given up, notes of the sweep."""
    cells, told = summary.cells, []
    if summary.criterion.why:
        told.append(summary.criterion.why)
    if summary.diverged:
        where = sum(cell.diverged > 0 for cell in cells)
        told.append(
            f"{count(summary.diverged, 'run')} of {summary.runs:,} diverged, in {count(where, 'cell')}. They count as "
            "failures, and as worse than every loss."
        )
    if summary.pruned:
        after = sorted({cell.pruned_after for cell in summary.pruned if cell.pruned_after is not None})
        epochs = f"{after[0]:,} epochs" if len(after) == 1 else f"{after[0]:,} to {after[-1]:,} epochs"
        told.append(
            f"What is shown of {count(len(summary.pruned), 'cell')} is from {epochs}, after which halving gave "
            "them up; they are not compared with the others."
        )
    short = [k for k in summary.choice.left_out if cells[k].pruned_after is None]
    if short:
        told.append(f"{count(len(short), 'cell')} had too few of the others' seeds to be compared with them.")
    reasons: dict[str, list[str]] = {}
    for axis, why in summary.no_importance.items():
        reasons.setdefault(why, []).append(axis_word(axis))
    told += [f"No importance is given for {listed(axes)}: {why}." for why, axes in reasons.items()]
    halving = summary.result.halving
    told += [] if halving is None else [_capital(halving.sentence)]
    told += [_capital(note.rstrip(".")) + "." for note in summary.result.notes if note != SPENT]
    return list(dict.fromkeys(told))
