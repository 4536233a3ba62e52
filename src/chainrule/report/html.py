"""A report as one HTML page that needs nothing else: style, pictures and text are all in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from chainrule.report._base import Array
from chainrule.report.numbers import aligned, number
from chainrule.report.records import (
    Badge,
    Cell,
    DerivationRecord,
    FigureRecord,
    Item,
    MatrixRecord,
    ReportRecord,
    SectionRecord,
    TableRecord,
    TextRecord,
    VerdictRecord,
)

if TYPE_CHECKING:
    from markupsafe import Markup

SHORT_CELL = 22
"""Columns whose cells have no more signs are not broken into lines."""

LONG_TABLE = 24
"""Tables with more rows are folded unless they say otherwise."""

VERDICT_WORDS = {"finding": "Finding", "question": "Open question", "caution": "Caution"}

_MARKUP = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])"), r"<em>\1</em>"),
    (re.compile(r"_\{([^{}]*)\}"), r"<sub>\1</sub>"),
    (re.compile(r"\^\{([^{}]*)\}"), r"<sup>\1</sup>"),
    (re.compile(r"(?<=\d) (?=%)"), "\u00a0"),
)


@dataclass
class Block:
    """An item ready for the template: its kind, its record, and what was prepared for it.

    Consecutive figures form one block of kind "figures"; a section holds blocks of its own.
    """

    kind: str
    record: Any = None
    number: str = ""
    blocks: list[Block] = field(default_factory=list)
    table: dict[str, Any] = field(default_factory=dict)


class _Counter:
    """Running numbers of figures, tables and verdicts over the whole page."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def next(self, kind: str) -> str:
        """Return the next number of a kind."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return str(self.counts[kind])


def render_html(report: ReportRecord, drawings: Mapping[str, str]) -> str:
    """Return the page as text.

    Parameters
    ----------
    report : ReportRecord
        What to show.
    drawings : mapping of str to str
        Inline SVG by figure id, from `chainrule.report.svg.render`.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    here = files("chainrule.report")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters |= {"marked": marked, "number": number, "matrix": matrix_rows}
    counter = _Counter()
    sections = [_section(s, str(k), counter) for k, s in enumerate(report.sections, start=1)]
    page = environment.from_string((here / "template.html").read_text(encoding="utf-8")).render(
        report=report,
        sections=sections,
        verdicts=list(_verdicts(sections)),
        drawings={key: Markup(svg) for key, svg in drawings.items()},
        css=Markup((here / "report.css").read_text(encoding="utf-8")),
        verdict_words=VERDICT_WORDS,
        lower=str.lower,
    )
    return page + "\n"


def marked(text: str) -> Markup:
    """Escape a text and apply the little markup that records allow."""
    from markupsafe import Markup, escape

    html = str(escape(text))
    for pattern, replacement in _MARKUP:
        html = pattern.sub(replacement, html)
    return Markup(html)


def matrix_rows(matrix: MatrixRecord, most: int = 8) -> tuple[list[list[str]], str]:
    """Return a matrix as rows of numbers with equal decimals, and the power of ten taken out of them ("" for none).

    Of a large matrix these are its first rows and columns and an ellipsis.
    """
    values: Array = matrix.values.reshape(1, -1) if matrix.values.ndim < 2 else matrix.values
    cut_rows, cut_columns = values.shape[0] > most, values.shape[1] > most
    shown = values[: most - 1 if cut_rows else most, : most - 1 if cut_columns else most]
    written, factor = aligned(shown)
    rows = [row + (["…"] if cut_columns else []) for row in written]
    return rows + ([["⋮"] * len(rows[0])] if cut_rows and rows else []), factor


def _section(record: SectionRecord, place: str, counter: _Counter) -> Block:
    """Prepare a section and, recursively, its subsections."""
    block = Block("section", record, place)
    subsections = 0
    for item in record.items:
        if isinstance(item, SectionRecord):
            subsections += 1
            block.blocks.append(_section(item, f"{place}.{subsections}", counter))
        elif isinstance(item, FigureRecord):
            if not block.blocks or block.blocks[-1].kind != "figures":
                block.blocks.append(Block("figures"))
            block.blocks[-1].blocks.append(Block("figure", item, counter.next("figure")))
        else:
            block.blocks.append(_block(item, counter))
    return block


def _block(item: Item, counter: _Counter) -> Block:
    """Prepare any other item."""
    if isinstance(item, TableRecord):
        return Block("table", item, counter.next("table"), table=table_cells(item))
    if isinstance(item, VerdictRecord):
        return Block("verdict", item, counter.next("verdict"))
    if isinstance(item, DerivationRecord):
        return Block("derivation", item)
    assert isinstance(item, TextRecord)
    return Block("text", item)


def _verdicts(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield all verdicts in reading order."""
    for block in blocks:
        if block.kind == "verdict":
            yield block
        yield from _verdicts(block.blocks)


def table_cells(table: TableRecord) -> dict[str, Any]:
    """Prepare a table: classes by column (alignment, breaking), cells as text with a tone, and whether it is folded."""
    columns = range(len(table.columns))
    aligns = table.align or tuple(_alignment([row[k] for row in table.rows]) for k in columns)
    formats = table.formats or ("",) * len(table.columns)
    rows = [[_cell(row[k], formats[k]) for k in columns] for row in table.rows]
    folded = len(table.rows) > LONG_TABLE if table.collapsed is None else table.collapsed
    classes = [aligns[k] + _breaking([row[k]["text"] for row in rows]) for k in columns]
    return {"classes": classes, "rows": rows, "folded": folded}


def _breaking(texts: Sequence[str]) -> str:
    """Whether a column's cells keep to one line (" short") or need room for sentences (" long")."""
    longest = max((len(text) for text in texts), default=0)
    return " short" if longest <= SHORT_CELL else " long"


def _alignment(cells: Sequence[Cell]) -> str:
    """Right for columns of numbers, centre for columns of ticks, left otherwise."""
    there = [cell for cell in cells if cell is not None]
    if there and all(isinstance(cell, bool) for cell in there):
        return "center"
    numeric = [isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in there]
    return "right" if there and all(numeric) else "left"


def _cell(cell: Cell, spec: str) -> dict[str, str]:
    """Write a cell: its text, its tone ("" for none), and what a screen reader says instead of a sign."""
    if cell is None:
        return {"text": "–", "tone": "", "spoken": "none"}
    if isinstance(cell, bool):
        return {"text": "✓" if cell else "✗", "tone": "yes" if cell else "no", "spoken": "yes" if cell else "no"}
    if isinstance(cell, Badge):
        return {"text": cell.text, "tone": f"badge {cell.tone}", "spoken": ""}
    if isinstance(cell, str):
        return {"text": cell, "tone": "", "spoken": ""}
    plain = number(float(cell)) if not spec or cell != cell or abs(cell) == float("inf") else format(cell, spec)
    return {"text": plain.replace("-", "−"), "tone": "", "spoken": ""}
