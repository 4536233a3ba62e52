"""The summary of a sweep: rates in closed form, the best set, groups, the winner's two scores, odd sweeps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ConfigError
from chainrule.experiments.sweeps.choice import importance_table, shared_table
from chainrule.experiments.sweeps.summary import summarise, summarise_group, varied_axes
from chainrule.report.sweeps.tables import group_table
from chainrule.runs import Runs
from tests.sweep_report.made_up import TWO_AXES, Axes, Outcome, make_run, make_sweep, rate_is, recipe_text

CLEAR = rate_is({("adam", 0.1): 10, ("adam", 1.0): 9, ("sgd", 1.0): 1})
"""adam at 0.1 always succeeds, at 1 almost; the others hardly ever."""


def by_place(summary: Any, optimizer: str, rate: float) -> Any:
    """The cell at a place."""
    wanted = {"training.optimizer": optimizer, "training.learning_rate": rate}
    return next(cell for cell in summary.cells if wanted.items() <= cell.place.items())


def test_success_rates_have_their_exact_intervals() -> None:
    summary = summarise(make_sweep(CLEAR))
    best, none = by_place(summary, "adam", 0.1), by_place(summary, "sgd", 0.01)
    assert best.success.successes == best.n == 10
    assert best.success.low == pytest.approx(0.025 ** (1 / 10))  # (1 - level)/2 = low^n
    assert none.success.high == pytest.approx(1 - 0.025 ** (1 / 10))


def test_the_best_set_holds_what_cannot_be_told_from_the_best_and_nothing_else() -> None:
    summary = summarise(make_sweep(CLEAR))
    members = {summary.cells[k].label for k in summary.choice.members}
    assert members == {"optimizer=adam, learning_rate=0.1", "optimizer=adam, learning_rate=1.0"}
    assert summary.choice.winner == by_place(summary, "adam", 0.1).number
    assert summary.choice.seeds == tuple(range(10))
    assert summary.ranked()[0].number == summary.choice.winner
    rates = [cell.success.rate for cell in summary.ranked() if cell.success]
    assert rates == sorted(rates, reverse=True)


def test_five_seeds_decide_nothing() -> None:
    summary = summarise(make_sweep(CLEAR, seeds=range(5)))
    assert not summary.choice.decided
    assert "5 seeds" in summary.choice.why
    assert len(summary.choice.members) == len(summary.cells)


def test_where_success_says_nothing_the_loss_does() -> None:
    def make(place: dict[str, Any], seed: int) -> Outcome:
        return Outcome(accuracy=1.0, loss=place["training.learning_rate"] * (1 + 0.01 * seed))

    summary = summarise(make_sweep(make))
    assert summary.criterion.quantity == "final loss"
    assert summary.criterion.why.startswith("Every run succeeded")
    assert {summary.cells[k].place["training.learning_rate"] for k in summary.choice.members} == {0.01}
    merit = by_place(summary, "sgd", 0.1).merit
    assert merit.median == pytest.approx(0.1 * 1.045)


def test_a_recipe_without_a_rule_is_compared_by_its_held_out_loss() -> None:
    text = recipe_text(TWO_AXES, rule="", training="validation = 0.2")

    def make(place: dict[str, Any], seed: int) -> Outcome:
        held_out = 2.0 - place["training.learning_rate"] + 0.001 * seed
        return Outcome(loss=place["training.learning_rate"], final={"validation_loss": held_out})

    summary = summarise(make_sweep(make, text=text))
    assert summary.criterion.quantity == "final validation_loss"
    assert {summary.cells[k].place["training.learning_rate"] for k in summary.choice.members} == {1.0}


def test_another_quantity_may_be_asked_for() -> None:
    summary = summarise(make_sweep(CLEAR), quantity="final accuracy")
    assert summary.criterion.better == "higher"
    assert summary.choice.winner == by_place(summary, "adam", 0.1).number
    with pytest.raises(ConfigError, match="cannot read quantity"):
        summarise(make_sweep(CLEAR), quantity="nonsense")
    with pytest.raises(ConfigError, match="confidence level"):
        summarise(make_sweep(CLEAR), level=1.5)


def test_the_winner_is_scored_on_the_seeds_that_chose_it_and_on_fresh_ones() -> None:
    result = make_sweep(CLEAR)
    cell = result.cells[4].cell
    assert dict(cell.place) == {"training.optimizer": "adam", "training.learning_rate": 0.1}
    fresh = Runs(tuple(make_run(cell, 100 + k, Outcome(1.0 if k < 7 else 0.5)) for k in range(20)), "xor")
    scores = summarise(make_sweep(CLEAR, fresh={cell.setting.key: fresh})).winner
    assert scores is not None
    assert (scores.choosing.n, scores.fresh and scores.fresh.n) == (10, 20)
    assert getattr(scores.choosing, "successes", None) == 10
    assert getattr(scores.fresh, "successes", None) == 7
    unscored = summarise(result).winner
    assert unscored is not None
    assert unscored.fresh is None


def test_groups_count_every_seed_once() -> None:
    summary = summarise(make_sweep(CLEAR))
    sgd, adam = summary.group_by("training.optimizer")
    assert (adam.value, adam.cells, adam.n, adam.seeds) == ("adam", 3, 30, 10)
    assert adam.rate == pytest.approx(19 / 30)
    assert sgd.rate == pytest.approx(1 / 30)
    assert adam.success.low < adam.rate < adam.success.high
    single = summarise(make_sweep(CLEAR, {"training.optimizer": ["adam"], "training.learning_rate": [0.1, 1.0]}))
    nine = single.group_by("training.learning_rate")[1]
    exact = single.cells[1].success
    assert exact is not None
    assert (nine.success.low, nine.success.high) == (exact.low, exact.high)  # one cell: the exact interval
    assert single.group_by("training.optimizer")[0].n == 20  # a constant axis may be asked for too


def test_seeds_added_by_need_do_not_pull_a_group_towards_the_undecided() -> None:
    def make(place: dict[str, Any], seed: int) -> Outcome | None:
        if place["training.learning_rate"] == 0.1:  # undecided: half of a hundred seeds succeed
            return Outcome(1.0 if seed % 2 else 0.5)
        return Outcome() if seed < 10 else None  # sure: ten seeds, all succeed

    axes: Axes = {"training.optimizer": ["sgd", "adam"], "training.learning_rate": [0.01, 0.1]}
    result = make_sweep(make, axes, range(100), cells={k: {"adaptive": True} for k in range(4)})
    summary = summarise(result)
    sgd = summary.group_by("training.optimizer")[0]
    assert (sgd.rate, sgd.seeds, sgd.n) == (0.75, 10, 20)
    alone = summarise_group(summary, None, [1])
    undecided = summary.cells[1].success
    assert undecided is not None
    assert (alone.success.low, alone.success.high) == (undecided.low, undecided.high)  # anytime-valid here


def test_grouping_by_the_seed_or_by_nothing_known_is_refused() -> None:
    summary = summarise(make_sweep(CLEAR))
    with pytest.raises(ConfigError, match="cannot group by the seed"):
        summary.group_by("seed")
    with pytest.raises(ConfigError, match=r"did you mean 'training\.optimizer'"):
        summary.group_by("training.optimiser")


def test_importance_goes_to_the_axis_that_makes_the_difference() -> None:
    def make(place: dict[str, Any], seed: int) -> Outcome:
        return Outcome(1.0 if place["training.learning_rate"] == 0.1 or seed == 3 else 0.5)

    summary = summarise(make_sweep(make))
    assert summary.importance["training.learning_rate"].share == pytest.approx(1.0, abs=0.02)
    assert summary.importance["training.optimizer"].share == pytest.approx(0.0, abs=0.02)
    assert summary.by_importance() == ["training.learning_rate", "training.optimizer"]


def test_constant_axes_are_hidden_and_variants_are_an_axis() -> None:
    axes: Axes = {"training.optimizer": ["adam"], "training.learning_rate": [0.1, 1.0]}
    assert list(summarise(make_sweep(CLEAR, axes)).axes) == ["training.learning_rate"]
    assert summarise(make_sweep(CLEAR, axes)).constant == {"training.optimizer": "adam"}
    more = "[variants.wide]\nset = { network = { hidden = [8] } }\n"
    result = make_sweep(CLEAR, text=recipe_text(axes, more=more))
    assert varied_axes(result.cells)[0]["variant"] == ("as it stands", "wide")


def test_cells_given_up_are_not_compared() -> None:
    result = make_sweep(CLEAR, cells={4: {"pruned_after": 10}})
    summary = summarise(result)
    assert summary.choice.winner == by_place(summary, "adam", 1.0).number
    assert summary.choice.left_out == (4,)
    assert [group.cells for group in summary.group_by("training.optimizer")] == [3, 2]
    assert importance_table(result, summary.criterion)[0] == [0, 1, 2, 3, 5]
    assert summary.importance == {}
    assert "halving gave cells up by their results" in summary.no_importance["training.optimizer"]
    assert group_table(summary).note.endswith("Without 1 cell that halving gave up.")
    assert [cell.number for cell in summary.pruned] == [4]
    assert summary.ranked()[-1].number == 4


def test_cells_that_lack_most_seeds_are_left_out_but_not_where_seeds_were_added_by_need() -> None:
    def make(place: dict[str, Any], seed: int) -> Outcome | None:
        sure = place["training.learning_rate"] == 0.1
        return None if sure and seed >= 8 else Outcome(1.0 if sure or seed % 2 else 0.5)

    axes = {"training.learning_rate": [0.01, 0.1, 1.0]}
    interrupted = summarise(make_sweep(make, axes, range(40)))
    assert interrupted.choice.left_out == (1,)
    assert len(interrupted.choice.seeds) == 40
    adaptive = summarise(make_sweep(make, axes, range(40), cells={k: {"adaptive": True} for k in range(3)}))
    assert adaptive.choice.winner == 1
    assert adaptive.choice.seeds == tuple(range(8))
    sure, sure_exact = adaptive.cells[1].success, interrupted.cells[1].success
    assert sure is not None
    assert sure_exact is not None
    assert sure.low < sure_exact.low  # an interval that may be looked at again and again is wider


def test_the_shared_table_keeps_seeds_in_step() -> None:
    columns = {0: {1: 0.1, 2: 0.2, 3: 0.3}, 2: {3: 3.0, 2: 2.0}, 5: {}}
    cells, seeds, table = shared_table(columns)
    assert (cells, seeds) == ([0, 2], (2, 3))
    np.testing.assert_array_equal(table, [[0.2, 2.0], [0.3, 3.0]])
    assert shared_table({})[0] == []


@pytest.mark.parametrize("axes", [{}, {"training.learning_rate": [0.1]}])
def test_a_single_cell_is_its_own_best(axes: dict[str, list[Any]]) -> None:
    summary = summarise(make_sweep(lambda place, seed: Outcome(), axes, [0]))
    assert summary.choice.winner == 0
    assert not summary.axes
    assert summary.importance == {}


def test_a_sweep_in_which_nothing_ran() -> None:
    result = make_sweep(lambda place, seed: None, cells={k: {"missing": "no such file"} for k in range(6)})
    summary = summarise(result)
    assert summary.choice.winner is None
    assert summary.winner is None
    assert len(summary.missing) == 6
    assert all(cell.success is None for cell in summary.cells)


def test_a_sweep_in_which_all_diverged() -> None:
    summary = summarise(make_sweep(lambda place, seed: Outcome(accuracy=0.5, diverged=True)))
    assert summary.diverged == summary.runs == 60
    assert summary.choice.winner is None
    assert summary.choice.why == "No run has a finite final loss."
    assert all(cell.metrics["loss"].last.median == math.inf for cell in summary.cells)


def test_seeds_that_no_two_cells_share_decide_nothing() -> None:
    def make(place: dict[str, Any], seed: int) -> Outcome | None:
        mine = {0.01: range(3), 0.1: range(3, 6), 1.0: range(6, 9)}[place["training.learning_rate"]]
        return Outcome(1.0 if seed % 2 else 0.5) if seed in mine else None

    axes = {"training.learning_rate": [0.01, 0.1, 1.0]}
    summary = summarise(make_sweep(make, axes, cells={k: {"adaptive": True} for k in range(3)}))
    assert summary.choice.why == "No seed is shared by the cells."
