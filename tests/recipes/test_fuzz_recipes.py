"""2,000 damaged recipes: each gives one printable line, or is a recipe that expands."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studies.fuzz_recipes import damaged, outcome, sources

SOURCES = sources()


@settings(max_examples=2000, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(name=st.sampled_from(sorted(SOURCES)), rng=st.randoms(use_true_random=True))
def test_damaged_recipes_give_one_line(tmp_path: Path, name: str, rng: random.Random) -> None:
    damaged(SOURCES[name], rng, tmp_path)


def test_what_would_be_wrong_is_noticed() -> None:
    def two_lines() -> None:
        from chainrule.errors import RecipeError

        raise RecipeError("one\ntwo")

    with pytest.raises(AssertionError, match="no single printable line"):
        outcome(two_lines)
