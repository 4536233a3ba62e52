"""Many settings at once: who cannot be told from the best, and Holm's correction beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import ConfigError
from chainrule.experiments.verdicts.bench import Bench
from chainrule.experiments.verdicts.measures import parse_measure
from chainrule.experiments.verdicts.rankings import pairs_table, rank, rank_values
from chainrule.experiments.verdicts.sides import side_of
from chainrule.stats import compare_rates, holm

NAMES = ("good", "nearly", "bad")


def columns(n: int = 60) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.permutation(np.arange(n) < round(rate * n)).astype(float) for rate in (0.9, 0.85, 0.2)]


def test_the_rest_are_worse_and_the_near_one_stays() -> None:
    verdict = rank_values(NAMES, columns(), parse_measure("success"), tuple(range(60)))
    assert set(verdict.numbers["not_told_from_best"]) == {"good", "nearly"}
    assert verdict.decision == "undecided"
    assert "1 cannot be told from it" in verdict.sentence
    assert verdict.numbers["order"][-1] == "bad"
    assert verdict.picture is not None
    assert [row[0] for row in verdict.picture.rows] == list(verdict.numbers["order"])


def test_pairs_are_corrected_by_holm() -> None:
    table = pairs_table(NAMES, columns(), parse_measure("success"), 0.95)
    a, b, c = (column > 0 for column in columns())
    raw = [compare_rates(x, y).p_value for x, y in ((a, b), (a, c), (b, c))]
    assert [row["p_value"] for row in table] == raw
    assert [row["p_holm"] for row in table] == list(holm([p for p in raw if p is not None]))


def test_a_clear_winner_and_no_winner() -> None:
    rng = np.random.default_rng(1)
    losses = [rng.lognormal(mean, 0.3, 40) for mean in (0.0, 2.0, 3.0)]
    verdict = rank_values(NAMES, losses, parse_measure("loss"), tuple(range(40)))
    assert verdict.decision == "a"
    assert "every other one is shown to be worse" in verdict.sentence
    same = [rng.lognormal(0.0, 0.3, 40) for _ in range(3)]
    assert (
        "none of the others can be told from it"
        in rank_values(NAMES, same, parse_measure("loss"), tuple(range(40))).sentence
    )


def test_five_seeds_rank_nothing() -> None:
    verdict = rank_values(NAMES, columns(5), parse_measure("success"), tuple(range(5)))
    assert verdict.decision == "no verdict"
    assert "5 paired seeds, and at least 6 are needed" in verdict.sentence


def test_the_cells_of_a_recipe_are_ranked(recipe: Path) -> None:
    side = side_of(recipe)
    verdict = rank(side.candidates, parse_measure("loss"), Bench(), range(10))
    assert len(verdict.names) == 6
    assert "adam, learning rate 0.3" in verdict.names
    with pytest.raises(ConfigError, match="at least two settings"):
        rank(side.candidates[:1], parse_measure("loss"), Bench(), range(10))
