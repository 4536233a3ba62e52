"""The loss while it falls: windows of steps (report E5), and training against validation (E4, E7)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chainrule.lab.context import LabContext, Level
from chainrule.lab.pictures import fan, interval_text
from chainrule.lab.sections._mnist import mnist_block, mnist_levels
from chainrule.lab.settings import setting_record
from chainrule.lab.verdicts import comparison_verdict, metric_verdict, rate_verdict
from chainrule.report.records import (
    Cell,
    FanFigure,
    FanPanel,
    Item,
    SectionRecord,
    TableRecord,
    TextRecord,
    VerdictRecord,
    WindowFigure,
    WindowSeries,
)
from chainrule.report.sweeps.curves import fan_series
from chainrule.runs import Runs
from chainrule.stats import compare_metric

LOSS_WINDOWS = ("loss_windows",)
TRAIN_VALIDATION = ("train_validation",)
GROUP = 10
"""How many short windows make a long one, as in report E5 (100 and 1,000)."""

Means = npt.NDArray[np.float64]


def loss_windows(context: LabContext) -> SectionRecord:
    """Show mean and spread over seeds of the windowed loss, for a short and a long window."""
    items: list[Item] = []
    for level in context.levels("loss_windows"):
        items += _windows("loss-windows", "Digits", level)
    items.append(setting_record(context, "loss_windows"))
    mnist = mnist_levels(context, "E5M")
    for level in mnist:
        items.append(
            SectionRecord(id="windows-mnist", title="MNIST", items=tuple(_windows("mnist-windows", "MNIST", level)))
        )
    if not mnist:
        text = "Report E's experiment E5 on MNIST runs in the full lab, with the replication."
        items.append(SectionRecord(id="windows-mnist", title="MNIST", items=(TextRecord(paragraphs=(text,)),)))
    return SectionRecord(
        id="loss-windows",
        title="Windowed mean and spread of the loss",
        lead="A single sample's loss says little; the mean over a window of steps says more, and the longer the window "
        "the less it depends on the seed.",
        items=tuple(items),
    )


def _windows(ident: str, data: str, level: Level) -> list[Item]:
    """Show the windowed loss of one set of runs, for its own window and one `GROUP` times as long."""
    size = level.runs[0].member.config.window
    means = _window_means(level.runs)
    if means.ndim != 2 or means.shape[1] < 2 * GROUP:
        return [TextRecord(paragraphs=(f"{data}: too few windows were completed to compare them.",))]
    long = means[:, : means.shape[1] // GROUP * GROUP].reshape(len(means), -1, GROUP).mean(axis=2)
    return [
        WindowFigure(
            id=f"{ident}-curve",
            title=f"{data}: windowed loss, mean and spread over seeds",
            series=(_series(f"{size} steps", means, size), _series(f"{size * GROUP} steps", long, size * GROUP)),
            x_label="step (single samples)",
            log_y=True,
            caption=f"{data}, batch size 1, {len(means)} seeds; spread is the standard deviation over seeds.",
        ),
        _spread_table(f"{ident}-table", means, long, size),
        _early_late(means, size),
        _short_long(means, long, size),
    ]


def _window_means(runs: Runs) -> Means:
    """Return the windowed means (n_runs, windows) of the runs that finished."""
    rows = [run.windows["loss"] for run in runs if run.stop_reason != "diverged" and "loss" in run.windows]
    shortest = min((len(row) for row in rows), default=0)
    return np.array([row[:shortest] for row in rows], dtype=np.float64)


def _series(name: str, means: Means, size: int) -> WindowSeries:
    """Return mean and standard deviation over seeds per window, at the window's last step."""
    return WindowSeries(
        name=name, x=size * np.arange(1, means.shape[1] + 1), mean=means.mean(axis=0), spread=_spread(means)
    )


def _spread(means: Means) -> Means:
    """Return the standard deviation over seeds per window; a single seed has none."""
    return means.std(axis=0, ddof=1) if len(means) > 1 else np.zeros(means.shape[1])


def _deviations(means: Means, last: bool) -> Means:
    """Return each seed's mean distance from the mean over seeds, in the first or in the last third of the windows.

    Taking the mean over seeds away removes the trend: what is left is the spread over seeds, a number per seed.
    """
    third = max(means.shape[1] // 3, 1)
    distance = np.abs(means - means.mean(axis=0))
    return np.asarray((distance[:, -third:] if last else distance[:, :third]).mean(axis=1), dtype=np.float64)


def _spread_table(ident: str, means: Means, long: Means, size: int) -> TableRecord:
    """Return the spread over seeds early and late, for both windows."""
    rows: list[tuple[Cell, ...]] = []
    for table, steps in ((means, size), (long, size * GROUP)):
        spread = _spread(table)
        third = max(len(spread) // 3, 1)
        rows.append((f"{steps} steps", len(table), float(spread[:third].mean()), float(spread[-third:].mean())))
    return TableRecord(
        id=ident,
        title="Spread over seeds, mean of the first and of the last third of training",
        columns=("window", "seeds", "early", "late"),
        rows=tuple(rows),
        formats=("", "", ".4f", ".4f"),
    )


def _early_late(means: Means, size: int) -> VerdictRecord:
    """Compare each seed's distance from the others early and late."""
    names = ("the last third of training", "the first third")
    return _verdict(f"Windows of {size} steps", _deviations(means, True), _deviations(means, False), names)


def _short_long(means: Means, long: Means, size: int) -> VerdictRecord:
    """Compare each seed's distance from the others for long and short windows, late in training."""
    names = (f"windows of {size * GROUP} steps", f"windows of {size} steps")
    return _verdict("The last third of training", _deviations(long, True), _deviations(means, True), names)


def _verdict(subject: str, a: Means, b: Means, names: tuple[str, str]) -> VerdictRecord:
    """Compare two columns over the seeds."""
    compared = compare_metric(a, b, names, "spread of the loss over seeds", "lower", "mean")
    return comparison_verdict(f"{subject}: {compared.verdict_sentence()}", compared)


def train_validation(context: LabContext) -> SectionRecord:
    """Show training and validation loss side by side, and what penalty and dropout change."""
    cases = context.cases("train_validation")
    levels = {case: level for case in cases for level in context.levels("train_validation", case=case)}
    parts = ("running_loss", "validation_loss")
    finals = ("final running_loss", "final validation_loss", "final accuracy", "final validation_accuracy")
    return SectionRecord(
        id="train-validation",
        title="Training against validation",
        lead="How far does the loss on samples that were trained on drift from the loss on those that were not? The "
        "distance is what the network has learned about its sample rather than about digits.",
        items=(
            *(_digits_items(levels) if levels else ()),
            setting_record(context, "train_validation"),
            mnist_block(context, "train-validation-mnist", "E4", "experiment", parts, finals),
        ),
    )


def _digits_items(levels: dict[str, Level]) -> list[Item]:
    """Show both losses and the accuracy of every case, and compare each case with the plain one."""
    panels = tuple(
        FanPanel(
            title=case,
            series=(
                fan_series("training", level.runs, "loss"),
                fan_series("validation", level.runs, "validation_loss"),
            ),
        )
        for case, level in levels.items()
    )
    caption = f"Median, 50 % and 90 % of {len(next(iter(levels.values())).runs)} seeds."
    return [
        FanFigure(
            id="train-validation-loss",
            title="Training and validation loss",
            panels=panels,
            log_y=True,
            log_x=True,
            show_runs=False,
            caption=caption,
        ),
        fan(
            "train-validation-accuracy",
            "Validation accuracy",
            [("", [level.called(case) for case, level in levels.items()])],
            "validation_accuracy",
            caption,
            log_x=True,
            show_runs=False,
        ),
        _gap_table(levels),
        *(rate_verdict(case, level) for case, level in levels.items()),
        *_against_plain(levels),
    ]


def _against_plain(levels: dict[str, Level]) -> list[Item]:
    """Compare the validation loss of every case with that of the plain one."""
    plain = levels.get("plain")
    if plain is None:
        return []
    quantity, shown = "final validation_loss", "final validation loss"
    return [
        metric_verdict("Digits", level.called(case), plain.called("plain"), quantity, shown)
        for case, level in levels.items()
        if level is not plain
    ]


def _gap_table(levels: dict[str, Level]) -> TableRecord:
    """Return final and best validation values beside the training values."""
    rows: list[tuple[Cell, ...]] = []
    for case, level in levels.items():
        _, validation = level.runs.history("validation_loss")
        best = np.nanmin(validation, axis=1)
        row = [interval_text(level.values(f"final {key}")) for key in ("loss", "validation_loss")]
        row += [interval_text(best)]
        row += [interval_text(level.values(f"final {key}")) for key in ("accuracy", "validation_accuracy")]
        rows.append((case, len(level.runs), *row))
    columns = (
        "network", "seeds", "training loss", "validation loss", "best validation loss",
        "training accuracy", "validation accuracy",
    )  # fmt: skip
    return TableRecord(
        id="train-validation-table",
        title="At the end of training, medians with 95 % intervals",
        columns=columns,
        rows=tuple(rows),
        align=("left", *("right" for _ in columns[1:])),
    )
