"""Confusion matrix and classification report by hand and against scikit-learn."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sklearn.metrics as sk

from chainrule.errors import ShapeError
from chainrule.metrics import classification_report, confusion_matrix


def test_binary_by_hand() -> None:
    A, Y = np.array([[0.9], [0.8], [0.2], [0.6], [0.1]]), np.array([[1], [1], [1], [0], [0]])
    assert confusion_matrix(A, Y).tolist() == [[1, 1], [1, 2]]
    report = classification_report(A, Y)
    assert report["accuracy"] == 0.6
    assert report["confusion_matrix"] == [[1, 1], [1, 2]]
    assert report["classes"][1]["class"] == 1
    for key in ("precision", "recall", "f1"):
        assert report["classes"][0][key] == 0.5
        assert report["classes"][1][key] == pytest.approx(2 / 3)
        assert report["macro"][key] == pytest.approx(7 / 12)
    assert [row["support"] for row in report["classes"]] == [2, 3]


def test_against_scikit_learn_and_json() -> None:
    rng = np.random.default_rng(4)
    A, truth = rng.dirichlet(np.ones(4), 50), rng.integers(0, 4, 50)
    report = classification_report(A, truth)
    expected = sk.classification_report(truth, A.argmax(axis=1), output_dict=True)
    for row in report["classes"]:
        theirs = expected[str(row["class"])]
        assert row["precision"] == pytest.approx(theirs["precision"])
        assert row["recall"] == pytest.approx(theirs["recall"])
        assert row["f1"] == pytest.approx(theirs["f1-score"])
        assert row["support"] == theirs["support"]
    assert report["macro"]["f1"] == pytest.approx(expected["macro avg"]["f1-score"])
    assert report["accuracy"] == pytest.approx(expected["accuracy"])
    assert json.loads(json.dumps(report)) == report


def test_members_are_counted_apart_and_nan_is_in_no_cell() -> None:
    rng = np.random.default_rng(5)
    A, Y = rng.random((3, 10, 1)), rng.integers(0, 2, (10, 1))
    A[1, :4] = np.nan
    A[2] = np.nan
    cells = confusion_matrix(A, Y)
    assert cells.shape == (3, 2, 2)
    assert cells.sum(axis=(1, 2)).tolist() == [10, 6, 0]
    assert np.array_equal(cells[0], sk.confusion_matrix(Y[:, 0], A[0, :, 0] >= 0.5))
    assert np.array_equal(cells[1], sk.confusion_matrix(Y[4:, 0], A[1, 4:, 0] >= 0.5))


def test_undefined_predictions_are_wrong_in_the_report() -> None:
    A, Y = np.array([[0.9], [np.nan], [0.2], [0.1]]), np.array([1, 1, 0, 0])
    report = classification_report(A, Y)
    assert (report["n"], report["undefined"], report["accuracy"]) == (4, 1, 0.75)
    assert report["classes"][1]["recall"] == 0.5


def test_a_class_that_never_occurs_keeps_its_row() -> None:
    A = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    assert confusion_matrix(A, np.array([0, 1])).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert classification_report(A, np.array([0, 1]))["classes"][2]["support"] == 0


def test_a_report_is_about_one_member() -> None:
    with pytest.raises(ShapeError, match="one member"):
        classification_report(np.zeros((2, 3, 1)), np.zeros((3, 1)))
