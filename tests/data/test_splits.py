"""Splits: sizes by hand, nothing lost, nothing leaked, the same for every setting of a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import Dataset, load, split
from chainrule.errors import ConfigError, DataError


def numbered(n: int, classes: int = 2, held_out: Dataset | None = None) -> Dataset:
    """Samples whose only feature is their row number; labels take turns."""
    task: Any = "binary" if classes == 2 else "multiclass"
    return Dataset("numbered", np.arange(float(n))[:, None], np.arange(n) % classes, task, held_out=held_out)


@pytest.mark.parametrize(
    ("n", "validation", "test", "sizes"),
    [
        (21, 0.2, 0.0, (17, 4, 0)),  # 4.2
        (100, 0.2, 0.0, (80, 20, 0)),
        (50, 0.29, 0.0, (35, 15, 0)),  # 14.5 rounds up although 0.29 * 50 is 14.499... in floats
        (10, 0.25, 0.25, (4, 3, 3)),  # 2.5 and 2.5
        (60, 5 / 60, 0.0, (55, 5, 0)),
        (7, 0.0, 0.5, (3, 0, 4)),
    ],
)
def test_sizes_are_rounded_half_up(n: int, validation: float, test: float, sizes: tuple[int, int, int]) -> None:
    parts = split(numbered(n), 3, validation, test)
    got = tuple(0 if part is None else part.n for part in (parts.train, parts.validation, parts.test))
    assert got == sizes


@given(st.integers(8, 60), st.integers(2, 4), st.integers(0, 2**40), st.booleans())
def test_every_row_is_in_exactly_one_part(n: int, classes: int, seed: int, stratify: bool) -> None:
    data = numbered(max(n, 5 * classes), classes)
    parts = split(data, seed, validation=0.2, test=0.2, stratify=stratify)
    assert parts.validation is not None
    assert parts.test is not None
    rows = np.concatenate([part.X[:, 0] for part in (parts.train, parts.validation, parts.test)])
    np.testing.assert_array_equal(np.sort(rows), data.X[:, 0])
    for part, part_rows in ((parts.train, parts.train_rows), (parts.validation, parts.validation_rows)):
        np.testing.assert_array_equal(part.X[:, 0], part_rows)
        np.testing.assert_array_equal(part.y, part.X[:, 0] % classes)
        assert (np.diff(part.X[:, 0]) > 0).all()


def test_a_seed_is_a_split_of_its_own() -> None:
    data = numbered(60)
    rows = [split(data, seed, 0.5).validation_rows for seed in range(20)]
    again = split(data, 0, 0.5).validation_rows
    np.testing.assert_array_equal(rows[0], again)
    assert len({tuple(r.tolist()) for r in rows if r is not None}) == 20


def test_every_row_is_as_likely_to_be_held_out() -> None:
    data = numbered(10)
    counts = np.zeros(10)
    for seed in range(2000):
        counts[split(data, seed, 0.3).validation_rows] += 1
    # 600 expected, standard deviation sqrt(2000 * 0.3 * 0.7) = 20.5
    assert np.abs(counts - 600).max() < 100


def test_stratified_parts_keep_the_proportions() -> None:
    y = np.repeat([0, 1, 2], [60, 30, 10])
    data = Dataset("uneven", np.arange(100.0)[:, None], y, "multiclass")
    parts = split(data, 1, validation=0.2, test=0.1, stratify=True)
    assert parts.validation is not None
    assert parts.test is not None
    assert np.bincount(parts.test.y).tolist() == [6, 3, 1]
    assert np.bincount(parts.validation.y).tolist() == [12, 6, 2]
    assert np.bincount(parts.train.y).tolist() == [42, 21, 7]


def test_stratified_parts_by_largest_remainders() -> None:
    y = np.repeat([0, 1, 2], [5, 3, 2])  # 3 of 10 rows: quotas 1.5, 0.9, 0.6
    data = Dataset("uneven", np.arange(10.0)[:, None], y, "multiclass")
    validation = split(data, 1, validation=0.3, stratify=True).validation
    assert validation is not None
    assert np.bincount(validation.y, minlength=3).tolist() == [1, 1, 1]


def test_stratified_training_part_keeps_every_class() -> None:
    y = np.array([0] * 9 + [1])
    data = Dataset("rare", np.arange(10.0)[:, None], y, "binary")
    for seed in range(10):
        assert set(split(data, seed, validation=0.5, stratify=True).train.y) == {0, 1}


def test_held_out_is_validation_unless_validation_rows_are_taken() -> None:
    given_set = numbered(6)
    data = numbered(20, held_out=given_set)
    plain = split(data, 0)
    assert (plain.train, plain.validation, plain.test) == (data, given_set, None)
    taken = split(data, 0, validation=0.25)
    assert taken.test is given_set
    assert taken.validation is not None
    assert (taken.train.n, taken.validation.n) == (15, 5)
    tested = split(data, 0, test=0.25)
    assert tested.validation is given_set
    assert tested.test is not None
    assert tested.test.n == 5
    with pytest.raises(ConfigError, match="brings its own test set of 6 rows"):
        split(data, 0, validation=0.2, test=0.2)


def test_without_shares_the_whole_set_is_for_training() -> None:
    data = load("xor").draw(0)
    parts = split(data, 0)
    assert (parts.train, parts.validation, parts.test) == (data, None, None)


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({"validation": -0.1}, ConfigError, r"validation must be a share of the rows in \[0, 1\), got -0.1"),
        ({"test": 1.0}, ConfigError, "test must be a share"),
        ({"validation": float("nan")}, ConfigError, "validation must be a share"),
        ({"validation": "half"}, ConfigError, "validation must be a share"),
        ({"validation": 0.5, "test": 0.5}, ConfigError, r"must stay below 1, got 0.5 \+ 0.5"),
        ({"validation": 0.01}, DataError, "20 rows give parts of 20 training, 0 validation and 0 test rows"),
        ({"validation": 0.98}, DataError, "parts of 0 training, 20 validation"),
    ],
)
def test_impossible_shares(options: dict[str, Any], kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        split(numbered(20), 0, **options)


def test_stratify_needs_classes_and_enough_rows() -> None:
    with pytest.raises(ConfigError, match="stratify needs classes"):
        split(load("curve").draw(0), 0, validation=0.2, stratify=True)
    with pytest.raises(DataError, match="leave no row to train on"):
        split(numbered(4, 4), 0, validation=0.25, stratify=True)


def test_a_training_part_with_one_label_is_an_error() -> None:
    data = Dataset("rare", np.arange(10.0)[:, None], np.array([0] * 9 + [1]), "binary")
    # the same rows as for data whose labels take turns: the split does not look at the labels
    rows = {seed: split(numbered(10), seed, validation=0.4).validation_rows for seed in range(10)}
    unlucky = next(seed for seed, taken in rows.items() if taken is not None and 9 in taken)
    with pytest.raises(DataError, match=f"6 training rows of seed {unlucky} all have the same label"):
        split(data, unlucky, validation=0.4)
