"""From the columns of a table to a network's inputs: imputation, one-hot encoding and standardisation.

Two steps, because they may know different things. The *schema* (`Preprocessing`) is what the whole table says: the
columns, and for a text column its categories. The *statistics* (`FittedPreprocessing`: medians, most frequent
categories, means, standard deviations) are learned from the training rows alone, so that no validation or test row
influences the numbers that a network is trained with.

The categories come from the whole table although that includes validation rows: they are the names of the inputs, not
estimates. A category that happens to be missing from the training rows gives an input that is always 0 in training,
and every seed's split gives networks of the same size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.data.columns import Column
from chainrule.errors import ConfigError, DataError, ShapeError, one_line, unknown_name

Array = npt.NDArray[np.floating[Any]]
MISSING = ("error", "impute")


@dataclass(frozen=True)
class ColumnSchema:
    """A column's name, and its categories if it holds text."""

    name: str
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Preprocessing:
    """What the inputs of a table are: its columns and what to do about missing values.

    Parameters
    ----------
    columns : tuple of ColumnSchema
        The input columns in order.
    missing : str
        ``"error"``: a missing value is an error; ``"impute"``: numbers become the median, text the commonest category.
    """

    columns: tuple[ColumnSchema, ...]
    missing: str = "error"

    def __post_init__(self) -> None:
        if self.missing not in MISSING:
            raise ConfigError(unknown_name("way with missing values", str(self.missing), MISSING))

    @classmethod
    def of(cls, columns: Sequence[Column], missing: str = "error", max_categories: int = 1000) -> Preprocessing:
        """Read the schema of a whole table.

        Raises
        ------
        DataError
            If a column has no values or too many categories.
        """
        schemas = []
        for column in columns:
            present = column.values[~column.missing]
            if not len(present):
                raise DataError(f"column '{one_line(column.name)}' has no values at all; drop it")
            categories = None if column.numeric else tuple(sorted(set(present)))
            if categories is not None and len(categories) > max_categories:
                raise DataError(
                    f"column '{one_line(column.name)}' has {len(categories):,} different words such as "
                    f"'{one_line(present[0])}', more than {max_categories:,} categories; drop it"
                )
            schemas.append(ColumnSchema(column.name, categories))
        return cls(tuple(schemas), missing)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the network's inputs: ``age``, ``colour=red``, ``colour=blue``, ..."""
        return tuple(
            name if c is None else f"{name}={c}"
            for name, categories in ((column.name, column.categories) for column in self.columns)
            for c in (categories if categories is not None else (None,))
        )

    @property
    def _is_text(self) -> npt.NDArray[np.bool_]:
        return np.array([column.categories is not None for column in self.columns], dtype=bool)

    def encode(self, columns: Sequence[Column]) -> Array:
        """Return the table's input columns as numbers, raw (n, columns), with NaN where a value is missing.

        A category becomes its number in the schema; one that the schema does not know becomes -1, which one-hot
        encoding turns into zeros.

        Raises
        ------
        DataError
            If a column is not there, is text instead of numbers, or holds an infinite or (unless imputed) missing
            value.
        """
        by_name = {column.name: column for column in columns}
        raw = np.empty((len(columns[0].values) if columns else 0, len(self.columns)))
        for j, schema in enumerate(self.columns):
            if schema.name not in by_name:
                raise DataError(
                    f"the table has no column '{one_line(schema.name)}', which the run needs "
                    f"(it has: {one_line(', '.join(by_name), 200)})"
                )
            raw[:, j] = _encode_column(by_name[schema.name], schema)
            missing = np.isnan(raw[:, j])
            if self.missing == "error" and missing.any():
                raise DataError(
                    f"row {np.argmax(missing) + 1}, column '{one_line(schema.name)}' has no value; "
                    "fill it in, or train with missing=impute, which replaces what is missing"
                )
        return raw

    def unseen(self, columns: Sequence[Column]) -> dict[str, tuple[str, ...]]:
        """Return the words of each text column that are none of its categories, in the order of their rows."""
        by_name = {column.name: column for column in columns}
        found = {}
        for schema in self.columns:
            if schema.categories is not None and schema.name in by_name:
                words = by_name[schema.name].as_text().values
                strange = [str(word) for word in words if word is not None and word not in schema.categories]
                if strange:
                    found[schema.name] = tuple(dict.fromkeys(strange))
        return found

    def fit(self, raw: Array) -> FittedPreprocessing:
        """Learn the statistics from the training rows, raw (n, columns)."""
        from sklearn.impute import SimpleImputer
        from sklearn.preprocessing import StandardScaler

        fill, mean, scale = np.zeros(raw.shape[1]), np.zeros(raw.shape[1]), np.ones(raw.shape[1])
        text = self._is_text
        with np.errstate(all="ignore"):  # an overflow is found by _check_range
            for mask, strategy in ((~text, "median"), (text, "most_frequent")):
                if mask.any():
                    # keep_empty_features: a column without a value in these rows is filled with 0.
                    imputer = SimpleImputer(strategy=strategy, keep_empty_features=True).fit(raw[:, mask])
                    fill[mask] = imputer.statistics_
            self._check_range(fill)
            if (~text).any():
                numbers = StandardScaler().fit(np.where(np.isnan(raw), fill, raw)[:, ~text])
                mean[~text], scale[~text] = numbers.mean_, numbers.scale_
        self._check_range(mean)
        self._check_range(scale)
        return FittedPreprocessing(self, tuple(fill.tolist()), tuple(mean.tolist()), tuple(scale.tolist()))

    def _check_range(self, statistics: Array) -> None:
        for column, value in zip(self.columns, statistics, strict=True):
            if not math.isfinite(value):
                name = one_line(column.name)
                raise DataError(f"column '{name}' spans too wide a range to be standardised; rescale it")


def _encode_column(column: Column, schema: ColumnSchema) -> npt.NDArray[np.float64]:
    """Return one column as numbers."""
    if schema.categories is not None:
        number = {category: k for k, category in enumerate(schema.categories)}
        words = column.as_text().values
        return np.array([np.nan if word is None else number.get(word, -1) for word in words], dtype=np.float64)
    if not column.numeric:
        row = next(i for i, word in enumerate(column.values) if word is not None)
        word = one_line(column.values[row])
        raise DataError(f"row {row + 1}, column '{one_line(column.name)}': a number is expected, found '{word}'")
    infinite = np.isinf(column.values)
    if infinite.any():
        raise DataError(f"row {np.argmax(infinite) + 1}, column '{one_line(column.name)}' is infinite")
    values: npt.NDArray[np.float64] = column.values
    return values


@dataclass(frozen=True)
class FittedPreprocessing:
    """A schema with the statistics of some training rows: all that new rows need.

    Parameters
    ----------
    schema : Preprocessing
        The columns.
    fill, mean, scale : tuple of float
        One a column: what replaces a missing value (median, or the number of the most frequent category), and the mean
        and standard deviation after that (0 and 1 for text columns).
    """

    schema: Preprocessing
    fill: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def refit(self, raw: Array) -> FittedPreprocessing:
        """Learn the statistics anew from other rows."""
        return self.schema.fit(raw)

    def transform(self, raw: Array) -> Array:
        """Return the network's inputs X (n, features) of raw rows (n, columns).

        Raises
        ------
        ShapeError
            If raw does not have the schema's number of columns.
        DataError
            If a value is so far out that standardising it overflows.
        """
        from sklearn.preprocessing import OneHotEncoder

        if raw.ndim != 2 or raw.shape[1] != len(self.schema.columns):
            raise ShapeError(f"raw rows of shape {raw.shape} for a table of {len(self.schema.columns)} columns")
        filled = np.where(np.isnan(raw), np.array(self.fill), raw)
        with np.errstate(over="ignore"):
            scaled = (filled - np.array(self.mean)) / np.array(self.scale)
        parts: list[Array] = []
        for j, column in enumerate(self.schema.columns):
            if column.categories is None:
                parts.append(scaled[:, j : j + 1])
            else:
                numbers = [np.arange(len(column.categories), dtype=np.float64)]
                encoder = OneHotEncoder(categories=numbers, handle_unknown="ignore", sparse_output=False)
                parts.append(encoder.fit(np.zeros((1, 1))).transform(filled[:, j : j + 1]))
        X: Array = np.concatenate(parts, axis=1)
        if not np.isfinite(X).all():
            row, j = (int(i) for i in np.argwhere(~np.isfinite(X))[0])
            raise DataError(
                f"row {row + 1}, input '{one_line(self.schema.feature_names[j])}' overflows when standardised"
            )
        return X

    def state(self) -> dict[str, Any]:
        """Return everything as JSON-able values; `from_state` gives an equal object back."""
        columns = [
            {"name": column.name, "categories": None if column.categories is None else list(column.categories)}
            | {"fill": fill, "mean": mean, "scale": scale}
            for column, fill, mean, scale in zip(self.schema.columns, self.fill, self.mean, self.scale, strict=True)
        ]
        return {"version": 1, "missing": self.schema.missing, "columns": columns}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> FittedPreprocessing:
        """Make the object that `state` describes.

        Raises
        ------
        DataError
            If the state is not one that `state()` wrote.
        """
        try:
            if state["version"] != 1:
                raise ValueError(f"version {state['version']}")
            columns = [
                ColumnSchema(str(c["name"]), None if c["categories"] is None else tuple(map(str, c["categories"])))
                for c in state["columns"]
            ]
            fill, mean, scale = (tuple(float(c[key]) for c in state["columns"]) for key in ("fill", "mean", "scale"))
            return cls(Preprocessing(tuple(columns), str(state["missing"])), fill, mean, scale)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"no readable preprocessing state: {one_line(repr(error))}") from None
