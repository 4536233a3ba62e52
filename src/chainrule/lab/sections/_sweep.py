"""What every sweep over one axis shows: curves, success rates, epochs to success, a table, a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.lab.context import LabContext, Level, rules_told
from chainrule.lab.pictures import fan, group, interval_text, rate_row
from chainrule.lab.settings import setting_record
from chainrule.lab.verdicts import extremes_verdict, metric_verdict
from chainrule.report.records import Cell, DistributionFigure, Item, RatesFigure, TableRecord
from chainrule.report.sweeps.words import rate_text

MOST_SERIES = 4
"""Series in one fan: more cannot be told apart."""


@dataclass(frozen=True)
class Sweep:
    """How one sweep is shown.

    Attributes
    ----------
    recipe : str
        Its recipe's file name.
    noun : str
        What a level is, e.g. ``learning rate``.
    key : str
        The history drawn as a fan.
    metric : str
        The final metric in the table.
    log_x : bool
        Whether epochs are drawn on a log axis.
    """

    recipe: str
    noun: str
    key: str = "loss"
    metric: str = "accuracy"
    log_x: bool = True


def sweep_items(context: LabContext, sweep: Sweep) -> list[Item]:
    """Return figures, table and verdicts of a sweep; one block of rows per case of the recipe."""
    blocks = sweep_blocks(context, sweep.recipe)
    if not blocks:
        return []
    ident = sweep.recipe.replace("_", "-")
    rule = rules_told((name, levels[0]) for name, levels in blocks)
    items: list[Item] = [
        fan(
            f"{ident}-{sweep.key.replace('_', '-')}",
            f"{sweep.key.replace('_', ' ').capitalize()} by {sweep.noun}",
            [(name, few(levels)) for name, levels in blocks],
            sweep.key,
            _fan_caption(blocks, sweep.noun),
            log_x=sweep.log_x,
            show_runs=False,
        ),
        RatesFigure(
            id=f"{ident}-rates",
            title=f"Success rate by {sweep.noun}",
            rows=tuple(rate_row(level, name) for name, levels in blocks for level in levels),
            value_label="share of seeds that succeeded",
            caption=f"Success is, at the end, {rule}. Bars are exact binomial 95 % intervals.",
        ),
    ]
    for name, levels in blocks:
        items.append(epochs_figure(f"{ident}-epochs-{slug(name)}", sweep.noun, name, levels))
    items.append(sweep_table(f"{ident}-table", sweep, blocks, rule))
    for name, levels in blocks:
        verdict = extremes_verdict(name or sweep.noun.capitalize(), named(levels, sweep.noun))
        items += [verdict] if verdict is not None else []
        items += _ends_verdict(name or sweep.noun.capitalize(), named(levels, sweep.noun), sweep)
    return [*items, setting_record(context, sweep.recipe)]


def _ends_verdict(subject: str, levels: Sequence[Level], sweep: Sweep) -> list[Item]:
    """Where success does not tell levels apart, compare the loss of the first and the last one."""
    if len({level.rate.successes for level in levels}) > 1 or len(levels) < 2:
        return []
    return [
        metric_verdict(subject, levels[0], levels[-1], f"final {sweep.key}", f"final {sweep.key.replace('_', ' ')}")
    ]


def sweep_blocks(context: LabContext, recipe: str) -> list[tuple[str, list[Level]]]:
    """Return (case, levels) of a recipe; one unnamed block when it has no cases."""
    cases = context.cases(recipe)
    if not cases:
        levels = context.levels(recipe)
        return [("", levels)] if levels else []
    blocks = [(case, context.levels(recipe, case=case)) for case in cases]
    return [(case, levels) for case, levels in blocks if levels]


def few(levels: Sequence[Level]) -> list[Level]:
    """Choose at most `MOST_SERIES` levels for a fan: the first, the most successful, the last, and one between."""
    if len(levels) <= MOST_SERIES:
        return list(levels)
    best = int(np.argmax([level.rate.rate for level in levels]))
    chosen = {0, len(levels) - 1, best}
    spare = [k for k in (len(levels) // 2, len(levels) // 4, 3 * len(levels) // 4) if k not in chosen]
    chosen |= set(spare[: MOST_SERIES - len(chosen)])
    return [levels[k] for k in sorted(chosen)]


def _fan_caption(blocks: Sequence[tuple[str, Sequence[Level]]], noun: str) -> str:
    n = max(len(level.runs) for _, levels in blocks for level in levels)
    most = max(len(levels) for _, levels in blocks)
    left = f" {MOST_SERIES} of {most} values of the {noun} are drawn; the table has all." if most > MOST_SERIES else ""
    return f"Median, 50 % and 90 % of {n} seeds.{left}"


def epochs_figure(ident: str, noun: str, name: str, levels: Sequence[Level]) -> DistributionFigure:
    """Return the distribution of epochs until the success rule first held."""
    return DistributionFigure(
        id=ident,
        title=f"Epochs until {levels[0].rule} first held" + (f": {name}" if name else ""),
        groups=tuple(group(level, level.first) for level in levels),
        value_label="epochs",
        log=True,
        caption=f"By {noun}. Each dot is a seed; seeds that never got there have no dot, and n counts them too. A seed "
        "that got there may have lost it again by the end.",
    )


def sweep_table(ident: str, sweep: Sweep, blocks: Sequence[tuple[str, Sequence[Level]]], rule: str) -> TableRecord:
    """Return a row per level: n, success rate, epochs to success, final loss and metric, divergences."""
    rows: list[tuple[Cell, ...]] = []
    for name, levels in blocks:
        for level in levels:
            rate = level.rate
            diverged = sum(run.stop_reason == "diverged" for run in level.runs)
            row: tuple[Cell, ...] = (level.name, rate.n, rate_text(rate))
            row += (
                interval_text(level.values(level.first)),
                interval_text(level.values("final loss")),
                interval_text(level.values(f"final {sweep.metric}")),
                diverged,
            )
            rows.append((name, *row) if name else row)
    last = f"final {sweep.metric.replace('_', ' ')}"
    columns = (sweep.noun, "seeds", "succeeded", "epochs to success", "final loss", last, "diverged")
    named_cases = any(name for name, _ in blocks)
    return TableRecord(
        id=ident,
        title=f"Every {sweep.noun}",
        columns=("data", *columns) if named_cases else columns,
        rows=tuple(rows),
        align=(("left",) if named_cases else ()) + ("left", *("right" for _ in columns[1:])),
        caption=f"Success is, at the end, {rule}; its share has an exact 95 % interval. Epochs to success: until the "
        "rule first held. Medians with distribution-free 95 % intervals; ∞ is what most seeds never reached.",
    )


def named(levels: Sequence[Level], noun: str) -> list[Level]:
    """Name levels in full for a sentence: ``learning rate 0.1``."""
    return [level.called(f"{noun} {level.name}") for level in levels]


def slug(name: str) -> str:
    """Make a file name of a case's name."""
    return "".join(c if c.isalnum() else "-" for c in name).strip("-").lower() or "all"
