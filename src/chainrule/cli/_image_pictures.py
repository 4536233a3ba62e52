"""The pictures of a run on images: worst mistakes, confusion matrix, filters, one image on its way through."""

from __future__ import annotations

from chainrule.data import Dataset
from chainrule.lab.sections._images import confusion, mistakes
from chainrule.lab.sections._inside import activations_figure, filters_figure, middle_image
from chainrule.nn import Array, Conv2D
from chainrule.report.records import FigureRecord
from chainrule.runs import Run

NAMES = ("mistakes", "confusion", "filters", "activations")
"""What `image_figures` may draw."""


def image_figures(run: Run, dataset: Dataset, part: str, outputs: Array) -> list[FigureRecord]:
    """Return the pictures of one run on image data; none for other data, or a run that diverged.

    Parameters
    ----------
    run : Run
        The one that is shown.
    dataset : Dataset
        What it is shown for.
    part : str
        What these samples are called.
    outputs : array (n, classes)
        What the run says of them.
    """
    if dataset.image_shape is None or run.divergence:
        return []
    figures: list[FigureRecord] = []
    classes = dataset.task == "multiclass"
    if classes:
        figures += [
            mistakes("mistakes", dataset.name, run, dataset, part, outputs),
            confusion("confusion", dataset.name, run, dataset, part, outputs),
        ]
    if any(isinstance(layer, Conv2D) for layer in run.member.network.layers):
        figures.append(filters_figure("filters", dataset.name, [run]))
        if classes:
            image = middle_image(outputs, dataset)
            figures.append(activations_figure("activations", dataset.name, run, dataset, image, part))
    return figures
