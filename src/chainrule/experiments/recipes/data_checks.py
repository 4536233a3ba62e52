"""Whether the networks of a recipe fit its data: what only the data themselves can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.cohorts import make_cohorts
from chainrule.data import DataSource, mnist_available
from chainrule.errors import ChainruleError, DataError, RecipeError, one_line
from chainrule.experiments.recipes.errors import combination
from chainrule.experiments.recipes.grid import Cell, expand, seeds_of
from chainrule.experiments.running.tasks import source_of
from chainrule.population import Member

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe

LARGEST_DRAW = 200_000
"""Data sets of more samples are not drawn for a check."""


def check_with_data(recipe: Recipe, data_dir: str | None = None) -> list[str]:
    """Bind every cell's network to the data of its first seed, and check loss, metrics and rules against the task.

    Parameters
    ----------
    recipe : Recipe
        As `chainrule.experiments.load_recipe` returns it.
    data_dir : str, optional
        Where to look for data files first.

    Returns
    -------
    list of str
        What was not looked at, and why: data that are not at hand, or very large.

    Raises
    ------
    RecipeError
        If a cell cannot be trained on its data; the message names the file and the cell.
    """
    seed = (seeds_of(recipe) or (0,))[0]
    notes: dict[str, str] = {}
    kinds: dict[tuple[str, ...], Cell] = {}
    for cell in expand(recipe):
        kinds.setdefault((cell.setting.source, cell.setting.network, *_bound_by(cell)), cell)
    for cell in kinds.values():
        spec = cell.setting.source
        if spec in notes:
            continue
        try:
            source = source_of(spec, data_dir)
            if why := _not_drawn(source, data_dir):
                notes[spec] = f"data '{one_line(spec)}' {why}, so the networks were not tried on them"
                continue
            make_cohorts([Member(cell.setting.net, cell.setting.config, seed)], source)
        except DataError as error:
            raise RecipeError(f"{one_line(recipe.file, 200)}: data.source: {error}") from None
        except ChainruleError as error:
            raise RecipeError(f"{one_line(recipe.file, 200)}: {combination(str(error), cell.label)}") from None
    return list(notes.values())


def _bound_by(cell: Cell) -> tuple[str, ...]:
    """Return what of a configuration has to suit the data."""
    config = cell.setting.config
    parts = (config.loss, config.metrics, config.stopping, config.validation, config.test, config.stratify,
             config.class_weight, config.dtype)  # fmt: skip
    return tuple(map(str, parts))


def not_at_hand(source: DataSource, data_dir: str | None = None) -> bool:
    """Return whether data would have to be downloaded first: neither a check nor an estimate does that."""
    return source.name == "mnist" and not mnist_available(data_dir)


def _not_drawn(source: DataSource, data_dir: str | None) -> str:
    """Say why data are not drawn for a check; nothing if they are."""
    if not_at_hand(source, data_dir):
        return "are not at hand"
    return "are very large" if (getattr(source, "n", None) or 0) > LARGEST_DRAW else ""
