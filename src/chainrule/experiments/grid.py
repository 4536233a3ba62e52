"""The cells of a recipe: the product of its axes and cases, each with its variants, and their canonical settings."""

from __future__ import annotations

import hashlib
import inspect
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from chainrule.data import load
from chainrule.errors import ConfigError, one_line, unknown_name
from chainrule.nn import Network, mlp
from chainrule.population import TrainingConfig

if TYPE_CHECKING:
    from chainrule.experiments.schema import Recipe

MAX_CELLS = 2_000
"""More cells than this in one recipe are likelier a slip than an intention."""

TRAINING_KEYS = tuple(f.name for f in fields(TrainingConfig))
NETWORK_KEYS = tuple(inspect.signature(mlp).parameters)
DATA_KEYS = ("source",)
KNOWN_KEYS = tuple(
    f"{table}.{key}"
    for table, keys in (("data", DATA_KEYS), ("network", NETWORK_KEYS), ("training", TRAINING_KEYS))
    for key in keys
)


@dataclass(frozen=True)
class Setting:
    """Everything of a run but its seed, as canonical text: equal settings are equal, and it pickles in a few bytes.

    Attributes
    ----------
    source : str
        The data source's spec.
    network, training : str
        ``Network.describe`` and ``TrainingConfig.describe`` as JSON with sorted keys.
    """

    source: str
    network: str
    training: str

    @cached_property
    def key(self) -> str:
        """Hash (32 hex digits) of the setting."""
        text = "\n".join((self.source, self.network, self.training))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def cohort_key(self) -> str:
        """Hash of everything but the learning rate: settings that agree in it are trained in one population."""
        training = json.loads(self.training) | {"learning_rate": None}
        return Setting(self.source, self.network, json.dumps(training, sort_keys=True)).key

    @property
    def config(self) -> TrainingConfig:
        """The configuration."""
        return TrainingConfig.from_description(json.loads(self.training))

    @property
    def net(self) -> Network:
        """The network, not yet bound to data."""
        return Network.from_description(json.loads(self.network))


def make_setting(source: str, network: Network, config: TrainingConfig) -> Setting:
    """Return the canonical setting of built parts."""
    text = (json.dumps(part.describe(), sort_keys=True) for part in (network, config))
    return Setting(source, *text)


Place = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Cell:
    """One place of a recipe's grid.

    Attributes
    ----------
    recipe : str
        The recipe's id.
    place : tuple of (axis, value)
        Where in the grid; values are plain numbers, words or tuples.
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
        """Return whether the cell lies where `selector` says; axes it does not name may have any value."""
        return _at(self.place, selector)


def _shown(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else f"{value}"


def freeze(value: Any) -> Any:
    """Make lists hashable, all the way down."""
    return tuple(freeze(part) for part in value) if isinstance(value, list | tuple) else value


def flatten(table: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Write nested tables with dotted keys: ``{"training": {"epochs": 5}}`` is ``{"training.epochs": 5}``."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{path}{key}.")
        else:
            flat[f"{path}{key}"] = value
    return flat


def expand(recipe: Recipe, quick: bool = False) -> list[Cell]:
    """Return every cell of a recipe, variants after the cell they belong to.

    Parameters
    ----------
    recipe : Recipe
        Read by `chainrule.experiments.load_recipe`, which has built every cell once.
    quick : bool
        Use the recipe's quick settings.

    Raises
    ------
    ConfigError
        If a setting cannot work.
    """
    if not recipe.trains:
        return []
    base = base_settings(recipe)
    axes = [[(axis, value) for value in values] for axis, values in recipe.axes.items()]
    if recipe.cases:
        axes.append([("case", name) for name in recipe.cases])
    cells = []
    for place in itertools.product(*axes):
        where = tuple((axis, freeze(value)) for axis, value in place)
        settings = base | {axis: value for axis, value in place if axis != "case"}
        settings |= recipe.cases.get(dict(place).get("case", ""), {})
        for name, changes in _variants_at(recipe, where, quick):
            full = build_setting(settings | changes)
            used = build_setting(settings | changes | recipe.quick) if quick and recipe.quick else full
            cells.append(Cell(recipe.id, where, name, used, full.config.epochs))
    return cells


def _variants_at(recipe: Recipe, place: Place, quick: bool) -> list[tuple[str | None, dict[str, Any]]]:
    """Return the recipe itself and the variants that exist at a place, each with the settings it changes.

    The quick run leaves other readings out: its few seeds could not tell them apart.
    """
    found: list[tuple[str | None, dict[str, Any]]] = [(None, {})]
    variants = {name: one for name, one in recipe.variants.items() if not (quick and one.reading)}
    return found + [(name, variant.set) for name, variant in variants.items() if _at(place, variant.only)]


def _at(place: Place, selector: Mapping[str, Any]) -> bool:
    """Return whether a place lies where a selector says; axes it does not name may have any value."""
    values = dict(place)
    return all(axis in values and values[axis] == freeze(value) for axis, value in selector.items())


def grid_size(recipe: Recipe) -> int:
    """Return how many cells `expand` would make."""
    size = max(len(recipe.cases), 1) * (1 + len(recipe.variants))
    for values in recipe.axes.values():
        size *= len(values)
    return size


def base_settings(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe's own tables as dotted keys."""
    assert recipe.data is not None, "only recipes that train have settings"
    tables: dict[str, Any] = {"network": recipe.network, "training": recipe.training}
    return {"data.source": recipe.data.source} | flatten(tables)


def build_setting(settings: Mapping[str, Any]) -> Setting:
    """Build every part that dotted settings name and return the canonical setting.

    Raises
    ------
    ConfigError
        For an unknown key, an unknown part or an impossible value.
    """
    for key in settings:
        if key not in KNOWN_KEYS:
            raise ConfigError(unknown_name("setting", key, KNOWN_KEYS))
    if not isinstance(settings["data.source"], str):
        raise ConfigError(f"data.source is a text such as 'xor', not {one_line(repr(settings['data.source']))}")
    return _build(tuple(sorted((key, freeze(value)) for key, value in settings.items())))


@lru_cache(maxsize=4096)
def _build(settings: tuple[tuple[str, Any], ...]) -> Setting:
    """Build a setting; cached, because a recipe's cells are built when it is read and when it is run."""
    tables: dict[str, dict[str, Any]] = {"data": {}, "network": {}, "training": {}}
    for key, value in settings:
        table, _, name = key.partition(".")
        tables[table][name] = value
    source = load(tables["data"]["source"])
    try:
        network = mlp(**tables["network"])
    except (TypeError, OverflowError) as error:
        raise ConfigError(f"network: {one_line(error)}") from None
    return make_setting(source.spec, network, TrainingConfig().replace(**tables["training"]))


def seeds_of(recipe: Recipe, quick: bool = False, count: int | None = None) -> tuple[int, ...]:
    """Return the seeds to run: the recipe's own number, or `count`; none if it is left out of the quick run."""
    n = recipe.seeds.quick if quick else recipe.seeds.count
    n = count if count is not None and n > 0 else n
    return tuple(range(recipe.seeds.first, recipe.seeds.first + n))


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
