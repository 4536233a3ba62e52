"""Successive halving: what it keeps, and whether its report tells the truth about what it gave up."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from chainrule import Runs, train
from chainrule.errors import ConfigError
from chainrule.experiments.recipes.grid import Setting
from chainrule.experiments.recipes.scores import quantity_of, score_of
from chainrule.experiments.sweeps.experiment import Experiment
from chainrule.experiments.sweeps.halving import Halving, shortened
from chainrule.experiments.sweeps.halving_report import HalvingReport
from chainrule.experiments.sweeps.result import SweepResult
from chainrule.stats import success_rate
from tests.sweeps.conftest import SUCCESS, Memory, make_experiment, same

RATES = (0.01, 0.05, 0.1, 0.3, 1.0, 3.0, 5.0, 8.0, 20.0)


def experiment(**changes: object) -> Experiment:
    return make_experiment(**({"rates": RATES, "optimizers": ("sgd",), "epochs": 40} | changes))  # type: ignore[arg-type]


def trained(setting: Setting, divisor: int) -> Runs:
    short = shortened(setting, divisor)
    return train(short.net, short.source, short.config, seeds=5)


def report_of(result: SweepResult) -> HalvingReport:
    assert result.halving is not None
    return result.halving


def test_epochs_are_shortened_and_rounded_up() -> None:
    setting = experiment().cells()[0].setting
    assert [shortened(setting, divisor).config.epochs for divisor in (1, 3, 9, 100)] == [40, 14, 5, 1]
    assert shortened(setting, 1) is setting


def test_each_rung_keeps_the_best_third_on_the_same_seeds(memory: Memory) -> None:
    one = experiment()
    result = one.run(store=memory, halving=Halving(eta=3, rungs=3, check=0.0), fresh=0)
    assert [(rung.cells, rung.kept) for rung in report_of(result).rungs] == [(9, 3), (3, 1), (1, 1)]
    # by hand: score all cells at five epochs, the best three at fourteen
    settings = [cell.setting for cell in one.cells()]
    quantity = quantity_of(one.recipe, settings)

    def scores(which: list[int], divisor: int) -> dict[int, float]:
        return {k: score_of(one.recipe, trained(settings[k], divisor), quantity) for k in which}

    first = scores(list(range(9)), 9)
    three = sorted(first, key=lambda k: -first[k])[:3]
    second = scores(three, 3)
    winner = max(second, key=lambda k: second[k])
    assert [k for k, cell in enumerate(result) if cell.pruned_after is None] == [winner]
    assert sorted({cell.pruned_after for cell in result if cell.pruned_after}) == [5, 14]
    assert {k for k, cell in enumerate(result) if cell.pruned_after == 14} == set(three) - {winner}
    for k, cell in enumerate(result):
        divisor = {5: 9, 14: 3, None: 1}[cell.pruned_after]
        assert all(same(a, b) for a, b in zip(cell.runs, trained(settings[k], divisor), strict=True))


@pytest.mark.parametrize("more", [SUCCESS, ""])
def test_with_every_cell_checked_the_report_is_the_whole_truth(memory: Memory, more: str) -> None:
    one = experiment(more=more, epochs=60)
    whole = one.run(store=memory, fresh=0)
    halved = one.run(store=memory, halving=Halving(eta=3, rungs=3, check=1.0), fresh=0)
    report = report_of(halved)
    assert report.checked == report.pruned == 8
    assert all(cell.pruned_after is None for cell in halved)  # all were trained to the end
    assert all(same(a, b) for x, y in zip(whole, halved, strict=True) for a, b in zip(x.runs, y.runs, strict=True))
    quantity = quantity_of(one.recipe, [cell.cell.setting for cell in whole])
    scores = [score_of(one.recipe, cell.runs, quantity) for cell in whole]
    kept = next(
        k for k, cell in enumerate(one.run(store=memory, halving=Halving(check=0.0), fresh=0)) if not cell.pruned_after
    )
    beaten = sum(score > scores[kept] for score in scores)
    assert report.beaten == success_rate(beaten, 8)
    if not more:
        assert report.quantity == "final loss"
        assert report.lost == pytest.approx(max(scores) - scores[kept])
    # every cell on every rung, against every cell once
    assert report.epochs_whole == sum(run.epochs for cell in whole for run in cell.runs)
    assert report.epochs == report.epochs_whole + 5 * (9 * math.ceil(60 / 9) + 3 * 20)


def test_epochs_saved_are_counted() -> None:
    result = experiment().run(halving=Halving(check=0.0), fresh=0)
    report = report_of(result)
    assert report.epochs == 5 * (9 * 5 + 3 * 14 + 1 * 40)
    assert report.epochs_whole == 5 * 9 * 40
    assert (report.checked, report.beaten, report.lost) == (0, None, 0.0)
    assert "what that cost is not known" in report.sentence
    assert result.notes == (report.sentence,)
    assert report.record()["rungs"][0] == {"share": pytest.approx(1 / 9), "cells": 9, "kept": 3}


def test_the_sentence_says_what_it_saved_or_that_it_saved_nothing() -> None:
    saved = report_of(experiment().run(halving=Halving(check=0.0), fresh=0))
    assert saved.sentence.startswith(
        "halving gave up 8 cells and trained 35.3 % of the whole grid's epochs ("
    )  # (9 * 5 + 3 * 14 + 40) / (9 * 40)
    dear = report_of(experiment().run(halving=Halving(check=1.0), fresh=0))  # (9 * 5 + 3 * 14 + 9 * 40) / (9 * 40)
    assert dear.sentence.startswith(
        "halving gave up 8 cells and saved nothing: it trained 124 % of the whole grid's epochs, since its rungs and "
        "its check took more than that saved; of 8 cells given up"
    )
    none = replace(dear, pruned=0, checked=0, beaten=None)
    assert none.sentence.startswith("halving gave up no cells and saved nothing")
    assert none.sentence.endswith("since no cell was worse than those kept.")


def test_at_least_five_are_checked_and_the_draw_is_repeatable(memory: Memory) -> None:
    first = experiment().run(store=memory, halving=True, fresh=0)
    again = experiment().run(store=memory, halving=True, fresh=0)
    assert report_of(first).checked == 5
    assert [cell.pruned_after for cell in first] == [cell.pruned_after for cell in again]
    assert again.computed == 0
    assert sum(cell.pruned_after is None for cell in first) == 6


def test_cells_that_nothing_tells_apart_are_all_kept() -> None:
    # without learning to speak of, no cell succeeds, and losses are infinite for all
    result = make_experiment(source="linear(n=30)", loss="mse", rates=(1e250, 1e251), optimizers=("sgd",)).run(
        halving=True, fresh=0
    )
    assert report_of(result).pruned in (0, 1)
    assert all(len(cell.runs) == 5 for cell in result)


def test_a_cell_that_cannot_be_trained_is_missing_not_given_up() -> None:
    more = '[variants.bad]\nset = { "training.stopping" = ["patience(5)"] }\nonly = { "training.learning_rate" = 0.3 }'
    one = experiment(more=more)
    result = one.run(halving=Halving(check=0.0), fresh=0)
    bad = next(cell for cell in result if cell.cell.variant == "bad")
    assert "validation" in bad.missing
    assert bad.pruned_after is None
    assert len(bad.runs) == 0
    assert report_of(result).rungs[0].cells == 9


def test_halving_does_not_go_with_everything() -> None:
    with pytest.raises(ConfigError, match="cannot be combined"):
        experiment().run(halving=True, adaptive=True)
    with pytest.raises(ConfigError, match="cannot be combined"):
        experiment().run(halving=True, sampler="optuna")
    for impossible in ({"eta": 1}, {"rungs": 1}, {"check": 1.5}):
        with pytest.raises(ConfigError, match="halving"):
            Halving(**impossible)


def test_a_budget_ends_halving_early() -> None:
    result = experiment().run(halving=True, budget=1e-9)
    assert result.interrupted
    assert result.out_of_time
    assert result.halving is None
    assert all(cell.pruned_after is None for cell in result)
