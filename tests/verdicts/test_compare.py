"""Comparisons against SciPy and against runs trained apart; who is paired, tuned and judged; the verdicts' form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from chainrule import Runs, compare, mlp, train
from chainrule.errors import ConfigError, RecipeError
from chainrule.experiments.sweeps.experiment import Experiment
from chainrule.experiments.verdicts.fair_tuning import metric_score, split_seeds, success_score
from chainrule.experiments.verdicts.judging import Pair, judge
from chainrule.experiments.verdicts.measures import parse_measure
from chainrule.experiments.verdicts.sides import side_of
from chainrule.experiments.verdicts.verdict import Verdict

MODE: Any = "mode"
ADAM, SGD = "optimizer=adam,learning_rate=0.3", "optimizer=sgd,learning_rate=0.3"


def pair(a: Any, b: Any, quantity: str = "success") -> Pair:
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    return Pair(("A", "B"), tuple(range(len(a))), a, b, parse_measure(quantity))


def test_rates_are_judged_by_the_exact_mcnemar_test() -> None:
    a, b = [1] * 9 + [0] * 3 + [1] * 8, [0] * 9 + [1] * 1 + [0] * 2 + [1] * 8
    verdict = judge(pair(a, b))
    assert verdict.numbers["p_value"] == pytest.approx(stats.binomtest(9, 10).pvalue)
    assert verdict.decision == "a"
    assert verdict.numbers["difference"] == pytest.approx(8 / 20)
    assert verdict.sentence.startswith("A succeeded more often than B: 85 %")
    exact = stats.binomtest(17, 20).proportion_ci(method="exact")
    assert verdict.picture is not None
    assert verdict.picture.rows[0] == ("A", 17, 20, pytest.approx(exact.low), pytest.approx(exact.high))


def test_metrics_are_judged_by_sign_flips_and_bca() -> None:
    rng = np.random.default_rng(0)
    a = rng.lognormal(size=30)
    b = a + rng.normal(0.4, 0.5, 30)
    verdict = judge(pair(a, b, "loss"))
    test = stats.permutation_test(
        (a - b,), np.mean, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(1)
    )
    assert verdict.numbers["p_value"] == pytest.approx(test.pvalue, abs=0.003)
    bca = stats.bootstrap((a - b,), np.mean, n_resamples=20_000, rng=np.random.default_rng(2)).confidence_interval
    assert verdict.interval is not None
    assert verdict.interval.low == pytest.approx(bca.low, abs=0.02)
    assert verdict.interval.high == pytest.approx(bca.high, abs=0.02)
    assert verdict.decision == "a"  # of losses the lower one is better


@pytest.mark.parametrize("n", [0, 1, 5])
def test_fewer_than_six_pairs_give_no_verdict_and_say_why(n: int) -> None:
    for quantity in ("success", "loss"):
        verdict = judge(pair(np.ones(n), np.zeros(n), quantity))
        assert verdict.decision == "no verdict"
        assert f"{n} paired seed" in verdict.sentence
        assert "at least 6" in verdict.sentence
        assert not verdict.decided


def test_a_margin_makes_equals() -> None:
    rng = np.random.default_rng(3)
    a = rng.random(200)
    b = a + rng.normal(0.002, 0.01, 200)
    assert judge(pair(a, b, "accuracy")).decision == "b"
    verdict = judge(pair(a, b, "accuracy"), margin=0.01)
    assert verdict.decision == "equal"
    assert "practically equal" in verdict.sentence
    same = judge(pair([1] * 400, [1] * 399 + [0]), margin=0.05)
    assert same.decision == "equal"


def test_of_divergences_fewer_are_better() -> None:
    assert judge(pair([1] * 12, [0] * 12, "diverged")).decision == "b"


def test_seeds_without_a_value_are_told_by_side() -> None:
    verdict = judge(pair([0.1] * 9 + [np.nan], [0.2] * 10, "loss"))
    assert verdict.n_seeds == 10
    assert verdict.numbers["left_out"] == 1
    assert "A 1, B 0 of 10" in verdict.notes[0]


def test_the_chance_that_one_beats_the_other_counts_ties_half() -> None:
    verdict = judge(pair([1, 1, 1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0]))
    chance = verdict.numbers["chance_a_beats_b"]
    assert (chance["wins"], chance["ties"], chance["losses"]) == (2, 6, 0)
    assert chance["rate"] == pytest.approx(5 / 8)


def test_two_cells_of_a_recipe_equal_runs_trained_apart(recipe: Path) -> None:
    verdict = compare(recipe, recipe, where_a=ADAM, where_b={"optimizer": "sgd", "lr": 0.3}, quantity="loss")
    runs = [
        train(
            mlp([4], "tanh"),
            "xor",
            seeds=24,
            epochs=60,
            log_every=5,
            loss="binary_cross_entropy",
            learning_rate=0.3,
            optimizer=name,
        )
        for name in ("adam", "sgd")
    ]
    losses = [np.array([run.final["loss"] for run in table]) for table in runs]
    assert verdict.numbers["difference"] == pytest.approx(float(np.mean(losses[0] - losses[1])), rel=1e-12)
    assert verdict.names == ("adam", "sgd")
    assert "neither was tuned, both ran at learning rate 0.3" in verdict.sentence
    apart = compare(*runs, quantity="loss")
    assert apart.numbers["difference"] == verdict.numbers["difference"]
    assert apart.numbers["p_value"] == verdict.numbers["p_value"]
    assert verdict.numbers["shared"] == ("data", "initial weights")


def test_sides_that_leave_cells_open_are_tuned_on_other_seeds(recipe: Path) -> None:
    verdict = compare(recipe, recipe, where_a="optimizer=adam", where_b="optimizer=sgd", quantity="loss")
    assert verdict.numbers["tuning"]["choosing_seeds"] == tuple(range(12))
    assert verdict.numbers["seeds"] == tuple(range(12, 24))
    assert "each was tuned over 2 settings on 12 other seeds" in verdict.sentence
    sweep = Experiment.from_toml(recipe).run()
    for name, word in zip(("adam", "sgd"), verdict.names, strict=True):
        medians = {}
        for cell in sweep:
            place = dict(cell.cell.place)
            if place["training.optimizer"] == name:
                values = np.sort([run.final["loss"] for run in cell.runs[:12]])
                medians[place["training.learning_rate"]] = values[5]
        best = min(medians, key=lambda rate: medians[rate])
        assert word == f"{name} (learning rate {best:g})"


def test_an_unequal_budget_is_called_unfair(recipe: Path) -> None:
    verdict = compare(recipe, recipe, where_a="optimizer=adam", where_b=SGD, quantity="loss")
    assert "the tuning was not fair: adam had 2 settings to choose from" in verdict.sentence


def test_two_learning_rates_need_no_tuning(recipe: Path) -> None:
    verdict = compare(recipe, recipe, where_a=ADAM, where_b="optimizer=adam,lr=0.03", quantity="loss")
    assert "tuned" not in verdict.sentence
    assert verdict.names == ("learning rate 0.3", "learning rate 0.03")


def test_a_path_may_carry_its_selector(recipe: Path) -> None:
    verdict = compare(f"{recipe}:{ADAM}", f"{recipe}:{SGD}", seeds=8)
    assert verdict.numbers["seeds"] == tuple(range(8))
    with pytest.raises(ConfigError, match="leave the other selector out"):
        compare(f"{recipe}:{ADAM}", recipe, where_a=SGD)


def test_sweeps_cells_and_saved_runs_can_be_compared(recipe: Path, tmp_path: Path) -> None:
    sweep = Experiment.from_toml(recipe).run(seeds=8)
    by_sweep = compare(sweep, sweep, where_a=ADAM, where_b=SGD, quantity="loss")
    cells = {cell.label: cell for cell in sweep}
    one, other = cells["optimizer=adam, learning_rate=0.3"], cells["optimizer=sgd, learning_rate=0.3"]
    by_cell = compare(one, other, quantity="loss")
    for name, cell in (("one", one), ("other", other)):
        cell.runs.save(tmp_path / name)
    by_folder = compare(tmp_path / "one", tmp_path / "other", quantity="loss")
    assert by_folder.names == ("one", "other")
    assert len({verdict.numbers["difference"] for verdict in (by_sweep, by_cell, by_folder)}) == 1
    with pytest.raises(ConfigError, match="saved runs cannot grow"):
        compare(tmp_path / "one", tmp_path / "other", quantity="loss", until_decided=True)
    mixed = compare(tmp_path / "one", recipe, where_b=SGD, quantity="loss")
    assert mixed.numbers["seeds"] == tuple(range(8))


def test_saved_runs_bring_their_success_rule(tmp_path: Path) -> None:
    from dataclasses import replace

    for name, rate in (("slow", 0.001), ("fast", 3.0)):
        runs = train(mlp([4], "tanh"), "xor", seeds=10, epochs=200, learning_rate=rate)
        replace(runs, notes=("success: accuracy>=0.6",)).save(tmp_path / name)
    verdict = compare(tmp_path / "fast", tmp_path / "slow")
    assert "Success: final accuracy >= 0.6." in verdict.notes
    assert verdict.decision == "a"
    assert "final accuracy >= 0.99" in compare(tmp_path / "fast", tmp_path / "slow", success="accuracy>=0.99").notes[0]


def test_runs_of_several_rates_are_candidates() -> None:
    runs = train(mlp([4], "tanh"), "xor", seeds=12, epochs=50, learning_rates=[0.01, 1.0])
    side = side_of(runs)
    assert [candidate.label for candidate in side.candidates] == ["learning rate 0.01", "learning rate 1"]
    assert side.seeds == tuple(range(12))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda r, w: compare(r, r), "the two sides are the same settings of 'opt'"),
        (lambda r, w: compare(r, r, where_a=ADAM, where_b=ADAM), "the same setting of 'opt'"),
        (lambda r, w: compare(r, r, where_a="optimizer=adm", where_b=SGD), "did you mean 'adam'"),
        (lambda r, w: compare(r, w("moons", ("xor", "moons"))), "different data, xor and moons"),
        (lambda r, w: compare(r, r, where_a=ADAM, where_b=SGD, quantity="validation_loss"), "unknown history key"),
        (lambda r, w: compare(r, r, where_a=ADAM, where_b=SGD, quantity="loss@7"), "epoch 7 is not kept"),
        (lambda r, w: compare(r, r, where_a=ADAM, where_b=SGD, level=1.0), "level"),
        (lambda r, w: compare(r, r, where_a=ADAM, where_b=SGD, margin=-1), "margin"),
        (lambda r, w: compare(r, r, where_a=ADAM, where_b=SGD, max_seeds=0), "max_seeds"),
        (lambda r, w: compare(r, r, where_a=ADAM, where_b=SGD, seeds=0), "seeds must be a count"),
        (lambda r, w: compare(r, r, where_a=ADAM, where_b=SGD, statistic=MODE), "statistic"),
        (lambda r, w: compare(r, 3), "cannot compare 3"),
        (lambda r, w: compare(r.parent, r), "a folder without runs.npz"),
        (
            lambda r, w: compare(w("bare", ('[success]\nmetric = "accuracy"\nat_least = 0.99', "")), r, where_b=SGD),
            "nothing says when a run is a success",
        ),
    ],
)
def test_what_cannot_be_compared_gets_one_line(
    recipe: Path, write: Callable[..., Path], make: Callable[[Path, Any], Verdict], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        make(recipe, write)
    assert "\n" not in str(error.value)


def test_a_recipe_that_is_not_there_gets_one_line(recipe: Path) -> None:
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        compare(recipe.parent / "none.toml", recipe)


def test_what_is_not_shared_is_said(recipe: Path, write: Callable[..., Path]) -> None:
    wide = write("wide", ("hidden = [4]", "hidden = [6]"))
    verdict = compare(recipe, wide, where_a=ADAM, where_b=ADAM, seeds=6)
    assert verdict.numbers["not_shared"] == ("initial weights (the shapes differ)",)
    held = write("held", ("epochs = 60", "epochs = 60\nvalidation = 0.3\nbatch_size = 4"))
    verdict = compare(recipe, held, where_a=ADAM, where_b=ADAM, seeds=6)
    assert "the split (other shares are held out)" in verdict.numbers["not_shared"]
    assert "batch order (only one side draws any)" in verdict.numbers["not_shared"]
    relu = write("relu", ('"tanh"', '"relu"'))
    verdict = compare(recipe, relu, where_a=ADAM, where_b=ADAM, seeds=6)
    assert verdict.numbers["not_shared"] == ("initial weights (equal shapes, drawn in different ways)",)


def test_a_verdict_is_one_sentence_one_picture_and_one_record(recipe: Path) -> None:
    from chainrule.report.verdict_figure import verdict_figure, verdict_record

    for options in ({}, {"quantity": "loss"}, {"until_decided": True, "max_seeds": 40}):
        verdict = compare(recipe, recipe, where_a=ADAM, where_b=SGD, **options)
        record = json.loads(json.dumps(verdict.record(), allow_nan=False))
        assert record["sentence"] == str(verdict) == verdict.sentence
        assert verdict.sentence.endswith(".")
        assert record["decision"] in ("a", "b", "equal", "undecided")
        figure = verdict_figure(verdict, "one")
        assert figure is not None
        assert figure.id == "one"
        assert verdict_record(verdict).n_seeds == verdict.n_seeds


def test_tuning_scores_by_successes_then_speed_or_by_the_median() -> None:
    inf = float("inf")
    assert success_score(np.array([1, 1, 0]), np.array([10.0, 20.0, inf])) == pytest.approx((2.0, 0.05))
    measure = parse_measure("loss")
    assert metric_score(np.array([1.0, 3.0, np.nan]), measure) == (-3.0, -2.0)
    assert metric_score(np.array([1.0, np.nan, np.nan]), measure)[0] == -inf
    assert metric_score(np.array([0.5, 0.7, np.nan]), parse_measure("accuracy"))[0] == 0.5
    assert split_seeds([3, 4, 5, 6, 7]) == ((3, 4), (5, 6, 7))
    assert split_seeds([3]) == ((3,), (3,))


def test_runs_keep_their_own_seeds() -> None:
    runs = train(mlp([2]), "xor", seeds=[5, 6, 7, 8, 9, 10], epochs=1)
    other = train(mlp([2]), "xor", seeds=[4, 5, 6, 7, 8, 9, 10], epochs=2)
    assert compare(runs, other, quantity="loss").numbers["seeds"] == (5, 6, 7, 8, 9, 10)
    assert isinstance(runs, Runs)
