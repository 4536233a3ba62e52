"""The cells of a recipe: the product of its axes and cases, each with its variants, and their canonical settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainrule.errors import ConfigError, one_line, unknown_name
from chainrule.experiments.recipes.axes import MAX_CELLS, Place, holds, places
from chainrule.experiments.recipes.errors import combination
from chainrule.experiments.recipes.settings import (
    KNOWN_KEYS,
    Setting,
    build_setting,
    flatten,
    freeze,
    make_setting,
)
from chainrule.population import TrainingConfig

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe

DEFAULT_EPOCHS = TrainingConfig().epochs

__all__ = [
    "KNOWN_KEYS",
    "MAX_CELLS",
    "Cell",
    "Place",
    "Setting",
    "base_settings",
    "build_setting",
    "cells_at",
    "expand",
    "find_cell",
    "flatten",
    "freeze",
    "make_setting",
    "seeds_of",
]


@dataclass(frozen=True)
class Cell:
    """One place of a recipe's grid.

    Attributes
    ----------
    recipe : str
        The recipe's id.
    place : tuple of (axis, value)
        Where in the grid; values are plain numbers, words or tuples. An axis that does not exist here is left out.
    variant : str or None
        None for the recipe as it stands.
    setting : Setting
        What is trained (in the quick run: the quick setting).
    full_epochs : int
        Epochs of the full run, so that a cut run is not taken for it.
    """

    recipe: str
    place: Place
    variant: str | None
    setting: Setting
    full_epochs: int

    @property
    def label(self) -> str:
        """The place in words, e.g. ``training.learning_rate=0.1, as_written``."""
        words = [f"{axis.split('.')[-1]}={_shown(value)}" for axis, value in self.place]
        return ", ".join(words + ([self.variant] if self.variant else []))

    def at(self, selector: Mapping[str, Any]) -> bool:
        """Return whether the cell lies where `selector` says.

        Axes that the selector does not name may have any value; a list stands for any of its values.
        """
        return holds(selector, dict(self.place))


def _shown(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else f"{value}"


def expand(recipe: Recipe, quick: bool = False) -> list[Cell]:
    """Return every cell of a recipe, variants after the cell they belong to.

    Cells may have equal settings (``momentum`` and ``momentum(0.9)``): whoever trains them does it once.

    Parameters
    ----------
    recipe : Recipe
        Read by `chainrule.experiments.load_recipe`, which has built every cell once.
    quick : bool
        Use the recipe's quick settings.

    Raises
    ------
    ConfigError
        If a setting cannot work, or there are more than `MAX_CELLS` cells.
    """
    if not recipe.trains:
        return []
    base = base_settings(recipe)
    found = places(recipe.all_axes)
    if len(found) * (1 + len(recipe.variants)) > MAX_CELLS:
        raise ConfigError(
            f"{len(found):,} places with {len(recipe.variants)} variants each may be more than {MAX_CELLS:,} cells"
        )
    cells = []
    for place in found:
        changed = dict(place)
        case = recipe.cases.get(changed.pop("case", ""), {})
        for name, changes in _variants_at(recipe, place, quick):
            settings = base | changed | case | changes
            epochs = int(settings.get("training.epochs", DEFAULT_EPOCHS))
            try:
                full = build_setting(settings)
                used = build_setting(settings | recipe.quick) if quick and recipe.quick else full
            except ConfigError as error:
                where = Cell(recipe.id, place, name, Setting("", "", ""), epochs).label
                raise ConfigError(combination(str(error), where)) from None
            cells.append(Cell(recipe.id, place, name, used, epochs))
    return cells


def _variants_at(recipe: Recipe, place: Place, quick: bool) -> list[tuple[str | None, dict[str, Any]]]:
    """Return the recipe itself and the variants that exist at a place, each with the settings it changes.

    The quick run leaves other readings out: its few seeds could not tell them apart.
    """
    found: list[tuple[str | None, dict[str, Any]]] = [(None, {})]
    variants = {name: one for name, one in recipe.variants.items() if not (quick and one.reading)}
    where = dict(place) if variants else {}
    return found + [(name, variant.set) for name, variant in variants.items() if holds(variant.only, where)]


def base_settings(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe's own tables as dotted keys."""
    assert recipe.data is not None, "only recipes that train have settings"
    tables: dict[str, Any] = {"network": recipe.network, "training": recipe.training}
    return {"data.source": recipe.data.source} | flatten(tables)


def seeds_of(recipe: Recipe, quick: bool = False, count: int | None = None) -> tuple[int, ...]:
    """Return the seeds to run: the recipe's own number, or `count`; none if it is left out of the quick run.

    More seeds than a recipe lists go on after the largest of its list.
    """
    n = recipe.seeds.quick if quick else recipe.seeds.count
    n = count if count is not None and count > 0 else n
    listed = recipe.seeds.listed
    if listed is None:
        return tuple(range(recipe.seeds.first, recipe.seeds.first + n))
    after = max(listed) + 1
    return (*listed[:n], *range(after, after + n - len(listed)))


def cells_at(cells: Iterable[Cell], selector: Mapping[str, Any]) -> list[Cell]:
    """Return the cells where a selector says; its key ``variant`` names a variant, else the plain ones are meant.

    Raises
    ------
    ConfigError
        If there is none.
    """
    cells = list(cells)
    where = {key: value for key, value in selector.items() if key != "variant"}
    variant = selector.get("variant")
    found = [cell for cell in cells if cell.variant == variant and cell.at(where)]
    if found:
        return found
    variants = sorted({cell.variant for cell in cells if cell.variant})
    if variant is not None and variant not in variants:
        raise ConfigError(unknown_name("variant", str(variant), variants))
    axes: dict[str, list[Any]] = {}
    for cell in cells:
        for axis, value in cell.place:
            axes.setdefault(axis, []).append(value)
    for axis, value in where.items():
        if not axes:
            raise ConfigError(f"there is no axis '{one_line(axis)}': the recipe has none")
        if axis not in axes:
            raise ConfigError(unknown_name("axis", axis, axes))
        levels = list(dict.fromkeys(axes[axis]))
        if not any(holds({axis: value}, {axis: level}) for level in levels):
            listed = ", ".join(map(_level, levels[:12])) + (", ..." if len(levels) > 12 else "")
            raise ConfigError(f"no cell has {axis} = {_level(freeze(value))}; its values: {listed}")
    raise ConfigError(f"no cell lies at {one_line(dict(selector))}: each of its values occurs, but not together")


def _level(value: Any) -> str:
    """Write an axis' value as a recipe does."""
    return one_line(str(list(value)) if isinstance(value, tuple) else repr(value), 40)


def find_cell(cells: Iterable[Cell], selector: Mapping[str, Any], variant: str | None = None) -> Cell:
    """Return the one cell that a selector and a variant name; where the variant does not exist, the plain one.

    Raises
    ------
    ConfigError
        If there is none, or more than one.
    """
    cells = list(cells)
    ours = [cell for cell in cells if cell.variant == variant]
    if variant is not None and not ours:
        raise ConfigError(unknown_name("variant", variant, sorted({c.variant for c in cells if c.variant})))
    found = [cell for cell in ours if cell.at(selector)]
    if not found and variant is not None:
        return find_cell(cells, selector)
    if len(found) == 1:
        return found[0]
    shown = "; ".join(cell.label or "(the only cell)" for cell in ours[:12])
    what = "no cell" if not found else f"{len(found)} cells"
    where = one_line(dict(selector)) + (f", variant '{one_line(variant)}'" if variant else "")
    raise ConfigError(f"{what} at {where}; cells: {shown or 'none'}")
