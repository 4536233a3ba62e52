"""Spread by source: the crossed design, what it recovers, and which sources it leaves out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.experiments.recipes.grid import expand
from chainrule.experiments.recipes.recipe import load_recipe
from chainrule.experiments.verdicts.bench import Bench
from chainrule.experiments.verdicts.measures import parse_measure
from chainrule.experiments.verdicts.sides import Candidate, candidates_of
from chainrule.experiments.verdicts.spread import (
    changed_alone,
    crossed_design,
    prime_below,
    seeds_of_design,
    sources_of,
    spread,
)
from chainrule.random import SOURCES, seed_parts
from chainrule.stats.changes import changed_share
from chainrule.stats.variance import crossed_components

NOISY = """
id = "noisy"
title = "Moons"
section = "test"
[data]
source = "moons(n=40)"
[network]
hidden = [4]
activation = "tanh"
dropout = 0.1
[training]
loss = "binary_cross_entropy"
learning_rate = 0.1
batch_size = 10
epochs = 3
validation = 0.3
"""


def candidate(path: Path) -> Candidate:
    loaded = load_recipe(path)
    return candidates_of(loaded, expand(loaded)[:1])[0]


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    path = tmp_path / "noisy.toml"
    path.write_text(NOISY)
    return path


@pytest.mark.parametrize("p", [5, 7, 11])
def test_any_two_sources_meet_in_every_combination_once(p: int) -> None:
    design = crossed_design(SOURCES, p)
    for one, other in itertools.combinations(SOURCES, 2):
        assert len(set(zip(design[one], design[other], strict=True))) == p * p
    assert all(set(levels) == set(range(p)) for levels in design.values())


def test_the_seeds_of_a_design_hold_its_levels() -> None:
    design = crossed_design(("init", "order"), 5)
    seeds = seeds_of_design(design)
    assert [seed_parts(seed)["order"] for seed in seeds] == design["order"]
    assert {seed_parts(seed)["data"] for seed in seeds} == {0}


def test_a_partner_differs_in_one_source_and_is_new() -> None:
    design = crossed_design(SOURCES, 7)
    seeds = seeds_of_design(design)
    for name, partners in changed_alone(design, 7).items():
        assert len({run for run, _ in partners}) == len(partners) == 49
        for run, seed in partners:
            before, after = seed_parts(seeds[run]), seed_parts(seed)
            assert [key for key in SOURCES if before[key] != after[key]] == [name]
            assert seed not in seeds


def test_the_largest_prime_is_taken() -> None:
    assert [prime_below(n) for n in (5, 6, 30, 31, 64)] == [5, 5, 29, 31, 61]
    for n in (4, 65):
        with pytest.raises(ConfigError, match="5 to 64 seeds a source"):
            prime_below(n)


def test_the_design_gives_the_components_of_known_effects_and_keeps_interactions_out() -> None:
    """Init 4, data 1, split 0, and an interaction of init and data of 2: means over 200 draws of the effects."""
    p, rng = 11, np.random.default_rng(0)
    design = {name: np.array(levels) for name, levels in crossed_design(SOURCES, p).items()}
    found = []
    for _ in range(200):
        values = 2.0 * rng.standard_normal(p)[design["init"]] + rng.standard_normal(p)[design["data"]]
        values = values + np.sqrt(2.0) * rng.standard_normal((p, p))[design["init"], design["data"]]
        result = crossed_components({name: levels.tolist() for name, levels in design.items()}, values, n_draws=50)
        found.append([*(one.estimate for one in result.factors), result.remainder.estimate])
    means, errors = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(200)
    np.testing.assert_array_less(np.abs(means - [4, 1, 0, 0, 0, 2]), 4 * errors + 1e-9)


def test_the_share_when_only_one_changes_is_one_minus_the_correlation() -> None:
    """Two runs share an effect of variance 3 and differ by one of variance 1: a quarter is left when it is held."""
    rng = np.random.default_rng(1)
    shared = rng.normal(0, np.sqrt(3), 4000)
    x, y = shared + rng.normal(size=4000), shared + rng.normal(size=4000)
    found = changed_share(x, y)
    assert found.share == pytest.approx(1 - np.corrcoef(x, y)[0, 1], abs=0.002)
    assert found.low < 0.25 < found.high
    assert found.high - found.low < 0.03
    assert changed_share(x, x).share == 0.0
    assert changed_share(np.ones(10), np.ones(10)).high == 0.0
    assert changed_share(x, y) == found


def test_the_interval_of_the_share_covers_it() -> None:
    rng = np.random.default_rng(2)
    missed = 0
    for _ in range(100):
        shared = rng.normal(0, 1, 60)
        one = changed_share(shared + rng.normal(0, 1, 60), shared + rng.normal(0, 1, 60), n_resamples=500)
        missed += not one.low <= 0.5 <= one.high
    assert missed <= 11


def test_too_few_pairs_have_no_share() -> None:
    with pytest.raises(DataError, match="at least 10 pairs"):
        changed_share(np.arange(9), np.arange(9))
    with pytest.raises(DataError):
        changed_share(np.arange(10), np.full(10, np.inf))
    with pytest.raises(ShapeError):
        changed_share(np.arange(10), np.arange(11))


def test_only_sources_that_can_matter_are_crossed(noisy: Path, recipe: Path) -> None:
    drawn, idle = sources_of(candidate(noisy).setting)
    assert drawn == SOURCES
    assert idle == {}
    drawn, idle = sources_of(candidate(recipe).setting)
    assert drawn == ("init",)
    assert idle == {
        "data": "the data (xor) are the same for every seed",
        "split": "nothing is held out, so there is no split",
        "order": "each step takes all samples, so no order is drawn",
        "dropout": "the network has no dropout",
    }


def test_unshuffled_samples_and_fixed_weights_are_left_out(write: Callable[..., Path]) -> None:
    still = write(
        "still",
        ('activation = "tanh"', 'activation = "tanh"\nweight_init = "zeros"'),
        ("epochs = 60", "epochs = 60\nbatch_size = 7\nshuffle = false"),
    )
    drawn, idle = sources_of(candidate(still).setting)
    assert drawn == ()
    assert idle["order"] == "the samples keep their order"
    with pytest.raises(ConfigError, match="nothing scatters"):
        spread(candidate(still), parse_measure("loss"), Bench(), 5)


def test_a_spread_is_told_by_source(noisy: Path) -> None:
    bench = Bench()
    verdict = spread(candidate(noisy), parse_measure("validation_loss"), bench, 7)
    assert verdict.kind == "spread"
    assert verdict.n_seeds == 49
    assert bench.computed == 49 + 5 * 49
    assert list(verdict.numbers["components"]) == [*SOURCES, "remainder"]
    assert sum(one["share"] for one in verdict.numbers["components"].values()) == pytest.approx(1.0)
    assert verdict.sentence.startswith("Changing only the ")
    assert verdict.picture is not None
    assert len(verdict.picture.rows) == 5


def test_a_single_source_has_all_the_spread(recipe: Path) -> None:
    verdict = spread(candidate(recipe), parse_measure("loss"), Bench(), 5)
    assert "comes from the initial weights: nothing else is drawn" in verdict.sentence
    assert verdict.numbers["standard_deviation"] > 0
    assert "the network has no dropout" in verdict.notes[0]


def test_no_spread_and_no_number_are_said(recipe: Path, noisy: Path) -> None:
    verdict = spread(candidate(noisy), parse_measure("epochs"), Bench(), 5)
    assert verdict.sentence == "There is no spread to split: all 25 runs have the epochs 3."
    with pytest.raises(ConfigError, match="have no finite 'first loss<=1e-9'"):
        spread(candidate(recipe), parse_measure("first loss<=1e-9"), Bench(), 5)
