"""What a network makes of images it has not seen: the worst mistakes, the confusion matrix, a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.data import Dataset, split
from chainrule.data.images import visible
from chainrule.lab.context import LabContext, Level
from chainrule.lab.pictures import MOST_TABLE_ROWS
from chainrule.metrics import confusion_matrix
from chainrule.nn import Array
from chainrule.report.records import Cell, HeatmapFigure, ImagesFigure, TableRecord
from chainrule.runs import Run


def held_out(context: LabContext, run: Run, level: Level) -> Dataset:
    """Return the samples that a run did not train on."""
    config = run.member.config
    dataset = context.source(level.runs.source).draw(run.seed)
    parts = split(dataset, run.seed, config.validation, config.test, config.stratify)
    assert parts.validation is not None, "image recipes hold samples out"
    return parts.validation


def mistakes(
    ident: str, name: str, run: Run, held_out: Dataset, part: str = "held-out", outputs: Array | None = None
) -> ImagesFigure:
    """Draw the images that the run gets most wrong, then some that it gets right.

    `part` says which images these are, `outputs` what the run says of them if that is known already.
    """
    outputs = run.predict(held_out.X) if outputs is None else outputs
    prediction = outputs.argmax(axis=1)
    wrong, right = worst_first(outputs, held_out.y)
    index = [*wrong[:15], *right][:20]
    return ImagesFigure(
        id=ident,
        title=f"{name}: {part} images, what they are and what the network says (seed {run.seed})",
        images=visible(held_out, index),
        labels=tuple(held_out.classes[int(held_out.y[k])] for k in index),
        predictions=tuple(held_out.classes[int(prediction[k])] for k in index),
        caption=f"{len(wrong)} of {held_out.n:,} {part} images are wrong; up to 15 of them come first, the worst "
        "(least probability for what they are) before the others.",
    )


def worst_first(outputs: Array, truth: npt.NDArray[np.integer[Any]]) -> tuple[list[int], list[int]]:
    """Return the samples that are taken for something else, and those that are not, by their number.

    Parameters
    ----------
    outputs : array (n, classes)
        What a network says.
    truth : array (n,)
        Class numbers.

    Returns
    -------
    (list of int, list of int)
        The wrong ones by the output for what they are, the smallest first; the right ones in their order.
    """
    own = outputs[np.arange(len(truth)), truth]
    prediction = outputs.argmax(axis=1)
    wrong = [int(k) for k in np.argsort(own, kind="stable") if prediction[k] != truth[k]]
    return wrong, [int(k) for k in np.flatnonzero(prediction == truth)]


def confusion(
    ident: str, name: str, run: Run, held_out: Dataset, part: str = "held-out", outputs: Array | None = None
) -> HeatmapFigure:
    """Return how often each class is taken for each other; `part` and `outputs` as `mistakes` takes them."""
    return HeatmapFigure(
        id=ident,
        title=f"{name}: confusion matrix on {part} images (seed {run.seed})",
        values=confusion_matrix(run.predict(held_out.X) if outputs is None else outputs, held_out.Y),
        rows=held_out.classes,
        columns=held_out.classes,
        value_label="images",
        x_label="prediction",
        y_label="truth",
        number_format=".0f",
        caption="Rows are what the images are, columns what the network says.",
    )


def image_table(ident: str, name: str, run: Run, held_out: Dataset) -> TableRecord:
    """Return the first held-out images: truth, prediction, how sure the network is, and whether it is right."""
    outputs = run.predict(held_out.X[:MOST_TABLE_ROWS])
    rows: list[tuple[Cell, ...]] = []
    for k, output in enumerate(outputs):
        truth, said = int(held_out.y[k]), int(output.argmax())
        rows.append((k, held_out.classes[truth], held_out.classes[said], float(output[said]), said == truth))
    return TableRecord(
        id=ident,
        title=f"{name}: the first {len(rows)} held-out images, seed {run.seed}",
        columns=("image", "truth", "prediction", "its probability", "right"),
        rows=tuple(rows),
        formats=("", "", "", ".5f", ""),
        caption=f"{held_out.n - len(rows):,} more images are not shown.",
        collapsed=True,
    )
