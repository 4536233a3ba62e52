"""Selectors as people type them: ``optimizer=adam,learning_rate=0.1`` picks the cells of a grid that lie there.

An axis may be named by its last word where no other axis ends so, a value by the text that tables show, and a part with
values by its bare name (``momentum`` for ``momentum(0.9)``) where only one value of the axis has that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chainrule.errors import ConfigError, one_line, unknown_name
from chainrule.experiments.recipes.grid import Cell, freeze
from chainrule.experiments.recipes.words import axis_word, value_word

Selector = Mapping[str, Any]
Axes = Mapping[str, Sequence[Any]]

VARIANT = "variant"
OPEN, CLOSE = "([{", ")]}"
SHORT = {"lr": "learning_rate", "batch": "batch_size"}
"""The names of `chainrule train`'s options, where those of the settings differ."""


def axes_of(cells: Iterable[Cell]) -> dict[str, list[Any]]:
    """Return every axis of a grid with its values, in the order of the grid; variants are an axis if there are any."""
    axes: dict[str, list[Any]] = {}
    variants: list[Any] = []
    for cell in cells:
        for axis, value in cell.place:
            if value not in axes.setdefault(axis, []):
                axes[axis].append(value)
        if cell.variant not in variants:
            variants.append(cell.variant)
    return axes | ({VARIANT: variants} if len(variants) > 1 else {})


def parse_selector(text: str, axes: Axes) -> dict[str, Any]:
    """Read ``axis=value,axis=value``.

    Parameters
    ----------
    text : str
        Commas inside brackets belong to the value: ``optimizer=momentum(0.9, nesterov=true)``.
    axes : mapping of str to sequence
        The axes that there are and their values, see `axes_of`.

    Raises
    ------
    ConfigError
        For an axis or a value that does not exist, and for names that could mean several.
    """
    selector: dict[str, Any] = {}
    for part in split_outside(text, ","):
        name, sign, value = part.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise ConfigError(f"cannot read '{one_line(part)}': write axis=value, such as {_example(axes)}")
        axis = find_axis(name.strip(), axes)
        if axis in selector:
            raise ConfigError(f"axis '{axis}' is given twice in '{one_line(text)}'")
        selector[axis] = find_value(value.strip(), axis, axes[axis])
    return selector


def resolve(selector: Selector, axes: Axes) -> dict[str, Any]:
    """Return a selector from Python or a recipe with full names of axes and values that are there."""
    found: dict[str, Any] = {}
    for name, value in selector.items():
        axis = find_axis(str(name), axes)
        frozen = freeze(value)
        if frozen not in axes[axis] and isinstance(frozen, tuple):  # a list of values of which any will do
            found[axis] = tuple(_there(one, axis, axes) for one in frozen)
        else:
            found[axis] = _there(frozen, axis, axes)
    return found


def _there(value: Any, axis: str, axes: Axes) -> Any:
    return value if value in axes[axis] else find_value(value_word(value), axis, axes[axis])


def find_axis(name: str, axes: Axes) -> str:
    """Return the axis that a full or short name means."""
    if name in axes:
        return name
    wanted = SHORT.get(name, name)
    short = [axis for axis in axes if axis.endswith(f".{wanted}") or axis_word(axis) == wanted]
    if len(short) == 1:
        return short[0]
    if short:
        raise ConfigError(f"axis '{one_line(name)}' could be {' or '.join(short)}: write the whole name")
    if not axes:
        raise ConfigError(f"'{one_line(name)}' selects nothing: the recipe has no axes, only one cell")
    raise ConfigError(unknown_name("axis", name, [axis.split(".")[-1] for axis in axes]))


def find_value(text: str, axis: str, values: Sequence[Any]) -> Any:
    """Return the value of an axis that a text means; `ConfigError` lists the values there are."""
    found = match_value(text, axis, values)
    if not found:
        word = axis.split(".")[-1]
        raise ConfigError(unknown_name(f"value of {word}", text.strip().strip("'\""), map(_written, values)))
    return found[0]


def match_value(text: str, axis: str, values: Sequence[Any]) -> list[Any]:
    """Return the value of an axis that a text means, or none; `ConfigError` if it could mean several."""
    text = text.strip().strip("'\"")
    for same in (_is_written_so, _is_equal_number, _begins_with_name):
        found = [value for value in values if same(text, value)]
        if len(found) > 1:
            raise ConfigError(f"{axis}={one_line(text)} could be {' or '.join(map(_written, found))}: write it whole")
        if found:
            return found
    return []


def selector_text(selector: Selector) -> str:
    """Write a selector shortly: ``optimizer=adam, learning_rate=0.1``."""
    return ", ".join(f"{axis.split('.')[-1]}={_written(value)}" for axis, value in selector.items())


def selector_words(selector: Selector) -> str:
    """Write a selector for a sentence: ``adam, learning rate 0.1``; parts and cases need no axis beside them."""
    words = []
    for axis, value in selector.items():
        named = isinstance(value, str) or axis == VARIANT
        words.append(value_word(value) if named else f"{axis_word(axis)} {value_word(value)}")
    return ", ".join(words)


def split_outside(text: str, separator: str) -> list[str]:
    """Split a text at the separators that stand outside of brackets."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in OPEN) - (letter in CLOSE)
        if letter == separator and depth <= 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def _written(value: Any) -> str:
    """Write a value as it is typed in a selector."""
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _is_written_so(text: str, value: Any) -> bool:
    """Whether a text is a value as tables, labels or recipes show it, spaces aside."""
    plain = text.lower().replace(" ", "")
    forms = [_written(value), value_word(value)]
    if isinstance(value, tuple):
        forms += [str(list(value)), ",".join(map(str, value))]
    return plain in [form.lower().replace(" ", "") for form in forms]


def _is_equal_number(text: str, value: Any) -> bool:
    """Whether a text is the same number: ``1e-1`` for 0.1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return float(text) == float(value)
    except ValueError:
        return False


def _begins_with_name(text: str, value: Any) -> bool:
    """Whether a text is the bare name of a part with values."""
    return isinstance(value, str) and text.lower() == value.partition("(")[0].lower()


def _example(axes: Axes) -> str:
    for axis, values in axes.items():
        return f"{axis.split('.')[-1]}={_written(values[0])}"
    return "optimizer=adam"
