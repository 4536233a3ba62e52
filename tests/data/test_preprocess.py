"""Imputation, encoding and standardisation against scikit-learn's pipeline, and the JSON round trip."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from chainrule.data import FittedPreprocessing, Preprocessing
from chainrule.data.columns import Column, text_column
from chainrule.errors import ConfigError, DataError, ShapeError

TABLE = [
    Column("age", np.array([20.0, 30.0, np.nan, 50.0, 20.0])),
    text_column("colour", ["red", None, "blue", "red", "green"]),
    Column("height", np.array([1.0, 2.0, 3.0, 4.0, 5.0])),
]


def test_by_hand() -> None:
    schema = Preprocessing.of(TABLE, "impute")
    assert schema.feature_names == ("age", "colour=blue", "colour=green", "colour=red", "height")
    raw = schema.encode(TABLE)
    np.testing.assert_array_equal(raw[:, 1], [2, np.nan, 0, 2, 1])
    fitted = schema.fit(raw)
    assert fitted.fill == (25.0, 2.0, 3.0)  # the median of 20, 20, 30, 50; red; the median of 1..5
    # ages 20 30 25 50 20: mean 29, variance (81 + 1 + 16 + 441 + 81) / 5 = 124
    assert fitted.mean == (29.0, 0.0, 3.0)
    np.testing.assert_allclose(fitted.scale, [np.sqrt(124), 1, np.sqrt(2)])
    X = fitted.transform(raw)
    np.testing.assert_allclose(X[:, 0], (np.array([20, 30, 25, 50, 20]) - 29) / np.sqrt(124))
    np.testing.assert_array_equal(X[:, 1:4], [[0, 0, 1], [0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]])


CELL = st.one_of(st.just(np.nan), st.floats(-1e6, 1e6))
WORD = st.sampled_from([None, "a", "b", "c"])


@given(st.lists(st.tuples(CELL, WORD, CELL), min_size=2, max_size=12), st.data())
def test_equals_scikit_learns_column_transformer(
    rows: list[tuple[float, str | None, float]], data: st.DataObject
) -> None:
    columns = [
        Column("u", np.array([row[0] for row in rows])),
        text_column("v", [row[1] for row in rows]),
        Column("w", np.array([row[2] for row in rows])),
    ]
    schema = Preprocessing(Preprocessing.of([TABLE[0]]).columns, "impute")
    if any(column.missing.all() for column in columns):
        with pytest.raises(DataError, match="has no values at all"):
            Preprocessing.of(columns, "impute")
        return
    schema = Preprocessing.of(columns, "impute")
    raw = schema.encode(columns)
    train = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=len(rows), unique=True))
    n_categories = len(schema.columns[1].categories or ())
    oracle = ColumnTransformer(
        [
            ("u", make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()), [0]),
            (
                "v",
                make_pipeline(
                    SimpleImputer(strategy="most_frequent", keep_empty_features=True),
                    OneHotEncoder(categories=[list(range(n_categories))], sparse_output=False),
                ),
                [1],
            ),
            ("w", make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()), [2]),
        ]
    ).fit(raw[train])
    np.testing.assert_allclose(schema.fit(raw[train]).transform(raw), oracle.transform(raw), rtol=1e-9, atol=1e-9)


def test_state_goes_through_json_unchanged() -> None:
    schema = Preprocessing.of(TABLE, "impute")
    fitted = schema.fit(schema.encode(TABLE))
    again = FittedPreprocessing.from_state(json.loads(json.dumps(fitted.state())))
    assert again == fitted
    np.testing.assert_array_equal(again.transform(schema.encode(TABLE)), fitted.transform(schema.encode(TABLE)))


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"version": 2},
        {"version": 1, "missing": "error"},
        {"version": 1, "missing": "perhaps", "columns": []},
        {"version": 1, "missing": "error", "columns": [{"name": "a", "categories": 3}]},
        {"version": 1, "missing": "error", "columns": [{"name": "a", "categories": None, "fill": "x"}]},
    ],
)
def test_other_states_are_refused(state: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="no readable preprocessing state"):
        FittedPreprocessing.from_state(state)


def test_an_unknown_category_has_no_input() -> None:
    schema = Preprocessing.of(TABLE, "impute")
    fitted = schema.fit(schema.encode(TABLE))
    new = [Column("age", np.array([29.0])), text_column("colour", ["violet"]), Column("height", np.array([3.0]))]
    np.testing.assert_allclose(fitted.transform(schema.encode(new)), [[0, 0, 0, 0, 0]], atol=1e-15)
    assert schema.unseen(new) == {"colour": ("violet",)}
    assert schema.unseen(TABLE) == {}
    several = [text_column("colour", ["violet", "red", None, "Red", "violet"]), Column("age", np.zeros(5))]
    assert schema.unseen(several) == {"colour": ("violet", "Red")}


def test_new_tables_must_have_the_columns() -> None:
    schema = Preprocessing.of(TABLE, "impute")
    with pytest.raises(
        DataError, match=r"the table has no column 'height', which the run needs \(it has: age, colour\)"
    ):
        schema.encode(TABLE[:2])
    with pytest.raises(DataError, match="row 2, column 'height': a number is expected, found 'tall'"):
        schema.encode([*TABLE[:2], text_column("height", [None, "tall", "1", "1", "1"])])
    with pytest.raises(ShapeError, match=r"raw rows of shape \(2, 2\) for a table of 3 columns"):
        schema.fit(schema.encode(TABLE)).transform(np.zeros((2, 2)))


def test_number_categories_are_matched_as_text() -> None:
    zips = Column("zip", np.array([10115.0, 80331.0]))
    schema = Preprocessing.of([zips.as_text()])
    assert schema.feature_names == ("zip=10115", "zip=80331")
    np.testing.assert_array_equal(schema.encode([zips])[:, 0], [0, 1])


def test_what_cannot_be_an_input() -> None:
    with pytest.raises(DataError, match="row 3, column 'age' has no value; fill it in, or train with missing=impute"):
        Preprocessing.of(TABLE).encode(TABLE)
    with pytest.raises(DataError, match="row 2, column 'a' is infinite"):
        Preprocessing.of([Column("a", np.array([0.0, np.inf]))]).encode([Column("a", np.array([0.0, np.inf]))])
    with pytest.raises(DataError, match="column 'a' has no values at all"):
        Preprocessing.of([Column("a", np.full(3, np.nan))])
    with pytest.raises(DataError, match="column 'id' has 1,001 different words such as 'w0'"):
        Preprocessing.of([text_column("id", [f"w{i}" for i in range(1001)])])
    with pytest.raises(ConfigError, match="did you mean 'impute'"):
        Preprocessing((), "imput")
    wide = np.array([[1.7e308], [-1.7e308], [1.6e308]])
    schema = Preprocessing.of([Column("a", wide[:, 0])])
    with pytest.raises(DataError, match="column 'a' spans too wide a range"):
        schema.fit(wide)
    with pytest.raises(DataError, match="row 1, input 'a' overflows"):
        schema.fit(np.array([[1e-10], [2e-10]])).transform(wide)


def test_a_column_without_values_in_the_training_rows_is_zero() -> None:
    schema = Preprocessing.of(TABLE, "impute")
    raw = schema.encode(TABLE)
    raw[:2, 0] = np.nan
    fitted = schema.fit(raw[:2])
    assert (fitted.fill[0], fitted.mean[0], fitted.scale[0]) == (0, 0, 1)
