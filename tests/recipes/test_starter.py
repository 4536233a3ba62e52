"""The recipe to start from is right for every data set, as are its examples, and it runs in seconds."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from chainrule.data import DATASETS, load
from chainrule.experiments import expand, parse_recipe, seeds_of
from chainrule.experiments.recipes.data_checks import check_with_data
from chainrule.experiments.recipes.starter import starter_text
from chainrule.experiments.running.obtain import obtain


@pytest.mark.parametrize("name", sorted(set(DATASETS) - {"mnist"}))
def test_the_starter_suits_the_data(name: str) -> None:
    recipe = parse_recipe(starter_text(load(name)), "recipe.toml")
    assert len(expand(recipe)) == 9
    assert check_with_data(recipe) == []
    assert recipe.id == "recipe"
    assert [question.ask for question in recipe.questions] == ["compare", "importance"]


def test_the_starter_suits_a_table(tmp_path: Path) -> None:
    table = tmp_path / "flowers, 2 kinds.csv"
    table.write_text("a,b,kind\n" + "".join(f"{k},{k % 7},{'xy'[k > 30]}\n" for k in range(60)), encoding="utf-8")
    source = load(f"{table}?target=kind")
    recipe = parse_recipe(starter_text(source))
    assert check_with_data(recipe) == []
    assert recipe.training["loss"] == "binary_cross_entropy"
    assert recipe.training["validation"] == 0.2
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("a,y\n" + "".join(f"{k},{k * 10.5}\n" for k in range(60)), encoding="utf-8")
    rule = parse_recipe(starter_text(load(f"{numbers}?target=y"))).success
    assert rule is not None
    variance = 10.5**2 * (60**2 - 1) / 12  # of 0, 10.5, 21, ...
    assert rule.metric == "validation_loss"
    assert rule.at_most == pytest.approx(0.2 * variance, rel=0.05)


def test_every_example_can_be_put_to_use() -> None:
    """A block of lines that begin with # and no blank is an example; without its # it is a recipe still."""
    lines = starter_text(load("xor")).splitlines()
    blocks: list[list[int]] = []
    for number, line in enumerate(lines):
        if line.startswith("#") and line[1:2] not in ("", " "):
            together = blocks and blocks[-1][-1] == number - 1 and lines[blocks[-1][0]].startswith("#[[")
            blocks[-1].append(number) if together else blocks.append([number])
    assert len(blocks) >= 10
    plain = {cell.setting.key for cell in expand(parse_recipe("\n".join(lines)))}
    for block in blocks:
        changed = [line[1:] if number in block else line for number, line in enumerate(lines)]
        recipe = parse_recipe("\n".join(changed))
        assert check_with_data(recipe) == []
        about_text = lines[block[0]].startswith(("#title", "#about"))
        assert about_text == ({cell.setting.key for cell in expand(recipe)} == plain), lines[block[0]]


@pytest.mark.parametrize("name", ["xor", "curve"])
def test_the_starter_runs_in_seconds(name: str) -> None:
    recipe = parse_recipe(starter_text(load(name)))
    started = time.perf_counter()
    obtained = obtain([(cell.setting, seeds_of(recipe)) for cell in expand(recipe)])
    assert time.perf_counter() - started < 20  # 2 s with kernels loaded
    assert obtained.computed == 90
    assert obtained.missing == {}
