"""What happens without activation: the reports' NaN, and what causes it."""

from __future__ import annotations

from collections import Counter

from chainrule.lab.context import LabContext, rules_told
from chainrule.lab.pictures import fan, interval_text, rate_row
from chainrule.lab.settings import setting_record
from chainrule.lab.verdicts import comparison_verdict, share
from chainrule.report.records import Cell, Item, RatesFigure, SectionRecord, TableRecord
from chainrule.stats import compare_rates, success_rate

RECIPES = ("no_activation",)


def no_activation(context: LabContext) -> SectionRecord:
    """Compare networks with and without activation, and name why those without diverge."""
    blocks = [(case, context.levels("no_activation", case=case)) for case in context.cases("no_activation")]
    blocks = [(case, levels) for case, levels in blocks if levels]
    items: list[Item] = []
    if blocks:
        items = [
            fan(
                "no-activation-loss",
                "Loss with sigmoid and without activation, by learning rate",
                blocks,
                "loss",
                "A run that overflows ends where it diverged.",
                log_x=True,
                show_runs=False,
            ),
            RatesFigure(
                id="no-activation-rates",
                title="Success with and without activation, by learning rate",
                rows=tuple(rate_row(level, case) for case, levels in blocks for level in levels),
                value_label="share of seeds that succeeded",
                caption="Success is, at the end, " + rules_told((case, levels[0]) for case, levels in blocks) + ".",
            ),
            _divergence_table(context),
            *_verdicts(context),
            setting_record(context, "no_activation"),
        ]
    return SectionRecord(
        id="no-activation",
        title="No activation",
        lead="Without activation a deep network is one affine map. What can it still learn, and whence the NaN "
        "that the reports blamed on a division by zero? The divergence guard names layer and cause.",
        items=tuple(items),
    )


def _divergence_table(context: LabContext) -> TableRecord:
    """Return how many runs diverged, when, where first and why."""
    rows: list[tuple[Cell, ...]] = []
    for case in context.cases("no_activation"):
        for level in context.levels("no_activation", case=case):
            lost = [run.divergence for run in level.runs if run.divergence is not None]
            where = Counter(one.layer for one in lost).most_common(1)
            why = Counter(one.cause for one in lost).most_common(1)
            rows.append(
                (
                    case,
                    level.name,
                    len(level.runs),
                    len(lost),
                    interval_text([float(one.epoch) for one in lost]) if lost else "–",  # type: ignore[arg-type]
                    where[0][0] if where else "–",
                    why[0][0] if why else "–",
                )
            )
    return TableRecord(
        id="no-activation-divergence",
        title="Where and why runs diverged",
        columns=("data, activation", "learning rate", "seeds", "diverged", "in epoch", "first in", "most likely cause"),
        rows=tuple(rows),
        align=("left", "right", "right", "right", "right", "left", "left"),
    )


def _verdicts(context: LabContext) -> list[Item]:
    """Say what activation buys on each data set, and how often its absence diverges."""
    verdicts: list[Item] = []
    for data in ("linear", "xor"):
        with_it, without = (
            {level.value: level for level in context.levels("no_activation", case=f"{data}, {name}")}
            for name in ("sigmoid", "none")
        )
        for rate in sorted(set(with_it) & set(without)):
            a, b = with_it[rate], without[rate]
            compared = compare_rates(a.success, b.success, ("sigmoid", "no activation"))
            diverged = success_rate(sum(run.stop_reason == "diverged" for run in b.runs), len(b.runs))
            verdicts.append(
                comparison_verdict(
                    f"{data}, learning rate {rate:g}: {compared.verdict_sentence('succeeded more often')} "
                    f"Without activation {share(diverged)} diverged.",
                    compared,
                    diverged=diverged.successes,
                )
            )
    return verdicts
