"""Reading a recipe: a TOML file that describes an experiment, checked whole before anything runs."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.data import load
from chainrule.errors import ChainruleError, ConfigError, RecipeError, one_line, unknown_name
from chainrule.experiments.grid import (
    KNOWN_KEYS,
    MAX_CELLS,
    Cell,
    base_settings,
    build_setting,
    expand,
    find_cell,
    flatten,
    grid_size,
)
from chainrule.experiments.quantities import PARTS, check_quantity, parse_quantity
from chainrule.metrics import record_key
from chainrule.optim import stopping_rule
from chainrule.population import TrainingConfig

if TYPE_CHECKING:
    from chainrule.experiments.schema import Claim, Figure, Recipe


def load_recipe(path: str | Path) -> Recipe:
    """Read and check a recipe.

    Every part it names is built, every cell of its grid is put together, and every figure and claim is looked up,
    so that a recipe that loads also runs.

    Parameters
    ----------
    path : path
        A TOML file.

    Returns
    -------
    Recipe
        Frozen; `chainrule.experiments.expand` gives its cells.

    Raises
    ------
    RecipeError
        One line: the file, the key's dotted path, the value, what is allowed, and the nearest known key.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"{file}: cannot read the recipe: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"{file}: not a UTF-8 text file: {one_line(error)}") from None
    return parse_recipe(text, str(file))


def parse_recipe(text: str, file: str = "recipe") -> Recipe:
    """Check the text of a recipe; `file` names it in messages. See `load_recipe`."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise RecipeError(f"{file}: not valid TOML: {one_line(error, 200)}") from None
    recipe = _validate(_normal_form(table) | {"file": file}, file)
    if recipe.trains:
        _check_settings(recipe, file)
    _check_rows(recipe, file)
    return recipe


def _normal_form(table: dict[str, Any]) -> dict[str, Any]:
    """Write settings with dotted keys, however the file nests them."""
    table = dict(table)
    for name in ("quick", "axes"):
        if isinstance(table.get(name), Mapping):
            table[name] = flatten(table[name])
    if isinstance(table.get("cases"), Mapping):
        table["cases"] = {key: flatten(v) if isinstance(v, Mapping) else v for key, v in table["cases"].items()}
    if isinstance(table.get("variants"), Mapping):
        table["variants"] = {key: _flat_selectors(variant) for key, variant in table["variants"].items()}
    for name in ("figures", "claims"):
        if isinstance(table.get(name), list):
            table[name] = [_flat_selectors(row) for row in table[name]]
    return table


def _flat_selectors(row: Any) -> Any:
    """Flatten the selectors and settings of a figure, a claim or a variant."""
    if not isinstance(row, Mapping):
        return row
    row = dict(row)
    for name in ("cell", "only", "set"):
        if isinstance(row.get(name), Mapping):
            row[name] = flatten(row[name])
    for name in ("cells", "over", "under"):
        if isinstance(row.get(name), list):
            row[name] = [flatten(one) if isinstance(one, Mapping) else one for one in row[name]]
    return row


def _validate(table: dict[str, Any], file: str) -> Recipe:
    """Let pydantic check tables, keys and types; its first complaint becomes our one line."""
    import pydantic

    from chainrule.experiments.schema import Recipe

    try:
        return Recipe.model_validate(table)
    except pydantic.ValidationError as error:
        # a misspelt key is both unknown and missing: the former says more
        first = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")[0]
        raise RecipeError(f"{file}: {_complaint(first)}") from None
    except (OverflowError, RecursionError) as error:
        raise RecipeError(f"{file}: {one_line(error)}") from None


def _complaint(error: Any) -> str:
    """Put one of pydantic's errors into words: path, value, what is allowed."""
    from chainrule.experiments.schema import TABLES

    path = _path(error["loc"])
    table = str(error["loc"][0]) if len(error["loc"]) > 1 else ""
    known = [name for name in TABLES.get(table, TABLES[""]).model_fields if name != "file"]
    if error["type"] == "extra_forbidden":
        return f"{path}: {unknown_name('key', str(error['loc'][-1]), known)}"
    if error["type"] == "missing":
        return f"{path}: this key is needed"
    message = str(error["msg"]).removeprefix("Value error, ")
    given = error.get("input")
    value = "" if isinstance(given, Mapping | list) else f" = {one_line(repr(given))}"
    return f"{path or 'recipe'}{value}: {one_line(message, 200)}"


def _path(loc: tuple[int | str, ...]) -> str:
    """Write a place as TOML readers do: ``figures[3].quantity``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{one_line(part)}" if text else one_line(part)
    return text


def _check_settings(recipe: Recipe, file: str) -> None:
    """Check each setting's key, then build every cell, full and quick; blame the smallest table that fails."""
    tables: dict[str, Mapping[str, Any]] = {"": base_settings(recipe), "quick": recipe.quick, "axes": recipe.axes}
    tables |= {f"cases.{name}": settings for name, settings in recipe.cases.items()}
    tables |= {f"variants.{name}.set": variant.set for name, variant in recipe.variants.items()}
    for name, settings in tables.items():
        for key, value in settings.items():
            path = f"{name}.{key}" if name else key
            if key not in KNOWN_KEYS:
                raise RecipeError(f"{file}: {path} = {one_line(repr(value))}: {unknown_name('key', key, KNOWN_KEYS)}")
    for axis, values in recipe.axes.items():
        if not values:
            raise RecipeError(f"{file}: axes.{axis} is empty: give at least one value")
        if axis in recipe.quick:
            raise RecipeError(f"{file}: quick.{axis} would replace an axis; quick settings may not")
    if grid_size(recipe) > MAX_CELLS:
        raise RecipeError(f"{file}: axes: {grid_size(recipe)} cells; at most {MAX_CELLS} are allowed")
    _try_parts(recipe, file)
    for quick in (False, True):
        try:
            cells = expand(recipe, quick)
            for cell in cells:
                _check_pairing(cell)
        except ChainruleError as error:
            raise RecipeError(f"{file}: {'quick: ' if quick else ''}{error}") from None


def _try_parts(recipe: Recipe, file: str) -> None:
    """Build the base with each setting alone, so that the message names the key that fails."""
    base = base_settings(recipe)
    _try_build({"data.source": base["data.source"]}, "data.source", base["data.source"], file)
    plain: dict[str, Any] = {"data.source": base["data.source"], "network.hidden": [1]}
    for path, key, value in _every_setting(recipe):
        _try_build(plain | {key: value}, path, value, file)


def _every_setting(recipe: Recipe) -> Iterator[tuple[str, str, Any]]:
    """Yield (path, key, value) of each setting in the recipe."""
    for key, value in base_settings(recipe).items():
        yield key, key, value
    for axis, values in recipe.axes.items():
        for number, value in enumerate(values):
            yield f"axes.{axis}[{number}]", axis, value
    named = {f"cases.{name}": settings for name, settings in recipe.cases.items()}
    named |= {f"variants.{name}.set": variant.set for name, variant in recipe.variants.items()}
    for path, settings in named.items():
        for key, value in settings.items():
            yield f"{path}.{key}", key, value
    for key, value in recipe.quick.items():
        yield f"quick.{key}", key, value


def _try_build(settings: Mapping[str, Any], path: str, value: Any, file: str) -> None:
    try:
        build_setting(settings)
    except ChainruleError as error:
        raise RecipeError(f"{file}: {path} = {one_line(repr(value))}: {error}") from None
    except TypeError as error:  # an unhashable or otherwise impossible value, such as a table for a number
        raise RecipeError(f"{file}: {path} = {one_line(repr(value))}: {one_line(error)}") from None


def _check_pairing(cell: Cell) -> None:
    """Refuse a loss that cannot follow the output activation, where the recipe names the latter."""
    from chainrule.nn import loss

    network = cell.setting.net
    activation = getattr(network.layers[-1], "activation", None)
    if activation is not None:
        loss(cell.setting.config.loss).check_output(network.output_activation)


def _check_rows(recipe: Recipe, file: str) -> None:
    """Check that figures and claims have ids of their own, cells that exist and quantities that are recorded."""
    cells = expand(recipe)
    readings = tuple(name for name, variant in recipe.variants.items() if variant.reading)
    seen: set[str] = set()
    tables: dict[str, Sequence[Figure | Claim]] = {"figures": recipe.figures, "claims": recipe.claims}
    for table, rows in tables.items():
        for number, row in enumerate(rows):
            path = f"{file}: {table}[{number}] ({row.id})"
            if row.id in seen:
                raise RecipeError(f"{path}.id: this id is given twice")
            seen.add(row.id)
            if not recipe.trains:
                continue
            try:
                _check_row(row, cells, readings)
            except ConfigError as error:
                raise RecipeError(f"{path}: {error}") from None
    if recipe.success is not None and recipe.trains:
        try:
            config = cells[0].setting.config
            check_quantity(parse_quantity(f"final {recipe.success.metric}"), config, known_keys(cells[0]))
        except ConfigError as error:
            raise RecipeError(f"{file}: success.metric: {error}") from None


def _check_row(row: Figure | Claim, cells: list[Cell], readings: tuple[str, ...]) -> None:
    """Look up the cells of one row, in each variant it names, and check its quantities there."""
    selectors = selectors_of(row)
    quantities = [row.quantity, getattr(row, "quantity_under", None) or row.quantity]
    for variant in dict.fromkeys((row.variant, row.as_written or row.variant, *readings)):
        for selector in selectors:
            find_cell(cells, selector)
            cell = find_cell(cells, selector, variant)
            for text in dict.fromkeys(quantities):
                quantity = parse_quantity(text)
                if (quantity.kind == "windows") != (getattr(row, "kind", "") == "spread" and "windows" in text):
                    raise ConfigError(f"quantity '{one_line(text)}' has many values; only a spread claim takes it")
                check_quantity(quantity, cell.setting.config, known_keys(cell))


def selectors_of(row: Figure | Claim) -> list[dict[str, Any]]:
    """Return the selectors of all cells that a figure or claim speaks of."""
    return [row.cell] if hasattr(row, "cell") else [*row.cells, *row.over, *row.under]


def known_keys(cell: Cell) -> list[str]:
    """Return the history keys that runs of a cell have: losses, metrics and rates, also of held-out parts."""
    config: TrainingConfig = cell.setting.config
    rules = [key for spec in config.stopping for key in stopping_rule(spec).needs]
    names = ["loss", "accuracy", "mae", *config.metrics, *(record_key(key) for key in rules)]
    plain = list(dict.fromkeys(name.removeprefix("validation_") for name in names))
    source = load(cell.setting.source)
    held_out = bool(getattr(source, "held_out", 0)) or source.name == "mnist"
    parts = [""] + [part for part in PARTS if held_out or getattr(config, part.rstrip("_")) > 0]
    return [f"{part}{name}" for part in parts for name in plain] + ["learning_rate", "running_loss"]
