"""A small recipe: XOR, three optimizers at two learning rates, with a success rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

RECIPE = """
id = "opt"
title = "Optimizers on XOR"
section = "test"
[data]
source = "xor"
[network]
hidden = [4]
activation = "tanh"
[training]
loss = "binary_cross_entropy"
epochs = 60
log_every = 5
[axes]
"training.optimizer" = ["sgd", "momentum(0.9)", "adam"]
"training.learning_rate" = [0.03, 0.3]
[seeds]
count = 24
[success]
metric = "accuracy"
at_least = 0.99
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "opt.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write the recipe with parts of its text replaced."""

    def written(name: str, *changes: tuple[str, str], more: str = "") -> Path:
        text = RECIPE.replace('"opt"', f'"{name}"')
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / f"{name}.toml"
        path.write_text(text + more)
        return path

    return written
