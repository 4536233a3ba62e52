"""`--where` and `--by` of a store's commands: axes by their short names, values that are there, rules on runs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chainrule.errors import ConfigError, one_line

if TYPE_CHECKING:
    from chainrule.experiments.store import Store

MOST_VALUES = 12
"""Values of an axis that an error names."""


def parse_choices(choices: Sequence[str] | None) -> tuple[list[tuple[str, str]], list[str]]:
    """Read ``training.optimizer=adam`` as a value on an axis, and ``loss<=0.01`` as a rule."""
    where, rules = [], []
    for text in choices or ():
        axis, equals, value = text.partition("=")
        if ">=" in text or "<=" in text or not equals:
            rules.append(text)
        else:
            where.append((axis.strip(), value.strip()))
    return where, rules


def find_choices(store: Store, where: Sequence[tuple[str, str]], rules: Sequence[str]) -> dict[str, Any]:
    """Return what `Store.aggregate` takes for values on axes: of one axis given twice, either value.

    Raises
    ------
    ConfigError
        For an axis, a value or a rule that nothing in the store has; it names what there is.
    """
    from chainrule.experiments.store import parse_rule

    found: dict[str, list[Any]] = {}
    for axis, (_, text) in zip(find_axes(store, [name for name, _ in where]), where, strict=True):
        found.setdefault(axis, []).append(_find_value(axis, text, store.axis_values(axis)))
    axes = store.axis_names() if rules else ()
    for text in rules:
        name = parse_rule(text).name
        if name in axes:
            raise ConfigError(f"--where '{one_line(text)}': {name} is an axis; write {name}=VALUE")
    return {axis: values[0] if len(values) == 1 else frozenset(map(_frozen, values)) for axis, values in found.items()}


def find_axes(store: Store, typed: Sequence[str]) -> list[str]:
    """Return the full names of axes: ``training.learning_rate`` for ``learning_rate`` or ``lr``."""
    names = store.axis_names() if typed else []
    return [_find_axis(store, name, names) for name in typed]


def _find_axis(store: Store, name: str, names: Sequence[str]) -> str:
    """Return the one of some axes that a full or short name means."""
    from chainrule.experiments.recipes.selectors import SHORT
    from chainrule.experiments.store.axes import unknown_axis

    if name in names or not names:
        return name
    ending = [axis for axis in names if axis.endswith(f".{SHORT.get(name, name)}") and name]
    if name in store.metrics():
        rule = f"'{name}' is a value of runs: write '{name}<=NUMBER' or '{name}>=NUMBER'"
        raise ConfigError("; ".join([rule, *(f"the axis is {axis}" for axis in ending)]))
    if len(ending) > 1:
        raise ConfigError(f"axis '{name}' may be {' or '.join(ending)}: write which")
    if not ending:
        raise ConfigError(unknown_axis(name, names))
    return ending[0]


def _find_value(axis: str, text: str, values: list[Any]) -> Any:
    """Return the value that is meant: as JSON, or as tables show it and selectors of recipes may write it."""
    from chainrule.experiments.recipes.selectors import match_value

    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if not values or value in values:
        return value
    shown = [_frozen(one) for one in values if not isinstance(one, dict)]
    if found := match_value(text, axis, shown):
        return found[0]
    raise ConfigError(f"nothing stored has {axis}={one_line(text)}{_hint(value, text, values)}")


def _hint(value: Any, text: str, values: list[Any]) -> str:
    """Name the nearest values."""
    written = {_write(one): one for one in values}
    numbers = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    if isinstance(value, int | float) and numbers:
        near = [_write(min(numbers, key=lambda one: abs(one - value)))]
        numbers.sort(key=lambda one: abs(one - value))
        first = [_write(one) for one in sorted(numbers[:MOST_VALUES])]
    else:
        near = difflib.get_close_matches(text.lower(), written, n=1, cutoff=0.5)
        first = sorted(written)[:MOST_VALUES]
    more = f", and {len(values) - len(first):,} more" if len(values) > len(first) else ""
    return (f"; did you mean {near[0]}?" if near else "") + f" (known: {', '.join(first)}{more})"


def _write(value: Any) -> str:
    """Write a value as it may be typed."""
    return value if isinstance(value, str) else json.dumps(value)


def _frozen(value: Any) -> Any:
    """Return a value that a set can hold."""
    if isinstance(value, dict):
        raise ConfigError(f"--where can choose {json.dumps(value)} only alone: give that axis once")
    from chainrule.experiments.recipes.settings import freeze

    return freeze(value)
