"""The report of a sweep: what it says, that it says what it leaves out, and that every odd sweep has one."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from chainrule.experiments.sweeps.summary import summarise
from chainrule.experiments.verdicts.verdict import Picture, Verdict
from chainrule.report.records import (
    EstimatesFigure,
    FanFigure,
    HeatmapFigure,
    ParallelFigure,
    RateMapFigure,
    ReportRecord,
    TableRecord,
    VerdictRecord,
)
from chainrule.report.sweeps import plain_tables, sweep_report, write_sweep
from chainrule.report.sweeps.levels import is_log, levels_of
from chainrule.report.sweeps.sentences import _others, asked, best_sentence, curse_verdict, lost_lines
from chainrule.report.sweeps.words import listed, percent, spread_choice
from chainrule.report.write import results
from chainrule.runs import Runs
from chainrule.stats import Interval
from tests.sweep_report.made_up import TWO_AXES, Axes, Outcome, make_run, make_sweep, rate_is, recipe_text

CLEAR = rate_is({("adam", 0.1): 10, ("adam", 1.0): 9, ("sgd", 1.0): 1})
FALLING = {"loss": [0.7, 0.4, 0.2], "accuracy": [0.5, 0.8, 1.0]}
THREE_AXES: Axes = {**TWO_AXES, "network.hidden": [[2], [4, 4]], "training.batch_size": ["full"]}


def of_type(report: ReportRecord, kind: type) -> list[Any]:
    """The report's items of one type."""
    return [item for item in report.walk() if isinstance(item, kind)]


def figure(report: ReportRecord, ident: str) -> Any:
    """The figure of this name."""
    return next(item for item in report.figures() if item.id == ident)


def test_the_page_says_what_was_asked_and_what_may_be_said() -> None:
    report = sweep_report(make_sweep(CLEAR))
    assert report.subtitle.startswith(
        "Optimizer (2) × learning rate (3): 6 cells on `xor`, 10 seeds each, 60 runs in all."
    )
    assert "Success: final accuracy ≥ 90 %." in report.subtitle
    assert (
        "Optimizer adam, learning rate 0.1 did best: it succeeded in 10 of 10 seeds (69 to 100 %)." in report.subtitle
    )
    assert "1 other cell cannot be told from it, at 95 %." in report.subtitle
    assert report.missing == ()
    assert report.machine["cores"]


def test_without_fresh_seeds_the_winner_is_not_trusted() -> None:
    result = make_sweep(CLEAR)
    verdict = curse_verdict(summarise(result))
    assert verdict is not None
    assert verdict.kind == "caution"
    cell = result.cells[4].cell
    fresh = Runs(tuple(make_run(cell, 100 + k, Outcome(1.0 if k < 7 else 0.5)) for k in range(10)), "xor")
    result = replace(result, fresh={cell.setting.key: fresh})
    verdict = curse_verdict(summarise(result))
    assert verdict is not None
    assert "7 of 10 seeds" in verdict.sentence
    assert "10 of 10 seeds" in verdict.sentence
    assert verdict.interval is not None
    assert verdict.interval[0] == pytest.approx(0.3475, abs=1e-4)  # Clopper and Pearson's table
    rows = figure(sweep_report(result), "winner").rows
    assert [(row.name, row.value) for row in rows] == [("seeds that chose it", 1.0), ("fresh seeds", 0.7)]


def test_the_best_set_is_marked_everywhere() -> None:
    result = make_sweep(CLEAR)
    summary = summarise(result)
    report = sweep_report(result, summary)
    members = set(summary.choice.members)
    assert [row.marked for row in figure(report, "best").rows] == [True, True, False, False, False, False]
    assert np.flatnonzero(figure(report, "parallel").marked).tolist() == sorted(members)
    assert figure(report, "map-optimizer-learning-rate").marked.tolist() == [[False] * 3, [False, True, True]]
    table = plain_tables(summary)[0]
    assert table.marked == (True, True, False, False, False, False)
    assert table.rows[0][:4] == ("adam", "0.1", "10", "10 (69 to 100 %)")


def test_the_map_of_two_axes_has_each_cell_with_its_interval() -> None:
    report = sweep_report(make_sweep(CLEAR))
    told = figure(report, "map-optimizer-learning-rate")
    assert (told.rows, told.columns) == (("sgd", "adam"), ("0.01", "0.1", "1"))
    np.testing.assert_allclose(told.rates, [[0, 0, 0.1], [0, 1, 0.9]])
    assert told.low[1, 1] == pytest.approx(0.025 ** (1 / 10))
    assert told.notes[1][1].startswith("optimizer adam, learning rate 0.1: 10 of 10 succeeded (100 %")


def test_more_axes_are_shown_pair_by_pair_and_at_the_best() -> None:
    def make(place: dict[str, Any], seed: int) -> Outcome:
        good = place["training.optimizer"] == "adam" and place["network.hidden"] == (4, 4)
        return Outcome(1.0 if good and seed < 8 else 0.5)

    report = sweep_report(make_sweep(make, THREE_AXES))
    maps = of_type(report, RateMapFigure)
    assert len(maps) == 4
    first, second = maps[:2]
    assert first.id == f"{second.id}-at-best"
    assert {first.x_label, first.y_label} == {"optimizer", "hidden"}
    np.testing.assert_allclose(np.asarray(second.rates), np.array([[0.0, 0.0], [0.0, 0.8]]))
    assert "Marginal" in second.caption
    parallel = figure(report, "parallel")
    assert [axis.name for axis in parallel.axes] == ["optimizer", "learning rate", "hidden", "success"]  # no batch size
    assert [axis.log for axis in parallel.axes] == [False, True, False, False]


def test_curves_are_fans_of_cells_or_of_groups() -> None:
    def make(place: dict[str, Any], seed: int) -> Outcome:
        return Outcome(history=FALLING)

    few = sweep_report(make_sweep(make, {"training.optimizer": ["sgd", "adam"]}))
    loss = figure(few, "curves-loss")
    assert [series.name for series in loss.panels[0].series] == ["sgd", "adam"]
    assert loss.panels[0].series[0].n == 10
    assert loss.unit == "seeds"
    many = sweep_report(make_sweep(make, THREE_AXES))
    accuracy = figure(many, "curves-accuracy")
    assert accuracy.unit == "runs"
    assert sum(series.n for panel in accuracy.panels for series in panel.series) == 12 * 10
    assert "put together" in accuracy.caption
    assert not of_type(sweep_report(make_sweep(CLEAR)), FanFigure)  # no histories, no curves


def test_a_regression_is_compared_by_its_loss() -> None:
    text = recipe_text(TWO_AXES, rule="", training="validation = 0.2")

    def make(place: dict[str, Any], seed: int) -> Outcome:
        loss = place["training.learning_rate"] * (1 + 0.1 * seed)
        return Outcome(loss=loss, final={"validation_loss": loss}, diverged=place["training.learning_rate"] == 1.0)

    report = sweep_report(make_sweep(make, text=text))
    told = of_type(report, HeatmapFigure)[0]
    assert told.log
    assert np.isnan(told.values[:, 2]).all() or np.isinf(told.values[:, 2]).all()
    best = figure(report, "best")
    assert best.log
    assert not best.percent
    assert best.rows[0].value == pytest.approx(0.01 * 1.45)
    assert "succeeded" not in of_type(report, TableRecord)[0].columns
    assert "20 runs of 60 diverged" in json.dumps(results(report), ensure_ascii=False)


def test_answers_to_questions_stand_in_the_first_section() -> None:
    rows = (("adam", 9, 10, 0.5, 1.0), ("sgd", 1, 10, 0.0, 0.5))
    verdict = Verdict(
        sentence="adam beats sgd.", decision="a", n_seeds=10, interval=Interval(0.2, 0.9),
        picture=Picture("rates", rows, "success rate"),
    )  # fmt: skip
    report = sweep_report(make_sweep(CLEAR), verdicts=[verdict])
    told = [item for item in of_type(report, VerdictRecord) if item.sentence == "adam beats sgd."]
    assert [item.kind for item in told] == ["finding"]
    assert figure(report, "question-1")


def test_what_is_missing_is_said_with_its_reason() -> None:
    def make(place: dict[str, Any], seed: int) -> Outcome | None:
        return None if place["training.learning_rate"] == 1.0 else CLEAR(place, seed)

    gone: dict[int, dict[str, Any]] = {
        2: {"missing": "no such file"},
        5: {"missing": "no such file"},
        4: {"pruned_after": 10},
    }
    result = make_sweep(make, cells=gone, interrupted=True, notes=("the disk is slow",))
    report = sweep_report(result)
    assert report.missing == (
        "The sweep was interrupted: 40 runs had finished; the same command goes on from there.",
        "2 cells of 6 lack runs: no such file.",
    )
    text = json.dumps(results(report), ensure_ascii=False)
    assert "So far: the sweep is not finished." in text
    assert "What is shown of 1 cell is from 10 epochs, after which halving gave them up" in text
    told = figure(report, "map-optimizer-learning-rate")
    assert told.notes[1][1] == "optimizer adam, learning rate 0.1: given up after 10 epochs"
    assert np.isnan(told.rates[1, 1])
    assert "The disk is slow." in text
    assert told.notes[0][2] == "optimizer sgd, learning rate 1: no such file"
    late = replace(result, out_of_time=True)
    assert lost_lines(summarise(late))[0].startswith("The time given was used up")


def whole(result: Any, folder: Path) -> str:
    """Write a report and return its page."""
    page = write_sweep(result, folder).read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)  # one file, nothing fetched
    assert json.loads((folder / "results.json").read_text(encoding="utf-8"))["format"]
    return page


def test_a_whole_page(tmp_path: Path) -> None:
    def make(place: dict[str, Any], seed: int) -> Outcome:
        return replace(CLEAR(place, seed), history=FALLING)

    page = whole(make_sweep(make), tmp_path)
    assert "<title>optimizer adam, learning rate 0.1: 10 of 10 succeeded" in page
    assert page.count("<svg") == len(list((tmp_path / "figures").glob("*.svg")))
    assert "best set" in page
    assert (tmp_path / "figures" / "parallel.png").stat().st_size > 1000


ODD: dict[str, Any] = {
    "one cell, one seed": lambda: make_sweep(lambda p, s: Outcome(history=FALLING), {}, [0]),
    "all diverged": lambda: make_sweep(lambda p, s: Outcome(0.5, diverged=True, history={"loss": [math.nan]})),
    "nothing ran": lambda: make_sweep(lambda p, s: None, cells={0: {"missing": "no data"}}, interrupted=True),
    "five thousand seeds": lambda: make_sweep(lambda p, s: Outcome(0.5 + s % 2 / 2, history=FALLING), {}, range(5000)),
    "losses that are no numbers": lambda: make_sweep(
        lambda p, s: Outcome(0.5, loss=[math.nan, math.inf, -1.0, 1e300][s % 4]), seeds=range(8)
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_sweeps_have_a_page_too(name: str, tmp_path: Path) -> None:
    page = whole(ODD[name](), tmp_path)
    assert "What may be said" in page
    assert len(page) < 400_000


@pytest.mark.parametrize("places", ["grid", "scattered"])
def test_two_thousand_cells(places: str, tmp_path: Path) -> None:
    """A grid of many cells, and as many scattered trials as a sampler would make: both are cut down, and say so."""
    rates = np.geomspace(1e-4, 1, 50 if places == "grid" else 2000).round(9).tolist()
    axes = {"training.learning_rate": rates, "network.hidden": [[k] for k in range(1, 41)]}
    if places == "scattered":
        axes = {"training.learning_rate": rates}

    def make(place: dict[str, Any], seed: int) -> Outcome:
        return Outcome(1.0 if place["training.learning_rate"] > 0.5 and seed < 3 else 0.5)

    result = make_sweep(make, axes, range(3))
    summary = summarise(result)
    report = sweep_report(result, summary)
    assert len(summary.cells) == 2000
    assert len(figure(report, "best").rows) == 24
    assert len(of_type(report, TableRecord)[0].rows) == 500
    assert "1,500 more cells did worse" in of_type(report, TableRecord)[0].caption
    if places == "grid":
        assert len(figure(report, "parallel").names) == 300
        assert "300 of 2,000 cells are drawn" in figure(report, "parallel").caption
        assert figure(report, "map-hidden-learning-rate").rates.shape == (8, 8)  # in ranges
    assert len(json.dumps(results(report))) < 3_000_000


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.floats(), st.booleans(), st.booleans()), max_size=7), min_size=1, max_size=6),
    st.booleans(),
)
def test_any_sweep_has_a_report(cells: list[list[tuple[float, bool, bool]]], rule: bool) -> None:
    """Any losses (NaN, infinite, negative), successes, divergences and missing seeds give tables and records."""
    text = recipe_text({"training.learning_rate": [0.1 * (k + 1) for k in range(len(cells))]}, rule="" if not rule else
                       '[success]\nmetric = "accuracy"\nat_least = 0.9\n')  # fmt: skip

    def make(place: dict[str, Any], seed: int) -> Outcome | None:
        mine = cells[round(place["training.learning_rate"] / 0.1) - 1]
        if seed >= len(mine):
            return None
        loss, success, diverged = mine[seed]
        return Outcome(1.0 if success else 0.5, loss=loss, diverged=diverged, history={"loss": [1.0, loss]})

    result = make_sweep(make, seeds=range(7), text=text)
    summary = summarise(result)
    assert json.dumps(results(sweep_report(result, summary)), allow_nan=False)
    for table in plain_tables(summary):
        assert all(len(row) == len(table.columns) == len(table.numeric) for row in table.rows)
    assert asked(summary)
    assert best_sentence(summary)


def test_scales() -> None:
    assert is_log(np.array([0.001, 0.01, 0.1, 1.0]))
    assert is_log(np.array([1.0, 100.0]))
    assert not is_log(np.array([1.0, 2.0, 3.0, 4.0]))
    assert not is_log(np.array([0.0, 0.1, 10.0]))
    assert not is_log(np.array([1.0, 26.0, 51.0, 76.0, 101.0]))
    summary = summarise(make_sweep(CLEAR, {"training.learning_rate": [1.0, 0.1, 0.01]}, [0]))
    levels = levels_of(summary, "training.learning_rate")
    assert levels.labels == ("0.01", "0.1", "1")
    assert levels.codes.tolist() == [2, 1, 0]
    ranges = levels_of(summary, "training.learning_rate", most=2)
    assert ranges.ranges
    assert ranges.codes.tolist() == [7, 4, 0]


def test_words() -> None:
    assert [percent(v) for v in (0.0, 0.001, 0.5, 0.999, 1.0, math.nan)] == ["0", "<1", "50", ">99", "100", "–"]
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([str(k) for k in range(9)], 3) == "0, 1 and 7 more"
    assert spread_choice(3, 4) == [0, 1, 2]
    assert spread_choice(10, 4, best=8) == [0, 3, 8, 9]
    assert spread_choice(10, 4) == [0, 3, 6, 9]


def test_parallel_lines_of_many_cells_keep_the_best() -> None:
    axes = {
        "training.learning_rate": np.geomspace(1e-3, 1, 40).round(6).tolist(),
        "network.hidden": [[k] for k in range(1, 11)],
    }
    top = axes["training.learning_rate"][-1]
    result = make_sweep(lambda p, s: Outcome(1.0 if p["training.learning_rate"] == top else 0.5), axes, range(8))
    summary = summarise(result)
    told: ParallelFigure = figure(sweep_report(result, summary), "parallel")
    assert len(summary.choice.members) == 10
    assert int(told.marked.sum()) == 10
    assert isinstance(figure(sweep_report(result, summary), "best"), EstimatesFigure)


@pytest.mark.parametrize(
    ("alike", "others", "words"),
    [
        (1, 1, "The other cell cannot be told from it"),
        (0, 1, "The other cell is shown to be worse"),
        (0, 1200, "All 1,200 others are shown to be worse"),
        (3, 3, "None of the 3 others can be told from it"),
        (1, 3, "1 other cell cannot be told from it"),
        (2, 3, "2 other cells cannot be told from it"),
    ],
)
def test_the_others_are_counted_in_words(alike: int, others: int, words: str) -> None:
    assert _others(alike, others) == words
