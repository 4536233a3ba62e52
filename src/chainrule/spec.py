"""The one way to name a part with its numbers in text: ``name`` or ``name(1.5, key=value)``.

Activations, losses, initializers, optimizers, schedules, stopping rules, metrics and data sets are all
small frozen dataclasses in a registry (a dict from name to class). Command line, recipes and saved
configurations write them as specs such as ``adam(beta2=0.95)``, ``leaky_relu(0.2)`` or ``step(500, 0.5)``.
`build` turns a spec into the object and `spec_of` turns the object into its canonical text;
``build(R, spec_of(part), kind) == part`` holds for every part.
"""

from __future__ import annotations

import ast
import dataclasses
import math
import operator
import warnings
from collections.abc import Mapping
from typing import Any, TypeVar

from chainrule.errors import ConfigError, one_line, show, unknown_name

T = TypeVar("T")
Value = float | int | str | bool | None


def parse_spec(text: str, kind: str) -> tuple[str, list[Value], dict[str, Value]]:
    """Split ``name(1, key=2)`` into its name, positional values and named values.

    Parameters
    ----------
    text : str
        The spec. Values are Python numbers, ``true``/``false``/``none`` or bare or quoted words.
    kind : str
        What the spec describes, for error messages.

    Raises
    ------
    ConfigError
        If the text is not of that form.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # text that Python only warns of, such as '\\d', is not of that form either
            node = ast.parse(text.strip(), mode="eval").body
        if isinstance(node, ast.Name):
            return node.id, [], {}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            named = {k.arg: _value(k.value) for k in node.keywords if k.arg is not None}
            if len(named) == len(node.keywords):
                return node.func.id, [_value(a) for a in node.args], named
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError, Warning):
        pass
    raise ConfigError(f"cannot read {kind} '{one_line(text)}': write name or name(1.5, key=value)")


def _value(node: ast.expr) -> Value:
    """Read one value; bare words are text, so ``mse(reduction=sum)`` needs no quotes."""
    words: dict[str, Value] = {"true": True, "false": False, "none": None, "inf": math.inf, "nan": math.nan}
    if isinstance(node, ast.Name):
        return words.get(node.id.lower(), node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _value(node.operand)
        if isinstance(number, float | int) and not isinstance(number, bool):
            return -number  # so that -inf, which is no literal, is a number too
        raise ValueError("not a number")
    value = ast.literal_eval(node)
    if value is None or isinstance(value, float | int | str):
        return value
    raise ValueError("not a number or a word")


def build(registry: Mapping[str, type[T]], text: str, kind: str) -> T:
    """Make the part that a spec describes.

    Parameters
    ----------
    registry : mapping of str to class
        The parts that exist; each class is a frozen dataclass that checks its own values.
    text : str
        The spec.
    kind : str
        What it is, for error messages: ``"activation"``, ``"optimizer"``, ...

    Raises
    ------
    ConfigError
        For an unknown name (with the nearest known one), unknown or missing values, or values out of range.
    """
    if not isinstance(text, str):
        raise ConfigError(f"{kind} must be text such as '{next(iter(registry))}', got {show(text)}")
    known = _parts.get((kind, text))
    if known is not None and registry.get(known.name) is type(known):
        found: T = known
        return found
    part = _build(registry, text, kind)
    if len(_parts) < MOST_PARTS:
        _parts[kind, text] = part
    return part


MOST_PARTS = 4096
_parts: dict[tuple[str, str], Any] = {}
"""Parts never change, and a population names the same ones a thousand times: each is built once."""


def _build(registry: Mapping[str, type[T]], text: str, kind: str) -> T:
    """Make a part that has not been made before."""
    name, positional, named = parse_spec(text, kind)
    if name not in registry:
        raise ConfigError(unknown_name(kind, name, registry))
    cls: Any = registry[name]
    fields = [f for f in dataclasses.fields(cls) if f.init]
    if len(positional) > len(fields):
        raise ConfigError(f"{kind} '{one_line(text)}': at most {len(fields)} values, got {len(positional)}")
    values = dict(zip((f.name for f in fields), positional, strict=False))
    for key, value in named.items():
        if key not in {f.name for f in fields}:
            raise ConfigError(f"{kind} '{name}': {unknown_name('value', key, [f.name for f in fields])}")
        if key in values:
            raise ConfigError(f"{kind} '{one_line(text)}': value '{key}' is given twice")
        values[key] = value
    for f in fields:
        needed = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if needed and f.name not in values:
            raise ConfigError(f"{kind} '{name}' needs a value for '{f.name}': write {name}({f.name}=...)")
        if f.name in values:
            values[f.name] = _typed(f, values[f.name], f"{kind} '{one_line(text)}'")
    part: T = cls(**values)
    return part


def _allowed(f: dataclasses.Field[Any]) -> set[str]:
    """Return the names of the types of a field; annotations are text because of `from __future__`."""
    return {word.strip() for word in str(f.type).split("|")}


def _typed(f: dataclasses.Field[Any], value: Value, where: str) -> Value:
    """Return a value in its field's type (1 is 1.0 for a float); refuse a word for a number and the like."""
    allowed = _allowed(f)
    names = {"bool": bool, "int": int, "str": str}
    if value is None and "None" in allowed:
        return value
    if any(type(value) is names[a] for a in allowed & names.keys()):
        return value
    if "float" in allowed and isinstance(value, float | int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ConfigError(f"{where}: '{f.name}' is too large, got {show(value)}") from None
    if not allowed & {"float", "bool", "int", "str"} and isinstance(value, str):
        return value  # a Literal: the part itself checks the word
    raise ConfigError(f"{where}: '{f.name}' must be {f.type}, got {show(value)}")


def spec_of(part: Any) -> str:
    """Return the canonical text of a part: its name and the values that differ from the defaults.

    The part's class carries its registry name as the class variable ``name``.
    """
    values = []
    for f in dataclasses.fields(part):
        value = getattr(part, f.name)
        if f.init and (f.default is dataclasses.MISSING or value != f.default):
            values.append(f"{f.name}={_text(value, _allowed(f))}")
    return f"{part.name}({', '.join(values)})" if values else str(part.name)


def _text(value: Value, allowed: set[str]) -> str:
    """Write a value so that `parse_spec` reads the same value back, and equal values are written alike.

    A part made in Python may hold 1 or a NumPy scalar where a spec would have given 1.0.
    """
    if value is None or isinstance(value, bool):
        return repr(value).lower()
    if isinstance(value, str):
        return repr(str(value))
    if "int" in allowed and hasattr(value, "__index__"):
        return repr(operator.index(value))
    return repr(float(value))


def require(condition: bool, message: str) -> None:
    """Raise `ConfigError` with `message` unless `condition` holds: for checks in `__post_init__`."""
    if not condition:
        raise ConfigError(message)
