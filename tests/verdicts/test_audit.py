"""The audit: claims as they are written, and chances against counting and exact sums."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from chainrule.errors import ConfigError, ShapeError
from chainrule.experiments.recipes.grid import Cell, expand
from chainrule.experiments.recipes.recipe import load_recipe
from chainrule.experiments.verdicts.audit import audit, audit_values, one_cell, parse_claim, usual_seeds
from chainrule.experiments.verdicts.bench import Bench
from chainrule.experiments.verdicts.measures import parse_measure
from chainrule.experiments.verdicts.sides import candidates_of
from chainrule.stats.audit import order_chance
from chainrule.stats.orders import chain_chance


@pytest.fixture
def cells(recipe: Path) -> list[Cell]:
    return expand(load_recipe(recipe))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("adam > sgd", ("adam", "sgd")),
        ("sgd < adam", ("adam", "sgd")),
        ("adam>momentum>sgd", ("adam", "momentum(0.9)", "sgd")),
        ("0.3 > 0.03", ("learning rate 0.3", "learning rate 0.03")),
        ("optimizer=adam > optimizer=sgd", ("adam", "sgd")),
        ("optimizer=adam,lr=0.3 > optimizer=sgd,lr=0.03", ("adam, learning rate 0.3", "sgd, learning rate 0.03")),
    ],
)
def test_claims_are_read(cells: list[Cell], text: str, names: tuple[str, ...]) -> None:
    assert parse_claim(text, cells).names == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adam", "write 'adam > sgd'"),
        ("adam > sgd < momentum", "write 'adam > sgd'"),
        ("adam >= sgd", "write 'adam > sgd'"),
        ("adam >", "lacks a side"),
        ("adm > sgd", "unknown value of optimizer 'adm'; did you mean 'adam'"),
        ("adam > 0.3", "unknown value of optimizer '0.3'"),
        ("adam > adam", "with itself"),
        ("optimiser=adam > optimizer=sgd", "unknown axis 'optimiser'"),
    ],
)
def test_claims_that_say_nothing_get_one_line(cells: list[Cell], text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        parse_claim(text, cells)
    assert "\n" not in str(error.value)


def test_a_side_of_several_cells_says_how_to_choose_one(cells: list[Cell]) -> None:
    with pytest.raises(ConfigError, match=r"adam is 2 cells: choose one of them, such as --at learning_rate=0.03"):
        one_cell(cells, {"training.optimizer": "adam"})


@pytest.mark.parametrize("runs", [1, 3, 5])
def test_success_rates_are_audited_exactly(runs: int) -> None:
    a, b = np.repeat([1.0, 0.0], [30, 10]), np.repeat([1.0, 0.0], [18, 22])
    pmf = [stats.binom.pmf(np.arange(runs + 1), runs, rate) for rate in (0.75, 0.45)]
    joint = np.outer(*pmf)
    verdict = audit_values(("A", "B"), [a, b], parse_measure("success"), runs)
    chance = verdict.numbers["chance"]
    assert chance["shows"] == pytest.approx(np.tril(joint, -1).sum())
    assert chance["ties"] == pytest.approx(np.trace(joint))
    assert verdict.interval is not None
    assert verdict.interval.low < chance["shows"] < verdict.interval.high
    assert f"{runs} run{'s' if runs > 1 else ''} each shows A ahead of B in success rate" in verdict.sentence
    assert "A 75 %, B 45 %" in verdict.sentence


def test_the_chance_of_an_order_of_three_equals_counting_all_studies() -> None:
    samples = [np.array([1.0, 2.0, 6.0]), np.array([2.0, 3.0, 5.0]), np.array([4.0, np.nan, 2.5])]
    filled = [np.where(np.isnan(x), np.inf, x) for x in samples]
    studies = list(itertools.product(range(3), repeat=6))
    shown = reverse = 0
    with np.errstate(invalid="ignore"):
        for s in studies:
            means = [filled[k][list(s[2 * k : 2 * k + 2])].mean() for k in range(3)]
            shown += means[0] < means[1] < means[2]
            reverse += means[0] > means[1] > means[2]
    chance = chain_chance(samples, 2, paired=False)
    assert chance.shows == pytest.approx(shown / len(studies), abs=0.015)
    assert chance.reversed == pytest.approx(reverse / len(studies), abs=0.015)
    assert chance.shows + chance.reversed + chance.ties == pytest.approx(1.0)
    paired = chain_chance(samples, 1, paired=True)
    assert paired.shows == pytest.approx(2 / 3, abs=0.015)  # of 1 < 2 < 4, 2 < 3 < inf and 6 > 5 > 2.5
    assert paired.reversed == pytest.approx(1 / 3, abs=0.015)


def test_an_order_of_two_is_that_of_the_statistics() -> None:
    a, b = np.random.default_rng(0).random((2, 40))
    assert chain_chance([a, b], 5) == order_chance(a, b, 5)
    with pytest.raises(ShapeError):
        chain_chance([a, b[:5], b], 5)
    with pytest.raises(ConfigError):
        chain_chance([a], 5)


def test_a_recipe_is_audited(recipe: Path, cells: list[Cell]) -> None:
    claim = parse_claim("adam > sgd", cells, {"training.learning_rate": 0.3})
    chosen = [one_cell(cells, selector) for selector in claim.selectors]
    candidates = candidates_of(load_recipe(recipe), chosen)
    assert [candidate.label for candidate in candidates] == ["adam", "sgd"]
    assert usual_seeds(candidates, (4, 5)) == tuple(range(4, 304))
    bench = Bench()
    verdict = audit(candidates, parse_measure("loss"), bench, range(40), 3)
    assert bench.computed == 80
    assert verdict.n_seeds == 40
    assert verdict.decision == "told"
    assert verdict.names == ("adam", "sgd")
