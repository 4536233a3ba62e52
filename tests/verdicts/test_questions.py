"""The questions of a recipe, answered from its sweep and from further seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chainrule.errors import ConfigError
from chainrule.experiments.sweeps.experiment import Experiment
from chainrule.experiments.sweeps.result import SweepResult
from chainrule.experiments.verdicts.questions import _shares, answer, answer_all
from chainrule.stats.importance import Importance

QUESTIONS = """
[[questions]]
ask = "compare"
a = { "training.optimizer" = "adam", "training.learning_rate" = 0.3 }
b = { "training.optimizer" = "sgd", "training.learning_rate" = 0.3 }
quantity = "final accuracy"
margin = 0.01
max_seeds = 300
note = "As the lecture says."
[[questions]]
ask = "compare"
a = { "training.optimizer" = "adam" }
b = { "training.optimizer" = "sgd" }
quantity = "final loss"
[[questions]]
ask = "rank"
a = { "training.learning_rate" = 0.3 }
quantity = "final loss"
[[questions]]
ask = "importance"
quantity = "final accuracy"
[[questions]]
ask = "spread"
a = { "training.optimizer" = "adam", "training.learning_rate" = 0.3 }
quantity = "final loss"
max_seeds = 50
[[questions]]
ask = "audit"
a = { "training.optimizer" = "adam" }
b = { "training.optimizer" = "sgd" }
quantity = "final loss"
runs = 3
"""


@pytest.fixture
def sweep(write: Callable[..., Path]) -> SweepResult:
    return Experiment.from_toml(write("asked", more=QUESTIONS)).run()


def test_every_question_gets_its_verdict(sweep: SweepResult) -> None:
    verdicts = answer_all(sweep)
    assert [verdict.kind for verdict in verdicts] == [
        "until decided", "until decided", "rank", "importance", "spread", "audit"
    ]  # fmt: skip
    decided, tuned, ranked, importance, spread, audit = verdicts
    assert decided.decision == "a"
    assert decided.notes[-1] == "As the lecture says."
    assert decided.numbers["max_seeds"] == 300
    assert "each was tuned over 2 settings on 24 other seeds" in tuned.sentence
    assert ranked.names == ("sgd", "momentum(0.9)", "adam")
    assert ranked.n_seeds == 24
    assert set(importance.numbers["importance"]) == {"training.optimizer", "training.learning_rate"}
    assert "Of the variance between 6 cells in final accuracy, the" in importance.sentence
    assert spread.n_seeds == 49
    assert audit.numbers["runs"] == 3
    assert audit.n_seeds == 12  # the other half tuned
    for verdict in verdicts:
        assert verdict.record()["sentence"] == verdict.sentence


def test_what_the_sweep_has_trained_is_not_trained_again(sweep: SweepResult) -> None:
    question = sweep.recipe.questions[0]
    verdict = answer(question, sweep)
    assert verdict.numbers["computed"] == 2 * max(verdict.n_seeds - 24, 0)


def test_without_further_runs_the_seeds_of_the_sweep_must_do(sweep: SweepResult) -> None:
    compared, tuned, ranked, importance, spread, audit = sweep.recipe.questions
    verdict = answer(compared, sweep, more=False)
    assert (verdict.kind, verdict.n_seeds) == ("compare", 24)
    assert answer(tuned, sweep, more=False).n_seeds == 12
    assert answer(ranked, sweep, more=False).kind == "rank"
    assert answer(importance, sweep, more=False).kind == "importance"
    assert answer(audit, sweep, more=False).kind == "audit"
    with pytest.raises(ConfigError, match="crossed seeds"):
        answer(spread, sweep, more=False)
    told = answer_all(sweep, more=False)[4]
    assert told.decision == "no verdict"
    assert told.sentence.startswith("The question 'spread' cannot be answered")


def test_an_axis_that_follows_from_others_has_no_part_of_its_own() -> None:
    whole = Importance(share=0.25, low=0.2, high=0.3, total=0.5, total_low=0.4, total_high=0.6)
    assert _shares(whole) == "has a part in 50 % (40 to 60), 25 % by itself"
    assert _shares(replace(whole, why="nearly a value a cell")) == "explains 25 % by itself (20 to 30)"
