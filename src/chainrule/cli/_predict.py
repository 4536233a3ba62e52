"""Asking saved networks about new data: tables through their preprocessing, named data as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.cli._options import naming, parse_path
from chainrule.cli._predictions import Predictions, outputs_of
from chainrule.cli._request import load_source
from chainrule.cli._saved import classes_of, task_of
from chainrule.data.columns import Column, array_column, read_columns
from chainrule.data.image_files import holds_images, read_images
from chainrule.data.tables import is_table, parse_table_spec
from chainrule.errors import ConfigError, DataError, ShapeError, one_line, unknown_name
from chainrule.nn import Array
from chainrule.random import check_seed
from chainrule.runs import Run, Runs

Truth = npt.NDArray[Any] | None
WORDS = 5  # that a note names


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of which networks; the fields are the options of ``chainrule predict``."""

    runs: Runs
    members: tuple[Run, ...]
    data: str
    data_seed: int | None
    target: str | None
    data_dir: str | None


def ask(question: Question) -> Predictions:
    """Return the networks' (mean) outputs for the data.

    Raises
    ------
    DataError
        If the data cannot be read, or do not have the columns that the run needs.
    ShapeError
        If the data have another number of inputs; both shapes are named.
    """
    classes = classes_of(question.runs)
    task = task_of(question.members[0], classes)
    notes: tuple[str, ...] = ()
    if is_table(question.data):
        inputs, truth, notes, features = _from_file(question, task, classes)
    else:
        if question.target is not None:
            raise ConfigError("--target: only a table has columns")
        seed = question.members[0].seed if question.data_seed is None else question.data_seed
        source = load_source(question.data, question.data_dir)
        with naming("--data-seed"):
            check_seed(seed)
        dataset = source.draw(seed)
        if dataset.held_out is not None:  # what most want to know: the others were trained on
            notes = (
                f"these are the {dataset.held_out.n:,} held-out samples of '{dataset.name}', "
                f"not the {dataset.n:,} that networks are trained on",
            )
            dataset = dataset.held_out
        inputs, truth, features = [dataset.X], dataset.y, dataset.feature_shape
        same = dataset.task == task and dataset.n_outputs == question.members[0].member.network.output_shape[-1]
        truth, classes = (truth, classes or dataset.classes) if same else (None, classes)
    # Each network standardises a table as its own training rows were: one set of inputs a network.
    _check_shape(len(inputs[0]), features, question)
    pairs = zip(question.members, inputs * (len(question.members) // len(inputs)), strict=True)
    outputs = np.stack([outputs_of(run, X) for run, X in pairs])
    several = len(outputs) > 1
    return Predictions(
        inputs[0],
        outputs.mean(axis=0),
        task,
        classes,
        truth,
        low=outputs.min(axis=0) if several else None,
        high=outputs.max(axis=0) if several else None,
        notes=notes,
    )


def _check_shape(n: int, features: tuple[int, ...], question: Question) -> None:
    """Refuse inputs that the network cannot take, naming both shapes; images may come as rows of pixels."""
    wanted = question.members[0].member.network.shapes[0]
    if len(wanted) == 1:
        features = (math.prod(features),)
    in_a_row = len(features) == 1 and features[0] == math.prod(wanted)
    if features != wanted and not in_a_row:
        columns = is_table(question.data) and len(features) == 1
        hint = "; --target COLUMN sets the truth apart" if columns and question.target is None else ""
        raise ShapeError(
            f"--data: '{one_line(question.data)}' gives inputs of shape {(n, *features)}, "
            f"but the network was trained on (n, {', '.join(map(str, wanted))}){hint}"
        )


Told = tuple[list[Array], Truth, tuple[str, ...], tuple[int, ...]]
"""Inputs of all networks or of each one, truth if it is there, notes, and the axes of a sample."""


def _from_file(question: Question, task: str, classes: tuple[str, ...]) -> Told:
    """Read a table or images."""
    with naming("--data"):
        path, options = parse_table_spec(question.data)
        place = _place(path, question.data_dir)
        columns = [] if holds_images(place) else read_columns(place, str(options.get("encoding", "utf-8-sig")))
    with naming(f"--data: {'table' if columns else 'images'} '{one_line(path)}'"):
        if columns:
            inputs, truth, notes = _from_table(question, task, classes, columns, options)
            return inputs, truth, notes, inputs[0].shape[1:]
        images, arrays = read_images(place)
        target = question.target or str(options.get("target", "y"))
        if target not in arrays and (question.target or "target" in options):
            raise ConfigError(unknown_name("array of labels", target, arrays))
        labels = [array_column(target, arrays[target], f"'{one_line(path)}'")] if target in arrays else []
        return [images.reshape(len(images), -1)], _truth(labels, target, task, classes), (), images.shape[1:]


def _from_table(
    question: Question, task: str, classes: tuple[str, ...], columns: list[Column], options: dict[str, Any]
) -> tuple[list[Array], Truth, tuple[str, ...]]:
    """Return a table as the inputs of all networks (or of each one), truth if its target is there, and notes."""
    names = [column.name for column in columns]
    target = question.target or options.get("target")
    if target is not None and target not in names:
        raise ConfigError(unknown_name("target column", target, names))
    notes: tuple[str, ...] = ()
    fitted = [run.preprocessing for run in question.members if run.preprocessing is not None]
    if not fitted:
        inputs = [_numbers(columns, target)]
    else:
        raw = fitted[0].schema.encode(columns)  # the columns are the same for all; their statistics are not
        notes = _notes(fitted[0].schema.unseen(columns))
        inputs = [preprocessing.transform(raw) for preprocessing in fitted]
        target = target or parse_table_spec(question.runs.source)[1].get("target")
    return inputs, _truth(columns, target, task, classes), notes


def _notes(unseen: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Say which words the training data did not have: their column is 0 for every word that it had."""
    return tuple(
        f"column '{one_line(name)}': {', '.join(f'{one_line(word)!r}' for word in words[:WORDS])}"
        + (f" and {len(words) - WORDS} more" if len(words) > WORDS else "")
        + " did not occur in the training data, so such a row is predicted as if it had no word there"
        for name, words in unseen.items()
    )


def _place(path: str, data_dir: str | None) -> Path:
    """Return the path, or the one in the data folder if only that exists."""
    place = parse_path(path, "a table's path")
    if data_dir is not None and not place.exists() and (inside := parse_path(data_dir, "--data-dir") / path).exists():
        return inside
    return place


def _numbers(columns: list[Column], target: str | None) -> Array:
    """Return the columns but the target as they are."""
    inputs = [column for column in columns if column.name != target]
    for column in inputs:
        if not column.numeric or column.missing.any():
            what = "has missing values" if column.numeric else "holds text, numbers are needed"
            raise DataError(f"column '{one_line(column.name)}' {what}")
    return np.stack([column.values for column in inputs], axis=1) if inputs else np.zeros((0, 0))


def _truth(columns: list[Column], target: str | None, task: str, classes: tuple[str, ...]) -> Truth:
    """Return the target column as class numbers or values."""
    column = next((column for column in columns if column.name == target), None)
    if column is None or (task != "regression" and not classes):
        return None
    if column.missing.any():
        raise DataError(f"target column '{one_line(column.name)}' has missing values")
    if task == "regression":
        if not column.numeric:
            raise DataError(f"target column '{one_line(column.name)}' holds text, numbers are needed")
        return column.values
    labels = [str(value) for value in column.as_text().values]
    for label in labels:
        if label not in classes:
            raise DataError(f"target column '{one_line(column.name)}': {unknown_name('class', label, classes)}")
    return np.array([classes.index(label) for label in labels])
