"""Tables with a named target as data sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt

from chainrule.data._base import Dataset, FixedSource
from chainrule.data._checking import Task, infer_task, label_text
from chainrule.data.columns import SUFFIXES, Column, read_columns
from chainrule.data.preprocess import FittedPreprocessing, Preprocessing
from chainrule.errors import ChainruleError, ConfigError, DataError, one_line, unknown_name

OPTIONS = ("target", "task", "drop", "missing", "categorical", "encoding")
MAX_CLASSES = 1000


def load_table(
    path: str | Path,
    target: str | None = None,
    *,
    task: Task | None = None,
    drop: Sequence[str] = (),
    missing: str = "error",
    categorical: Sequence[str] = (),
    encoding: str = "utf-8-sig",
    preprocess: FittedPreprocessing | None = None,
    classes: Sequence[str] = (),
) -> FixedSource:
    """Read a table file as a data source.

    Number columns are standardised and text columns one-hot encoded. The statistics for that are those of all rows
    until `chainrule.data.split` takes validation or test rows out; then they are those of the training rows.

    Parameters
    ----------
    path : path
        A CSV, TSV, Parquet or NPZ file. An NPZ file holds one array a column, or ``X`` (n, d) and ``y`` (n,).
    target : str, optional
        The column to predict; may be left out only for an NPZ file with ``y``.
    task : str, optional
        ``"binary"``, ``"multiclass"`` or ``"regression"``. By default two distinct targets are binary, words and at
        most 20 distinct whole numbers are multiclass, and the rest is regression.
    drop : sequence of str
        Columns to leave out.
    missing : str
        ``"error"`` refuses missing input values, ``"impute"`` fills them in.
    categorical : sequence of str
        Columns whose numbers are names, to be one-hot encoded.
    encoding : str
        Of CSV and TSV files.
    preprocess, classes : optional
        Those of an earlier data set: encode this table in the same way, for predictions.

    Raises
    ------
    DataError
        For a file or values that cannot be used; the message names file, row and column.
    ConfigError
        For unknown columns or options.
    """
    columns = read_columns(path, encoding)
    where = f"table '{one_line(path, 200)}'"
    if target is None and Path(path).suffix.lower() == ".npz":
        target = "y"
    target = _target_name(target, columns, where)
    drop = (drop,) if isinstance(drop, str) else tuple(drop)
    categorical = (categorical,) if isinstance(categorical, str) else tuple(categorical)
    options = {"task": task, "drop": drop, "missing": missing, "categorical": categorical, "encoding": encoding}
    try:
        inputs = _choose(columns, target, drop, categorical)
        goal = next(column for column in columns if column.name == target)
        fixed = preprocess is not None
        y, chosen, labels = _encode_target(goal, task, tuple(classes) if fixed else ())
        schema = Preprocessing.of(inputs, missing) if preprocess is None else preprocess.schema
        if missing == "error" and not fixed:
            _refuse_gaps(inputs, table_spec(path, target, **(options | {"missing": "impute"})))
        raw = schema.encode(inputs)
        fitted = schema.fit(raw) if preprocess is None else preprocess
        X = fitted.transform(raw)
        dataset = Dataset(
            name=Path(path).stem,
            X=X,
            y=y,
            task=chosen,
            feature_names=schema.feature_names,
            classes=labels,
            provenance=f"column '{one_line(target)}' of {Path(path).name}, {len(raw):,} rows",
            preprocess=fitted,
            raw=raw,
            is_part=fixed,
        )
    except ChainruleError as error:
        raise type(error)(f"{where}: {error}") from None
    return FixedSource(dataset, table_spec(path, target, **options))


def table_inputs(path: str | Path, preprocess: FittedPreprocessing, encoding: str = "utf-8-sig") -> npt.NDArray[Any]:
    """Read a table without needing its target, and return the inputs X (n, features) of a trained network."""
    columns = read_columns(path, encoding)
    try:
        return preprocess.transform(preprocess.schema.encode(columns))
    except ChainruleError as error:
        raise type(error)(f"table '{one_line(path, 200)}': {error}") from None


def _target_name(target: str | None, columns: Sequence[Column], where: str) -> str:
    names = [column.name for column in columns]
    if not target:
        raise ConfigError(
            f"{where}: name the column to predict, FILE?target=NAME (columns: {one_line(', '.join(names), 200)})"
        )
    if target not in names:
        raise ConfigError(f"{where}: {unknown_name('target column', target, names)}")
    return target


def _choose(columns: Sequence[Column], target: str, drop: Sequence[str], categorical: Sequence[str]) -> list[Column]:
    """Return the input columns."""
    names = [column.name for column in columns]
    for name in (*drop, *categorical):
        if name not in names:
            raise ConfigError(unknown_name("column", name, names))
    if target in drop:
        raise ConfigError(f"column '{one_line(target)}' is the target and cannot be dropped")
    kept = [column for column in columns if column.name != target and column.name not in drop]
    if not kept:
        raise DataError(f"no column is left beside the target '{one_line(target)}'")
    return [column.as_text() if column.name in categorical else column for column in kept]


def _refuse_gaps(inputs: Sequence[Column], filled: str) -> None:
    """Refuse a missing value, with the spec that has it filled in."""
    for column in inputs:
        if column.missing.any() and not column.missing.all():
            name = one_line(column.name)
            raise DataError(
                f"row {np.argmax(column.missing) + 1}, column '{name}' has no value; write '{one_line(filled, 300)}' "
                f"(or --missing impute) to have such gaps filled in, or drop={quote(name, safe=' ')} to leave it out"
            )


def _encode_target(
    goal: Column, task: Task | None, known: tuple[str, ...]
) -> tuple[npt.NDArray[Any], Task, tuple[str, ...]]:
    """Return the targets as numbers, the task, and what the class numbers stand for."""
    where = f"target column '{one_line(goal.name)}'"
    if goal.missing.any():
        raise DataError(f"row {np.argmax(goal.missing) + 1}: {where} has no value; remove the row")
    if goal.numeric and np.isinf(goal.values).any():
        raise DataError(f"row {np.argmax(np.isinf(goal.values)) + 1}: {where} is infinite")
    if task is not None and task not in get_args(Task):
        raise ConfigError(unknown_name("task", str(task), get_args(Task)))
    values = goal.values if goal.numeric else goal.values.astype(str)
    chosen = infer_task(values) if task is None else task
    if chosen == "regression":
        if not goal.numeric:
            raise DataError(f"{where}: regression needs numbers, found '{one_line(values[0])}'")
        return values, chosen, ()
    distinct, y = np.unique(values, return_inverse=True)
    labels = tuple(label_text(value) for value in distinct)
    if known:
        return _renumbered(y, labels, known, where), chosen, known
    allowed = 2 if chosen == "binary" else MAX_CLASSES
    if len(labels) > allowed:
        raise DataError(f"{where} has {len(labels):,} different values, too many for {chosen} (at most {allowed:,})")
    if len(labels) < 2:
        raise DataError(f"{where}: all {len(y)} labels are '{one_line(labels[0])}', so there is nothing to learn")
    return y, chosen, labels


def _renumbered(
    y: npt.NDArray[Any], labels: tuple[str, ...], known: tuple[str, ...], where: str
) -> npt.NDArray[np.intp]:
    """Number the labels as an earlier data set did."""
    for label in labels:
        if label not in known:
            raise DataError(f"{where}: {unknown_name('class', label, known)}")
    numbers: npt.NDArray[np.intp] = np.array([known.index(label) for label in labels], dtype=np.intp)[y]
    return numbers


def is_table(spec: str) -> bool:
    """Tell whether a spec means a file: ``table:PATH``, or a path with a table's suffix."""
    return (
        spec.startswith("table:")
        or spec.rpartition("?")[0].lower().endswith(SUFFIXES)
        or (spec.lower().endswith(SUFFIXES))
    )


def parse_table_spec(spec: str) -> tuple[str, dict[str, Any]]:
    """Split ``[table:]PATH?target=NAME&drop=A,B`` into the path and `load_table`'s options.

    Column names with one of ``% & , = ?`` are percent-encoded.
    """
    text = spec.removeprefix("table:")
    path, mark, query = text.rpartition("?")
    if not mark or text.lower().endswith(SUFFIXES):
        return text, {}
    options: dict[str, Any] = {}
    for pair in filter(None, query.split("&")):
        key, equals, value = pair.partition("=")
        if key not in OPTIONS:
            raise ConfigError(f"table spec '{one_line(spec, 200)}': {unknown_name('option', key, OPTIONS)}")
        if key in options or not equals:
            raise ConfigError(f"table spec '{one_line(spec, 200)}': write {key}=VALUE once")
        several = key in ("drop", "categorical")
        options[key] = tuple(unquote(v) for v in value.split(",") if v) if several else unquote(value)
    return path, options


def table_spec(path: str | Path, target: str, **options: Any) -> str:
    """Write the spec that `parse_table_spec` reads; options with their default values are left out."""
    defaults = {"task": None, "drop": (), "missing": "error", "categorical": (), "encoding": "utf-8-sig"}
    parts = [f"target={quote(target, safe=' ')}"]
    for key, value in options.items():
        value = tuple(value) if key in ("drop", "categorical") else value
        if value != defaults[key]:
            text = ",".join(quote(v, safe=" ") for v in value) if isinstance(value, tuple) else quote(value)
            parts.append(f"{key}={text}")
    return f"{path}?{'&'.join(parts)}"
