"""Rows from hand-made runs: each verdict once, with the reason a reader gets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from chainrule.experiments import Cell, Results, expand, make_jobs, parse_recipe, run_jobs, seeds_of
from chainrule.experiments.recipes.schema import Recipe
from chainrule.lab.replication import ReplicationRow, replicate, replication_recipes, replication_work, verdict_counts
from chainrule.lab.replication_records import to_records
from chainrule.population import Member
from chainrule.report.records import ReplicationFigure, TableRecord
from chainrule.runs import Divergence, Run, Runs

HEAD = """
id = "T"
title = "Test"
section = "replication"
report = "A"
"""
BODY = """
[data]
source = "xor"
[network]
hidden = [2]
activation = "sigmoid"
output = "sigmoid"
[training]
loss = "binary_cross_entropy"
epochs = 100
log_every = 50
metrics = ["mse"]
[axes]
"training.learning_rate" = [0.1, 1.0]
[variants.wrong]
set = { "training.optimizer" = "momentum_ascent" }
[quick]
"training.epochs" = 50
"""
SLOW, FAST = '{ "training.learning_rate" = 0.1 }', '{ "training.learning_rate" = 1.0 }'


def recipe_with(*rows: str, kind: str = "figures") -> Recipe:
    return parse_recipe(f"{HEAD}{kind} = [\n" + "\n".join(f"  {row}," for row in rows) + "\n]\n" + BODY)


def figure(**values: Any) -> str:
    given = {"id": "T.1", "label": "a number", "quantity": "final loss"} | values
    return "{ " + ", ".join(f"{key} = {_toml(value)}" for key, value in given.items()) + " }"


def _toml(value: Any) -> str:
    return value if isinstance(value, str) and value.startswith(("{", "[")) else repr(value).replace("'", '"')


def fake_runs(cell: Cell, losses: Any, accuracies: Any = None, diverged: bool = False) -> Runs:
    """Return runs of a cell whose final loss and accuracy are given, one seed after the other."""
    runs = []
    network, config = cell.setting.net.bind(2, 1, "sigmoid"), cell.setting.config
    accuracies = [0.5] * len(losses) if accuracies is None else accuracies
    for seed, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True)):
        history = {
            "epoch": np.array([0, 50, 100]),
            "loss": np.array([1.0, 0.9, loss]),
            "mse": np.array([1.0, 0.9, loss]),
            "accuracy": np.array([0.5, 0.5, accuracy]),
        }
        broken = Divergence(60, "layer 1", "Z", "too large") if diverged else None
        runs.append(
            Run(
                Member(network, config, seed),
                "diverged" if diverged else "epochs",
                False,
                60 if diverged else config.epochs,
                {"loss": loss, "mse": loss, "accuracy": accuracy},
                history if not diverged else {name: column[:2] for name, column in history.items()},
                {},
                np.full(network.n_parameters, np.nan if diverged else 0.0),
                broken,
            )
        )
    return Runs(tuple(runs), cell.setting.source)


def results_of(recipe: Recipe, by_rate: dict[float, Any], **more: Any) -> Results:
    """Return results: final losses by learning rate for the plain cells, `wrong` for the variant's."""
    results = Results()
    for cell in expand(recipe):
        if cell.variant is None:
            values = by_rate[dict(cell.place)["training.learning_rate"]]
            made = fake_runs(cell, values, more.get("accuracies"), more.get("diverged", False))
        else:
            made = fake_runs(cell, more.get("wrong", by_rate[0.1]))
        results.runs[cell.setting.key] = made
    return results


def only(recipe: Recipe, results: Results, **more: Any) -> ReplicationRow:
    (row,) = replicate(results, [recipe], **more)
    return row


THIRTY = np.linspace(0.1, 0.3, 30)


@pytest.mark.parametrize(("reported", "verdict"), [("0.2", "typical"), ("0.05", "lucky"), ("0.35", "unlucky")])
def test_a_reported_loss(reported: str, verdict: str) -> None:
    recipe = recipe_with(figure(reported=reported, cell=SLOW))
    row = only(recipe, results_of(recipe, {0.1: THIRTY, 1.0: THIRTY}))
    assert row.verdict == verdict
    assert row.reported == reported
    assert row.value == float(reported)
    assert (row.n_seeds, row.unit) == (30, "")
    assert row.median == pytest.approx(0.2)
    assert row.low == pytest.approx(0.11)
    assert row.high == pytest.approx(0.29)
    assert "30 seeds" in row.why
    assert "learning_rate 0.1" in row.setting


def test_accuracies_are_in_per_cent_and_must_be_whole_counts() -> None:
    accuracies = [19 / 21, 20 / 21, 1.0] * 10
    losses = {0.1: THIRTY, 1.0: THIRTY}
    recipe = recipe_with(figure(quantity="final accuracy", reported="95.24", cell=SLOW))
    row = only(recipe, results_of(recipe, losses, accuracies=accuracies))
    assert (row.verdict, row.unit) == ("typical", "%")
    assert row.median == pytest.approx(100 * 20 / 21)
    recipe = recipe_with(figure(quantity="final accuracy", reported="94.0", cell=SLOW))
    row = only(recipe, results_of(recipe, losses, accuracies=accuracies))
    assert row.verdict == "cannot occur"
    assert "21 samples" in row.why


def test_a_declared_impossibility_needs_our_seeds_agreement() -> None:
    said = {"reported": "0.05", "cell": SLOW, "cannot_occur": "the loss has a floor"}
    recipe = recipe_with(figure(**said))
    row = only(recipe, results_of(recipe, {0.1: THIRTY, 1.0: THIRTY}))
    assert (row.verdict, row.why) == ("cannot occur", "the loss has a floor")
    seen = np.append(THIRTY[:-1], 0.05)
    assert only(recipe, results_of(recipe, {0.1: seen, 1.0: seen})).verdict == "lucky"


def test_a_defect_explains_what_the_correct_setting_does_not() -> None:
    said = {"reported": "0.9", "cell": SLOW, "as_written": "wrong", "defect": "the sign is wrong"}
    recipe = recipe_with(figure(**said))
    row = only(recipe, results_of(recipe, {0.1: THIRTY, 1.0: THIRTY}, wrong=np.linspace(0.8, 1.0, 30)))
    assert (row.verdict, row.why) == ("explained by a defect", "the sign is wrong")
    assert row.median == pytest.approx(0.2)
    assert row.as_written is not None
    assert (row.as_written.verdict, row.as_written.variant) == ("typical", "wrong")
    assert row.as_written.median == pytest.approx(0.9)
    row = only(recipe, results_of(recipe, {0.1: THIRTY, 1.0: THIRTY}, wrong=np.linspace(5, 6, 30)))
    assert row.verdict == "unlucky"


READING = '[variants.other]\nreading = "steps uphill"\nset = { "training.optimizer" = "momentum_ascent" }\n'


def with_reading(*rows: str, only: str = "") -> Recipe:
    body = BODY.replace('[variants.wrong]\nset = { "training.optimizer" = "momentum_ascent" }\n', READING + only)
    return parse_recipe(f"{HEAD}figures = [\n" + "\n".join(f"  {row}," for row in rows) + "\n]\n" + body)


def test_another_reading_stands_beside_but_does_not_change_the_verdict() -> None:
    recipe = with_reading(figure(reported="0.9", cell=SLOW))
    row = only(recipe, results_of(recipe, {0.1: THIRTY, 1.0: THIRTY}, wrong=np.linspace(0.8, 1.0, 30)))
    assert row.verdict == "unlucky"
    assert row.why.endswith("; another reading would make it typical: steps uphill")
    assert row.as_written is None
    (other,) = row.readings
    assert (other.verdict, other.variant) == ("typical", "other")
    assert other.setting.endswith("another reading: steps uphill")
    (table,) = (one for one in to_records([row]) if isinstance(one, TableRecord))
    assert [line[1] for line in table.rows][1] == "another reading: steps uphill"
    row = only(recipe, results_of(recipe, {0.1: THIRTY, 1.0: THIRTY}, wrong=np.linspace(5, 6, 30)))
    assert "another reading" not in row.why
    here = with_reading(figure(reported="0.9", cell=SLOW), only=f"only = {FAST}\n")
    assert only(here, results_of(here, {0.1: THIRTY, 1.0: THIRTY})).readings == ()


def test_what_was_fitted_is_told_apart() -> None:
    recipe = recipe_with(figure(reported="0.2", cell=SLOW, fitted="[true]").replace("[true]", "true"))
    row = only(recipe, results_of(recipe, {0.1: THIRTY, 1.0: THIRTY}))
    assert (row.verdict, row.told, row.fitted) == ("typical", "typical, fitted", True)
    assert verdict_counts([row]) == {"typical, fitted": 1}
    (table,) = (one for one in to_records([row]) if isinstance(one, TableRecord))
    assert "fitted: a value that the report does not state" in str(table.rows[0][-1])
    (picture,) = (one for one in to_records([row]) if isinstance(one, ReplicationFigure))
    assert picture.rows[0].label == "a number (fitted)"
    whole = parse_recipe(
        HEAD + "fitted = true\nfigures = [\n"
        f"  {figure(reported='0.9', cell=SLOW)},\n"
        f"  {figure(id='T.2', reported='0.2', cell=SLOW)},\n"
        f"  {figure(id='T.3', reported='0.2', cell=SLOW, fitted='[false]').replace('[false]', 'false')},\n]\n" + BODY
    )
    rows = replicate(results_of(whole, {0.1: THIRTY, 1.0: THIRTY}), [whole])
    assert [row.told for row in rows] == ["unlucky", "typical, fitted", "typical"]  # a misfit is no merit of fitting
    assert list(verdict_counts(rows)) == ["typical", "typical, fitted", "unlucky"]  # in order, whatever came first


def test_a_row_that_is_defined_otherwise_is_shown_without_a_verdict() -> None:
    recipe = recipe_with(figure(reported="0.9", cell=SLOW, no_verdict="other definition"))
    row = only(recipe, results_of(recipe, {0.1: THIRTY, 1.0: THIRTY}))
    assert (row.verdict, row.why) == ("no verdict", "other definition")
    assert row.median == pytest.approx(0.2)
    assert not row.judged


def test_shares_of_seeds_and_rows_not_run_stay_out_of_the_picture() -> None:
    recipe = recipe_with(
        figure(reported="nan", quantity="loss@100", cell=SLOW),
        figure(id="T.2", reported="0.2", cell=SLOW),
        figure(id="T.3", reported="0.2", cell=FAST),
    )
    results = results_of(recipe, {0.1: THIRTY, 1.0: THIRTY})
    fast = next(c for c in expand(recipe) if c.variant is None and dict(c.place)["training.learning_rate"] == 1.0)
    del results.runs[fast.setting.key]
    rows = replicate(results, [recipe])
    assert [row.verdict for row in rows] == ["unlucky", "typical", "not run"]
    figures = [one for one in to_records(rows) if isinstance(one, ReplicationFigure)]
    assert [row.id for one in figures for row in one.rows] == ["T.2"]
    (table,) = (one for one in to_records(rows) if isinstance(one, TableRecord))
    assert table.rows[0][2:4] == ("NaN", "0 % of seeds")


def test_the_range_of_few_seeds_is_called_so() -> None:
    recipe = recipe_with(figure(reported="0.2", cell=SLOW))
    row = only(recipe, results_of(recipe, {0.1: THIRTY, 1.0: THIRTY}), seeds=3)
    (table,) = (one for one in to_records([row]) if isinstance(one, TableRecord))
    assert str(table.rows[0][4]).endswith("(range)")
    assert "3 seeds are weak evidence" in str(table.rows[0][-1]) or "too few" in str(table.rows[0][-1])


def test_nan_losses_are_an_outcome() -> None:
    recipe = recipe_with(figure(reported="nan", quantity="loss@100", cell=SLOW))
    row = only(recipe, results_of(recipe, {0.1: THIRTY, 1.0: THIRTY}, diverged=True))
    assert (row.verdict, row.unit, row.median) == ("typical", "% of seeds", 100.0)
    row = only(recipe, results_of(recipe, {0.1: THIRTY, 1.0: THIRTY}))
    assert (row.verdict, row.median) == ("unlucky", 0.0)
    assert math.isnan(row.value or 0.0)


def test_an_overflowed_network_says_class_0() -> None:
    recipe = recipe_with(figure(quantity="accuracy@100", reported="52.38", cell=SLOW))
    row = only(recipe, results_of(recipe, {0.1: THIRTY, 1.0: THIRTY}, accuracies=[0.0] * 30, diverged=True))
    assert row.median == pytest.approx(100 * 11 / 21)  # 11 of the 21 xor points have label 0
    assert row.verdict == "typical"


CLAIMS = [
    ({"kind": "share", "cells": f"[{SLOW}]", "at_most": 0.2, "between": [0.3, 0.7]}, "typical", 50.0),
    ({"kind": "share", "cells": f"[{SLOW}]", "at_most": 0.2, "between": [0.4, 0.6]}, "no verdict", 50.0),
    ({"kind": "share", "cells": f"[{SLOW}]", "above": 0.2, "between": [0.9, 1.0]}, "lucky", 50.0),
    ({"kind": "share", "cells": f"[{SLOW}]", "below": 9.0, "between": [0.0, 0.1]}, "unlucky", 100.0),
    ({"kind": "order", "cells": f"[{FAST}, {SLOW}]"}, "typical", 100.0),
    ({"kind": "order", "cells": f"[{SLOW}, {FAST}]"}, "lucky", 0.0),
    ({"kind": "order", "cells": f"[{SLOW}, {FAST}]", "better": "higher"}, "typical", 100.0),
    ({"kind": "first", "cells": f"[{FAST}, {SLOW}]"}, "typical", 100.0),
    ({"kind": "ratio", "over": f"[{SLOW}]", "under": f"[{FAST}]", "between": [1.3, 3.0], "runs": 5}, "typical", 2.0),
    ({"kind": "ratio", "over": f"[{FAST}]", "under": f"[{SLOW}]", "between": [1.5, 3.0], "runs": 5}, "lucky", 0.5),
    ({"kind": "spread", "cells": f"[{SLOW}, {FAST}]", "between": [1.5, 3.0]}, "typical", 2.0),
]


@pytest.mark.parametrize(("said", "verdict", "median"), CLAIMS)
def test_each_kind_of_claim(said: dict[str, Any], verdict: str, median: float) -> None:
    recipe = recipe_with(figure(**said), kind="claims")
    row = only(recipe, results_of(recipe, {0.1: THIRTY, 1.0: THIRTY / 2}))
    assert row.verdict == verdict
    assert row.median == pytest.approx(median, rel=0.05)
    assert row.is_claim
    assert row.reported == ""


def test_rows_that_did_not_run_say_why() -> None:
    recipe = recipe_with(figure(reported="0.2", cell=SLOW))
    assert only(recipe, Results()).why == "not run"
    cell = expand(recipe)[0]
    assert only(recipe, Results(missing={cell.setting.key: "interrupted"})).why == "interrupted"
    row = only(recipe, Results(), quick=True)
    assert row.verdict == "not run"
    waiting = parse_recipe(
        f'{HEAD}waits_for = "convolution layers"\nfigures = [{figure(quantity="final accuracy", reported="38")}]\n'
    )
    assert only(waiting, Results()).why == "waits for convolution layers"


def test_a_quick_run_that_is_cut_short_is_not_taken_for_the_whole() -> None:
    recipe = recipe_with(
        figure(reported="0.2", cell=SLOW),
        figure(id="T.2", quantity="loss@50", reported="0.9", cell=SLOW),
    )
    results = Results()
    for cell in expand(recipe, quick=True):
        results.runs[cell.setting.key] = fake_runs(cell, [0.9, 0.9, 0.9, 0.9])
    final, early = replicate(results, [recipe], quick=True)
    assert final.verdict == "not run"
    assert "needs 100 epochs, had 50" in final.why
    assert early.verdict == "typical"


def test_only_the_recipes_seeds_are_used() -> None:
    recipe = recipe_with(figure(reported="0.2", cell=SLOW))
    results = results_of(recipe, {0.1: np.linspace(0, 1, 50), 1.0: np.linspace(0, 1, 50)})
    assert only(recipe, results).n_seeds == 30
    assert only(recipe, results, seeds=7).n_seeds == 7


def test_the_worked_example_is_exact() -> None:
    (recipe,) = (r for r in replication_recipes() if r.id == "E0")
    rows = replicate(Results(), [recipe])
    assert {row.verdict for row in rows} == {"typical"}
    assert verdict_counts(rows) == {"exact": 17}  # told apart: no seed enters
    assert not any(row.judged for row in rows)
    # h = sigmoid(2) in every hidden unit, outputs (1/2, 1/2): dV = h (-1/2, 1/2)
    half = 0.5 / (1 + math.exp(-2))
    assert [row.median for row in rows[:2]] == pytest.approx([-half, half])


def test_mnist_rows_say_when_it_is_not_at_hand(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    rows = replicate(Results(), data_dir=tmp_path)
    assert {row.why for row in rows if row.id.startswith("E7")} == {"MNIST is not at hand"}
    assert not [cell for cell, _ in replication_work(data_dir=tmp_path) if cell.setting.source == "mnist"]
    assert len(rows) == 209


def test_a_real_run_becomes_rows_and_records() -> None:
    recipes = [r for r in replication_recipes() if r.id in ("A1", "A6", "A7", "E0", "D8")]
    work = replication_work(recipes, quick=True)
    assert {len(seeds) for _, seeds in work} == {4}
    rows = replicate(run_jobs(make_jobs(work)), recipes, quick=True)
    counts = verdict_counts(rows)
    assert sum(counts.values()) == len(rows) == 15 + 2 + 3 + 17 + 1
    assert counts["not run"] == 1
    by_id = {row.id: row for row in rows}
    # the logits loss is finite in every seed; the textbook one is not in most
    assert by_id["A6.1"].median == 0.0
    written = by_id["A6.1"].as_written
    assert written is not None
    assert written.median is not None
    assert written.median >= 25.0
    records = to_records(rows)
    tables = [record for record in records if isinstance(record, TableRecord)]
    drawn = [row for record in records if isinstance(record, ReplicationFigure) for row in record.rows]
    beside = sum((row.as_written is not None) + len(row.readings) for row in rows)
    assert sum(len(table.rows) for table in tables) == len(rows) + beside
    assert {row.id for row in drawn} <= {row.id for row in rows if not row.is_claim and row.unit != "% of seeds"}
    assert not any(row.readings for row in rows)  # the quick run leaves other readings out
    assert len({record.id for record in records}) == len(records)


def test_quick_work_is_small() -> None:
    assert sum(job.cost for job in make_jobs(replication_work(quick=True))) < 60
    assert all(len(seeds_of(recipe, quick=True)) <= 4 for recipe in replication_recipes())
