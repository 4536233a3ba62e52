"""Named streams: independent by name, fixed for ever, and strict about seeds."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ConfigError
from chainrule.random import StreamName, check_seed, stream

NAMES: tuple[StreamName, ...] = get_args(StreamName)


@pytest.mark.parametrize(
    ("seed", "name", "first"),
    [
        (0, "init", [0.5383677153910026, 0.2471529240019893, 0.6980516949475973]),
        (0, "data", [0.657094842943385, 0.27112527767047057, 0.7582671113370819]),
        (1, "init", [0.32946223116618856, 0.06285643108863326, 0.9618129439490519]),
        (2**62 - 1, "order", [0.008933169336288849, 0.5265201585154021, 0.809266880669084]),
    ],
)
def test_streams_never_change(seed: int, name: StreamName, first: list[float]) -> None:
    """Saved runs, recipes and reported figures rest on these numbers."""
    assert stream(seed, name).random(3).tolist() == first


def test_permutations_and_normals_never_change() -> None:
    assert stream(3, "order").permutation(8).tolist() == [6, 0, 7, 5, 3, 4, 2, 1]
    assert stream(3, "init").standard_normal(2).tolist() == [-0.17918928338472295, 2.3677201293120484]


def test_the_key_is_a_hash_of_seed_and_name() -> None:
    key = int.from_bytes(hashlib.blake2b(b"12/split", digest_size=16).digest(), "little")
    expected = np.random.Generator(np.random.Philox(key=key)).integers(0, 2**63, 5)
    assert stream(12, "split").integers(0, 2**63, 5).tolist() == expected.tolist()


def test_streams_are_fresh_and_independent() -> None:
    """Equal names repeat, different names or seeds do not correlate (2,000 draws: |r| < 0.1 is 4.5 sigma)."""
    draws = {(seed, name): stream(seed, name).random(2000) for seed in (0, 1, 10) for name in NAMES}
    for key, values in draws.items():
        assert stream(*key).random(2000).tolist() == values.tolist()
        assert abs(values.mean() - 0.5) < 0.03
    for one, other in itertools.combinations(draws.values(), 2):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.1


def test_drawing_more_of_one_thing_shifts_no_other() -> None:
    first = stream(5, "dropout").random(4).tolist()
    stream(5, "order").random(1000)
    assert stream(5, "dropout").random(4).tolist() == first


def test_global_state_is_not_touched() -> None:
    state = np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    stream(1, "init").random(10)
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index]  # noqa: NPY002


@pytest.mark.parametrize("seed", [0, 7, 2**62 - 1, 2**62 + 2**60 - 1, np.int64(3), np.uint8(200)])
def test_whole_numbers_are_seeds(seed: Any) -> None:
    assert check_seed(seed) == int(seed)
    assert type(check_seed(seed)) is int


@pytest.mark.parametrize(
    "seed",
    [
        -1,
        1.0,
        "1",
        None,
        True,
        False,
        2**63,
        2**62 + 2**60,
        2**63 - 1,
        [10**5000],
        np.float64(2),
        [1],
        float("nan"),
        1j,
    ],
)
def test_anything_else_is_no_seed(seed: Any) -> None:
    with pytest.raises(ConfigError, match="a seed is a whole number") as error:
        stream(seed, "init")
    assert len(str(error.value)) < 150


@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_too_long_to_be_written_are_no_seeds(sign: int) -> None:
    with pytest.raises(ConfigError, match="a seed is a whole number"):
        stream(sign * 10**5000, "init")


@given(st.integers(0, 2**62 + 2**60 - 1), st.sampled_from(NAMES))
def test_any_seed_repeats(seed: int, name: StreamName) -> None:
    assert stream(seed, name).integers(0, 2**63) == stream(seed, name).integers(0, 2**63)
