"""A JSON schema of recipe files, for editors that complete and check TOML while it is written.

It is made from the same models that read recipes, and knows no more than they do: which keys there are, of what type,
and what they mean. Whether a recipe can work is for `chainrule recipe check` to say.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from chainrule.experiments.recipes.settings import KNOWN_KEYS, PARTS, values_of_part
from chainrule.nn import Dense, mlp
from chainrule.population import TrainingConfig

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The dialect that editors' TOML plug-ins read."""

_TYPES: dict[str, Any] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "str": {"type": "string"},
    "int | str": {"type": ["integer", "string"]},
    "tuple[str, ...]": {"type": ["array", "string"], "items": {"type": "string"}},
    "Sequence[int]": {"type": ["array", "integer"], "items": {"type": "integer"}},
}


@cache
def schema_text() -> str:
    """Return the schema as text, ready to be saved as a file."""
    return json.dumps(recipe_schema(), indent=1, ensure_ascii=False) + "\n"


def recipe_schema() -> dict[str, Any]:
    """Return the schema of a recipe file (JSON Schema, draft 7)."""
    from chainrule.experiments.recipes.schema import AxisTable, Recipe

    made = Recipe.model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
    definitions = made.pop("$defs") | {"Axis": _plain(AxisTable.model_json_schema(by_alias=True))}
    top: dict[str, Any] = made["properties"]
    del top["file"]
    for table in ("network", "training"):
        top[table] = {"type": "object", "description": top[table]["description"], **_settings_table(table)}
    top["axes"] = {"type": "object", "description": top["axes"]["description"], **_axes_table()}
    zipped = {"type": "object", **_axes_table(also={"only": definitions["Axis"]["properties"]["only"]})}
    top["zipped"] = {"type": "array", "items": zipped, "description": top["zipped"]["description"]}
    top["seeds"] = {
        "description": top["seeds"]["description"],
        "anyOf": [{"$ref": "#/definitions/Seeds"}, {"type": "integer", "minimum": 1},
                  {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}],
    }  # fmt: skip
    rule = {"type": "string", "description": "A rule such as 'accuracy >= 0.99', or converged"}
    top["success"] = {"description": top["success"]["description"], "anyOf": [{"$ref": "#/definitions/Success"}, rule]}
    return {
        "$schema": DIALECT,
        "title": "chainrule recipe",
        "description": "An experiment: what is trained, what varies, from how many seeds, and what is asked.",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _plain(part) for name, part in top.items()},
        "definitions": {name: _plain(part) for name, part in definitions.items()},
    }


def _plain(part: Any) -> Any:
    """Leave out what only repeats the key's name, what only Python sees, and that a key may be none."""
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if not isinstance(part, Mapping):
        return part
    if isinstance(part.get("anyOf"), list):
        kept = [one for one in part["anyOf"] if one != {"type": "null"}]
        if len(kept) == 1:
            part = {key: value for key, value in part.items() if key != "anyOf"} | kept[0]
    cleaned: dict[str, Any] = {}
    for key, value in part.items():
        if key == "title" and isinstance(value, str):
            continue
        if key == "default" and value is None:
            continue
        if key == "prefixItems":  # a later dialect's name; what reads TOML as JSON turns inf into null
            cleaned["items"] = [_plain(one) | {"type": [one["type"], "null"]} for one in value]
            continue
        if key == "description" and "type" in part and "properties" in part:
            value = _first_sentence(value)
        cleaned[key] = {name: _plain(one) for name, one in value.items()} if key == "properties" else _plain(value)
    return cleaned


def _first_sentence(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split()).replace("`", "")


def _settings_table(table: str) -> dict[str, Any]:
    """Describe ``[network]`` or ``[training]``."""
    keys = {key: _setting(key) for key in KNOWN_KEYS if key.startswith(f"{table}.")}
    properties = {key.partition(".")[2]: value for key, value in keys.items()}
    return {"additionalProperties": False, "properties": properties}


def _axes_table(also: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Describe a table of axes: quoted keys with dots, or the same keys nested."""
    axis = {"anyOf": [{"type": "array", "minItems": 1}, {"$ref": "#/definitions/Axis"}]}
    properties: dict[str, Any] = {key: {"description": _about(key), **axis} for key in KNOWN_KEYS}
    for part in PARTS:
        for value in sorted(values_of_part(part)):
            properties[f"{part}.{value}"] = {"description": f"The value {value} of {part}", **axis}
    for table in ("data", "network", "training"):
        properties[table] = {"type": "object", "description": f"Axes of [{table}], without quotes"}
    return {"additionalProperties": False, "properties": properties | dict(also or {})}


def _setting(key: str) -> dict[str, Any]:
    """Describe one setting: its type, its meaning and its default."""
    table, _, name = key.partition(".")
    if table == "data" or key == "network.layers":
        return {"type": "string", "description": _about(key)}
    if table == "network":
        parameter = inspect.signature(mlp).parameters[name]
        kind, default = str(parameter.annotation), parameter.default
    else:
        kind, default = str(TrainingConfig.__dataclass_fields__[name].type), getattr(TrainingConfig(), name)
    described = dict(_TYPES.get(kind.removesuffix(" | None"), {}))
    if default is not None:
        described["default"] = list(default) if isinstance(default, tuple) else default
    if key in PARTS:
        names = ", ".join(sorted(PARTS[key]))
        described["type"] = ["string", "object"]  # a table holds the values of the part in use
        return {**described, "description": f"{_about(key)} Known: {names}. With values: name(0.9, key=value)."}
    return {**described, "description": _about(key)}


def _about(key: str) -> str:
    """Return what the docstring of its owner says of a key."""
    table, _, name = key.partition(".")
    if table == "data":
        return "A data set with its values, such as 'moons(n=200)', or a table: 'iris.csv?target=species'."
    if key == "network.layers":
        return "The whole network in words, such as 'conv 8 5, pool 2, dense 64', instead of hidden."
    return _parameters(table).get(name, name)


@cache
def _parameters(table: str) -> dict[str, str]:
    """Return what the NumPy-style docstrings say of the keys of a table."""
    if table == "network":
        return _described(Dense) | {
            name: about for name, about in _described(mlp).items() if not about.startswith("As Dense")
        }
    return _described(TrainingConfig)


def _described(owner: object) -> dict[str, str]:
    text = inspect.cleandoc(owner.__doc__ or "")
    found: dict[str, str] = {}
    for match in re.finditer(r"^(\w+(?:, \w+)*)(?: : .*)?\n((?:    .*\n?)+)", text.split("Raises\n")[0], re.MULTILINE):
        about = " ".join(match[2].split()).replace("`", "").replace("None takes", "If left out, it takes")
        found |= dict.fromkeys(match[1].split(", "), about)
    return found
