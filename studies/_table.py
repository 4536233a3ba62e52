"""How studies print what they found."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from chainrule.stats import success_rate


class Table:
    """A table that is printed row by row, as rows come in, in columns of Markdown."""

    def __init__(self, title: str, columns: Sequence[str]) -> None:
        self.begun = time.perf_counter()
        write(f"\n{title}\n")
        self.row(*columns)
        self.row(*("---" for _ in columns))

    def row(self, *cells: object) -> None:
        """Print a row."""
        write("| " + " | ".join(str(cell) for cell in cells) + " |")

    def end(self) -> None:
        """Say how long it took."""
        write(f"\n({time.perf_counter() - self.begun:.0f} s)")


def write(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def share(count: int, n: int) -> str:
    """Write a count of n with its exact 95 % interval."""
    rate = success_rate(count, n)
    return f"{count} of {n} ({100 * rate.rate:.1f} %, {100 * rate.low:.1f} to {100 * rate.high:.1f})"
