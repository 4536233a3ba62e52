"""Recipes: what a good one becomes, and that every mistake gives one line that names it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import RecipeError
from chainrule.experiments import expand, find_cell, load_recipe, parse_recipe, seeds_of

GOOD = """
id = "X1"
title = "Two rates"
section = "replication"
report = "A"
about = "Nothing special."

figures = [
  { id = "X1.1", label = "loss", quantity = "loss@20", reported = "0.0550", cell = { case = "xor", "training.learning_rate" = 0.1 } },
  { id = "X1.2", label = "accuracy", quantity = "final accuracy", reported = "97.0", cell = { case = "linear", "training.learning_rate" = 1.0 }, as_written = "ascent", defect = "the sign is wrong" },
]
claims = [
  { id = "X1.3", label = "larger is better", kind = "order", quantity = "final loss", cells = [{ case = "xor", "training.learning_rate" = 1.0 }, { case = "xor", "training.learning_rate" = 0.1 }] },
]

[data]
source = "linear(n=50)"

[cases.linear]
"data.source" = "linear(n=50)"

[cases.xor]
"data.source" = "xor"

[axes]
"training.learning_rate" = [0.1, 1.0]

[network]
hidden = [3, 2]
activation = "sigmoid"
output = "sigmoid"

[training]
loss = "binary_cross_entropy"
epochs = 40
log_every = 10
stopping = ["loss_below(0.015, times=3)"]

[variants.ascent]
only = { case = "linear" }
set = { "training.optimizer" = "momentum_ascent" }

[seeds]
count = 7
quick = 2
first = 3

[quick]
"training.epochs" = 20

[success]
metric = "accuracy"
at_least = 0.9
"""  # noqa: E501


def test_a_good_recipe_becomes_cells() -> None:
    recipe = parse_recipe(GOOD)
    cells = expand(recipe)
    # two cases x two rates, and the variant where the case is linear
    assert len(cells) == 4 + 2
    assert [cell.variant for cell in cells].count("ascent") == 2
    assert len({cell.setting.key for cell in cells}) == 6
    chosen = find_cell(cells, {"case": "xor", "training.learning_rate": 1})
    assert chosen.setting.source == "xor"
    assert chosen.setting.config.learning_rate == 1.0
    assert [getattr(layer, "units", 0) for layer in chosen.setting.net.layers] == [3, 2, None]
    assert "learning_rate=1.0" in chosen.label
    assert seeds_of(recipe) == tuple(range(3, 10))
    assert seeds_of(recipe, quick=True) == (3, 4)
    assert seeds_of(recipe, count=2) == (3, 4)


def test_quick_settings_replace_and_full_length_is_remembered() -> None:
    cells = expand(parse_recipe(GOOD), quick=True)
    assert {cell.setting.config.epochs for cell in cells} == {20}
    assert {cell.full_epochs for cell in cells} == {40}


def test_a_variant_exists_only_where_it_is_meant_to() -> None:
    cells = expand(parse_recipe(GOOD))
    here = find_cell(cells, {"case": "linear", "training.learning_rate": 0.1}, "ascent")
    assert here.setting.config.optimizer == "momentum_ascent"
    elsewhere = find_cell(cells, {"case": "xor", "training.learning_rate": 0.1}, "ascent")
    assert elsewhere.variant is None


def test_cells_that_differ_in_the_rate_only_share_a_cohort() -> None:
    cells = [cell for cell in expand(parse_recipe(GOOD)) if cell.at({"case": "xor"})]
    assert len({cell.setting.cohort_key for cell in cells}) == 1
    assert len({cell.setting.key for cell in cells}) == 2


def test_equal_settings_have_equal_keys_however_they_are_written() -> None:
    plain = GOOD.replace('loss = "binary_cross_entropy"', 'loss = "binary_cross_entropy(scale=1.0)"')
    plain = plain.replace("epochs = 40", 'epochs = 40\nschedule = "constant"')
    keys = [[cell.setting.key for cell in expand(parse_recipe(text))] for text in (GOOD, plain)]
    assert keys[0] == keys[1]


def test_reported_numbers_keep_their_last_digit() -> None:
    loss, accuracy = parse_recipe(GOOD).figures
    assert (loss.value, loss.tolerance) == (0.055, 0.00005)
    assert (accuracy.value, accuracy.tolerance) == (97.0, 0.05)
    tiny = parse_recipe(GOOD.replace('"0.0550"', '"7.9244e-06"')).figures[0]
    assert tiny.value == 7.9244e-06
    assert tiny.tolerance == pytest.approx(0.5e-10)
    given_loosely = parse_recipe(GOOD.replace('"0.0550"', '"500", give_or_take = 50')).figures[0]
    assert given_loosely.tolerance == 50


MISTAKES = [
    ('title = "Two rates"', 'titel = "Two rates"', ["titel", "'title'"]),
    ('label = "accuracy", ', "", ["figures[1].label", "needed"]),
    ("log_every = 10", "log_evry = 10", ["training.log_evry", "'training.log_every'"]),
    ("epochs = 40", "epochs = -1", ["training.epochs", "-1", "from 0 to"]),
    ("epochs = 40", 'epochs = "many"', ["training.epochs", "'many'"]),
    ('activation = "sigmoid"', 'activation = "sigmod"', ["network.activation", "'sigmoid'"]),
    ("hidden = [3, 2]", "hiden = [3, 2]", ["network.hiden", "'network.hidden'"]),
    ("hidden = [3, 2]", "hidden = [3, 0]", ["network.hidden", "0"]),
    ('source = "linear(n=50)"', 'source = "linaer(n=50)"', ["data.source", "'linear'"]),
    ('"data.source" = "xor"', '"data.source" = "xxor"', ["cases.xor.data.source", "'xor'"]),
    ('"momentum_ascent"', '"momentum_asc"', ["variants.ascent.set.training.optimizer", "'momentum_ascent'"]),
    ("[0.1, 1.0]", "[0.1, -1.0]", ["axes.training.learning_rate[1]", "-1"]),
    ("[0.1, 1.0]", "[]", ["axes.training.learning_rate", "empty"]),
    ('"loss@20"', '"loss@25"', ["figures[0]", "25", "log_every"]),
    ('"loss@20"', '"loss@400"', ["figures[0]", "400", "training.epochs = 40"]),
    ('"loss@20"', '"los@20"', ["figures[0]", "'loss'"]),
    ('"loss@20"', '"the loss"', ["figures[0]", "cannot read quantity"]),
    ('"loss@20"', '"validation_loss@20"', ["figures[0]", "validation_loss"]),
    ('"loss@20"', '"tolerance_accuracy(-1)@20"', ["figures[0]", "tol"]),
    ('"loss@20"', '"windows(10)@0..20"', ["figures[0]", "many values"]),
    ('case = "xor", "training.learning_rate" = 0.1 } }', 'case = "xro", "training.learning_rate" = 0.1 } }', ["xro"]),
    ('case = "xor", "training.learning_rate" = 0.1 } }', 'case = "xor" } }', ["2 cells"]),
    ('as_written = "ascent"', 'as_written = "descent"', ["figures[1]", "'ascent'"]),
    (', defect = "the sign is wrong"', "", ["figures[1]", "as_written and defect"]),
    ('id = "X1.2"', 'id = "X1.1"', ["X1.1", "twice"]),
    ('reported = "97.0"', 'reported = "many"', ["figures[1].reported", "many"]),
    ('kind = "order"', 'kind = "ordre"', ["claims[0].kind", "ordre", "order"]),
    ('kind = "order"', 'kind = "share"', ["claims[0]", "cells"]),
    ('loss = "binary_cross_entropy"', 'loss = "softmax_cross_entropy"', ["softmax"]),
    ("at_least = 0.9", "", ["success", "at_least"]),
    ('metric = "accuracy"', 'metric = "acuracy"', ["success.metric", "'accuracy'"]),
    ('"training.epochs" = 20', '"training.learning_rate" = 20', ["quick.training.learning_rate", "axis"]),
    ('"training.epochs" = 20', '"training.epoch" = 20', ["quick.training.epoch", "'training.epochs'"]),
    ("count = 7", "count = 0", ["seeds.count", "0"]),
    ("[seeds]", "[sedes]", ["sedes", "'seeds'"]),
    ("[seeds]", "[seeds", ["TOML"]),
]


@pytest.mark.parametrize(("old", "new", "told"), MISTAKES)
def test_each_mistake_is_one_line_that_names_it(old: str, new: str, told: list[str]) -> None:
    assert old in GOOD
    with pytest.raises(RecipeError) as error:
        parse_recipe(GOOD.replace(old, new), "x1.toml")
    message = str(error.value)
    assert message.startswith("x1.toml: ")
    assert "\n" not in message
    for word in told:
        assert word in message


def test_recipes_without_data_train_nothing() -> None:
    waiting = parse_recipe('id = "X"\ntitle = "t"\nsection = "s"\nwaits_for = "a later day"\n')
    assert expand(waiting) == []
    with pytest.raises(RecipeError, match="exactly one"):
        parse_recipe('id = "X"\ntitle = "t"\nsection = "s"\n')


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"missing\.toml: cannot read"):
        load_recipe(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="UTF-8"):
        load_recipe(tmp_path / "binary.toml")
    (tmp_path / "good.toml").write_text(GOOD, encoding="utf-8")
    assert load_recipe(tmp_path / "good.toml").file == str(tmp_path / "good.toml")


def test_a_grid_beyond_all_measure_is_refused() -> None:
    text = GOOD.replace("[0.1, 1.0]", "{ from = 1, to = 30_000, step = 1 }")
    with pytest.raises(RecipeError, match="60,000 cells or more; at most 50,000"):
        parse_recipe(text)


LINES = GOOD.splitlines()
VALUES = st.one_of(
    st.sampled_from(
        ["nan", "inf", "-1", "1e999", "[]", "{}", '""', "true", "1979-05-27", "10000000000000000000000", "[[1]]", "0.5"]
    ),
    st.integers().map(str),
    st.floats().map(repr),
    st.text(max_size=12).map(lambda s: f'"{s}"'),
)


@given(line=st.integers(0, len(LINES) - 1), value=VALUES, how=st.sampled_from(["value", "line", "drop", "double"]))
def test_mutated_recipes_give_only_recipe_errors(line: int, value: str, how: str) -> None:
    lines = list(LINES)
    key = lines[line].partition("=")[0]
    lines[line : line + 1] = {
        "value": [f"{key}= {value}"],
        "line": [value],
        "drop": [],
        "double": [lines[line], lines[line]],
    }[how]
    message = ""
    try:
        parse_recipe("\n".join(lines), "fuzz.toml")
    except RecipeError as error:
        message = str(error)
    assert "\n" not in message


@given(text=st.text(max_size=60))
def test_any_text_gives_only_recipe_errors(text: str) -> None:
    with pytest.raises(RecipeError):
        parse_recipe(text, "fuzz.toml")


def test_importing_the_floor_does_not_import_pydantic() -> None:
    code = "import sys, chainrule.experiments; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_another_reading_is_trained_beside_but_not_in_the_quick_run() -> None:
    recipe = parse_recipe(GOOD.replace("[variants.ascent]", '[variants.ascent]\nreading = "uphill"'))
    plain = parse_recipe(GOOD)
    assert [cell.label for cell in expand(recipe)] == [cell.label for cell in expand(plain)]
    assert "ascent" in {cell.variant for cell in expand(plain, quick=True)}
    assert {cell.variant for cell in expand(recipe, quick=True)} == {None}


def test_rows_are_checked_in_every_other_reading() -> None:
    text = GOOD + '\n[variants.short]\nreading = "fewer epochs"\nset = { "training.epochs" = 1 }\n'
    with pytest.raises(RecipeError, match=r"beyond training\.epochs = 1"):
        parse_recipe(text)
