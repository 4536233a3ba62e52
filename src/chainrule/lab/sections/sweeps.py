"""Learning rates, hidden units, schedules and batch sizes: one axis each."""

from __future__ import annotations

from chainrule.lab.context import LabContext
from chainrule.lab.sections._mnist import mnist_block
from chainrule.lab.sections._sweep import Sweep, sweep_items
from chainrule.lab.verdicts import metric_verdict
from chainrule.report.records import Bar, BarFigure, Item, SectionRecord, TextRecord

LEARNING_RATES = ("learning_rates", "learning_rates_digits")
HIDDEN_UNITS = ("hidden_units", "hidden_units_digits")
SCHEDULES = ("schedules",)
BATCH_SIZE = ("batch_size",)


def learning_rates(context: LabContext) -> SectionRecord:
    """Which learning rate works, and how wide is the range that does?"""
    points = sweep_items(context, Sweep("learning_rates", "learning rate"))
    digits = sweep_items(
        context, Sweep("learning_rates_digits", "learning rate", "validation_loss", "validation_accuracy", log_x=False)
    )
    return SectionRecord(
        id="learning-rates",
        title="Learning rates",
        lead="Which rates arrive in the time given, which ones jump about, and how wide is the range between?",
        items=(
            *_block("lr-points", "Points", points),
            *_block("lr-digits", "Digits, held-out fifth", digits),
            mnist_block(
                context,
                "lr-mnist",
                "E6",
                "learning rate",
                ("validation_loss",),
                ("final running_loss", "final validation_loss", "final validation_accuracy"),
            ),
        ),
    )


def hidden_units(context: LabContext) -> SectionRecord:
    """How many hidden units are needed, and what do more of them cost?"""
    points = sweep_items(context, Sweep("hidden_units", "widths"))
    digits = sweep_items(
        context, Sweep("hidden_units_digits", "width", "validation_loss", "validation_accuracy", log_x=False)
    )
    points += _cost(context, "hidden_units")
    return SectionRecord(
        id="hidden-units",
        title="Hidden units",
        lead="Two hidden layers of equal width on points, one hidden layer on digits: how many units are enough, do "
        "more make success surer, and what do they cost?",
        items=(*_block("units-points", "Points", points), *_block("units-digits", "Digits, held-out fifth", digits)),
    )


def _cost(context: LabContext, recipe: str) -> list[Item]:
    """Return the time that a member and epoch took by width, on xor: one measurement each, so no interval."""
    levels = context.levels(recipe, case="xor")
    if not levels:
        return []
    bars = [
        Bar(name=level.name, value=float(1e6 * level.values("seconds")[0] / max(level.values("epochs").mean(), 1.0)))
        for level in levels
    ]
    return [
        BarFigure(
            id="hidden-units-cost",
            title="Time for one epoch of one network, xor",
            bars=tuple(bars),
            value_label="microseconds per member and epoch",
            log=True,
            caption="Wall time of the population divided by its members and epochs. Each is one measurement beside "
            "other work on the machine, so it has no interval.",
        )
    ]


def schedules(context: LabContext) -> SectionRecord:
    """Does a schedule help?"""
    items = sweep_items(context, Sweep("schedules", "schedule", "validation_loss", "validation_accuracy", log_x=False))
    levels = {level.name.split("(")[0]: level for level in context.levels("schedules")}
    for name in ("self_multiplying", "loss_ratio", "cosine"):
        if name in levels and "constant" in levels:
            verdict = metric_verdict(
                "Digits", levels[name], levels["constant"], "final validation_loss", "final validation loss"
            )
            items.append(verdict)
    return SectionRecord(
        id="schedules",
        title="Schedules",
        lead="All schedules start from the same rate. The self-multiplying is report A's (rate times rate every few "
        "epochs): 0.8 shrinks, 1 would never change. The loss ratio is report E's.",
        items=tuple(items),
    )


def batch_size(context: LabContext) -> SectionRecord:
    """Single samples, minibatches or the full batch?"""
    items = sweep_items(
        context, Sweep("batch_size", "batch size", "validation_loss", "validation_accuracy", log_x=False)
    )
    levels = {level.name: level for level in context.levels("batch_size")}
    if "1" in levels and "full" in levels:
        items.append(
            metric_verdict("Digits", levels["1"], levels["full"], "final validation_loss", "final validation loss")
        )
    items.append(
        mnist_block(
            context,
            "batch-mnist",
            "E3",
            "batch",
            ("running_loss", "validation_accuracy"),
            ("final running_loss", "final validation_accuracy", "seconds"),
        )
    )
    return SectionRecord(
        id="batch-size",
        title="Minibatch size, and single samples against the batch",
        lead="Equal numbers of epochs at one learning rate: a small batch takes many more steps per epoch, each on "
        "fewer samples.",
        items=tuple(items),
    )


def _block(ident: str, title: str, items: list[Item]) -> tuple[Item, ...]:
    """Make a subsection, or say that its runs are missing."""
    if not items:
        return (TextRecord(paragraphs=(f"{title}: no runs.",)),)
    return (SectionRecord(id=ident, title=title, items=tuple(items)),)
