"""The replication's recipes beside the reports' own numbers, written down here a second time."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from chainrule.experiments.recipes.schema import Claim, Figure
from chainrule.lab.replication import replication_recipes

# id -> every number that the reports print for it, as printed
REPORTED: dict[str, str] = {
    "A1": "1.807 51 0.673 74 0.0551 99 0.0331 100 0.0232 0.0174 100 500 0.01479 100",
    "A2": "0.698 47.6 0.488 61.9 0.387 76.2 0.0045 100 0.000924 100",
    "A3": "0.6875 48 0.6745 60 0.6698 68",
    "A4": "0.688 55 5.354 45",
    "A5": "0.8 0.83",
    "A6": "nan 49",
    "A7": "nan nan",
    "A8": "",
    "A9": "",
    "B1": "97.0 0.005550",
    "B2": "95.24 0.043193",
    "B3": "100 90.48 97",
    "B4": "90.48 90.48 95.24",
    "B5": "100 99 49",
    "B6": "21.0 0.097813 9.52 0.291206",
    "B7": "99 0.000247",
    "B8": "100 0.000000",
    "B9": "62 0.082112",
    "B10": "52 0.078608",
    "B11": "99 0.006092",
    "C1": "100 7.9244e-06",
    "C2": "100 1.487e-07",
    "C3": "100 100 52",
    "C4": "100 100 52.38 52.38",
    "C5": "100 100 100 100 100 100",
    "C6": "98 55 52",
    "C7": "100 100",
    "C8": "100 100",
    "C9": "",
    "C10": "98 100",
    "D1": "96 1.24e-4 7.8e-5 5.6e-5 4.4e-5",
    "D2": "96 99",
    "D3": "",
    "D4": "nan 86",
    "D5": "98",
    "D6": "49 99",
    "D7": "51 96",
    "D8": "38",
    "E0": "-0.4404 0.4404 -0.4404 0.4404 -0.4404 0.4404 -0.5 0.5 0 0 0 0 0 0 0 0 0",
    "E1": "0.1613 0.1002 0.0932 0.0899 0.0882 0.0011",
    "E2": "0.6391 0.2785 0.2107 0.1840 0.1644 0.0067",
    "E3": "",
    "E4": "0.8518 0.4219 0.3485 0.4075 0.2298 0.2392 0.1847 0.2367 0.1413 0.1796",
    "E5": "",
    "E5M": "",
    "E6": "0.1653 0.2278 0.0847 0.1911 0.1377 0.2346 0.2910 0.3656 0.5329 0.5392 1.5868 1.3857",
    "E7": "87.92 93.83 93.67 92.19 95.11 95.78 96.05 95.44 96.79 96.32",
}
# ids of which the reports say something in words, and how many statements that is
CLAIMED = {
    "A1": 1, "A2": 1, "A4": 1, "A5": 4, "A7": 1, "A8": 3, "A9": 4, "C4": 1, "C5": 2, "C6": 3, "C9": 2, "C10": 2,
    "D3": 5, "E3": 2, "E5": 3, "E5M": 3, "E6": 2,
}  # fmt: skip


def test_every_experiment_has_its_recipe_and_every_recipe_its_experiment() -> None:
    assert [recipe.id for recipe in replication_recipes()] == list(REPORTED)


@pytest.mark.parametrize("name", REPORTED)
def test_every_reported_number_is_there_as_printed(name: str) -> None:
    (recipe,) = (r for r in replication_recipes() if r.id == name)
    printed = Counter(REPORTED[name].split())
    assert Counter(figure.reported for figure in recipe.figures) == printed
    assert len(recipe.claims) == CLAIMED.get(name, 0)
    assert all(figure.id.startswith(f"{name}.") for figure in (*recipe.figures, *recipe.claims))
    assert recipe.report == name[0]


def test_ids_are_unique_and_rows_are_many() -> None:
    ids = [row.id for recipe in replication_recipes() for row in (*recipe.figures, *recipe.claims)]
    assert len(ids) == len(set(ids)) == 209


def test_seeds_are_at_least_30_but_for_mnist() -> None:
    for recipe in replication_recipes():
        if recipe.data is not None:
            assert recipe.seeds.count >= (3 if recipe.data.source == "mnist" else 30)


def test_nothing_on_mnist_and_nothing_slow_is_in_the_quick_run() -> None:
    for recipe in replication_recipes():
        if recipe.data is not None and recipe.data.source in ("mnist", "ellipse"):
            assert recipe.seeds.quick == 0


def test_defects_run_beside_the_correct_setting() -> None:
    written = {recipe.id: dict(variant.set) for recipe in replication_recipes() for variant in recipe.variants.values()}
    assert written["A6"] == {"training.loss": "bce_eps_in_divisions"}
    assert written["A9"] == {"training.optimizer": "array_normalized_gradient"}
    assert written["B8"]["training.optimizer"].startswith("adam_overwriting_moments")
    assert written["C7"] == {"training.optimizer": "momentum_ascent(0.9)"}


def test_tolerances_are_half_a_unit_of_the_last_printed_digit() -> None:
    figures = {figure.id: figure for recipe in replication_recipes() for figure in recipe.figures}
    assert figures["A1.1"].tolerance == pytest.approx(0.0005)
    assert figures["C1.2"].tolerance == pytest.approx(0.5e-10)
    assert figures["B1.2"].tolerance == pytest.approx(0.5e-6)
    assert figures["A1.12"].tolerance == 50  # "near 500"
    assert math.isnan(figures["A6.1"].value)


FITTED = {
    **dict.fromkeys(("A1", "A2", "A3", "A4", "A5", "A6", "A7", "C8", "E4"), "all"),
    "C1": "C1.2", "C2": "C2.2", "C6": "C6.1 C6.2 C6.4 C6.5", "C10": "C10.1 C10.2", "D1": "D1.1",
}  # fmt: skip


def test_rows_for_which_a_value_was_chosen_say_so() -> None:
    for recipe in replication_recipes():
        rows = (*recipe.figures, *recipe.claims)
        fitted = [row.id for row in rows if (recipe.fitted if row.fitted is None else row.fitted)]
        said = FITTED.get(recipe.id, "")
        assert fitted == ([row.id for row in rows] if said == "all" else said.split()), recipe.id


def test_guesses_of_ours_are_other_readings_and_explain_nothing() -> None:
    by_id = {recipe.id: recipe for recipe in replication_recipes()}
    convolution = by_id.pop("D8").variants  # what the one relu filter is compared with
    assert [v.set["network.layers"].partition(" dense")[0] for v in convolution.values() if v.reading] == [
        "conv1d 4 2 relu,", "conv1d 1 2 sigmoid,", "dense 4,"
    ]  # fmt: skip
    readings = {name: dict(v.set) for name, r in by_id.items() for v in r.variants.values() if v.reading}
    summed, plain = {"training.loss": "half_mse(reduction=sum)"}, {"training.optimizer": "sgd"}
    assert readings == {**dict.fromkeys(["A1", "A2", "A3", "A4"], plain),
                        **dict.fromkeys(["D1", "D2", "D4", "D5", "D6", "D7"], summed)}  # fmt: skip
    explained = {r.id for r in by_id.values() if any(row.as_written for row in (*r.figures, *r.claims))}
    assert explained == {"A6", "A7", "A9", "B8", "C7"}  # only what the reports themselves write


def test_quantities_are_those_of_the_reports() -> None:
    by_id: dict[str, Figure | Claim] = {}
    for recipe in replication_recipes():
        by_id |= {row.id: row for row in recipe.figures} | {row.id: row for row in recipe.claims}
    for name in ("C10.1", "C10.2", "C10.3", "C10.4"):
        assert by_id[name].quantity == "final median_threshold_accuracy"
    for epoch in range(5):
        training, validation = by_id[f"E7.{2 * epoch + 1}"], by_id[f"E7.{2 * epoch + 2}"]
        assert "other definition" in (training.no_verdict or "")
        assert validation.no_verdict is None
