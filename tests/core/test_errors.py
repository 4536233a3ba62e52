"""Error messages: one line, the nearest name, and safe to write for any value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import errors
from chainrule.errors import ChainruleError, hide_secrets, one_line, show, unknown_name

KINDS = (errors.ConfigError, errors.ShapeError, errors.DataError, errors.RunError, errors.RecipeError)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_caught_as_one(kind: type[ChainruleError]) -> None:
    assert issubclass(kind, ChainruleError)
    with pytest.raises(ChainruleError, match="what was wrong"):
        raise kind("what was wrong")


def test_value_errors_stay_value_errors() -> None:
    assert [issubclass(kind, ValueError) for kind in KINDS] == [True, True, True, False, True]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("adma", "adam"), ("Adam", "adam"), ("SGD", "sgd"), ("nesterow", "nesterov"), ("momentun", "momentum")],
)
def test_unknown_names_suggest_the_nearest(name: str, nearest: str) -> None:
    text = unknown_name("optimizer", name, ["sgd", "momentum", "adam", "nesterov"])
    assert text == f"unknown optimizer '{name}'; did you mean '{nearest}'? (known: adam, momentum, nesterov, sgd)"


def test_names_like_nothing_known_suggest_nothing() -> None:
    assert unknown_name("loss", "qqq", ["mse", "mae"]) == "unknown loss 'qqq' (known: mae, mse)"
    assert unknown_name("loss", "x", []) == "unknown loss 'x' (known: )"


def test_one_line_is_short_and_printable() -> None:
    assert one_line("a\nb\tc\x1b[31m") == "a b c [31m"
    assert one_line("x" * 80) == "x" * 80
    assert one_line("x" * 81) == "x" * 77 + "..."
    assert one_line("x" * 100, limit=10) == "xxxxxxx..."
    assert (one_line("1"), show("1"), show(1.0)) == ("1", "'1'", "1.0")


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


def test_values_that_cannot_be_written_are_named_by_their_type() -> None:
    assert show(Mute()) == "<Mute>"
    assert show(10**5000) == "<int>"
    assert one_line(-(10**5000)) == "<int>"


@given(st.text(), st.integers(5, 100))
def test_any_text_becomes_one_short_line(text: str, limit: int) -> None:
    for line in (one_line(text, limit), show(text, limit)):
        assert len(line) <= limit
        assert len(line.splitlines()) <= 1
        assert all(c.isprintable() for c in line)


@given(st.text(max_size=200), st.lists(st.text(max_size=10), max_size=5))
def test_any_unknown_name_makes_one_line(name: str, allowed: list[str]) -> None:
    assert unknown_name("thing", name, allowed).startswith("unknown thing '")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:geheim@h/runs", "postgresql://me:***@h/runs"),
        ("'postgres:/me:ge@heim@h:5432/runs' is no path", "'postgres:/me:***@h:5432/runs' is no path"),
        ("postgresql+psycopg://me:ge heim@h/runs", "postgresql+psycopg://me:***@h/runs"),
        (
            "postgresql://h/runs?user=me&password=geheim&sslmode=require",
            "postgresql://h/runs?user=me&password=***&sslmode=require",
        ),
        ("postgresql://:geheim@h", "postgresql://:***@h"),
        ("postgresql://me@h:5432/runs", "postgresql://me@h:5432/runs"),
        ("write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with @ as %40",) * 2,
        ("me:geheim@h is no URL",) * 2,
    ],
)
def test_passwords_of_stores_are_hidden(text: str, shown: str) -> None:
    assert hide_secrets(text) == shown
    assert hide_secrets(shown) == shown
    assert one_line(text) == one_line(shown)
    assert show(text) == show(shown)


def test_a_long_password_is_hidden_before_the_text_is_cut() -> None:
    assert one_line(f"postgresql://me:{'geheim' * 100}@h/runs") == "postgresql://me:***@h/runs"
