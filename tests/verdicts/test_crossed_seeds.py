"""Crossed seeds: each purpose draws from its own part, and equal parts train like the plain seed, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import Dense, Dropout, Network, TrainingConfig, mlp, train
from chainrule.cohorts import make_cohorts
from chainrule.data import load, split
from chainrule.errors import ConfigError
from chainrule.population import Member
from chainrule.random import SOURCES, check_seed, crossed_seed, data_seed, is_crossed, seed_parts, stream
from chainrule.runs import Run

PARTS = st.fixed_dictionaries({name: st.integers(0, 4095) for name in SOURCES})


@given(PARTS)
def test_parts_come_back(parts: dict[str, int]) -> None:
    seed = crossed_seed(**parts)
    assert seed_parts(seed) == parts
    assert 2**62 <= check_seed(seed) < 2**63
    assert is_crossed(seed)


@given(PARTS, st.sampled_from(SOURCES))
def test_each_stream_is_that_of_its_part(parts: dict[str, int], name: Any) -> None:
    drawn = stream(crossed_seed(**parts), name).integers(0, 2**63, 3)
    assert drawn.tolist() == stream(parts[name], name).integers(0, 2**63, 3).tolist()


def test_noise_follows_the_data() -> None:
    assert stream(crossed_seed(data=7), "noise").random() == stream(7, "noise").random()
    assert stream(crossed_seed(init=7), "noise").random() == stream(0, "noise").random()


def test_a_purpose_without_a_part_draws_from_the_whole_seed() -> None:
    assert stream(crossed_seed(init=1), "bootstrap").random() != stream(crossed_seed(init=2), "bootstrap").random()


def test_of_a_plain_seed_all_parts_are_the_seed() -> None:
    assert seed_parts(2**62 - 1) == dict.fromkeys(SOURCES, 2**62 - 1)
    assert not is_crossed(2**62 - 1)
    assert data_seed(12) == 12


def test_the_data_of_seeds_that_agree_in_data_and_split_are_one() -> None:
    one, other = crossed_seed(init=1, data=2, split=3, order=4), crossed_seed(init=5, data=2, split=3, dropout=6)
    assert data_seed(one) == data_seed(other) != data_seed(crossed_seed(data=2, split=4))
    parts = [split(load("moons").draw(seed), seed, 0.25).train.fingerprint for seed in (one, data_seed(one))]
    assert parts[0] == parts[1]


@pytest.mark.parametrize("part", [4096, -1, 1.0, True, 2**62])
def test_parts_out_of_range_are_named(part: Any) -> None:
    with pytest.raises(ConfigError, match="seed") as error:
        crossed_seed(order=part)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("seed", [2**62 + 2**60, 2**62 + 2**61, 2**63 - 1, 2**63])
def test_numbers_between_are_no_seeds(seed: int) -> None:
    with pytest.raises(ConfigError, match="made by crossed_seed"):
        check_seed(seed)


NOISY = Network((Dense(6, "tanh"), Dropout(0.3), Dense(None)))
CONFIG = TrainingConfig(epochs=4, batch_size=16, validation=0.25, learning_rate=0.3, optimizer="adam")


def same(a: Run, b: Run) -> bool:
    histories = all(np.array_equal(a.history[key], b.history[key], equal_nan=True) for key in a.history)
    return np.array_equal(a.theta, b.theta) and a.final == b.final and histories and a.fingerprint == b.fingerprint


@pytest.mark.parametrize(
    ("network", "engine"),
    [(NOISY, "reference"), (mlp([5], "tanh"), "reference"), (mlp([5], "tanh"), "lanes"), (mlp([5], "tanh"), "gemm")],
)
def test_equal_parts_train_like_the_plain_seed(network: Network, engine: str) -> None:
    plain = train(network, "moons", CONFIG, seeds=[0, 3, 4095], engine=engine)
    crossed = train(network, "moons", CONFIG, seeds=[crossed_seed(*[s] * 5) for s in (0, 3, 4095)], engine=engine)
    assert all(same(a, b) for a, b in zip(plain, crossed, strict=True))


@pytest.mark.parametrize("engine", ["reference", "lanes", "gemm"])
@pytest.mark.parametrize("name", SOURCES[:4])
def test_only_the_purpose_that_changes_makes_a_difference(name: str, engine: str) -> None:
    """Where a purpose cannot matter (the split of data that are not split) nothing changes; elsewhere all does."""
    seeds = [crossed_seed(1, 1, 1, 1, 1), crossed_seed(**(dict.fromkeys(SOURCES, 1) | {name: 2}))]
    one, other = train(mlp([5], "tanh"), "moons", CONFIG, seeds=seeds, engine=engine)
    assert not same(one, other)
    assert (one.fingerprint == other.fingerprint) == (name in ("init", "order"))
    plain = CONFIG.replace(validation=0.0, batch_size="full")
    one, other = train(mlp([5], "tanh"), "moons", plain, seeds=seeds, engine=engine)
    assert same(one, other) == (name in ("split", "order"))


def test_fixed_data_ignore_the_part_of_the_data() -> None:
    one, other = train(mlp([3]), "xor", seeds=[crossed_seed(data=1), crossed_seed(data=2)], epochs=2)
    assert same(one, other)


def test_dropout_changes_by_its_own_part() -> None:
    one, other = train(NOISY, "moons", CONFIG, seeds=[crossed_seed(dropout=1), crossed_seed(dropout=2)])
    assert one.fingerprint == other.fingerprint
    assert not same(one, other)


def test_members_that_share_their_data_hold_one_copy() -> None:
    members = [Member(mlp([3]), CONFIG, crossed_seed(init=k, data=5, split=6)) for k in range(3)]
    (_, cohort), *rest = make_cohorts(members, load("moons"))
    assert not rest
    assert set(cohort.draws) == {crossed_seed(data=5, split=6)}
