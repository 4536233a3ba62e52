"""`--where`, `--by` and `--success`: short names, what nothing stored has, and runs that no rule judges."""

from __future__ import annotations

import json

import pytest

from chainrule.experiments.running.tasks import make_tasks
from chainrule.experiments.store import Store
from tests.store.conftest import Cli, Pairs, setting_of, train


@pytest.mark.parametrize(
    ("choices", "n"),
    [
        (["learning_rate=0.1"], 6),
        (["learning_rate=1"], 6),
        (["learning_rate=0.1", "learning_rate=1.0"], 12),
        (["learning_rate=0.1", "source=xor", "hidden=[3]"], 6),
        (["hidden=[3]", "network.hidden=3"], 12),
        (["lr=1e-1", "shuffle=True", "batch=full"], 6),
    ],
)
def test_axes_are_chosen_by_their_last_part(filled: Cli, choices: list[str], n: int) -> None:
    where = [word for choice in choices for word in ("--where", choice)]
    (group,) = json.loads(filled("list", *where, "--json").out)["groups"]
    assert group["n"] == n
    assert len(json.loads(filled("list", "--runs", *where, "--json").out)["runs"]) == n
    assert filled("export", "some.csv", *where).out == f"some.csv\n{n} runs\n"


def test_groups_are_along_the_full_axis(filled: Cli) -> None:
    told = json.loads(filled("list", "--by", "learning_rate", "--by", "hidden", "--json").out)
    assert told["by"] == ["training.learning_rate", "network.hidden"]
    assert [list(group["place"].values()) for group in told["groups"]] == [[0.1, [3]], [1.0, [3]]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "learning_rate=0.9"], "has training.learning_rate=0.9; did you mean 1.0? (known: 0.1, 1.0)"),
        (["--where", "training.optimizer=adam"], "nothing stored has training.optimizer=adam (known: sgd)"),
        (["--where", "data.source=xr"], "nothing stored has data.source=xr; did you mean xor? (known: xor)"),
        (["--where", "network.hidden=5"], "nothing stored has network.hidden=5 (known: [3])"),
        (["--where", "network.hidden=[4]"], "nothing stored has network.hidden=[4]; did you mean [3]? (known: [3])"),
        (["--where", "batch=fall"], "nothing stored has training.batch_size=fall; did you mean full? (known: full)"),
        (["--where", "zzz=0.1"], "unknown axis 'zzz' (known: data.{fingerprint"),
        (["--by", "learnin_rat"], "unknown axis 'learnin_rat'; did you mean 'training.learning_rate'?"),
        (["--by", "=3"], "unknown axis '=3' (known: data.{"),
        (["--where", "=3"], "unknown axis '' (known: data.{fingerprint, source}, network.{activation, "),
        (["--where", "seed=3"], "'seed' is a value of runs: write 'seed<=NUMBER' or 'seed>=NUMBER'"),
        (["--by", "loss"], "'loss' is a value of runs: write 'loss<=NUMBER' or 'loss>=NUMBER'; the axis is training."),
        (["--runs", "--where", "training.epochs<=3"], "training.epochs is an axis; write training.epochs=VALUE"),
        (["--runs", "--where", "accurcy>=1"], "unknown final value 'accurcy'; did you mean 'accuracy'? (known: "),
    ],
)
def test_what_nothing_has_is_named_in_one_line(filled: Cli, arguments: list[str], message: str) -> None:
    result = filled("list", *arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert message in result.err
    assert not result.err.endswith("...\n")  # it is told to its end


def test_places_without_runs_are_told(filled: Cli, plain: Pairs) -> None:
    with Store.open("chainrule.db") as store:
        store.save(train(make_tasks([(setting_of(learning_rate=7.0, hidden=(2,)), range(2))])))
    apart = ("--where", "learning_rate=7.0", "--where", "hidden=[3]")
    assert filled("list", *apart).out == "no runs lie there; chainrule.db has 14 runs\n"
    assert filled("list", "--runs", *apart).out == "no runs are so; chainrule.db has 14 runs\n"
    assert filled("list", "--runs", "--where", "loss<=-1").out == "no runs are so; chainrule.db has 14 runs\n"


def test_an_empty_store_has_no_unknown_axis(cli: Cli) -> None:
    Store.open("chainrule.db").close()
    for arguments in (["--by", "hidden"], ["--where", "hidden=[3]"], ["--success", "accuracy>=1"]):
        result = cli("list", *arguments)
        assert (result.status, result.out) == (0, "no runs lie there; chainrule.db has 0 runs\n")
    assert cli("list", "--runs").out == "no runs are so; chainrule.db has 0 runs\n"


def test_runs_that_no_rule_judges_have_no_rate(filled: Cli, plain: Pairs) -> None:
    shown = filled("list").out
    assert shown.count("no rule\n") + shown.count("no rule \n") == 2
    assert "give --success, as 'accuracy>=0.99'" in shown
    assert "0.0 %" not in shown
    with Store.open("chainrule.db") as store:
        stopping = setting_of(learning_rate=1.0, stopping="loss_below(10)")
        store.save(train(make_tasks([(stopping, range(5))])))
    told = json.loads(filled("list", "--by", "learning_rate", "--json").out)["groups"]
    assert [(group["n"], group["judged"], group["successes"], group["rate"]) for group in told] == [
        (6, 0, 0, None),
        (11, 5, 5, 1.0),
    ]
    shown = filled("list", "--by", "learning_rate").out
    assert "no rule: no stopping rule says what success is" in shown
    assert "12 runs without it are left out of the rates" in shown
    shown = filled("list", "--success", "accuracy>=0").out
    assert "100.0 %" in shown
    assert "no rule" not in shown
    assert [row["can_converge"] for row in json.loads(filled("list", "--json").out)["listed"]] == [False, False, True]


def test_settings_without_the_value_of_a_rule_have_no_rate(filled: Cli, plain: Pairs) -> None:
    with Store.open("chainrule.db") as store:
        store.save(train(make_tasks([(setting_of(learning_rate=1.0, validation=0.25), range(3))])))
    shown = filled("list", "--by", "validation", "--success", "validation_accuracy>=0").out
    assert [line.split()[:4] for line in shown.splitlines() if line.lstrip().startswith("0 ")] == [
        ["0", "12", "no", "value"]
    ]
    assert "no value: the settings do not record what validation_accuracy>=0 asks for" in shown
    assert "12 runs without it are left out of the rates" in " ".join(shown.split())
    assert "100.0 %" in shown
    assert "0.0 %" not in shown.replace("100.0 %", "")
