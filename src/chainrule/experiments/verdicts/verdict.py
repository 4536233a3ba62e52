"""Verdicts: one sentence a person would say, one picture, and one record of all the numbers behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from chainrule.stats import Interval, RateInterval
from chainrule.stats.sentences import number, percent

Decision = Literal["a", "b", "equal", "undecided", "no verdict", "told"]
"""Who is better; practically equal; cannot be told; not judged at all; or nothing was to be decided."""

Kind = Literal["compare", "until decided", "rank", "importance", "spread", "audit"]

PictureKind = Literal["rates", "samples", "path", "bars", "chances"]


@dataclass(frozen=True)
class Picture:
    """The numbers of a verdict's picture; `chainrule.report.verdict_figure` draws it.

    Attributes
    ----------
    kind : str
        ``rates``: rows (name, successes, n, low, high), shares of seeds with their intervals.
        ``samples``: rows (name, values), a value a seed.
        ``path``: rows (seeds, low, middle, high), an interval as seeds were added.
        ``bars``: rows (name, value, low, high).
        ``chances``: rows (name, share, low, high), shares from 0 to 1.
    rows : tuple of tuple
        The numbers.
    label : str
        What the values are.
    margin : float
        Of a path: differences up to this size do not matter.
    """

    kind: PictureKind
    rows: tuple[tuple[Any, ...], ...]
    label: str
    margin: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """What can be said.

    Attributes
    ----------
    sentence : str
        The verdict as a person would say it, with its numbers.
    decision : str
        ``"a"`` or ``"b"`` (who is better), ``"equal"`` (practically), ``"undecided"``, ``"no verdict"`` (too few seeds
        to judge by) or ``"told"`` (nothing was to be decided).
    kind : str
        Which question it answers.
    quantity : str
        What was compared.
    names : tuple of str
        What was compared with what.
    n_seeds : int
        Seeds behind it.
    level : float
        Confidence of all its intervals.
    interval : Interval or None
        The interval behind the decision.
    interval_of : str
        What it is an interval of.
    numbers : mapping
        Everything else, by name.
    picture : Picture or None
        What is drawn.
    paired : str
        What runs of one seed share, in words.
    notes : tuple of str
        What a reader must know, a line each.
    """

    sentence: str
    decision: Decision
    kind: Kind = "compare"
    quantity: str = "success"
    names: tuple[str, ...] = ()
    n_seeds: int = 0
    level: float = 0.95
    interval: Interval | None = None
    interval_of: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    picture: Picture | None = None
    paired: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.sentence

    @property
    def decided(self) -> bool:
        """Whether the question is settled."""
        return self.decision in ("a", "b", "equal", "told")

    def record(self) -> dict[str, Any]:
        """Return everything as what strict JSON can hold; numbers that are not finite become None."""
        interval = self.interval
        table: dict[str, Any] = {
            "kind": self.kind,
            "sentence": self.sentence,
            "decision": self.decision,
            "quantity": self.quantity,
            "names": self.names,
            "n_seeds": self.n_seeds,
            "level": self.level,
            "interval": None if interval is None else {"low": interval.low, "high": interval.high},
            "interval_of": self.interval_of,
            "numbers": self.numbers,
            "paired": self.paired,
            "notes": self.notes,
            "picture": None if self.picture is None else asdict(self.picture),
        }
        plain: dict[str, Any] = jsonable(table)
        return plain


def jsonable(value: Any) -> Any:
    """Return a value as what strict JSON can hold."""
    if isinstance(value, Interval | RateInterval):
        return jsonable(asdict(value))
    if isinstance(value, np.ndarray | np.generic):
        return jsonable(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def points(share: float) -> str:
    """Write a difference of shares: ``12.5 points``."""
    return f"{number(100 * share)} point{'' if abs(share) == 0.01 else 's'}"


def interval_words(interval: Interval, share: bool = False, anytime: bool = False) -> str:
    """Write an interval in brackets: ``(95 % interval 7.1 to 9.9)``."""
    low, high = (number(100 * end) if share else number(end) for end in (interval.low, interval.high))
    valid = ", valid whenever one looks" if anytime else ""
    return f"({percent(interval.level)} interval {low} to {high}{valid})"


def seeds_words(seeds: tuple[int, ...] | list[int]) -> str:
    """Name seeds shortly: ``seeds 0 to 29``."""
    if not seeds:
        return "no seeds"
    if len(seeds) > 1 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"seeds {seeds[0]:,} to {seeds[-1]:,}"
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds):,} seeds from {min(seeds):,} to {max(seeds):,}"
