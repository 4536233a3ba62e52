"""Section 5: report D's three questions, each answered by an experiment instead of words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.lab.context import LabContext, Level, rules_told
from chainrule.lab.pictures import boundary_grid, interval_text, rate_row, typical_run
from chainrule.lab.sections.tuned import score
from chainrule.lab.settings import setting_record
from chainrule.lab.verdicts import comparison_verdict, extremes_verdict, share
from chainrule.report.records import (
    BoundaryFigure,
    BoundaryPanel,
    Cell,
    Item,
    NetworkFigure,
    RatesFigure,
    SectionRecord,
    TableRecord,
)
from chainrule.report.sweeps.words import rate_text
from chainrule.stats import compare_rates

RECIPES = ("no_activation", "learning_rates", "question_biases", "question_weights")


def questions(context: LabContext) -> SectionRecord:
    """Answer what activations, the learning rate, and weights and biases are for."""
    return SectionRecord(
        id="questions",
        title="Three questions, answered by experiment",
        lead="What are activation functions for? What does the learning rate do? What are weights and biases for?",
        items=(_activation(context), _learning_rate(context), _weights_and_biases(context)),
    )


def _activation(context: LabContext) -> SectionRecord:
    """Answer with xor, with and without activation, and the boundaries both can draw."""
    found: dict[str, Level] = {}
    for name, words in (("sigmoid", "with sigmoid"), ("none", "without activation")):
        levels = context.levels("no_activation", case=f"xor, {name}")
        if levels:  # the rate is chosen on the first half of the seeds and judged on the second
            best = max(levels, key=lambda level: score(level.halves()[0]))
            found[name] = best.halves()[1].called(f"{words}, rate {best.name}")
    items: list[Item] = []
    if len(found) == 2:
        panels = [_boundary(context, level) for level in found.values()]
        a, b = found["sigmoid"], found["none"]
        compared = compare_rates(a.success, b.success, ("With sigmoid", "without activation"))
        items = [
            BoundaryFigure(
                id="question-activation",
                title="The boundary a (4, 4) network draws on xor, with and without activation",
                panels=tuple(panels),
                caption="Each at the learning rate that did best on the other half of the seeds; the median seed.",
            ),
            RatesFigure(
                id="question-activation-rates",
                title="xor solved",
                rows=(rate_row(a), rate_row(b)),
                value_label=f"share of judging seeds with {a.rule} at the end",
            ),
            comparison_verdict(
                "Activations let layers bend: without them any depth is one affine map and its boundary one "
                f"straight line. xor was solved in {share(a.rate)} with sigmoid and in {share(b.rate)} without.",
                compared,
                finding=compared.verdict == "a",
            ),
        ]
    return SectionRecord(id="question-1", title="What are activation functions for?", items=tuple(items))


def _boundary(context: LabContext, level: Level) -> BoundaryPanel:
    """Return the boundary of a level's median seed over the data it saw."""
    run = typical_run(level)
    dataset = context.source(level.runs.source).draw(run.seed)
    return BoundaryPanel(
        grid=boundary_grid(run, dataset, points=49),
        points=dataset.X,
        labels=dataset.y.astype(int),
        classes=dataset.classes,
        title=level.name,
    )


def _learning_rate(context: LabContext) -> SectionRecord:
    """Answer with the three regimes on xor: too small, right, too large."""
    levels = context.levels("learning_rates", case="xor")
    items: list[Item] = []
    if levels:
        rows: list[tuple[Cell, ...]] = []
        every = levels[0].runs[0].member.config.log_every
        for level in levels:
            _, losses = level.runs.history("loss")
            with np.errstate(invalid="ignore"):
                rises = np.nanmean(np.diff(losses, axis=1) > 0, axis=1)
            rows.append(
                (
                    level.name,
                    len(level.runs),
                    rate_text(level.rate),
                    interval_text(level.values("final loss")),
                    interval_text(100 * rises),
                )
            )
        items = [
            RatesFigure(
                id="question-rate-rates",
                title="xor solved, by learning rate",
                rows=tuple(rate_row(level) for level in levels),
                value_label=f"share of seeds with {levels[0].rule} at the end",
            ),
            TableRecord(
                id="question-rate-table",
                title="Too small, right, too large: what the loss does (xor)",
                columns=("learning rate", "seeds", "solved", "final loss", "loss rose between looks, %"),
                rows=tuple(rows),
                align=("right",) * 5,
                caption=f"Medians with 95 % intervals. The last column: over how many intervals of {every} epochs the "
                "loss rose.",
            ),
        ]
        verdict = extremes_verdict("The learning rate is the length of the step downhill", _called(levels))
        items += [verdict] if verdict is not None else []
    items.append(setting_record(context, "learning_rates"))
    return SectionRecord(id="question-2", title="What does the learning rate do?", items=tuple(items))


def _called(levels: Sequence[Level]) -> list[Level]:
    return [level.called(f"rate {level.name}") for level in levels]


def _weights_and_biases(context: LabContext) -> SectionRecord:
    """Answer by taking biases away, and by starting from different weights."""
    items: list[Item] = [*_weights(context), *_biases(context)]
    items.append(setting_record(context, "question_weights", "question_biases"))
    return SectionRecord(id="question-3", title="What are weights and biases for?", items=tuple(items))


def _weights(context: LabContext) -> list[Item]:
    """Show that equal initial weights never become different, and what size of difference works."""
    levels = context.levels("question_weights")
    if not levels:
        return []
    solved = next((level for level in levels if level.success.any()), levels[-1])
    run = solved.runs[int(np.argmax(solved.success))]
    items: list[Item] = [
        NetworkFigure(
            id="question-weights-network",
            title=f"A trained xor network: which way each unit looks (seed {run.seed}, {solved.name})",
            weights=tuple(layer["W"] for layer in run.params),
            biases=tuple(layer["b"] for layer in run.params),
            input_names=("x₁", "x₂"),
            output_names=("ŷ",),
        ),
        RatesFigure(
            id="question-weights-rates",
            title="xor solved, by initial weights",
            rows=tuple(rate_row(level) for level in levels),
            value_label=f"share of seeds with {levels[0].rule} at the end",
        ),
    ]
    verdict = extremes_verdict(
        "Weights are the directions in which units look; units that start equal stay equal and act as one unit",
        [level.called(f"{level.name} weights") for level in levels],
    )
    return items + ([verdict] if verdict is not None else [])


def _biases(context: LabContext) -> list[Item]:
    """Show where a missing bias hurts."""
    cases = context.cases("question_biases")
    blocks = [(case, {level.value: level for level in context.levels("question_biases", case=case)}) for case in cases]
    blocks = [(case, pair) for case, pair in blocks if len(pair) == 2]
    if not blocks:
        return []
    items: list[Item] = [
        RatesFigure(
            id="question-biases-rates",
            title="Success with and without biases",
            rows=tuple(
                rate_row(level.called(f"{'with' if value else 'without'} biases"), case)
                for case, pair in blocks
                for value, level in pair.items()
            ),
            value_label=f"share of seeds with {rules_told((case, pair[True]) for case, pair in blocks)} at the end",
        ),
    ]
    panels = [
        _boundary(
            context,
            level.called(f"{case.split(',')[0]}, {'with' if value else 'without'} bias"),
        )
        for case, pair in blocks
        if case.startswith(("xor", "off"))
        for value, level in pair.items()
    ]
    if panels:
        items.insert(
            0,
            BoundaryFigure(
                id="question-biases-boundaries", title="With and without biases, median seed", panels=tuple(panels)
            ),
        )
    for case, pair in blocks:
        compared = compare_rates(pair[True].success, pair[False].success, ("with biases", "without"))
        sentence = compared.verdict_sentence("succeeded more often")
        items.append(
            comparison_verdict(
                f"{case}: {sentence[0].lower() + sentence[1:]}",
                compared,
            )
        )
    return items
