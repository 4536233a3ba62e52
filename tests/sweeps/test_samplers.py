"""Samplers: cells of the grid, each once, the same ones again; Optuna between the ends of ranges."""

from __future__ import annotations

import sys

import pytest

from chainrule.errors import ConfigError
from chainrule.experiments.recipes.axes import Axis
from chainrule.experiments.recipes.recipe import parse_recipe
from chainrule.experiments.sweeps.experiment import Experiment
from chainrule.experiments.sweeps.optuna_sampler import range_of
from chainrule.experiments.sweeps.samplers import Sampling
from chainrule.experiments.sweeps.summary import summarise
from chainrule.report.sweeps.sentences import importance_sentence, remarks
from tests.sweeps.conftest import SUCCESS, Memory, make_experiment

SPACE = """
id = "space"
[data]
source = "xor"
[network]
hidden = [3]
[training]
loss = "binary_cross_entropy"
epochs = 20
[axes]
"training.learning_rate" = { from = 0.01, to = 10.0, per_decade = 1 }
"training.optimizer" = ["sgd", "momentum", "adam"]
"training.optimizer.beta" = { from = 0.1, to = 0.9, count = 3, only = { "training.optimizer" = "momentum" } }
"training.epochs" = { from = 10, to = 30, step = 10 }
[[zipped]]
"network.hidden" = [[2], [3], [4]]
"network.activation" = ["tanh", "sigmoid", "relu"]
[seeds]
count = 3
"""


def space(more: str = SUCCESS) -> Experiment:
    return Experiment(parse_recipe(SPACE + more))


def test_random_cells_are_of_the_grid_each_once_and_the_same_again(memory: Memory) -> None:
    experiment = space()
    grid = {cell.place for cell in experiment.cells()}
    first = experiment.run(store=memory, sampler="random", trials=20, fresh=0)
    places = [one.cell.place for one in first]
    assert len(set(places)) == len(places) == 20
    assert set(places) <= grid
    again = experiment.run(store=memory, sampler="random", trials=30, fresh=0)
    assert [one.cell.place for one in again][:20] == places  # more trials go on from there
    assert (again.reused, again.computed) == (60, 30)
    assert (first.sampler, first.wanted) == ("random", 60)
    assert first.notes == (f"sampler random: 20 of {len(grid)} places of the grid were tried",)


def test_importance_says_how_places_were_chosen() -> None:
    rates = [round(0.02 * k, 2) for k in range(1, 41)]
    experiment = make_experiment(rates=rates, optimizers=("sgd", "adam"), epochs=60)
    drawn = summarise(experiment.run(seeds=6, sampler="random", trials=30, fresh=0))
    assert drawn.importance["training.learning_rate"].ranges == 4
    assert "learning rate (in 4 ranges) " in importance_sentence(drawn)
    assert drawn.no_importance == {}
    few = summarise(experiment.run(seeds=6, sampler="random", trials=8, fresh=0))
    assert few.no_importance == {
        "training.learning_rate": "8 places drawn at random are too few for 4 ranges of its 8 values"
    }
    whole = summarise(experiment.run(seeds=6, sampler="random", trials=80, fresh=0))
    assert whole.importance["training.learning_rate"].ranges == 0  # every place of the grid is the grid
    two = summarise(experiment.run(seeds=2, sampler="random", trials=30, fresh=0))
    assert two.importance == {}
    assert "No importance is given for learning rate and optimizer: 2 seeds, and at least 6 are needed." in remarks(two)


def test_places_that_were_chosen_by_their_results_have_no_importance() -> None:
    pytest.importorskip("optuna")
    summary = summarise(make_experiment(rates=(0.1, 0.5, 1.0, 5.0)).run(seeds=6, sampler="optuna", trials=6, fresh=0))
    assert summary.importance == {}
    assert set(summary.no_importance) == set(summary.axes)
    assert "chose its values by their results" in next(iter(summary.no_importance.values()))


def test_random_keeps_variants_beside_their_cells() -> None:
    more = f'{SUCCESS}\n[variants.wide]\nset = {{ "network.hidden" = [6] }}'
    result = make_experiment(more=more).run(sampler="random", trials=2, fresh=0)
    assert [one.cell.variant for one in result] == [None, "wide", None, "wide"]


def test_more_trials_than_places_is_the_grid() -> None:
    experiment = make_experiment()
    result = experiment.run(sampler="random", trials=99, fresh=0)
    assert [one.cell for one in result] == experiment.cells()


def test_optuna_proposes_within_the_space_and_the_same_again(memory: Memory) -> None:
    experiment = space()
    first = experiment.run(store=memory, sampler="optuna", trials=20, fresh=0)
    assert 10 <= len(first) <= 20
    rates = set()
    for one in first:
        place = dict(one.cell.place)
        rates.add(place["training.learning_rate"])
        assert 0.01 <= place["training.learning_rate"] <= 10.0
        assert place["training.epochs"] in range(10, 31)
        assert isinstance(place["training.epochs"], int)
        assert ("training.optimizer.beta" in place) == (place["training.optimizer"] == "momentum")
        assert (place["network.hidden"], place["network.activation"]) in [
            ((2,), "tanh"),
            ((3,), "sigmoid"),
            ((4,), "relu"),
        ]
        assert one.cell.setting.config.epochs == place["training.epochs"]
    assert rates - {0.01, 0.1, 1.0, 10.0}  # a range is proposed between its grid points, too
    again = experiment.run(store=memory, sampler="optuna", trials=24, fresh=0)
    assert [one.cell.place for one in again][: len(first)] == [one.cell.place for one in first]
    assert again.reused >= 3 * len(first)
    assert again.computed == 3 * (len(again) - len(first))


def test_optuna_learns() -> None:
    """With a loss to go by, later trials are better than the first, which are drawn at random."""
    result = space(more="").run(sampler="optuna", trials=64, fresh=0)
    losses = [sorted(float(run.final["loss"]) for run in one.runs)[1] for one in result]
    first, last = sorted(losses[:16]), sorted(losses[-16:])
    assert last[len(last) // 2] < first[len(first) // 2]


def test_optuna_goes_on_when_a_place_cannot_be_trained() -> None:
    more = f'{SUCCESS}\n[cases.good]\n"training.log_every" = 5\n[cases.bad]\n"training.stopping" = ["patience(5)"]'
    experiment = make_experiment(more=more, rates=(0.1, 0.3, 1.0, 3.0))
    result = experiment.run(sampler="optuna", trials=20, fresh=0)
    bad = [one for one in result if dict(one.cell.place)["case"] == "bad"]
    assert bad
    assert all("validation" in one.missing for one in bad)
    assert all(len(one.runs) == 5 for one in result if one not in bad)


@pytest.mark.parametrize(
    ("axis", "found"),
    [
        (Axis("k", (0.1, 1.0, 10.0), written="0.1 to 10, 1 a decade"), (0.1, 10.0, True)),
        (Axis("k", (1, 8, 64), written="1 to 64, 3 values, logarithmic"), (1, 64, True)),
        (Axis("k", (10, 20, 30), written="10 to 30, in steps of 10"), (10, 30, False)),
        (Axis("k", (10, 20, 30)), None),
        (Axis("k", ("a", "b"), written=""), None),
    ],
)
def test_ranges_are_told_from_lists(axis: Axis, found: object) -> None:
    assert range_of(axis) == found


def test_impossible_samplers_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown sampler 'gird'; did you mean 'grid'"):
        Sampling("gird")
    with pytest.raises(ConfigError, match="the grid tries every cell"):
        Sampling("grid", 5)
    with pytest.raises(ConfigError, match="from 1 to"):
        Sampling("random", 0)


def test_without_optuna_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"needs Optuna: pip install 'chainrule\[sweeps\]'"):
        space().run(sampler="optuna")
