"""Reading the axes of a recipe: plain lists, ranges, lists with a condition, and keys that move together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chainrule.errors import ConfigError, one_line
from chainrule.experiments.recipes.axes import Axis, Zipped
from chainrule.experiments.recipes.errors import complaint, first_of, unknown_setting, written
from chainrule.experiments.recipes.settings import PARTS, flatten, freeze, is_count, is_known

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import AxisTable

RANGE = "such as { from = 0.01, to = 1.0, per_decade = 1 }"
_FORM_KEYS = frozenset({"values", "from", "to", "step", "count", "per_decade", "log", "only"})


def read_axes(table: Any) -> dict[str, Axis]:
    """Read ``[axes]``: lists, ranges, and tables with conditions."""
    if not isinstance(table, Mapping):
        raise ConfigError(
            f'axes = {written(table)}: axes is a table: [axes], then "training.learning_rate" = [0.1, 1.0]'
        )
    return {key: _axis(key, value, f"axes.{one_line(key)}") for key, value in _flat_forms(table).items()}


def _flat_forms(table: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Write nested tables with dotted keys, but leave the tables that describe a range as they are."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        whole = f"{path}{key}"
        is_form = isinstance(value, Mapping) and (_FORM_KEYS & set(value) or (is_known(whole) and whole not in PARTS))
        if isinstance(value, Mapping) and value and not is_form:
            flat |= _flat_forms(value, f"{whole}.")
        else:
            flat[whole] = value
    return flat


def _axis(key: str, value: Any, path: str) -> Axis:
    """Read one axis: a list, a range, or either with a condition."""
    if isinstance(value, list):
        return Axis(key, _levels(value, path))
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{path} = {written(value)}: an axis is a list such as [{written(value)}], or a range {RANGE}"
        )
    if not is_known(key):
        raise ConfigError(f"{path}: {unknown_setting(key)}")
    form = _axis_table(value, path)
    try:
        values = form.unfold(is_count(key))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return Axis(key, _levels(values, path), flatten(form.only), form.written)


def _axis_table(value: Mapping[str, Any], path: str) -> AxisTable:
    import pydantic

    from chainrule.experiments.recipes.schema import AxisTable

    try:
        return AxisTable.model_validate(dict(value))
    except pydantic.ValidationError as error:
        raise ConfigError(complaint(first_of(error), path)) from None


def _levels(values: list[Any], path: str) -> tuple[Any, ...]:
    """Return the values of an axis; none may be missing, a table, not a number, or given twice."""
    if not values:
        raise ConfigError(f"{path} is empty: give at least one value")
    seen: dict[Any, int] = {}
    for number, value in enumerate(values):
        if isinstance(value, Mapping) or value is None:
            raise ConfigError(
                f"{path}[{number}]: an axis has no tables as values; keys that move together are [[zipped]]"
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{path}[{number}] = {value}: a value must be finite")
        level = _hashable(value, f"{path}[{number}]")
        if level in seen:
            whole = f", or [{written(values)}] for one value that is a list" if path.endswith("network.hidden") else ""
            raise ConfigError(f"{path}: {written(value)} is given twice, as values {seen[level] + 1} and {number + 1}: "
                              f"keep one{whole}")  # fmt: skip
        seen[level] = number
    return tuple(values)


def _hashable(value: Any, path: str) -> Any:
    """Return a value that can be looked up; equal numbers are equal, but 1 is not true."""
    frozen = freeze(value)
    try:
        hash(frozen)
    except TypeError:
        raise ConfigError(f"{path} = {written(value)}: a list of values holds no tables") from None
    return (type(frozen) is bool, frozen)


def read_zipped(tables: Any) -> list[Zipped]:
    """Read ``[[zipped]]``: tables of equally long lists."""
    listed = [tables] if isinstance(tables, Mapping) else tables
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise ConfigError(f"zipped = {written(tables)}: write [[zipped]], then a list for each key that moves along")
    return [_zip(one, f"zipped[{number}]") for number, one in enumerate(listed)]


def _zip(table: Mapping[str, Any], path: str) -> Zipped:
    only = table.get("only", {})
    if not isinstance(only, Mapping):
        raise ConfigError(f'{path}.only = {written(only)}: a condition is a table: {{ "AXIS" = VALUE }}')
    columns: dict[str, tuple[Any, ...]] = {}
    for key, value in _flat_forms({key: value for key, value in table.items() if key != "only"}).items():
        where = f"{path}.{one_line(key)}"
        if isinstance(value, Mapping):
            axis = _axis(key, value, where)
            if axis.only:
                raise ConfigError(f"{where}: the condition (only) belongs to the whole [[zipped]] table")
            columns[key] = axis.values
        elif isinstance(value, list):
            columns[key] = tuple(value)
        else:
            raise ConfigError(f"{where} = {written(value)}: a list of values is needed, one for each step")
    if len(columns) < 2:
        raise ConfigError(f"{path}: keys that move together are two or more; a single one belongs in [axes]")
    lengths = {key: len(values) for key, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{key} has {length}" for key, length in lengths.items())
        raise ConfigError(f"{path}: keys that move together need equally many values: {told}")
    _levels([list(row) for row in zip(*columns.values(), strict=True)], path)
    return Zipped(columns, flatten(only))
