"""`chainrule recipe`: new, check, show and schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.experiments.recipes.json_schema import recipe_schema

Cli = Callable[..., Any]

GRID = """
title = "Two optimizers"
about = "Which is better?"
seeds = 4
success = "accuracy >= 0.9"
[data]
source = "xor"
[network]
hidden = [4]
[training]
epochs = 30
loss = "binary_cross_entropy"
[axes]
"training.optimizer" = ["sgd", "momentum"]
"training.learning_rate" = { from = 0.001, to = 1.0, count = 20, log = true }
"training.optimizer.beta" = { values = [0.5, 0.9], only = { "training.optimizer" = "momentum" } }
[quick]
"training.epochs" = 5
[[questions]]
ask = "compare"
a = { "training.optimizer" = "sgd" }
b = { "training.optimizer" = "momentum" }
"""


def test_new_writes_a_recipe_that_checks_shows_and_is_not_overwritten(cli: Cli, tmp_path: Path) -> None:
    made = cli("recipe", "new")
    assert made.status == 0
    assert made.out.splitlines() == ["recipe.toml", "next: chainrule recipe show recipe.toml"]
    assert cli("recipe", "check", "recipe.toml").out == "recipe.toml: right; 9 cells, 10 seeds, 90 runs\n"
    text = (tmp_path / "recipe.toml").read_text(encoding="utf-8")
    again = cli("recipe", "new", "recipe.toml", "--data", "moons")
    assert again.status == 2
    assert again.err == ("error: 'recipe.toml' is there already: name another file, or replace it with --force\n")
    assert (tmp_path / "recipe.toml").read_text(encoding="utf-8") == text
    assert cli("recipe", "new", "recipe.toml", "--data", "moons", "--force", "--quiet").out == "recipe.toml\n"
    assert 'source = "moons"' in (tmp_path / "recipe.toml").read_text(encoding="utf-8")


def test_new_takes_a_table_and_refuses_what_is_none(cli: Cli, tmp_path: Path) -> None:
    table = "x,kind\n" + "".join(f"{k},{'ab'[k % 2]}\n" for k in range(80))
    (tmp_path / "t.csv").write_text(table, encoding="utf-8")
    assert cli("recipe", "new", "sub/t.toml", "--data", "t.csv?target=kind").status == 0
    assert cli("recipe", "check", "sub/t.toml").status == 0
    unknown = cli("recipe", "new", "x.toml", "--data", "mons")
    assert unknown.status == 2
    assert "did you mean 'moons'?" in unknown.err
    assert not (tmp_path / "x.toml").exists()
    folder = cli("recipe", "new", "sub")
    assert folder.status == 2
    assert "is a folder" in folder.err


def test_check_tells_a_line_for_each_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(GRID, encoding="utf-8")
    (tmp_path / "typo.toml").write_text(GRID.replace("hidden", "hiden"), encoding="utf-8")
    (tmp_path / "data.toml").write_text(GRID.replace("binary_", "softmax_"), encoding="utf-8")
    result = cli("recipe", "check", "good.toml", "typo.toml", "data.toml", "gone.toml")
    assert result.status == 2
    assert result.out == "good.toml: right; 60 cells, 4 seeds, 240 runs\n"
    lines = result.err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("error: typo.toml: network.hiden = [4]: unknown key 'network.hiden'")
    assert lines[1].startswith("error: data.toml: ")
    assert "softmax" in lines[1]
    assert lines[2].startswith("error: gone.toml: cannot read the recipe: there is no such file")
    told = cli("recipe", "check", "good.toml", "typo.toml", "--json")
    assert told.status == 2
    good, typo = told.json()["files"]
    assert (good["right"], good["cells"], good["runs"]) == (True, 60, 240)
    assert (typo["right"], told.err) == (False, "")


def test_show_tells_the_grid_and_an_estimate(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(GRID, encoding="utf-8")
    shown = cli("recipe", "show", "grid.toml")
    assert (shown.status, shown.err) == (0, "")
    for words in (
        "Two optimizers",
        "Which is better?",
        "0.001 to 1, 20 values, logarithmic",
        "optimizer = momentum",
        "22   optimizer=momentum, learning_rate=0.001, beta=0.9",
        "... and 30 more (--all lists them)",
        "60 cells x 4 seeds = 240 runs",
        "lanes (240 runs)",
        "an estimate",
        "iB in training",
        "questions   compare",
    ):
        assert words in shown.out, words
    assert "--all" not in cli("recipe", "show", "grid.toml", "--all", "--no-estimate").out
    fewer = cli("recipe", "show", "grid.toml", "--seeds", "100", "--quick", "--no-estimate", "--quiet").out
    assert "60 cells x 100 seeds = 6,000 runs" in fewer
    assert "estimate" not in fewer


def test_show_as_json(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(GRID, encoding="utf-8")
    told = cli("recipe", "show", "grid.toml", "--json").json()
    assert told["cells"] == len(told["grid"]) == 60
    assert told["seed_list"] == [0, 1, 2, 3]
    assert told["axes"][0]["keys"] == ["training.optimizer"]
    assert told["axes"][2]["only"] == {"training.optimizer": "momentum"}
    assert told["grid"][0]["place"] == {"training.optimizer": "sgd", "training.learning_rate": 0.001}
    assert told["questions"][0]["ask"] == "compare"
    assert told["estimate"]["runs"] == 240
    assert told["estimate"]["seconds"] > 0
    bare = cli("recipe", "show", "grid.toml", "--json", "--no-estimate").json()
    assert bare["estimate"]["seconds"] is None


def test_equal_settings_and_hopeless_cells_are_told(cli: Cli, tmp_path: Path) -> None:
    text = GRID.replace('["sgd", "momentum"]', '["sgd", "momentum", "momentum(0.9)"]')
    (tmp_path / "same.toml").write_text(text, encoding="utf-8")
    shown = cli("recipe", "show", "same.toml", "--no-estimate")
    assert "80 cells, 60 different settings x 4 seeds = 240 runs" in shown.out
    assert "'optimizer=momentum, learning_rate=0.001, beta=0.9' and" in shown.err.replace("\n", " ")
    (tmp_path / "bad.toml").write_text(GRID.replace("binary_", "softmax_"), encoding="utf-8")
    bad = cli("recipe", "show", "bad.toml")
    assert bad.status == 0
    assert "cannot be trained" in bad.err
    assert "55 further cells" in bad.err


def test_a_recipe_that_trains_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "later.toml").write_text('waits_for = "convolutions"\n', encoding="utf-8")
    assert cli("recipe", "check", "later.toml").out == "later.toml: right; it trains nothing\n"
    assert "trains nothing" in cli("recipe", "show", "later.toml").out
    assert cli("recipe", "show", "later.toml", "--json").json()["cells"] == 0


def test_schema_is_printed_or_written(cli: Cli, tmp_path: Path) -> None:
    assert json.loads(cli("recipe", "schema").out) == recipe_schema()
    assert cli("recipe", "schema", "--json").json() == recipe_schema()
    assert cli("recipe", "schema", "--out", "s.json").out == "s.json\n"
    assert json.loads((tmp_path / "s.json").read_text(encoding="utf-8")) == recipe_schema()


def test_mistakes_on_the_command_line(cli: Cli) -> None:
    for arguments, words in (
        (["recipe", "shw"], "unknown command 'shw'; did you mean 'show'?"),
        (["recipe", "show"], "FILE"),
        (["recipe", "check"], "FILE"),
        (["recipe", "show", "x.toml", "--sed", "3"], "did you mean '--seeds'?"),
        (["recipe", "show", "x.toml", "--seeds", "0"], "--seeds"),
        (["recipe", "show", "x.toml", "--engine", "warp"], "unknown engine 'warp'"),
        (["recipe", "show", "", "--no-estimate"], "no path"),
    ):
        result = cli(*arguments)
        assert result.status == 2
        assert words in result.err
        assert result.err.count("\n") == 1
        assert result.out == ""


def test_help_of_the_group(cli: Cli) -> None:
    told = cli("recipe")
    assert told.status == 0
    for name in ("new", "check", "show", "schema"):
        assert f"│ {name} " in told.out
