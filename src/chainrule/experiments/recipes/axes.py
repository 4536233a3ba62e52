"""The axes of a recipe: lists and ranges of values, keys that move together, and axes that exist in some cells only.

A range is written with its ends, both of which belong to it::

    "training.epochs" = { from = 100, to = 500, step = 100 }
    "training.validation" = { from = 0.1, to = 0.5, count = 5 }
    "training.learning_rate" = { from = 0.001, to = 1.0, per_decade = 2 }
    "network.hidden" = { from = 1, to = 64, count = 7, log = true }

Values are the decimal numbers that a person would write: 0.3, not 0.30000000000000004; 0.00316, not 10^-2.5. A key
that counts something gets whole numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, overload

from chainrule.errors import ConfigError, show, unknown_name
from chainrule.experiments.recipes.settings import freeze

MAX_CELLS = 50_000
"""Cells a recipe has at most: with twenty seeds each they are the million runs for which a store is made.

More than that in one grid are likelier a slip than an intention; they are better chosen by a sampler.
"""
DIGITS = 3
"""Significant digits of the values between the ends of a logarithmic range; more only where values would coincide."""

Place = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Axis(Sequence[Any]):
    """One key and its values; a sequence of them.

    Attributes
    ----------
    key : str
        Dotted.
    values : tuple
        As the recipe gives them, or as its range unfolds.
    only : mapping of str to value
        Where the axis exists: axis -> value, or list of values; everywhere, if it is empty.
    written : str
        The range in words; empty for a list.
    """

    key: str
    values: tuple[Any, ...]
    only: Mapping[str, Any] = field(default_factory=dict)
    written: str = ""

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self.values[index]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def keys(self) -> tuple[str, ...]:
        """The one key."""
        return (self.key,)

    def rows(self) -> list[Place]:
        """Return what each value adds to a place."""
        return [((self.key, freeze(value)),) for value in self.values]


@dataclass(frozen=True)
class Zipped:
    """Several keys that move together: the first value of each, then the second of each, and so on.

    Attributes
    ----------
    columns : mapping of str to tuple
        Dotted key -> values; all equally long.
    only : mapping
        As for `Axis`.
    """

    columns: Mapping[str, tuple[Any, ...]]
    only: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that move together."""
        return tuple(self.columns)

    def rows(self) -> list[Place]:
        """Return what each step adds to a place."""
        columns = [[(key, freeze(value)) for value in values] for key, values in self.columns.items()]
        return list(zip(*columns, strict=True))


@dataclass(frozen=True)
class Cases:
    """The axis ``case``: named sets of keys."""

    names: tuple[str, ...]
    only: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def keys(self) -> tuple[str, ...]:
        """The axis' one name."""
        return ("case",)

    def rows(self) -> list[Place]:
        """Return what each case adds to a place."""
        return [(("case", name),) for name in self.names]


AnyAxis = Axis | Zipped | Cases


def linear_range(low: float, high: float, *, step: float | None = None, count: int | None = None) -> list[float]:
    """Return evenly spaced values from `low` to `high`: by their distance, or by their number.

    Parameters
    ----------
    low, high : float
        The ends, ``low < high``. `low` is a value; `high` is one if whole steps lead to it.
    step : float
        Distance of neighbours, above 0.
    count : int
        Number of values, at least 2. Give one of the two.

    Raises
    ------
    ConfigError
        For a range that cannot work, or one of more than `MAX_CELLS` values.
    """
    _check_ends(low, high)
    start, end = _decimal(low), _decimal(high)
    if step is not None:
        if not (math.isfinite(step) and step > 0):
            raise ConfigError(f"step must be a number above 0, got {show(step)}")
        steps = (end - start) / _decimal(step)
        number = _check_number(int(min(steps, Decimal(10) ** 9)) + 1)
        exact = [start + k * _decimal(step) for k in range(number)]
    else:
        number = _check_number(0 if count is None else count)
        exact = [start + (end - start) * k / (number - 1) for k in range(number)]
    whole = all(isinstance(end, int) for end in (low, high)) and all(value == int(value) for value in exact)
    return [int(value) if whole else float(f"{value:.12g}") for value in exact]


def log_range(low: float, high: float, *, per_decade: int | None = None, count: int | None = None) -> list[float]:
    """Return values from `low` to `high` whose neighbours have about equal ratios.

    Parameters
    ----------
    low, high : float
        The ends, ``0 < low < high``.
    per_decade : int
        Values in a factor of ten, from 1; the last value is the largest that does not exceed `high`.
    count : int
        Number of values, at least 2. Give one of the two.

    Returns
    -------
    list of float
        Rounded to `DIGITS` significant digits, but for the ends, which are exact.

    Raises
    ------
    ConfigError
        For a range that cannot work, or one of more than `MAX_CELLS` values.
    """
    _check_ends(low, high)
    if low <= 0:
        raise ConfigError(f"a logarithmic range begins above 0, got from = {show(low)}")
    first, last = math.log10(low), math.log10(high)
    if per_decade is not None:
        if per_decade < 1:
            raise ConfigError(f"per_decade must be a whole number of at least 1, got {show(per_decade)}")
        number = _check_number(math.floor((last - first) * per_decade + 1e-9) + 1)
        powers = [first + k / per_decade for k in range(number)]
    else:
        number = _check_number(0 if count is None else count)
        powers = [first + (last - first) * k / (number - 1) for k in range(number)]
    if all(isinstance(end, int) for end in (low, high)):
        whole: list[float] = [round(10**power) for power in powers]
        if all(abs(10**power - value) < 1e-9 * value for power, value in zip(powers, whole, strict=True)):
            return whole
    hits_end = abs(powers[-1] - last) < 1e-9
    for digits in range(DIGITS, 17):
        values = [low, *(float(f"{10**power:.{digits}g}") for power in powers[1:])]
        if hits_end:
            values[-1] = high
        if all(a < b for a, b in itertools.pairwise(values)):
            return values
    raise ConfigError("the values of the range lie too close together to be told apart")


def whole_numbers(values: Sequence[float]) -> list[int]:
    """Round the values of a range to whole numbers, each once."""
    return list(dict.fromkeys(round(value) for value in values))


def _check_ends(low: float, high: float) -> None:
    for name, value in (("from", low), ("to", high)):
        if not (math.isfinite(value) and abs(value) < 1e300):
            raise ConfigError(f"{name} must be a finite number, got {show(value)}")
    if not low < high:
        raise ConfigError(f"from must be below to, got from = {show(low)}, to = {show(high)}")


def _check_number(number: int) -> int:
    if number < 2:
        raise ConfigError("the range has a single value: write it as a list of one" if number else "count is missing")
    if number > MAX_CELLS:
        raise ConfigError(f"the range has {'more than ' if number >= 10**9 else ''}{number:,} values; at most "
                          f"{MAX_CELLS:,} are allowed")  # fmt: skip
    return number


def _decimal(value: float) -> Decimal:
    """Return the decimal number that was written, not the binary one nearest to it."""
    return Decimal(repr(value))


def ordered(axes: Sequence[AnyAxis]) -> list[AnyAxis]:
    """Return axes so that each follows those that its condition names, otherwise in the order given.

    Raises
    ------
    ConfigError
        If a condition names no axis or no value of it, or conditions go round in a circle.
    """
    for axis in axes:
        if set(axis.keys) & set(axis.only):
            raise ConfigError(f"{axis.keys[0]}.only: an axis cannot depend on itself")
        try:
            check_condition(axis.only, axes)
        except ConfigError as error:
            raise ConfigError(f"{axis.keys[0]}.{error}") from None
    done: list[AnyAxis] = []
    waiting = list(axes)
    while waiting:
        there = {key for axis in done for key in axis.keys}
        ready = next((axis for axis in waiting if there.issuperset(axis.only)), None)
        if ready is None:
            names = " and ".join(f"'{axis.keys[0]}'" for axis in waiting)
            raise ConfigError(f"the conditions (only) of {names} wait for one another")
        waiting.remove(ready)
        done.append(ready)
    return done


def check_condition(only: Mapping[str, Any], axes: Sequence[AnyAxis]) -> None:
    """Refuse a condition that could never hold.

    Raises
    ------
    ConfigError
        If it names no axis, or no value of one.
    """
    if not only:
        return
    levels: dict[str, list[Any]] = {}
    for axis in axes:
        for row in axis.rows():
            for key, value in row:
                levels.setdefault(key, []).append(value)
    for key, wanted in only.items():
        if key not in levels:
            raise ConfigError(f"only: {unknown_name('axis', key, levels)}")
        frozen = freeze(wanted)
        for value in [frozen] if frozen in levels[key] or not isinstance(frozen, tuple) else frozen:
            if value not in levels[key]:
                values = ", ".join(show(level) for level in levels[key][:12])
                raise ConfigError(f"only.{key}: {show(value)} is no value of that axis ({values})")


def holds(selector: Mapping[str, Any], place: Mapping[str, Any]) -> bool:
    """Return whether a place lies where a selector says.

    Parameters
    ----------
    selector : mapping
        Axis -> the value wanted, or a list of values of which any will do. Axes it does not name may have any value.
    place : mapping
        Axis -> value.
    """
    for axis, wanted in selector.items():
        if axis not in place:
            return False
        frozen, value = freeze(wanted), place[axis]
        if value != frozen and not (isinstance(frozen, tuple) and value in frozen):
            return False
    return True


def places(axes: Sequence[AnyAxis]) -> list[Place]:
    """Return the places of a grid: the product of the axes, where each axis is left out of places it does not exist in.

    Raises
    ------
    ConfigError
        As `ordered`; and if there are more than `MAX_CELLS` places, before they are made.
    """
    found: list[Place] = [()]
    for axis in ordered(axes):
        rows = axis.rows()
        if not axis.only:
            _check_size(len(found) * len(rows))
            found = [(*place, *row) for place in found for row in rows]
            continue
        exists = [holds(axis.only, dict(place)) for place in found]
        _check_size(sum(len(rows) if here else 1 for here in exists))
        found = [(*place, *row) for place, here in zip(found, exists, strict=True) for row in (rows if here else [()])]
    return found


def _check_size(cells: int) -> None:
    if cells > MAX_CELLS:
        raise ConfigError(
            f"the axes make {cells:,} cells or more; at most {MAX_CELLS:,} are allowed: give fewer values, "
            "or let keys move together in [[zipped]]"
        )
