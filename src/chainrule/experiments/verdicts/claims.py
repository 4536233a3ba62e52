"""Claims as they are written: ``adam > sgd``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.errors import ChainruleError, ConfigError, one_line
from chainrule.experiments.recipes.grid import Cell
from chainrule.experiments.recipes.selectors import (
    Axes,
    Selector,
    axes_of,
    find_value,
    parse_selector,
    selector_words,
    split_outside,
)


@dataclass(frozen=True)
class ClaimedOrder:
    """A claim such as ``adam > sgd``: selectors, claimed best first, and their names."""

    text: str
    selectors: tuple[dict[str, Any], ...]
    names: tuple[str, ...]


def parse_claim(text: str, cells: Sequence[Cell], where: Selector = {}) -> ClaimedOrder:  # noqa: B006
    """Read ``adam > sgd``, ``adam > momentum > sgd`` or ``sgd < adam``; ``>`` means *is better than*.

    Parameters
    ----------
    text : str
        Values of one axis, or selectors such as ``optimizer=adam,learning_rate=0.1``.
    cells : sequence of Cell
        The grid.
    where : mapping
        What holds for all of them.

    Raises
    ------
    ConfigError
        If it has no such form, or names a value that no axis has.
    """
    signs = [sign for sign in "<>" if len(split_outside(text, sign)) > 1]
    if len(signs) != 1 or "=" in text.replace(" ", "").partition(signs[0])[2][:1]:
        raise ConfigError(
            f"cannot read the claim '{one_line(text)}': write 'adam > sgd' (adam is better) or 'sgd < adam'"
        )
    parts = [part.strip() for part in split_outside(text, signs[0])]
    if not all(parts):
        raise ConfigError(f"the claim '{one_line(text)}' lacks a side: write 'adam > sgd'")
    if signs[0] == "<":
        parts.reverse()
    axes = axes_of(cells)
    own = _selectors(parts, axes)
    if len({repr(sorted(one.items(), key=str)) for one in own}) < len(own):
        raise ConfigError(f"the claim '{one_line(text)}' compares a setting with itself")
    return ClaimedOrder(text, tuple({**where, **one} for one in own), tuple(map(selector_words, own)))


def _selectors(parts: Sequence[str], axes: Axes) -> list[dict[str, Any]]:
    """Return what each part of a claim selects: all parts are values of one axis, or selectors."""
    if any(len(split_outside(part, "=")) > 1 for part in parts):
        return [parse_selector(part, axes) for part in parts]
    if not axes:
        raise ConfigError("a claim is about values of an axis, and this recipe has none: it is a single cell")
    fitting: list[list[dict[str, Any]]] = []
    for axis, values in axes.items():
        try:
            fitting.append([{axis: find_value(part, axis, values)} for part in parts])
        except ChainruleError:
            continue
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        named = " and ".join(next(iter(one[0])) for one in fitting)
        raise ConfigError(f"the claim could be about {named}: write {next(iter(fitting[0][0]))}={parts[0]} > ...")
    raise _unknown_value(parts, axes)


def _unknown_value(parts: Sequence[str], axes: Axes) -> ConfigError:
    """Say which part of a claim no axis has: of the axis that has most of the others."""

    def known(part: str, axis: str) -> bool:
        try:
            find_value(part, axis, axes[axis])
        except ChainruleError:
            return False
        return True

    nearest = max(axes, key=lambda axis: (sum(known(part, axis) for part in parts), isinstance(axes[axis][0], str)))
    wrong = next(part for part in parts if not known(part, nearest))
    try:
        find_value(wrong, nearest, axes[nearest])
    except ChainruleError as error:
        return ConfigError(str(error))
    return ConfigError(f"no axis has all of {', '.join(map(one_line, parts))}")
