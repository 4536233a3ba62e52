"""Progress bars on stderr, with rate and time left, for whatever takes longer than a second."""

from __future__ import annotations

import time
from types import TracebackType

import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from chainrule.cli._console import Output, number
from chainrule.engines import ProgressEvent

PATIENCE = 1.0  # seconds before a bar appears: what is over sooner needs none


class Bar:
    """A bar that appears when work takes longer than `PATIENCE` and leaves nothing behind.

    Parameters
    ----------
    output : Output
        Where; nothing is drawn if it is quiet, or stderr is no terminal.
    unit : str
        What the rate counts, per second.
    """

    def __init__(self, output: Output, unit: str = "") -> None:
        self.on = not output.quiet and output.err.is_terminal
        self.unit = unit
        self.started = time.monotonic()
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.fields[rate]}", style="cyan"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("left", style="dim"),
            console=output.err,
            transient=True,
            expand=True,
        )
        self.task = self.progress.add_task("", total=1.0, rate="")
        self.running = False

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running:
            self.progress.stop()

    def update(self, fraction: float, text: str, work: float = 0.0) -> None:
        """Show how far the work is; `work` counts units done."""
        elapsed = time.monotonic() - self.started
        if not self.on or (not self.running and elapsed < PATIENCE):
            return
        if not self.running:
            self.progress.start()
            self.running = True
        rate = f"{_rate(work / elapsed)} {self.unit}/s" if work and elapsed > 0 else ""
        self.progress.update(self.task, completed=min(max(fraction, 0.0), 1.0), description=text, rate=rate)


class TrainingBar:
    """Hears a training run's events and draws them: epoch, members that ended, median loss, epochs per second."""

    def __init__(self, bar: Bar) -> None:
        self.bar = bar
        self.loss = ""

    def __call__(self, event: ProgressEvent) -> None:
        """Show one event."""
        if not self.bar.on:
            return
        if event.record is not None and len(event.record["loss"]):
            finite = event.record["loss"][np.isfinite(event.record["loss"])]
            self.loss = f" loss {number(float(np.median(finite)), 3)}" if len(finite) else ""
        ended = f" {event.finished}/{event.members} done" if event.finished else ""
        text = f"epoch {event.epoch:,}/{event.epochs:,}{self.loss}{ended}"
        self.bar.update(event.fraction, text, event.fraction * event.epochs * event.members)


def _rate(value: float) -> str:
    """Write a rate in few characters: ``950``, ``12.3k``, ``4.56M``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
