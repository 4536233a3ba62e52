"""Sentences and texts of the report, against hand-made successes and values."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import Runs, mlp, train
from chainrule.experiments.recipes.words import value_word
from chainrule.lab.context import Level
from chainrule.lab.pictures import interval_text, typical_run
from chainrule.lab.verdicts import extremes_verdict, metric_verdict, rate_verdict, share, tied_with_best
from chainrule.report.sweeps.words import rate_text, shown
from chainrule.stats import success_rate


@pytest.fixture(scope="module")
def runs() -> Runs:
    return train(mlp([2], "sigmoid"), "xor", seeds=12, epochs=3, learning_rate=0.5)


def level(name: str, runs: Runs, successes: int) -> Level:
    return Level(name, name, runs, np.arange(len(runs)) < successes)


def test_share_carries_the_exact_interval() -> None:
    # Clopper-Pearson for 7 of 10: 0.3475 to 0.9333
    assert share(success_rate(7, 10)) == "7 of 10 seeds (70 %, 95 % interval 35 % to 93 %)"
    assert rate_text(success_rate(7, 10)) == "7 (35 to 93 %)"


def test_rate_verdict_has_n_and_interval(runs: Runs) -> None:
    verdict = rate_verdict("xor", level("a", runs, 12))
    assert verdict.n_seeds == 12
    assert verdict.interval is not None
    assert verdict.interval[0] == pytest.approx(0.025 ** (1 / 12))  # all succeeded: (alpha/2)^(1/n)
    assert verdict.interval[1] == 1.0


def test_extremes_are_a_finding_only_when_mcnemar_says_so(runs: Runs) -> None:
    # 10 against 0 of 12: ten discordant pairs, all one way, p = 2 / 2^10
    clear = extremes_verdict("subject", [level("good", runs, 10), level("bad", runs, 0)])
    assert clear is not None
    assert clear.kind == "finding"
    assert clear.evidence["p_value"] == pytest.approx(2 / 2**10)
    # 4 against 0: p = 2 / 2^4 = 0.125
    unclear = extremes_verdict("subject", [level("good", runs, 4), level("bad", runs, 0)])
    assert unclear is not None
    assert unclear.kind == "question"
    assert "not enough to tell the two apart" in unclear.sentence
    same = extremes_verdict("subject", [level("a", runs, 3), level("b", runs, 3)])
    assert same is not None
    assert "does not tell them apart" in same.sentence
    assert extremes_verdict("subject", [level("a", runs, 3)]) is None


def test_ties_are_corrected_for_the_number_of_comparisons(runs: Runs) -> None:
    # 6 discordant pairs one way: p = 2 / 2^6 = 0.031, a difference alone but not beside two other comparisons
    alone = tied_with_best([level("best", runs, 12), level("worse", runs, 6)])
    assert alone == ("best",)
    # which two levels are the extremes is known only after looking: with two more levels six pairs could be meant
    searched = extremes_verdict("s", [level("best", runs, 12), level("w1", runs, 6), level("w2", runs, 7)])
    assert searched is not None
    assert searched.kind == "question"
    assert searched.evidence["p_adjusted"] == pytest.approx(3 * 2 / 2**6)
    family = tied_with_best([level("best", runs, 12), level("w1", runs, 6), level("w2", runs, 6), level("w3", runs, 6)])
    assert family == ("best", "w1", "w2", "w3")


def test_metric_verdict_needs_six_pairs(runs: Runs) -> None:
    few = runs[:5]
    a = Level("a", 0, few, np.ones(5, dtype=bool))
    verdict = metric_verdict("xor", a, a, "final loss", "final loss")
    assert verdict.kind == "question"
    assert "fewer than 6 pairs" in verdict.sentence


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (1250.0, "1,250"), (3.14e-7, "3.14e-07"), (np.inf, "∞"), (np.nan, "–"), (0.0, "0")],
)
def test_numbers_are_written_short(value: float, text: str) -> None:
    assert shown(value) == text


def test_medians_count_the_seeds_that_never_arrived() -> None:
    assert interval_text(np.array([1.0, 2.0, np.inf])) == "2"
    assert interval_text(np.array([1.0, np.inf, np.inf])) == "∞"
    assert interval_text(np.array([1.0, np.nan, np.nan])) == "∞"
    # order statistics of 8 values at 95 %: ranks 1 and 8, the last never reached
    assert interval_text(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, np.inf])) == "4.5 (1 to ∞)"
    # order statistics of 1..9 at 95 %: ranks 2 and 8
    assert interval_text(np.arange(1.0, 10.0)) == "5 (2 to 8)"


def test_typical_run_is_the_median_seed(runs: Runs) -> None:
    one = typical_run(level("a", runs, 0))
    losses = sorted(run.final["loss"] for run in runs)
    assert one.final["loss"] == losses[5]


@pytest.mark.parametrize(("value", "text"), [((4, 4), "(4, 4)"), (0.001, "0.001"), (True, "with"), ("adam", "adam")])
def test_level_names(value: object, text: str) -> None:
    assert value_word(value) == text
