"""Where commands write: results to stdout, notes and progress to stderr, JSON instead of both when asked."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chainrule.errors import one_line

MAX_LINE = 600  # an error names what is known, which can be a long list; beyond this nobody reads it
TICK, CROSS = "✓", "✗"


class PipeConsole(Console):
    """A console that reports a closed pipe (``chainrule ... | head``) instead of ending the process."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise what `chainrule.cli.app.main` waits for."""
        raise BrokenPipeError


class Output:
    """How one command talks.

    Parameters
    ----------
    quiet : bool
        Show the result only: no details, notes or progress.
    as_json : bool
        Write nothing to stdout but one JSON document.
    """

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet, self.as_json = quiet, as_json
        self.out = PipeConsole(highlight=False, markup=False, emoji=False)
        self.err = PipeConsole(stderr=True, highlight=False, markup=False, emoji=False)

    def result(self, content: str | Text | Table = "", style: str = "") -> None:
        """Print what was asked for; not under ``--json``."""
        if not self.as_json:
            show(self.out, content, style)

    def detail(self, content: str | Text | Table = "", style: str = "") -> None:
        """Print what explains the result; not under ``--json`` or ``--quiet``."""
        if not self.quiet:
            self.result(content, style)

    def heading(self, text: str) -> None:
        """Print a heading above details."""
        self.detail()
        self.detail(text, "bold")

    def note(self, text: str) -> None:
        """Tell something beside the result, on stderr."""
        if not self.quiet:
            show(self.err, Text.assemble(("note: ", "yellow"), one_line(text, MAX_LINE)))

    def warn(self, text: str) -> None:
        """Tell on stderr what must not be missed, even under ``--quiet``."""
        show(self.err, Text.assemble(("warning: ", "bold yellow"), one_line(text, MAX_LINE)))

    def json(self, value: Any) -> None:
        """Write the JSON document, under ``--json``."""
        if self.as_json and sys.stdout is not None:
            sys.stdout.write(json_text(value))
            sys.stdout.flush()


def show(console: Console, content: str | Text | Table, style: str = "") -> None:
    """Print text that is wrapped between words in a terminal, and never wrapped in a file or a pipe."""
    text = Text(content, style=style) if isinstance(content, str) else content
    console.print(text, soft_wrap=isinstance(text, Text) and not console.is_terminal)


def error_line(message: str) -> None:
    """Print one line on stderr that says what was wrong."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    # A broken stderr leaves nobody to tell.
    with suppress(OSError):
        show(console, Text.assemble(("error: ", "bold red"), one_line(message, MAX_LINE)))


def json_text(value: Any) -> str:
    """Return strict JSON: what is not finite becomes null, arrays become lists."""
    return json.dumps(plain(value), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def plain(value: Any) -> Any:
    """Return a value as what strict JSON can hold, numbers unrounded."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str | Path):
        return str(value).encode("utf-8", "replace").decode("utf-8")
    return value


Cell = str | Text


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], align: str = "", tight: bool = False) -> Table:
    """Return a table for the terminal.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : sequence of sequences
        Cells, as text.
    align : str
        A letter a column: ``l``, ``r`` or ``c``; the last one goes on.
    tight : bool
        One space between columns instead of three, for many columns.
    """
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 0) if tight else (0, 1))
    words = {"l": "left", "r": "right", "c": "center"}
    for k, name in enumerate(columns):
        letter = align[min(k, len(align) - 1)] if align else "r"
        made.add_column(Text(name), justify=words[letter], no_wrap=letter == "r", overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        made.add_row(*(Text(clean(cell)) if isinstance(cell, str) else cell for cell in row))
    return made


def pairs(facts: Mapping[str, object]) -> Table:
    """Return names and values as two columns without rules."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in facts.items():
        made.add_row(Text(clean(name)), Text(clean(value)))
    return made


def clean(value: object) -> str:
    """Return a user's text on one line without control characters, whatever its length."""
    return one_line(value, 10_000)


def number(value: float | None, digits: int = 4) -> str:
    """Write a number for a table: ``0.00924``, ``1.2e-07``, ``12,345``, ``-`` for none."""
    if value is None or math.isnan(value):
        return "-"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{max(digits - 2, 1)}e}"
    if float(value).is_integer() and abs(value) >= 10:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"


def share(value: float | None, decimals: int = 2) -> str:
    """Write a share as per cent for a table: ``95.24 %``."""
    return "-" if value is None or not math.isfinite(value) else f"{100 * value:.{decimals}f} %"


def count(number_of: int, what: str) -> str:
    """Write a number of things: ``1 seed``, ``12 seeds``."""
    return f"{number_of:,} {what}{'' if number_of == 1 else 's'}"


def mark(right: bool) -> Text:
    """Return a green tick or a red cross."""
    return Text(TICK, style="green") if right else Text(CROSS, style="bold red")
