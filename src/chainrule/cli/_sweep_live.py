"""What a sweep shows while it runs: a live table on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chainrule.cli._console import Output, clean, count, number, table
from chainrule.cli._durations import duration_text
from chainrule.experiments.recipes.quantities import values_of
from chainrule.experiments.recipes.scores import SUCCESS, quantity_of, successes_of
from chainrule.experiments.sweeps.sweeper import SweepEvent, Watched
from chainrule.runs import Runs
from chainrule.stats import RateInterval, success_rate

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe

FIRST_LINE, LAST_LINE = 5.0, 60.0
"""Seconds until the first line, and between two lines at most: each pause is twice the last."""
MORE_LINES = 9
"""Lines of the terminal that are left for what is not a row of the table."""
HALF = 0.5


@dataclass
class Tally:
    """What is known of one cell."""

    n: int = 0
    successes: int = 0
    diverged: int = 0
    values: list[float] = field(default_factory=list)

    @property
    def rate(self) -> RateInterval | None:
        """Success rate with its exact interval; None without runs."""
        return _rate(self.successes, self.n) if self.n else None

    @property
    def median(self) -> float:
        """Median of the values that cells are compared by; infinite ones count."""
        return float(np.quantile(self.values, HALF, method="lower")) if self.values else np.nan


@functools.lru_cache(maxsize=65_536)
def _rate(successes: int, n: int) -> RateInterval:
    return success_rate(successes, n)


class SweepLive:
    """Hears a sweep's events and shows them on stderr.

    Parameters
    ----------
    output : Output
        Where; nothing is shown if it is quiet.
    recipe : Recipe
        Says what a success is.
    """

    def __init__(self, output: Output, recipe: Recipe) -> None:
        self.output, self.recipe = output, recipe
        self.on = not output.quiet
        self.tallies: dict[str, Tally] = {}
        self.event: SweepEvent | None = None
        self.quantity = ""
        self.lock = threading.Lock()
        self.live: Live | None = None
        self.pause = FIRST_LINE
        self.next_line = time.monotonic() + FIRST_LINE

    def __enter__(self) -> SweepLive:
        if self.on and self.output.err.is_terminal:
            self.live = Live(
                console=self.output.err, transient=True, refresh_per_second=4, get_renderable=self.renderable
            )
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.stop()

    def __call__(self, event: SweepEvent) -> None:
        """Take note of an event."""
        with self.lock:
            self._count(event)
            self.event = event
        if self.on and self.live is None and time.monotonic() >= self.next_line:
            self.pause = min(2 * self.pause, LAST_LINE)
            self.next_line = time.monotonic() + self.pause
            with suppress(BrokenPipeError):
                self.output.err.print(Text(self.line()), soft_wrap=True)

    def _count(self, event: SweepEvent) -> None:
        if not event.runs:
            return
        runs = Runs(tuple(run for _, run in event.runs), event.runs[0][0].setting.source)
        if not self.quantity:
            self.quantity = quantity_of(self.recipe, [event.runs[0][0].setting])
        won = successes_of(self.recipe, runs) if self.quantity == SUCCESS else values_of(self.quantity, runs)
        for (task, run), value in zip(event.runs, won.tolist(), strict=True):
            tally = self.tallies.setdefault(task.setting.key, Tally())
            tally.n += 1
            tally.diverged += run.stop_reason == "diverged"
            if self.quantity == SUCCESS:
                tally.successes += bool(value)
            else:
                tally.values.append(value if np.isfinite(value) else np.inf)

    def line(self) -> str:
        """The state of the sweep on one line."""
        event = self.event
        if event is None:
            return "starting"
        cells = event.cells
        done = sum(self._tally(key).n >= watched.seeds for key, watched in cells.items())
        parts = [f"{event.done:,} of {count(event.total, 'run')}", f"{done:,} of {count(len(cells), 'cell')} done"]
        parts += [event.phase] if event.phase else []
        best = self.best(cells)
        if best:
            names = " or ".join(cells[key].label or "the only cell" for key in best[:3])
            parts.append(f"best so far: {names}" + (f" or {len(best) - 3} more" if len(best) > 3 else ""))
        parts += [f"{event.failed:,} cannot be trained"] if event.failed else []
        parts += [f"{event.elsewhere:,} left to other processes"] if event.elsewhere else []
        parts += [f"about {duration_text(event.left)} left"] if event.left else []
        return clean("; ".join(parts))

    def _tally(self, key: str) -> Tally:
        return self.tallies.get(key, _NOTHING)

    def best(self, cells: Mapping[str, Watched]) -> list[str]:
        """Return the cells that may still be the best, as far as intervals show; best first."""
        there = [key for key in cells if self._tally(key).n]
        if not there or self.quantity != SUCCESS:
            return sorted(there, key=lambda key: self._tally(key).median)[:1]
        rates = {key: rate for key in there if (rate := self._tally(key).rate) is not None}
        ranked = sorted(there, key=lambda key: (-rates[key].rate, -rates[key].low))
        return [key for key in ranked if rates[key].high >= rates[ranked[0]].low]

    def renderable(self) -> Group:
        """The live table, with the most interesting cells if there are more than fit."""
        with self.lock:
            if self.event is None:
                return Group(Text("starting"))
            cells, best = self.event.cells, set(self.best(self.event.cells))
            fit = max(self.output.err.height - MORE_LINES, 3)
            shown = self.interesting(cells, best, fit)
            parts: list[Table | Text] = [self._table(shown, cells, best)]
            if len(shown) < len(cells):
                parts.append(Text(f"{len(cells) - len(shown):,} more cells", style="dim"))
            parts.append(Text(self.line()))
            return Group(*parts)

    def interesting(self, cells: Mapping[str, Watched], best: set[str], fit: int) -> Sequence[str]:
        """Return at most so many cells, in the order of the grid: the best, those on the boundary, those in work."""
        keys = list(cells)
        if len(keys) <= fit:
            return keys

        def interest(key: str) -> tuple[int, float]:
            tally = self._tally(key)
            rate = tally.rate
            if key in best and tally.n:
                return 0, -(rate.rate if rate and self.quantity == SUCCESS else 0.0)
            if rate is not None and self.quantity == SUCCESS and rate.low <= HALF <= rate.high:
                return 1, abs(rate.rate - HALF)
            return (2, 0.0) if 0 < tally.n < cells[key].seeds else (3, -tally.n)

        chosen = set(sorted(keys, key=interest)[:fit])
        return [key for key in keys if key in chosen]

    def _table(self, shown: Sequence[str], cells: Mapping[str, Watched], best: set[str]) -> Table:
        by_success = self.quantity in ("", SUCCESS)
        value = "success" if by_success else self.quantity
        rows = []
        for key in shown:
            tally, watched = self._tally(key), cells[key]
            what, interval = "-", ""
            if (rate := tally.rate) is not None:
                what = f"{100 * rate.rate:.0f} %" if by_success else number(tally.median)
                interval = f"{100 * rate.low:.0f} to {100 * rate.high:.0f} %" if by_success else ""
            mark = Text("best?" if len(best) > 1 else "best", style="green") if key in best and tally.n else ""
            diverged = str(tally.diverged) if tally.diverged else ""
            rows.append(
                [watched.label or "the only cell", f"{tally.n}/{watched.seeds}", what, interval, diverged, mark]
            )
        return table(["cell", "seeds", value, "interval" if by_success else "", "diverged", ""], rows, "lrrrrl")


_NOTHING = Tally()
