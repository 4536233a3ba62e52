"""The records of a report's text: tables, verdicts, derivations, sections, and the report itself.

Text fields take a little markup, applied after escaping: ``*emphasis*``, ```code```, ``_{sub}`` and ``^{sup}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from chainrule.errors import ConfigError, ShapeError
from chainrule.report._base import Array, FigureRecord, Record, check_id, require_one_of, set_array, set_tuple


@dataclass(frozen=True)
class Badge(Record):
    """A short word in a table cell, with a tone that colours it.

    `tone` is "good", "bad", "notice" or "plain"; the word carries the meaning, the colour only helps.
    """

    text: str
    tone: str = "plain"

    def __post_init__(self) -> None:
        require_one_of(self, "tone", ("good", "bad", "notice", "plain"))


Cell: TypeAlias = str | int | float | bool | Badge | None
"""A table cell. Numbers are shown with 4 significant digits unless the column has a format; True/False as ✓/✗."""


@dataclass(frozen=True, kw_only=True)
class TableRecord(Record):
    """A table.

    `align` has one of "left", "right", "center" per column (default: right where all cells are numbers).
    `formats` has one format specification per column, e.g. ``".4f"``, ``".1%"`` or ``""``, used for its numbers.
    `collapsed` folds the table away behind its caption (default: when it has more than 24 rows).
    """

    id: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    align: tuple[str, ...] | None = None
    formats: tuple[str, ...] | None = None
    caption: str = ""
    collapsed: bool | None = None

    def __post_init__(self) -> None:
        check_id(self.id)
        set_tuple(self, "columns")
        object.__setattr__(self, "rows", tuple(tuple(row) for row in self.rows))
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ShapeError(
                    f"table '{self.id}': row {number} has {len(row)} cells but there are {len(self.columns)} columns"
                )
        for name in ("align", "formats"):
            given = getattr(self, name)
            if given is None:
                continue
            set_tuple(self, name)
            if len(given) != len(self.columns):
                raise ShapeError(f"table '{self.id}': {name} has {len(given)} entries for {len(self.columns)} columns")
        if self.align is not None and (wrong := set(self.align) - {"left", "right", "center"}):
            raise ConfigError(f"table '{self.id}': align must be left, right or center, not '{sorted(wrong)[0]}'")


@dataclass(frozen=True, kw_only=True)
class VerdictRecord(Record):
    """A sentence that states a result, with the number of seeds and the interval behind it.

    `interval` is (low, high, level), e.g. ``(0.83, 0.98, 0.95)``, and `interval_of` says of what. `kind` is "finding"
    (the interval supports the sentence), "question" (it does not decide) or "caution" (a limit the reader must know).
    `evidence` holds further numbers by name; it goes to `results.json` only.
    """

    sentence: str
    n_seeds: int | None = None
    interval: tuple[float, float, float] | None = None
    kind: str = "finding"
    evidence: Mapping[str, Any] = field(default_factory=dict)
    interval_of: str = ""

    def __post_init__(self) -> None:
        require_one_of(self, "kind", ("finding", "question", "caution"))
        if self.interval is not None:
            set_tuple(self, "interval")
            if len(self.interval) != 3:
                raise ShapeError(f"a verdict's interval is (low, high, level), not {len(self.interval)} numbers")


@dataclass(frozen=True, kw_only=True)
class TextRecord(Record):
    """Paragraphs, with an optional small heading and an optional list of points after them."""

    paragraphs: tuple[str, ...]
    title: str = ""
    points: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.paragraphs, str):
            object.__setattr__(self, "paragraphs", (self.paragraphs,))
        set_tuple(self, "paragraphs", "points")


@dataclass(frozen=True, eq=False)
class MatrixRecord(Record):
    """A named small array of numbers in a derivation; a vector is shown as one row."""

    name: str
    values: Array
    note: str = ""

    def __post_init__(self) -> None:
        set_array(self, "values", (0, 1, 2))


@dataclass(frozen=True, kw_only=True, eq=False)
class DerivationStep(Record):
    """One step of a derivation: what is computed, the formula, why, and the numbers of this run."""

    label: str
    formula: str
    text: str = ""
    matrices: tuple[MatrixRecord, ...] = ()

    def __post_init__(self) -> None:
        set_tuple(self, "matrices")


@dataclass(frozen=True, kw_only=True, eq=False)
class DerivationRecord(Record):
    """A derivation, step by step, formulas as plain Unicode beside actual numbers."""

    id: str
    title: str
    steps: tuple[DerivationStep, ...]
    lead: str = ""

    def __post_init__(self) -> None:
        check_id(self.id)
        set_tuple(self, "steps")


@dataclass(frozen=True, kw_only=True, eq=False)
class SectionRecord(Record):
    """A section: a lead sentence, then its items in order: pictures first, a table, a verdict.

    Items may be sections themselves (two levels below the top are drawn as headings).
    """

    id: str
    title: str
    lead: str = ""
    items: tuple[Item, ...] = ()

    def __post_init__(self) -> None:
        check_id(self.id)
        set_tuple(self, "items")

    def walk(self) -> Iterator[Item]:
        """Yield every item of this section and of its subsections, in reading order."""
        for item in self.items:
            yield item
            if isinstance(item, SectionRecord):
                yield from item.walk()


Item: TypeAlias = FigureRecord | TableRecord | VerdictRecord | TextRecord | DerivationRecord | SectionRecord
"""What a section may contain."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportRecord(Record):
    """A whole report.

    `created` is a date as text; `machine` holds facts by name (shown at the top); `missing` says what an
    interrupted run did not finish, one sentence each.
    """

    title: str
    sections: tuple[SectionRecord, ...]
    subtitle: str = ""
    created: str = ""
    machine: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        set_tuple(self, "sections", "missing")
        seen: set[str] = set()
        for item in self.walk():
            name = getattr(item, "id", "").lower()  # files must stay apart on case-insensitive disks too
            if name and name in seen:
                raise ConfigError(f"two records of the report have the id '{name}'; give each its own")
            seen.add(name)

    def walk(self) -> Iterator[Item]:
        """Yield every section and item of the report, in reading order."""
        for section in self.sections:
            yield section
            yield from section.walk()

    def figures(self) -> tuple[FigureRecord, ...]:
        """Return the records of all figures, in reading order."""
        return tuple(item for item in self.walk() if isinstance(item, FigureRecord))
