"""The Dataset record: targets as a network's outputs, validation, fingerprints, parts."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from chainrule.data import Dataset, FixedSource, infer_task
from chainrule.errors import ChainruleError, ConfigError, DataError, ShapeError

X4 = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]])


def test_binary_targets_are_one_column() -> None:
    data = Dataset("toy", X4, np.array([0, 1, 1, 0]), "binary")
    assert (data.n, data.n_features, data.n_outputs, data.output_activation) == (4, 2, 1, "sigmoid")
    np.testing.assert_array_equal(data.Y, [[0.0], [1.0], [1.0], [0.0]])
    assert data.classes == ("0", "1")
    assert data.feature_names == ("x1", "x2")


def test_multiclass_targets_are_one_hot() -> None:
    data = Dataset("toy", X4, np.array([2, 0, 1, 2]), "multiclass", classes=("a", "b", "c", "never"))
    assert (data.n_outputs, data.output_activation) == (4, "softmax")
    np.testing.assert_array_equal(data.Y, [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])


def test_regression_keeps_one_or_several_targets() -> None:
    one = Dataset("toy", X4, np.array([1.5, 2, 3, 4]), "regression")
    two = Dataset("toy", X4, np.arange(8.0).reshape(4, 2), "regression")
    assert (one.n_outputs, two.n_outputs, one.output_activation) == (1, 2, "identity")
    np.testing.assert_array_equal(one.Y, [[1.5], [2], [3], [4]])
    np.testing.assert_array_equal(two.Y, [[0, 1], [2, 3], [4, 5], [6, 7]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_dtypes_are_kept(dtype: Any) -> None:
    data = Dataset("toy", X4.astype(dtype), np.array([0, 1, 1, 0]), "binary")
    assert data.X.dtype == dtype
    assert data.Y.dtype == dtype


def test_whole_number_inputs_become_float64() -> None:
    data = Dataset("toy", X4.astype(np.int8), np.array([0, 1, 1, 0], dtype=bool), "binary")
    assert data.X.dtype == np.float64
    np.testing.assert_array_equal(data.X, X4)


def test_arrays_are_read_only_and_the_callers_array_stays_writable() -> None:
    X = X4.copy()
    data = Dataset("toy", X, np.array([0, 1, 1, 0]), "binary")
    with pytest.raises(ValueError, match="read-only"):
        data.X[0, 0] = 9
    with pytest.raises(ValueError, match="read-only"):
        data.Y[0, 0] = 9
    X[0, 0] = 0.0


@pytest.mark.parametrize(
    ("X", "y", "task", "kind", "told"),
    [
        ([1.0, 2.0], [0, 1], "binary", ShapeError, r"(samples, features), got (2,)"),
        (X4, [0, 1, 1], "binary", ShapeError, "y of shape (3,) does not fit X of shape (4, 2)"),
        (X4, [[0], [1], [1], [0]], "binary", ShapeError, "y of shape (4, 1)"),
        (np.empty((0, 2)), [], "binary", DataError, "at least one sample"),
        (np.empty((3, 0)), [0, 1, 1], "binary", DataError, "one feature"),
        (np.where(X4 == 3, np.nan, X4), [0, 1, 1, 0], "binary", DataError, "X[1, 1] is nan"),
        (X4, [0.0, 1.0, np.inf, 2.0], "regression", DataError, "y[2] is inf"),
        (X4, [0, 1, 2, 0], "binary", DataError, "must be 0 or 1, got 2 in row 2"),
        (X4, [0, 1, 1.5, 0], "multiclass", DataError, "whole numbers from 0, got 1.5 in row 2"),
        (X4, [0, -1, 1, 0], "multiclass", DataError, "got -1 in row 1"),
        (X4, [0, 1, 10**9, 0], "multiclass", DataError, "number the classes from 0"),
        (X4, [1, 1, 1, 1], "binary", DataError, "all 4 labels are '1'"),
        (X4, [2.5, 2.5, 2.5, 2.5], "regression", DataError, "all 4 labels are 2.5"),
        (X4, [0, 1, 1, 0], "binry", ConfigError, "did you mean 'binary'"),
        ([["a", "b"]], [0], "binary", DataError, "X must be numbers"),
        (X4, ["a", "b", "a", "b"], "binary", DataError, "y must be numbers"),
    ],
)
def test_bad_data_give_one_clear_line(X: Any, y: Any, task: Any, kind: type[ChainruleError], told: str) -> None:
    with pytest.raises(kind) as caught:
        Dataset("toy", X, np.asarray(y), task)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_must_fit() -> None:
    y = np.array([0, 1, 2, 0])
    with pytest.raises(ShapeError, match=r"3 feature names for X of shape \(4, 2\)"):
        Dataset("toy", X4, y, "multiclass", feature_names=("a", "b", "c"))
    with pytest.raises(ShapeError, match="2 class names"):
        Dataset("toy", X4, y, "multiclass", classes=("a", "b"))


def test_held_out_must_fit() -> None:
    other = Dataset("other", X4[:, :1], np.array([0, 1, 1, 0]), "binary")
    with pytest.raises(ShapeError, match=r"X \(4, 2\) and held-out X \(4, 1\)"):
        Dataset("toy", X4, np.array([0, 1, 1, 0]), "binary", held_out=other)


def test_take_gives_the_rows_and_drops_the_held_out_set() -> None:
    held_out = Dataset("out", X4, np.array([0, 0, 0, 0]), "binary", is_part=True)
    data = Dataset("toy", X4, np.array([0, 1, 1, 0]), "binary", held_out=held_out)
    part = data.take([2, 1])
    np.testing.assert_array_equal(part.X, [[4, 5], [2, 3]])
    np.testing.assert_array_equal(part.y, [1, 1])
    assert part.held_out is None
    np.testing.assert_array_equal(data.take(np.array([True, False, False, True])).X, X4[[0, 3]])
    with pytest.raises(ShapeError, match="has 4 rows"):
        data.take([4])


def test_fingerprint_depends_on_every_number_and_on_nothing_else() -> None:
    y = np.array([0, 1, 1, 0])
    base = Dataset("toy", X4, y, "binary")
    assert base.fingerprint == Dataset("another name", np.asfortranarray(X4), y.astype(np.int8), "binary").fingerprint
    assert pickle.loads(pickle.dumps(base)).fingerprint == base.fingerprint
    changed = X4.copy()
    changed[3, 1] = np.nextafter(changed[3, 1], 10)
    others = [
        Dataset("toy", changed, y, "binary"),
        Dataset("toy", X4, 1 - y, "binary"),
        Dataset("toy", X4, y, "multiclass"),
        Dataset("toy", X4.astype(np.float32), y, "binary"),
        dataclasses.replace(base, held_out=base),
        base.take([0, 1, 2]),
    ]
    prints = {base.fingerprint, *(other.fingerprint for other in others)}
    assert len(prints) == len(others) + 1


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (["no", "yes", "no"], "binary"),
        ([0.5, 0.7, 0.5], "binary"),
        ([3, 1, 2], "multiclass"),
        (["a", "b", "c"], "multiclass"),
        ([0.5, 0.7, 0.9], "regression"),
        (list(range(20)), "multiclass"),
        (list(range(21)), "regression"),
        ([[1, 2], [3, 4]], "regression"),
        ([[0, 1], [1, 0]], "multiclass"),
        ([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], "multiclass"),
        ([[True, False], [False, True]], "multiclass"),
        ([[1.0, 1.0], [1.0, 0.0]], "regression"),
        ([[0.0, 0.0], [1.0, 0.0]], "regression"),
        ([[0.5, 0.5], [1.0, 0.0]], "regression"),
    ],
)
def test_task_is_inferred(y: Any, task: str) -> None:
    assert infer_task(np.asarray(y)) == task


def test_from_arrays_numbers_the_labels() -> None:
    data = Dataset.from_arrays([1.0, 2.0, 3.0], ["no", "yes", "no"])
    assert (data.task, data.classes, data.n_features) == ("binary", ("no", "yes"), 1)
    np.testing.assert_array_equal(data.y, [0, 1, 0])
    numbers = Dataset.from_arrays(X4, np.array([[7.0], [3.0], [3.0], [5.0]]))
    assert (numbers.task, numbers.classes) == ("multiclass", ("3", "5", "7"))
    np.testing.assert_array_equal(numbers.y, [2, 0, 0, 1])
    assert Dataset.from_arrays(X4, [0.1, 0.2, 0.3, 0.4]).task == "regression"


def test_one_hot_rows_are_classes() -> None:
    Y = np.eye(4)[[2, 0, 2, 1]]
    data = Dataset.from_arrays(X4, Y)
    assert (data.task, data.classes, data.output_activation) == ("multiclass", ("0", "1", "2", "3"), "softmax")
    np.testing.assert_array_equal(data.y, [2, 0, 2, 1])
    np.testing.assert_array_equal(data.Y, Y)
    assert Dataset.from_arrays(X4, Y, classes=("a", "b", "c", "d")).classes == ("a", "b", "c", "d")
    assert Dataset.from_arrays(X4, Y, task="regression").n_outputs == 4


@pytest.mark.parametrize(
    ("y", "label"), [([3, 3, 3, 3], "'3'"), (["a"] * 4, "'a'"), ([1.5] * 4, "1.5"), (np.eye(3)[[1, 1, 1, 1]], "'1'")]
)
def test_equal_labels_teach_nothing(y: Any, label: str) -> None:
    with pytest.raises(DataError, match=f"data set 'arrays': all 4 labels are {label}: nothing to learn"):
        Dataset.from_arrays(X4, y)


def test_fixed_source_gives_the_same_set_for_every_seed() -> None:
    data = Dataset("toy", X4, np.array([0, 1, 1, 0]), "binary")
    source = FixedSource(data)
    assert source.draw(0) is source.draw(7) is data
    assert (source.name, source.spec, source.varies) == ("toy", "toy", False)


def test_sample_weights_follow_their_rows() -> None:
    data = Dataset("toy", X4.astype(np.float32), np.array([0, 1, 1, 0]), "binary", sample_weight=np.array([1, 2, 0, 4]))
    assert data.sample_weight is not None
    assert data.sample_weight.dtype == np.float32
    part = data.take([3, 1])
    assert part.sample_weight is not None
    assert part.sample_weight.tolist() == [4, 2]
    assert data.fingerprint != dataclasses.replace(data, sample_weight=None).fingerprint


@pytest.mark.parametrize(
    ("weight", "kind", "told"),
    [
        ([1, 2, 3], ShapeError, r"sample_weight of shape \(3,\) for X of shape \(4, 2\)"),
        ([1, 2, -3, 1], DataError, "finite, at least 0 and not all 0"),
        ([1, 2, np.nan, 1], DataError, "finite, at least 0"),
        ([0, 0, 0, 0], DataError, "not all 0"),
        (["a", "b", "c", "d"], DataError, "must be numbers"),
    ],
)
def test_impossible_sample_weights(weight: Any, kind: type[ChainruleError], told: str) -> None:
    with pytest.raises(kind, match=told):
        Dataset("toy", X4, np.array([0, 1, 1, 0]), "binary", sample_weight=weight)
