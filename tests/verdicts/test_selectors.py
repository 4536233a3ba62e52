"""Selectors as people type them, and the lines they get when they mistype."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ConfigError
from chainrule.experiments.recipes.grid import expand
from chainrule.experiments.recipes.recipe import load_recipe, parse_recipe
from chainrule.experiments.recipes.selectors import (
    axes_of,
    parse_selector,
    resolve,
    selector_text,
    selector_words,
    split_outside,
)
from chainrule.experiments.verdicts.claims import parse_claim
from chainrule.experiments.verdicts.measures import parse_measure

AXES: dict[str, list[Any]] = {
    "training.optimizer": ["sgd", "momentum(0.9)", "momentum(0.5)", "adam"],
    "training.learning_rate": [0.03, 0.3, 3],
    "network.hidden": [(4, 4), (8,)],
    "network.bias": [True, False],
    "case": ["linear", "xor"],
}


CELLS = expand(
    parse_recipe(
        """
        id = "grid"
        title = "A grid"
        section = "test"
        [data]
        source = "xor"
        [network]
        hidden = [2]
        [axes]
        "training.optimizer" = ["sgd", "momentum(0.9)", "adam"]
        "training.learning_rate" = [0.03, 0.3]
        """
    )
)


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("optimizer=adam", {"training.optimizer": "adam"}),
        ("training.optimizer=adam,lr=0.3", {"training.optimizer": "adam", "training.learning_rate": 0.3}),
        ("learning rate = 3e-1", {"training.learning_rate": 0.3}),
        ("learning_rate=3.0", {"training.learning_rate": 3}),
        ("optimizer=momentum(0.9),case=xor", {"training.optimizer": "momentum(0.9)", "case": "xor"}),
        ("optimizer='momentum( 0.5 )'", {"training.optimizer": "momentum(0.5)"}),
        ("hidden=(4, 4)", {"network.hidden": (4, 4)}),
        ("hidden=4x4", {"network.hidden": (4, 4)}),
        ("hidden=[8]", {"network.hidden": (8,)}),
        ("bias=false", {"network.bias": False}),
        ("bias=with", {"network.bias": True}),
    ],
)
def test_what_is_typed_is_found(text: str, selector: dict[str, Any]) -> None:
    assert parse_selector(text, AXES) == selector


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimiser=adam", "unknown axis 'optimiser'; did you mean 'optimizer'"),
        ("optimizer=adm", "unknown value of optimizer 'adm'; did you mean 'adam'"),
        ("optimizer=momentum", r"could be momentum\(0.9\) or momentum\(0.5\)"),
        ("learning_rate=0.1", "unknown value of learning_rate '0.1'"),
        ("optimizer", "write axis=value"),
        ("optimizer=", "write axis=value"),
        ("=adam", "write axis=value"),
        ("optimizer=adam,", "write axis=value"),
        ("optimizer=adam,optimizer=sgd", "given twice"),
    ],
)
def test_what_is_mistyped_gets_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        parse_selector(text, AXES)
    assert "\n" not in str(error.value)


def test_an_axis_that_could_be_two_is_asked_for() -> None:
    with pytest.raises(ConfigError, match="write the whole name"):
        parse_selector("loss=mse", {"training.loss": ["mse"], "other.loss": ["mse"]})


def test_mappings_take_short_names_numbers_and_lists() -> None:
    assert resolve({"optimizer": "adam", "lr": 3.0}, AXES) == {
        "training.optimizer": "adam",
        "training.learning_rate": 3,
    }
    assert resolve({"hidden": [4, 4]}, AXES) == {"network.hidden": (4, 4)}
    assert resolve({"optimizer": ["adam", "sgd"]}, AXES) == {"training.optimizer": ("adam", "sgd")}


def test_commas_in_brackets_belong_to_the_value() -> None:
    assert split_outside("a(1, 2),b[3,4],c", ",") == ["a(1, 2)", "b[3,4]", "c"]


def test_selectors_are_told_in_words_and_as_typed() -> None:
    selector = {"training.optimizer": "adam", "training.learning_rate": 0.3, "network.hidden": (4, 4)}
    assert selector_words(selector) == "adam, learning rate 0.3, hidden (4, 4)"
    assert parse_selector(selector_text(selector), AXES) == selector


def test_the_axes_of_a_recipe(recipe: Path) -> None:
    cells = expand(load_recipe(recipe))
    assert list(axes_of(cells)) == ["training.optimizer", "training.learning_rate"]


@pytest.mark.parametrize(
    ("text", "full", "better", "bounds"),
    [
        ("success", "success", "higher", (0.0, 1.0)),
        ("loss", "final loss", "lower", None),
        ("validation_accuracy", "final validation_accuracy", "higher", (0.0, 1.0)),
        ("final accuracy (all data)", "final accuracy (all data)", "higher", (0.0, 1.0)),
        ("accuracy@100", "accuracy@100", "higher", (0.0, 1.0)),
        ("mse", "final mse", "lower", None),
        ("brier", "final brier", "lower", (0.0, 2.0)),
        ("r2", "final r2", "higher", None),
        ("epochs", "epochs", "lower", None),
        ("converged", "converged", "higher", (0.0, 1.0)),
        ("diverged", "diverged", "lower", (0.0, 1.0)),
        ("first accuracy>=0.99", "first accuracy>=0.99", "lower", None),
        ("change accuracy@0..100", "change accuracy@0..100", "higher", None),
    ],
)
def test_measures_know_their_direction_and_bounds(
    text: str, full: str, better: str, bounds: tuple[float, float] | None
) -> None:
    measure = parse_measure(text)
    assert (measure.text, measure.better, measure.bounds) == (full, better, bounds)


@pytest.mark.parametrize(
    ("text", "better", "message"),
    [
        ("acuracy", None, "did you mean 'accuracy'"),
        ("loss at the end", None, "or success"),
        ("windows(10)@0..100", None, "many values"),
        ("loss", "more", "'lower' or 'higher'"),
        ("success", "lower", "the higher one is better"),
    ],
)
def test_impossible_measures_get_one_line(text: str, better: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        parse_measure(text, better)
    assert "\n" not in str(error.value)


def test_a_direction_can_be_turned() -> None:
    assert parse_measure("loss", "higher").sign == 1.0
    assert parse_measure("loss").worst == float("inf")
    assert parse_measure("accuracy").worst == 0.0


WORDS = [
    "optimizer", "learning_rate", "lr", "case", "adam", "momentum", "(0.9)", "0.3", "=", ",", ">", "<", " ", "(", ")",
    "[", "'", "x", "\n", "\0", "é", "=adam", "success", "final ", "@", "..", "accuracy", ">=", "1e999", "nan",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(WORDS), max_size=8).map("".join) | st.text(max_size=20)


def refused(read: Callable[[], object]) -> bool:
    """Whether a text is refused, and then in one line."""
    try:
        read()
    except ConfigError as error:
        return len(str(error).splitlines()) == 1
    return False


@given(TEXTS)
def test_any_text_is_a_selector_or_one_line(text: str) -> None:
    if not refused(lambda: parse_selector(text, AXES)):
        assert all(value in AXES[axis] for axis, value in parse_selector(text, AXES).items())


@given(TEXTS)
def test_any_text_is_a_measure_or_one_line(text: str) -> None:
    assert refused(lambda: parse_measure(text)) or parse_measure(text).better in ("lower", "higher")


@given(TEXTS)
def test_any_text_is_a_claim_or_one_line(text: str) -> None:
    assert refused(lambda: parse_claim(text, CELLS)) or len(parse_claim(text, CELLS).names) >= 2
