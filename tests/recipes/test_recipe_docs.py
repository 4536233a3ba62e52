"""docs/recipes.md is true: its recipes load, its commands and its Python run, and errors read as it shows them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chainrule.errors import RecipeError
from chainrule.experiments import expand, parse_recipe

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
DATA = '[data]\nsource = "xor"\n'


def blocks(language: str) -> list[str]:
    return [body for name, body in BLOCKS if name == language]


def test_recipes_on_the_page_load() -> None:
    recipes = [body for body in blocks("toml") if "[data]" in body]
    assert [len(expand(parse_recipe(body))) for body in recipes] == [1, 12, 3]


def test_axis_forms_in_the_table_work() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| (list|even|log|a part)", line)]
    written = [form for row in rows for form in re.findall(r"`(\"[^`]+ = [^`]+)`", row)]
    assert len(written) == 8
    for form in written:
        text = f'[data]\nsource = "moons"\n[training]\noptimizer = "momentum"\n[axes]\n{form}\n'
        assert len(expand(parse_recipe(text))) > 1, form


def test_commands_on_the_page_work(cli: Callable[..., Any]) -> None:
    for block in blocks("console"):
        for line in block.splitlines():
            assert line.startswith("$ chainrule ")
            assert cli(*shlex.split(line[len("$ chainrule ") :])).status == 0, line


def test_python_on_the_page_works(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks("python")
    exec(compile(example, "recipes.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "['learning_rate=0.1', 'learning_rate=1.0', 'learning_rate=10.0']",
        "3",
    ]


MISTAKES = [
    DATA + "[training]\nlr = 0.1",
    DATA + "[axes]\ntraining.learning_rate = [0.1, 1.0, 0.1]",
    DATA + "[axes]\ntraining.optimizer = ['sgd', 'momentum']\ntraining.optimizer.beta = [0.5]",
    DATA + "\n\n\n[training]\nlearning_rate = .1",
]


def test_messages_on_the_page_are_those_that_are_given() -> None:
    (shown,) = blocks("text")
    given = []
    for text in MISTAKES:
        quoted = text.replace("training.optimizer.beta", "'training.optimizer.beta'")
        quoted = quoted.replace("training.optimizer =", "'training.optimizer' =")
        with pytest.raises(RecipeError) as error:
            parse_recipe(quoted, "xor.toml")
        given.append(str(error.value))
    assert given == shown.splitlines()
