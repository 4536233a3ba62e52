"""The records behind pictures of values: distributions, success rates, bars, heat maps, replication."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.errors import ConfigError, ShapeError
from chainrule.report._base import (
    Array,
    FigureRecord,
    Mark,
    Record,
    require_one_of,
    set_array,
    set_filled_tuple,
    set_tuple,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Group(Record):
    """Values (k,) of one group; `n` counts all its runs when some have no value (did not converge)."""

    name: str
    values: Array
    n: int | None = None

    def __post_init__(self) -> None:
        values = set_array(self, "values", 1)
        if self.n is not None and self.n < len(values):
            raise ShapeError(f"group '{self.name}': n = {self.n} but there are {len(values)} values")

    @property
    def total(self) -> int:
        """Number of runs, with or without a value."""
        return len(self.values) if self.n is None else self.n


@dataclass(frozen=True, kw_only=True, eq=False)
class DistributionFigure(FigureRecord):
    """Distributions of a value by group.

    `style` "strip" draws every value with median and quartiles; "ecdf" draws the share of *all* runs at or below
    each value, so a group of which some runs never converged levels off below 100 %.
    """

    groups: tuple[Group, ...]
    value_label: str
    style: str = "strip"
    log: bool = False
    marks: tuple[Mark, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        set_filled_tuple(self, "groups")
        set_tuple(self, "marks")
        require_one_of(self, "style", ("strip", "ecdf"))


@dataclass(frozen=True, kw_only=True)
class RateRow(Record):
    """`successes` of `n` seeds with the interval (low, high); `group` starts a block of rows."""

    name: str
    successes: int
    n: int
    low: float
    high: float
    group: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.n:
            raise ConfigError(f"rate '{self.name}': {self.successes} successes of {self.n} cannot be")

    @property
    def rate(self) -> float:
        """Share of successes; NaN without seeds."""
        return self.successes / self.n if self.n else float("nan")


@dataclass(frozen=True, kw_only=True, eq=False)
class RatesFigure(FigureRecord):
    """Success rates with their intervals, a row each."""

    rows: tuple[RateRow, ...]
    value_label: str = "success rate"
    level: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        set_filled_tuple(self, "rows")


@dataclass(frozen=True, kw_only=True)
class Bar(Record):
    """One bar, with an optional interval (low, high)."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class BarFigure(FigureRecord):
    """Values as horizontal bars, or as points with intervals on a log axis (bars have no zero there)."""

    bars: tuple[Bar, ...]
    value_label: str
    log: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        set_filled_tuple(self, "bars")


@dataclass(frozen=True, kw_only=True, eq=False)
class HeatmapFigure(FigureRecord):
    """A matrix (rows, columns) in colours; `scale` "diverging" is centred on zero.

    With `log` a sequential scale follows the logarithms of positive values. `notes` (rows, columns) are shown when a
    reader points at a cell.
    """

    values: Array
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    value_label: str
    x_label: str = ""
    y_label: str = ""
    scale: str = "sequential"
    annotate: bool = True
    number_format: str = ".2g"
    log: bool = False
    notes: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = set_array(self, "values", 2).shape
        set_tuple(self, "rows", "columns")
        require_one_of(self, "scale", ("sequential", "diverging"))
        if shape != (len(self.rows), len(self.columns)):
            raise ShapeError(
                f"figure '{self.id}': values has the shape {shape} for {len(self.rows)} rows"
                f" and {len(self.columns)} columns"
            )


VERDICTS = ("typical", "lucky", "unlucky", "cannot occur", "explained by a defect", "no verdict")


@dataclass(frozen=True, kw_only=True)
class ReplicationRow(Record):
    """A reported figure placed in our distribution: the middle 90 % (low, high) of `n` seeds and their median.

    `percentile` is where the reported figure falls (0..100). With `log` the row is scaled by ratios (losses).
    A row without seeds (`n` = 0) has None for its numbers and says so.
    """

    id: str
    label: str
    reported: float | None
    median: float | None
    low: float | None
    high: float | None
    percentile: float | None
    n: int
    verdict: str
    log: bool = False
    number_format: str = ".4g"

    def __post_init__(self) -> None:
        require_one_of(self, "verdict", VERDICTS)


@dataclass(frozen=True, kw_only=True, eq=False)
class ReplicationFigure(FigureRecord):
    """Rows of reported figures, each on an axis normalised by our own middle 90 %."""

    rows: tuple[ReplicationRow, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        set_filled_tuple(self, "rows")
