"""Lines of a training that is going on, as the reports print them, where there is no progress bar."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from chainrule.cli._console import Output, count
from chainrule.cli._print_run import short, written
from chainrule.engines import ProgressEvent
from chainrule.metrics import for_task

Values = dict[int, float]


class LiveLines:
    """Prints loss and metric every few epochs: those of the shown seed, and the medians over all seeds.

    The table that is printed at the end is exact. These lines know what has been told so far: of a population that
    is trained in several parts, the medians are over the part in training.

    Parameters
    ----------
    output : Output
        Where; nothing is printed if it is quiet or writes JSON.
    seeds, rates : sequence
        The members are each rate with each seed, rates varying slowest.
    shown : int
        The seed whose own values are printed.
    every : int
        Epochs between two lines.
    task : str
        Which metric stands beside the loss.
    """

    def __init__(
        self, output: Output, seeds: Sequence[int], rates: Sequence[float], shown: int, every: int, task: str
    ) -> None:
        self.on = not (output.quiet or output.as_json)
        self.output, self.seeds, self.rates, self.shown, self.every = output, seeds, rates, shown, every
        self.keys = [f"{part}{key}" for key in ("loss", for_task(task)[0]) for part in ("", "validation_")]
        self.epoch = -1
        self.latest: dict[str, Values] = {}

    def __call__(self, event: ProgressEvent) -> None:
        """Print a line if this event holds one."""
        if not self.on or event.record is None or not event.places or event.epoch == self.epoch:
            return
        if event.epoch < self.epoch:  # the next part begins
            self.latest = {}
        for key in self.keys:
            if key in event.record:
                values = zip(event.places, event.record[key].tolist(), strict=True)
                self.latest.setdefault(key, {}).update(values)
        self.epoch = event.epoch
        if event.epoch % self.every and event.epoch != event.epochs:
            return
        try:
            for number in range(len(self.rates)):
                self._print(number, set(event.places))
        except BrokenPipeError:  # nobody reads the lines any more; the training is saved all the same
            self.on = False

    def end(self) -> None:
        """Set the lines apart from what follows."""
        if self.on and self.epoch >= 0:
            with suppress(BrokenPipeError):
                self.output.detail()

    def _print(self, number: int, training: set[int]) -> None:
        """Print the line of one rate: nothing if none of its members are in training."""
        size = len(self.seeds)
        places = range(number * size, (number + 1) * size)
        if not training.intersection(places):
            return
        start = f"learning rate {self.rates[number]:g}, " if len(self.rates) > 1 else ""
        parts = []
        own = number * size + self.seeds.index(self.shown)
        if own in training:
            mine = {key: values[own] for key, values in self.latest.items()}
            parts.append(f"seed {self.shown}: {_told(mine)}" if size > 1 else _told(mine))
        if size > 1:
            there = [place for place in places if any(place in values for values in self.latest.values())]
            middle = {key: _median([values[place] for place in there]) for key, values in self.latest.items()}
            parts.append(f"median of {count(len(there), 'seed')}: {_told(middle)}")
        self.output.result(f"{start}epoch {self.epoch:,}  {'  '.join(parts)}")


def _told(values: dict[str, float]) -> str:
    return ", ".join(f"{short(key)} {written(key, value)}" for key, value in values.items())


def _median(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else float("nan")
