"""The audit: claims as they are written, and chances against counting and exact sums."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from chainrule.errors import ConfigError, ShapeError
from chainrule.experiments.recipes.grid import Cell, expand
from chainrule.experiments.recipes.recipe import load_recipe
from chainrule.experiments.verdicts.audit import audit, audit_sides, audit_values, one_cell, usual_seeds
from chainrule.experiments.verdicts.bench import Bench
from chainrule.experiments.verdicts.claims import parse_claim
from chainrule.experiments.verdicts.fair_tuning import Tuned, tuning_words
from chainrule.experiments.verdicts.measures import parse_measure
from chainrule.experiments.verdicts.sides import candidates_of, side_of
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


def test_open_sides_are_tuned_on_one_half_and_audited_on_the_other(recipe: Path) -> None:
    sides = [replace(side_of(recipe, {"optimizer": name}), name=name) for name in ("adam", "momentum", "sgd")]
    measure, seeds = parse_measure("loss"), range(40)
    verdict = audit_sides(sides, measure, Bench(), seeds, 3)
    chosen = []
    for side in sides:
        columns = Bench().values(side.candidates, seeds[:20], [measure])
        medians = [float(np.sort(columns[place, measure.text])[9]) for place in range(2)]  # the lower of the two middle
        chosen.append(side.candidates[int(np.argmin(medians))])
    alone = audit(chosen, measure, Bench(), seeds[20:], 3)
    assert verdict.numbers["chance"] == alone.numbers["chance"]
    assert verdict.numbers["tuning"]["choosing_seeds"] == tuple(seeds[:20])
    names = [f"{side.name} ({one.label})" for side, one in zip(sides, chosen, strict=True)]
    assert list(verdict.names) == names
    assert verdict.sentence.endswith("; each was tuned over 2 settings on 20 other seeds.")


def test_what_was_not_tuned_is_told_of_any_number_of_sides(recipe: Path) -> None:
    one_rate = [side_of(recipe, {"optimizer": name, "lr": 0.3}) for name in ("adam", "momentum", "sgd")]
    told = [Tuned(side, side.candidates[0]) for side in one_rate]
    assert tuning_words(told[:2], 0) == "neither was tuned, both ran at learning rate 0.3"
    assert tuning_words(told, 0) == "none was tuned, all ran at learning rate 0.3"
    other = side_of(recipe, {"optimizer": "sgd", "lr": 0.03})
    mixed = [*told[:2], Tuned(other, other.candidates[0])]
    assert tuning_words(mixed, 0) == "none was tuned, they ran at learning rates 0.3, 0.3 and 0.03"
    assert tuning_words([told[2], mixed[2]], 0) == ""  # the rate is what is compared
    open_side = replace(side_of(recipe, {"optimizer": "adam"}), name="adam")
    scores = tuple((one.label, (0.0,)) for one in open_side.candidates)
    unfair = [
        Tuned(open_side, open_side.candidates[0], scores),
        *(
            replace(one, side=replace(one.side, name=name))
            for one, name in zip(told[1:], ("momentum", "sgd"), strict=True)
        ),
    ]
    assert tuning_words(unfair, 20) == (
        "the tuning was not fair: adam had 2 settings to choose from, momentum 1, sgd 1"
    )
