"""The published JSON schema is the one the code makes, takes every recipe there is, and refuses what recipes refuse."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import chainrule.lab
from chainrule.data import load
from chainrule.experiments.recipes.json_schema import recipe_schema, schema_text
from chainrule.experiments.recipes.settings import KNOWN_KEYS
from chainrule.experiments.recipes.starter import starter_text

ROOT = Path(__file__).parents[2]
LAB = Path(chainrule.lab.__file__).parent / "recipes"
SCHEMA = recipe_schema()
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
KEYWORDS = {
    "$ref", "$schema", "additionalProperties", "anyOf", "const", "default", "definitions", "description", "enum",
    "exclusiveMaximum", "exclusiveMinimum", "items", "maxItems", "maxLength", "maximum", "minItems", "minLength",
    "minimum", "pattern", "properties", "required", "title", "type",
}  # fmt: skip


def wrong(value: Any, schema: Any, path: str = "") -> list[str]:
    """Validate as draft 7 says, for the keywords that the schema uses: another reading of it than pydantic's."""
    if schema is True:
        return []
    assert set(schema) <= KEYWORDS, set(schema) - KEYWORDS
    if "$ref" in schema:
        return wrong(value, SCHEMA["definitions"][schema["$ref"].removeprefix("#/definitions/")], path)
    if "anyOf" in schema and all(wrong(value, one, path) for one in schema["anyOf"]):
        return [f"{path}: fits none of {len(schema['anyOf'])} forms"]
    types = schema.get("type", [])
    names = [types] if isinstance(types, str) else types
    is_bool = isinstance(value, bool)
    if names and not any(isinstance(value, TYPES[name]) and (not is_bool or name == "boolean") for name in names):
        return [f"{path}: {value!r} is no {types}"]
    found = [f"{path}: {value!r}" for bad in _bounds(value, schema) if bad]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{path}: {key} is missing" for key in schema.get("required", []) if key not in value]
        for key, item in value.items():
            rest = schema.get("additionalProperties", True)
            if key not in known and rest is False:
                found.append(f"{path}.{key} is unknown")
            else:
                found += wrong(item, known.get(key, rest), f"{path}.{key}")
    if isinstance(value, list):
        items = schema.get("items", True)
        each = items if isinstance(items, list) else [items] * len(value)
        found += [
            one
            for k, (item, rule) in enumerate(zip(value, each, strict=True))
            for one in wrong(item, rule, f"{path}[{k}]")
        ]
    return found


def _bounds(value: Any, schema: dict[str, Any]) -> list[bool]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text, sized = isinstance(value, str), isinstance(value, list)
    return [
        "enum" in schema and value not in schema["enum"],
        "const" in schema and value != schema["const"],
        number and value < schema.get("minimum", value),
        number and value > schema.get("maximum", value),
        number and "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"],
        number and "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"],
        text and not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)),
        text and "pattern" in schema and not re.search(schema["pattern"], value),
        sized and not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)),
    ]


def test_the_published_file_is_the_schema() -> None:
    """Write it anew with: chainrule recipe schema --out docs/recipe.schema.json"""
    assert (ROOT / "docs" / "recipe.schema.json").read_text(encoding="utf-8") == schema_text()


def test_every_recipe_of_the_lab_fits() -> None:
    files = sorted(LAB.rglob("*.toml"))
    assert len(files) == 65
    for file in files:
        assert wrong(tomllib.loads(file.read_text(encoding="utf-8")), SCHEMA, file.name) == []


@pytest.mark.parametrize("name", ["xor", "curve", "digits"])
def test_starters_fit_with_all_their_examples(name: str) -> None:
    text = starter_text(load(name))
    assert wrong(tomllib.loads(text), SCHEMA) == []
    everything = "\n".join(line[1:] if re.match(r"#[^ #]", line) else line for line in text.splitlines())
    blocks = everything.split("[[zipped]]")[0]  # what follows belongs to the example above it
    assert wrong(tomllib.loads(blocks), SCHEMA) == []


SHORT = [
    "seeds = 3",
    "seeds = [1, 2]",
    'success = "accuracy >= 0.9"',
    "[axes.training]\nlearning_rate = [0.1]",
    '[axes]\n"training.learning_rate" = { from = 0.1, to = 1.0, per_decade = 1 }',
    '[[zipped]]\n"network.l1" = [0.0]\n"network.l2" = [0.0]\nonly = { case = "a" }',
    "[training.optimizer]\nbeta = 0.5",
    "[network]\nhidden = 4",
]


@pytest.mark.parametrize("text", SHORT)
def test_short_forms_fit(text: str) -> None:
    assert wrong(tomllib.loads(text), SCHEMA) == []


WRONG = [
    ("sedes = 3", "sedes"),
    ("seeds = 0", "seeds"),
    ('seeds = "3"', "seeds"),
    ("[training]\nlr = 0.1", "training.lr"),
    ('[training]\nepochs = "3"', "training.epochs"),
    ("[data]\nsorce = 3", "data.sorce"),
    ("[axes]\nlr = [0.1]", "axes.lr"),
    ('[axes]\n"training.learning_rate" = 0.1', "axes.training.learning_rate"),
    ('[axes]\n"training.learning_rate" = { from = 1, to = 2, cont = 3 }', "axes.training.learning_rate"),
    ('[[questions]]\nask = "compar"', "questions[0].ask"),
    ("[[questions]]\na = {}", "questions[0]: ask is missing"),
]


@pytest.mark.parametrize(("text", "where"), WRONG)
def test_mistakes_do_not_fit(text: str, where: str) -> None:
    found = wrong(tomllib.loads(text), SCHEMA)
    assert any(where in one for one in found), found


def test_every_setting_is_described() -> None:
    for key in KNOWN_KEYS:
        table, _, name = key.partition(".")
        properties = SCHEMA["properties"][table] if table != "data" else SCHEMA["definitions"]["Data"]
        about = properties["properties"][name]["description"]
        assert len(about) > 10, key
        assert "As Dense" not in about
