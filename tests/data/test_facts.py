"""Facts and class weights, against hand counts and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_sample_weight

from chainrule.data import Dataset, class_weight_text, class_weights, facts, load
from chainrule.errors import ConfigError


def test_facts_of_xor() -> None:
    told = facts(load("xor").draw(0))
    assert (told["samples"], told["features"], told["outputs"], told["classes"]) == (21, 2, 1, 2)
    assert (told["class 0"], told["class 1"]) == (11, 10)
    assert (told["inputs from"], told["inputs to"]) == (0.0, 1.0)
    assert told["feature names"] == "x1, x2"
    assert told["fingerprint"] == load("xor").draw(0).fingerprint


def test_facts_of_regression_and_images() -> None:
    curve = load("curve(poly, noise=0)").draw(1)
    assert facts(curve)["targets from"] == curve.y.min()
    assert "classes" not in facts(curve)
    digits = facts(load("digits").draw(1))
    assert digits["image"] == "8 x 8 pixels"
    assert str(digits["feature names"]).endswith("(64 in all)")


def test_balanced_weights_by_hand() -> None:
    data = Dataset("uneven", np.arange(4.0)[:, None], np.array([0, 0, 0, 1]), "binary")
    np.testing.assert_allclose(class_weights(data, "balanced"), [2 / 3, 2 / 3, 2 / 3, 2])
    np.testing.assert_array_equal(class_weights(data, None), np.ones(4))


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30).filter(lambda y: len(set(y)) > 1))
def test_balanced_weights_are_scikit_learns(y: list[int]) -> None:
    data = Dataset("drawn", np.zeros((len(y), 1), dtype=np.float32), np.array(y), "multiclass")
    weights = class_weights(data, "balanced")
    np.testing.assert_allclose(weights, compute_sample_weight("balanced", y), rtol=1e-6)
    assert weights.dtype == np.float32
    assert weights.sum() == pytest.approx(len(y), rel=1e-5)


def test_weights_by_label() -> None:
    data = Dataset("uneven", np.arange(4.0)[:, None], np.array([0, 2, 1, 2]), "multiclass", classes=("a", "b", "x=y"))
    np.testing.assert_array_equal(class_weights(data, "a=2,x%3Dy=0.5"), [2, 0.5, 1, 0.5])
    labels = np.array(["a", "x=y", "b", "x=y"])
    own = {"a": 3.0, "b": 0.1, "x=y": 7.0}
    np.testing.assert_allclose(class_weights(data, class_weight_text(own)), compute_sample_weight(own, labels))
    with pytest.raises(ConfigError, match=r"unknown class 'c'.*known: a, b, x=y"):
        class_weights(data, "c=1")


def test_weights_need_classes_and_a_known_mode() -> None:
    with pytest.raises(ConfigError, match="did you mean 'balanced'"):
        class_weights(load("xor").draw(0), "balancd")
    with pytest.raises(ConfigError, match="class weights need classes"):
        class_weights(load("curve").draw(0), "balanced")
