"""`chainrule store`: what it shows, what it writes, and one line for every mistake."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.experiments.store import Store
from chainrule.stats import success_rate
from tests.store.conftest import Cli, Pairs


def test_a_store_is_listed(filled: Cli, plain: Pairs) -> None:
    shown = filled("list")
    assert shown.status == 0
    for text in ("chainrule.db", "runs         12", "settings     2", "training.learning_rate (2 values)", "0.1", "1"):
        assert text in shown.out
    told = json.loads(filled("list", "--json").out)
    assert (told["runs"], told["settings"], told["axes"]) == (12, 2, {"training.learning_rate": 2})
    assert [row["training.learning_rate"] for row in told["listed"]] == [0.1, 1.0]
    assert sum(row["converged"] for row in told["listed"]) == sum(run.converged for _, run in plain)
    assert "1 of 2 settings; --limit shows more" in filled("list", "--limit", "1").out


def test_groups_have_rates_with_intervals(filled: Cli, plain: Pairs) -> None:
    told = json.loads(filled("list", "--by", "training.learning_rate", "--success", "loss<=0.25", "--json").out)
    for group in told["groups"]:
        own = [
            run for task, run in plain if task.setting.config.learning_rate == group["place"]["training.learning_rate"]
        ]
        rate = success_rate(sum(run.final["loss"] <= 0.25 for run in own), len(own))
        assert (group["rate"], group["low"], group["high"]) == (rate.rate, rate.low, rate.high)
        assert group["median"] == np.median([run.final["loss"] for run in own])
    shown = filled("list", "--by", "training.learning_rate", "--metric", "accuracy", "--success", "accuracy>=2").out
    for text in ("learning_rate", "95 % interval", "median accuracy", "0.0 % to 45.9 %"):
        assert text in shown
    only = json.loads(filled("list", "--where", "training.learning_rate=1.0", "--json").out)
    assert [group["n"] for group in only["groups"]] == [6]


def test_single_runs_are_shown(filled: Cli, plain: Pairs) -> None:
    told = json.loads(filled("list", "--runs", "--where", "seed>=4", "--where", "training.optimizer=sgd", "--json").out)
    assert [(row["learning_rate"], row["seed"]) for row in told["runs"]] == [(0.1, 4), (0.1, 5), (1.0, 4), (1.0, 5)]
    shown = filled("list", "--runs", "--limit", "3").out
    assert "the first 3; --limit shows more" in shown
    assert told["runs"][0]["layers"].startswith("dense ")
    assert "Dense(" not in shown  # networks are in words: one in full takes twenty lines of the table


def test_check_says_what_is_wrong(filled: Cli) -> None:
    assert filled("check").out == "chainrule.db: sound; 12 runs of 2 settings\n"
    with sqlite3.connect("chainrule.db") as connection:
        connection.execute("UPDATE runs SET seconds = seconds + 1 WHERE seed = 3")
    connection.close()
    found = filled("check")
    assert found.status == 1
    assert "the checksum of a run is wrong: series 1, seed 3" in found.out
    assert "not sound" in found.out
    told = json.loads(filled("check", "--json").out)
    assert (told["sound"], len(told["problems"]), told["runs"]) == (False, 2, 12)
    merged = filled("merge", "chainrule.db", "--store", "saved.db")
    assert merged.status == 1
    assert "2 runs could not be read, and were left out" in merged.out
    assert filled("check", "--store", "saved.db").out == "saved.db: sound; 10 runs of 2 settings\n"


def test_compact_export_and_merge(filled: Cli, plain: Pairs) -> None:
    assert "now" in filled("compact").out
    assert filled("export", "runs.csv", "--where", "seed<=1").out == "runs.csv\n4 runs\n"
    assert len(Path("runs.csv").read_text().splitlines()) == 5
    assert json.loads(filled("export", "runs.json", "--json").out) == {
        "command": "store export",
        "file": "runs.json",
        "runs": 12,
    }
    assert (
        filled("merge", "chainrule.db", "--store", "b.db").out
        == "chainrule.db: 12 runs added, 0 known\nb.db: 12 runs\n"
    )
    task, run = plain[0]
    with Store.open("c.db") as store:
        store.save([(task, replace(run, theta=run.theta * 2))])
    conflict = filled("merge", "b.db", "c.db", "--store", "chainrule.db", "--json")
    assert conflict.status == 1
    assert [len(part["conflicts"]) for part in json.loads(conflict.out)["merged"]] == [0, 1]
    assert "1 run had other numbers than here, and were left alone" in filled("merge", "c.db").out


def test_the_environment_names_the_store(filled: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    os.rename("chainrule.db", "named.db")
    monkeypatch.setenv("CHAINRULE_STORE", "named.db")
    assert filled("check").out.startswith("named.db: sound")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "--store", "none.db"], "there is no store at none.db"),
        (["compact", "--store", "none.db"], "there is no store at none.db"),
        (["check", "--store", "."], ". is a folder: name a file in it"),
        (["list", "--by", "training.learnin_rate"], "unknown axis 'training.learnin_rate'; did you mean"),
        (["list", "--metric", "lss", "--by", "data.source"], "unknown final value 'lss'; did you mean 'loss'"),
        (["list", "--success", "loss<1", "--by", "data.source"], "cannot read the rule 'loss<1'"),
        (["list", "--where", "loss<=1"], "chooses single runs: add --runs"),
        (["list", "--runs", "--by", "data.source"], "give one of the two"),
        (["list", "--store", "mysql://root:hush@there/x"], "begins with 'mysql://'"),
        (["list", "--store", "postgresql://me:hush@there:port/x"], "cannot be read (it is not shown"),
        (["list", "--store", "postgresql://me:hush@127.0.0.1:1/x"], "no connection to the store postgresql://me:***@"),
        (["export", "runs.xls"], "unknown format '.xls'"),
        (["export", "."], "is a folder"),
        (["merge", "none.db"], "there is no store at none.db"),
        (["merge", "chainrule.db", "none.db", "--store", "new.db"], "there is no store at none.db"),
        (["list", "--runs", "--success", "accuracy>=1"], "give one of the two"),
        (["list", "--store", "me:hush@there/x"], "cannot be read (it is not shown"),
        (["merge", "chainrule.db", "--store", "me:hush@there/x"], "cannot be read (it is not shown"),
        (["lst"], "unknown command 'lst'; did you mean 'list'?"),
        (["list", "--sucess", "x"], "no such option '--sucess'; did you mean '--success'?"),
        (["check", "--limit", "3"], "no such option '--limit'"),
    ],
)
def test_mistakes_get_one_line(filled: Cli, arguments: list[str], message: str) -> None:
    result = filled(*arguments)
    assert result.status == 2
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert message in result.err
    assert "hush" not in result.err + result.out
    assert result.out == ""
    assert [file.name for file in Path().iterdir()] == ["chainrule.db"]  # and nothing is made


def test_help_and_a_bare_command(cli: Cli) -> None:
    for arguments in ([], ["--help"], ["list", "--help"], ["merge", "--help"]):
        shown: Any = cli(*arguments)
        assert (shown.status, shown.err) == (0, "")
        assert "chainrule store" in shown.out
