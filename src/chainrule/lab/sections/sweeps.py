"""Learning rates, hidden units, schedules and batch sizes: one axis each."""

from __future__ import annotations

from chainrule.lab.context import LabContext
from chainrule.lab.sections._mnist import mnist_block
from chainrule.lab.sections._sweep import Sweep, sweep_items
from chainrule.lab.verdicts import metric_verdict
from chainrule.report.records import Bar, BarFigure, Item, SectionRecord, TextRecord
from chainrule.stats import median_interval

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
        lead="Too small a rate does not arrive in the time given, too large a rate jumps about or lands where units "
        "are saturated. Between the two lies a range, and its width is what matters.",
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
        lead="Two hidden layers of equal width on points, one hidden layer on digits. One unit a layer cannot fold the "
        "plane; more units than needed cost time and, up to a point, make success surer.",
        items=(*_block("units-points", "Points", points), *_block("units-digits", "Digits, held-out fifth", digits)),
    )


def _cost(context: LabContext, recipe: str) -> list[Item]:
    """Return the time a member took by width, on xor."""
    levels = context.levels(recipe, case="xor")
    if not levels:
        return []
    bars = []
    for level in levels:
        per_epoch = 1e6 * level.values("seconds") / level.values("epochs").clip(min=1)
        interval = median_interval(per_epoch)
        bars.append(
            Bar(
                name=level.name,
                value=float(sorted(per_epoch)[len(per_epoch) // 2]),
                low=interval.low,
                high=interval.high,
            )
        )
    return [
        BarFigure(
            id="hidden-units-cost",
            title="Time for one epoch of one network, xor",
            bars=tuple(bars),
            value_label="microseconds per member and epoch",
            log=True,
            caption="Wall time of the population divided by its members and epochs: accuracy stays, cost grows.",
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
    if "1" in levels and "50" in levels:
        items.append(metric_verdict("Digits", levels["1"], levels["50"], "seconds", "seconds per network"))
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
        lead="Equal numbers of epochs at one learning rate: small batches take many more steps per epoch, so per epoch "
        "they learn faster and per second they may not.",
        items=tuple(items),
    )


def _block(ident: str, title: str, items: list[Item]) -> tuple[Item, ...]:
    """Make a subsection, or say that its runs are missing."""
    if not items:
        return (TextRecord(paragraphs=(f"{title}: no runs.",)),)
    return (SectionRecord(id=ident, title=title, items=tuple(items)),)
