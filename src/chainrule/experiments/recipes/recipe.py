"""Reading a recipe: a TOML file that describes an experiment, checked whole before anything runs."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import ConfigError, RecipeError, one_line, show
from chainrule.experiments.recipes.axes import Axis
from chainrule.experiments.recipes.checks import check_rows, check_settings, known_keys, selectors_of
from chainrule.experiments.recipes.errors import complaint, first_of, toml_message
from chainrule.experiments.recipes.reading_axes import read_axes, read_zipped
from chainrule.experiments.recipes.settings import flatten
from chainrule.experiments.recipes.success import CONVERGED, parse_success

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe

__all__ = ["known_keys", "load_recipe", "parse_recipe", "selectors_of"]

MOST_BYTES = 4 * 2**20
"""A larger file is no recipe."""
DEEPEST = 10
"""Tables and lists in each other; deeper ones mean nothing to any key."""
LARGEST = 2**63
LONGEST = 1000
"""Characters of a message."""
NAME = "recipe"


def load_recipe(path: str | Path) -> Recipe:
    """Read and check a recipe.

    Every part it names is built, every cell of its grid is put together, and every figure, claim and question is
    looked up, so that a recipe that loads also runs.

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
    shown = one_line(file, 200)
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise RecipeError(f"{shown}: cannot read the recipe: there is no such file{_nearest_file(file)}") from None
    except IsADirectoryError:
        raise RecipeError(f"{shown}: cannot read the recipe: this is a folder; name a file in it") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise RecipeError(f"{shown}: cannot read the recipe: {one_line(why)}") from None
    if len(data) > MOST_BYTES:
        raise RecipeError(f"{shown}: too large for a recipe: at most {MOST_BYTES >> 20} MiB are read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        what = "a binary file" if b"\0" in data[:4096] else "not a UTF-8 text file"
        raise RecipeError(f"{shown}: {what}, no recipe (UTF-8 text in TOML)") from None
    return parse_recipe(text, str(file))


def _nearest_file(file: Path) -> str:
    """Suggest a recipe of about that name in the same folder."""
    try:
        names = [other.name for other in file.parent.glob("*.toml")][:1000]
    except (OSError, ValueError):
        return ""
    near = difflib.get_close_matches(file.name, names, n=1, cutoff=0.5)
    return f"; did you mean '{one_line(file.parent / near[0], 200)}'?" if near else ""


def parse_recipe(text: str | Mapping[str, Any], file: str = NAME) -> Recipe:
    """Check a recipe given as TOML text, or as the tables that such a text stands for.

    Parameters
    ----------
    text : str or mapping
        The text of a recipe file, or a dict such as ``{"data": {"source": "xor"}, "axes": {...}}``.
    file : str
        Names it in messages, and gives the recipe its id if it has none.

    Raises
    ------
    RecipeError
        As `load_recipe`.
    """
    shown = one_line(file, 200)
    table: Any = text
    if isinstance(text, str):
        try:
            table = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise RecipeError(f"{shown}: {toml_message(error, text)}") from None
    elif not isinstance(text, Mapping):
        raise RecipeError(f"{shown}: a recipe is TOML text or a dict of tables, not {show(text)}")
    try:
        recipe = _validate(_normal_form(_plain(table)), file)
        if recipe.trains:
            check_settings(recipe)
        check_rows(recipe)
    except ConfigError as error:  # a key may hold any character
        raise RecipeError(f"{shown}: {one_line(error, LONGEST)}") from None
    return recipe


def _plain(value: Any, path: str = "", depth: int = 0) -> Any:
    """Return a value as TOML's own types, or refuse what no key of a recipe takes: dates, objects, endless numbers."""
    where = f"{path}: " if path else ""
    if depth > DEEPEST:
        raise ConfigError(f"{where}tables and lists lie more than {DEEPEST} deep in each other")
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if abs(value) >= LARGEST:
            raise ConfigError(f"{where}the number {show(value, 30)} is too large")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {_key(key, path): _plain(item, f"{path}.{one_line(key)}" if path else one_line(key), depth + 1)
                for key, item in value.items() if item is not None}  # fmt: skip
    if isinstance(value, list | tuple | range | Axis):
        return [_plain(item, f"{path}[{number}]", depth + 1) for number, item in enumerate(value)]
    raise ConfigError(f"{where}{one_line(value)} is a {type(value).__name__}, which no key of a recipe takes")


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise ConfigError(f"{path or NAME}: keys are texts, got {show(key)}")
    return key


def _normal_form(table: Mapping[str, Any]) -> dict[str, Any]:
    """Write settings with dotted keys however the recipe nests them, and short forms at length."""
    table = dict(table)
    table.pop("file", None)
    if (seeds := table.get("seeds")) is not None and not isinstance(seeds, Mapping):
        table["seeds"] = {"list": seeds} if isinstance(seeds, list) else {"count": seeds}
    if isinstance(table.get("success"), str):
        table["success"] = _success(table["success"])
    if isinstance(table.get("quick"), Mapping):
        table["quick"] = flatten(table["quick"])
    if "axes" in table:
        table["axes"] = read_axes(table["axes"])
    if "zipped" in table:
        table["zipped"] = read_zipped(table["zipped"])
    if isinstance(table.get("cases"), Mapping):
        table["cases"] = {key: flatten(v) if isinstance(v, Mapping) else v for key, v in table["cases"].items()}
    if isinstance(table.get("variants"), Mapping):
        table["variants"] = {key: _flat_selectors(variant) for key, variant in table["variants"].items()}
    for name in ("figures", "claims", "questions"):
        if isinstance(table.get(name), list):
            table[name] = [_flat_selectors(row) for row in table[name]]
    return table


def _flat_selectors(row: Any) -> Any:
    """Flatten the selectors and settings of a figure, a claim, a question or a variant."""
    if not isinstance(row, Mapping):
        return row
    row = dict(row)
    for name in ("cell", "only", "set", "a", "b"):
        if isinstance(row.get(name), Mapping):
            row[name] = flatten(row[name])
    for name in ("cells", "over", "under"):
        if isinstance(row.get(name), list):
            row[name] = [flatten(one) if isinstance(one, Mapping) else one for one in row[name]]
    return row


def _success(text: str) -> dict[str, Any] | None:
    """Read ``accuracy >= 0.99``; ``converged``, that a stopping rule held, is what counts if there is no rule."""
    try:
        rule = parse_success(text)
    except ConfigError as error:
        raise ConfigError(f"success: {error}") from None
    if rule.key == CONVERGED:
        return None
    return {"metric": rule.key, "at_least" if rule.at_least else "at_most": rule.bound}


def _validate(table: dict[str, Any], file: str) -> Recipe:
    """Let pydantic check tables, keys and types; its first complaint becomes our one line."""
    import pydantic

    from chainrule.experiments.recipes.schema import Recipe

    name = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(one_line(file, 200)).stem).strip("-")[:40] or NAME
    named = {"id": name} | table
    if "title" not in named and isinstance(named["id"], str):
        named["title"] = named["id"]
    try:
        return Recipe.model_validate(named | {"file": file})
    except pydantic.ValidationError as error:
        raise ConfigError(complaint(first_of(error))) from None
    except (OverflowError, RecursionError) as error:
        raise ConfigError(one_line(error)) from None
