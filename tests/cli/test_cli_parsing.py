"""The texts of options, their properties, and a fuzz over whole command lines."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.cli._console import json_text, number, share
from chainrule.cli._options import parse_batch, parse_hidden, parse_rates, parse_seed_choice
from chainrule.cli._settings import kept_every, nice_step
from chainrule.errors import ConfigError
from chainrule.experiments.recipes.success import SuccessRule, parse_success
from chainrule.metrics import METRICS


@pytest.mark.parametrize(("text", "widths"), [("4,4", (4, 4)), ("7", (7,)), (" 3 , 2", (3, 2)), ("none", ()), ("", ())])
def test_hidden(text: str, widths: tuple[int, ...]) -> None:
    assert parse_hidden(text) == widths


def test_rates_batches_and_seeds() -> None:
    assert parse_rates("0.3,1e-2") == (0.3, 0.01)
    assert (parse_batch("full"), parse_batch("FULL"), parse_batch("32")) == ("full", "full", 32)
    assert parse_seed_choice(3, None, 10) == (0, 1, 2)
    assert parse_seed_choice(None, None, 2) == (0, 1)
    assert parse_seed_choice(None, "5,1-3,9-9", 10) == (5, 1, 2, 3, 9)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("accuracy>=1.0", SuccessRule("accuracy", True, 1.0)),
        (" validation_loss <= 0.25 ", SuccessRule("validation_loss", False, 0.25)),
        ("tolerance_accuracy(tol=0.1)>=0.9", SuccessRule("tolerance_accuracy", True, 0.9)),
        ("test_tolerance_accuracy(0.2)>=0.9", SuccessRule("test_tolerance_accuracy(tol=0.2)", True, 0.9)),
        ("converged", SuccessRule("converged")),
    ],
)
def test_success_rules(text: str, rule: SuccessRule) -> None:
    assert parse_success(text) == rule


@given(
    st.sampled_from(["", "validation_", "test_"]),
    st.sampled_from(["loss", *METRICS]),
    st.booleans(),
    st.floats(-1e6, 1e6),
)
def test_a_rule_reads_back_what_it_writes(part: str, key: str, at_least: bool, bound: float) -> None:
    if key != "loss":
        bound = min(max(bound, METRICS[key].bounds[0]), METRICS[key].bounds[1])
    rule = SuccessRule(part + key, at_least, bound)
    assert parse_success(rule.text) == rule


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("accuracy>=2", "accuracy lies between 0 and 1, so a bound of 2 says nothing"),
        ("validation_f1<=-0.1", "f1 lies between 0 and 1"),
        ("r2>=1.01", "r2 is at most 1"),
        ("mae<=-1", "mae is at least 0"),
        ("test_brier<=3", "brier lies between 0 and 2"),
    ],
)
def test_a_bound_that_no_value_can_have(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_success(text)


@given(st.integers(0, 10**9), st.integers(1, 100))
def test_nice_steps(length: int, lines: int) -> None:
    step = nice_step(length, lines)
    assert length <= step * lines
    assert str(step).rstrip("0") in ("1", "2", "5")
    smaller = {"1": step // 2, "2": step // 2, "5": step * 2 // 5}[str(step)[0]]
    assert step == 1 or smaller * lines < length


@given(st.integers(1, 5000), st.integers(0, 10**6), st.integers(1, 10**5))
def test_kept_epochs_contain_the_printed_ones(print_every: int, epochs: int, members: int) -> None:
    step = kept_every(print_every, epochs, members)
    assert print_every % step == 0
    assert epochs / step <= 2000 or step == print_every


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (21.0, "21"),
        (0.00924, "0.00924"),
        (0.123456, "0.1235"),
        (1.49e72, "1.49e+72"),
        (-3.2e-7, "-3.20e-07"),
        (12345.6, "12,346"),
        (math.nan, "-"),
        (-math.inf, "-inf"),
        (None, "-"),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_shares_and_json() -> None:
    assert share(20 / 21) == "95.24 %"
    assert share(math.nan) == "-"
    assert (
        json_text({"a": math.inf, "b": (1, [math.nan])}) == '{\n "a": null,\n "b": [\n  1,\n  [\n   null\n  ]\n ]\n}\n'
    )


# -- the fuzz --------------------------------------------------------------------------------------------

WORDS = ["sigmoid", "relu", "softmax", "identity", "leaky_relu(0.2)", "mse", "huber(0.5)", "binary_cross_entropy"]
WORDS += ["softmax_cross_entropy", "bce_eps_in_divisions", "sgd", "adam", "adam(beta1=9)", "momentum_ascent", "step(2)"]
WORDS += ["cosine", "loss_ratio(1)", "warmup(2)", "loss_below(9)", "patience(1)", "target(0.1)", "accuracy", "r2"]
WORDS += [
    "f1",
    "median_threshold_accuracy",
    "tolerance_accuracy",
    "normal(1e9)",
    "orthogonal",
    "zeros",
    "constant(1e300)",
]
WORDS += [
    "xor",
    "linear(n=9)",
    "moons(n=8)",
    "curve(n=9)",
    "parity(2)",
    "gaussians(n=9)",
    "nosuch.csv",
    "x.npz?target=y",
]
WORDS += ["converged", "accuracy>=0.5", "loss<=1", "validation_loss<=1", "test_r2>=0", "full", "balanced", "float32"]
WORDS += [
    "0",
    "1",
    "2",
    "3,2",
    "-1",
    "0.1",
    "0.5,2",
    "1e-300",
    "1e300",
    "nan",
    "inf",
    "none",
    "",
    "1-4",
    "auto",
    "(",
    "2GiB",
]
OPTIONS = ["--data", "--target", "--validation", "--test", "--class-weight", "--hidden", "--activation", "--output"]
OPTIONS += ["--weight-init", "--bias-init", "--dropout", "--l1", "--l2", "--loss", "--optimizer", "--lr", "--schedule"]
OPTIONS += ["--batch", "--stop", "--clip-norm", "--clip-value", "--dtype", "--engine", "--seed-list", "--show-seed"]
OPTIONS += ["--success", "--metric", "--log-every", "--window", "--data-dir", "--threads", "--memory"]
FLAGS = ["--stratify", "--no-bias", "--normalize", "--no-shuffle", "--quiet", "--json", "--certify"]
COMMANDS = ["train", "predict", "show", "data", "lab"]
TOKENS = st.sampled_from(WORDS) | st.text(max_size=8)
PAIRS = st.tuples(st.sampled_from(OPTIONS), TOKENS).map(list) | st.sampled_from(FLAGS).map(lambda flag: [flag])


@settings(max_examples=150)
@given(st.lists(PAIRS, max_size=6))
def test_any_training_command_line_trains_or_says_why_not(
    tmp_path_factory: pytest.TempPathFactory, run_cli: Any, options: list[list[str]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    arguments = [word for pair in options for word in pair]
    few = [] if "--seed-list" in arguments else ["--seeds", "2"]
    result = run_cli(folder, "train", *arguments, *few, "--epochs", "2", "--no-pictures")
    check_outcome(result, folder)


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*COMMANDS, *OPTIONS]) | TOKENS, min_size=1, max_size=5))
def test_any_words_at_all(tmp_path_factory: pytest.TempPathFactory, run_cli: Any, words: list[str]) -> None:
    if words[0] == "lab" or "--help" in words:
        words = ["lab", "--only", "nosuch", *words[1:]]  # the report takes a minute; its options are still read
    folder: Path = tmp_path_factory.mktemp("fuzz")
    check_outcome(run_cli(folder, *words, "--epochs", "1"), folder)


def check_outcome(result: Any, folder: Path) -> None:
    """A command succeeds, or says in one line why not and leaves nothing."""
    assert result.status in (0, 2)
    if result.status == 2:
        assert len(result.err.splitlines()) == 1
        assert result.err.startswith("error: ")
        assert result.out == ""
        assert list(folder.iterdir()) == []


@given(st.text(max_size=20))
def test_option_texts_raise_our_errors_only(text: str) -> None:
    def parse_seeds(text: str) -> object:
        return parse_seed_choice(None, text, 1)

    for parse in (parse_hidden, parse_rates, parse_batch, parse_success, parse_seeds):
        told = ""
        try:
            parse(text)
        except ConfigError as error:
            told = str(error)
        assert len(told.splitlines()) <= 1
