"""What every record of a report shares: checked fields, array fields, and strict JSON."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainrule.errors import ConfigError, ShapeError, one_line

Array: TypeAlias = npt.NDArray[Any]
"""An array field; lists and tuples are accepted and converted."""

SIGNIFICANT_DIGITS = 7
"""Digits kept of a float in `results.json`: more than any figure can show, half the bytes."""

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class Record:
    """Base of all records: a frozen dataclass that can write itself as strict JSON."""

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain dicts, lists, numbers and text; NaN and infinities become None.

        The key ``"record"`` holds the class name.
        """
        fields = dataclasses.fields(self)  # type: ignore[arg-type]  # every subclass is a dataclass
        return {"record": type(self).__name__} | {f.name: jsonable(getattr(self, f.name)) for f in fields}


def jsonable(value: object) -> Any:
    """Convert a value to what strict JSON can hold.

    Records become dicts, arrays become nested lists, floats are rounded to `SIGNIFICANT_DIGITS`
    and non-finite numbers become None.

    Raises
    ------
    ConfigError
        For a value of any other type.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return float(f"{number:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(number) else None
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.ndarray):
        return _array_to_lists(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    raise ConfigError(f"a report record cannot hold a {type(value).__name__} ({one_line(value)}); use numbers or text")


def _array_to_lists(values: Array) -> Any:
    """Nested lists of an array, its floats rounded to the significant digits and non-finite ones None."""
    if values.dtype.kind != "f":
        return values.tolist() if values.dtype.kind in "biuU" else jsonable(values.tolist())
    numbers = values.astype(np.float64)
    finite = np.isfinite(numbers)
    safe = np.where(finite & (numbers != 0), np.abs(numbers), 1.0)
    # Powers of ten up to 22 are exact doubles, so dividing by one gives the double nearest to the
    # rounded decimal, whose repr is short. Outside that range we keep the number as it is.
    power = SIGNIFICANT_DIGITS - 1 - np.floor(np.log10(safe)).astype(int)
    exact = np.abs(power) <= 22
    scale = 10.0 ** np.where(exact, np.abs(power), 0)
    rounded = np.where(power >= 0, np.round(safe * scale) / scale, np.round(safe / scale) * scale)
    rounded = np.copysign(np.where(exact, rounded, safe), numbers)
    rounded = np.where(numbers == 0, 0.0, rounded)
    out = rounded.astype(object)
    out[~finite] = None
    return out.tolist()


def is_safe_id(value: object) -> bool:
    """Whether a value can be a record's id, which is also a file name."""
    return isinstance(value, str) and _SAFE_ID.fullmatch(value) is not None


def check_id(value: str) -> None:
    """Require an id that can be a file name and a link target.

    Raises
    ------
    ConfigError
        When it is empty, long, or holds anything but letters, digits, dot, hyphen and underscore.
    """
    if not is_safe_id(value):
        raise ConfigError(
            f"the record id '{one_line(value)}' cannot be a file name: use 1 to 80 letters, digits, '.', '-' or '_',"
            " beginning with a letter or digit"
        )


def set_array(record: object, name: str, ndim: int | tuple[int, ...], dtype: type = float) -> Array:
    """Replace a record's field by a read-only array of `dtype` and check its number of axes.

    Raises
    ------
    ShapeError
        When it is no array of numbers or has another number of axes.
    """
    owner, value = type(record).__name__, getattr(record, name)
    try:
        array: Array = np.array(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"{owner}.{name} must be an array of numbers: {one_line(error)}") from None
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if array.ndim not in allowed:
        wanted = " or ".join(str(n) for n in allowed)
        raise ShapeError(f"{owner}.{name} must have {wanted} axes, not the shape {array.shape}")
    array.setflags(write=False)
    object.__setattr__(record, name, array)
    return array


def set_tuple(record: object, *names: str) -> None:
    """Replace fields that were given as lists by tuples, so that a record is frozen throughout."""
    for name in names:
        object.__setattr__(record, name, tuple(getattr(record, name)))


def require_one_of(record: object, name: str, allowed: tuple[str, ...]) -> None:
    """Require that a text field has one of the allowed values.

    Raises
    ------
    ConfigError
        When it has not.
    """
    value = getattr(record, name)
    if value not in allowed:
        owner = type(record).__name__
        raise ConfigError(f"{owner}.{name} must be one of {', '.join(allowed)}, not '{one_line(value)}'")


def require_same_length(record: object, *names: str) -> None:
    """Require that fields have equal lengths along their first axis.

    Raises
    ------
    ShapeError
        When they have not.
    """
    lengths = {name: len(getattr(record, name)) for name in names}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ShapeError(f"{type(record).__name__}: lengths differ: {told}")


def set_filled_tuple(record: Record, name: str) -> None:
    """Make a field a tuple and require that it is not empty."""
    set_tuple(record, name)
    if not getattr(record, name):
        raise ShapeError(
            f"{type(record).__name__} '{getattr(record, 'id', getattr(record, 'title', ''))}' has no {name} to draw"
        )


def set_points(record: Record, name: str) -> None:
    """Make a field an array of 2-D points."""
    points = set_array(record, name, 2)
    if points.shape[1] != 2:
        raise ShapeError(f"{type(record).__name__}.{name} must be points (n, 2), not the shape {points.shape}")


@dataclass(frozen=True, kw_only=True, eq=False)
class FigureRecord(Record):
    """Base of all figures' records."""

    id: str
    title: str
    caption: str = ""
    alt: str = ""

    def __post_init__(self) -> None:
        check_id(self.id)

    @property
    def alt_text(self) -> str:
        """The description for readers who cannot see the picture; the title where none was given."""
        return self.alt or ". ".join(part for part in (self.title, self.caption) if part)


@dataclass(frozen=True)
class Mark(Record):
    """A labelled reference line at `value` on the "x" or "y" axis (chance level, stopping threshold, ...)."""

    value: float
    label: str
    axis: str = "y"

    def __post_init__(self) -> None:
        require_one_of(self, "axis", ("x", "y"))
