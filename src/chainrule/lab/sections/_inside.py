"""Inside a convolutional network: its first filters, and what its layers make of one image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.data import Dataset
from chainrule.nn import Array, Conv2D, Flatten
from chainrule.report.records import TileRow, TilesFigure
from chainrule.runs import Run


def filters_figure(ident: str, name: str, runs: Sequence[Run]) -> TilesFigure:
    """Draw the first convolution's filters, a row per run."""
    rows = []
    for run in runs:
        words = "before training" if run.epochs == 0 else f"epoch {run.epochs}"
        rows.append(TileRow(name=words, images=first_filters(run)))
    return TilesFigure(
        id=ident,
        title=f"{name}: the filters of the first convolution as they are learned (seed {runs[-1].seed})",
        rows=tuple(rows),
        scale="diverging",
        caption="A filter answers where the image is dark on its dark weights and empty on its white ones. Each column "
        "is one filter.",
    )


def first_filters(run: Run) -> Array:
    """Return the weights of the first convolution as images (filters, height, width), of its first channel."""
    place = next(k for k, layer in enumerate(run.member.network.layers) if isinstance(layer, Conv2D))
    return np.moveaxis(run.params[place]["W"][:, :, 0], -1, 0)


def middle_image(outputs: Array, images: Dataset) -> int:
    """Return the image with the (lower) median probability of what it is: neither an easy nor a hard one."""
    own = outputs[np.arange(images.n), images.y]
    return int(np.argsort(own, kind="stable")[(images.n - 1) // 2])


def activations_figure(
    ident: str, name: str, run: Run, images: Dataset, index: int, part: str = "held-out"
) -> TilesFigure:
    """Draw what each layer makes of one image; `part` says of which images it is one."""
    truth = images.classes[int(images.y[index])]
    output = run.predict(images.X[index : index + 1])[0]
    said, sure = images.classes[int(output.argmax())], float(output.max())
    words = "over 0.999" if sure > 0.999 else f"{sure:.3f}"
    return TilesFigure(
        id=ident,
        title=f"{name}: {part} image of class {truth} on its way through the layers (seed {run.seed})",
        rows=tuple(activation_rows(run, images.X[index])),
        caption=f"Of {images.n:,} {part} images, the one with the median probability of what it is. The network says "
        f"{said}, with probability {words}. Outputs are in the order {images.classes[0]} to {images.classes[-1]}.",
    )


def activation_rows(run: Run, sample: Array) -> list[TileRow]:
    """Return the activations of every layer for one sample: maps as images, units as one line."""
    network = run.member.network
    records = network.forward(run.params, sample[None].astype(run.theta.dtype, copy=False)).records
    rows = [TileRow(name="image", images=maps_of(records[0].A_in[0]))]
    for k, (layer, record) in enumerate(zip(network.layers, records, strict=True)):
        if isinstance(layer, Flatten):  # the same numbers in a row
            continue
        images = maps_of(record.A[0])
        n, height, width = images.shape
        note = f"{n} of {height} x {width}" if record.A.ndim > 2 else f"{width} units"
        rows.append(TileRow(name="output" if k == len(records) - 1 else _layer_word(layer), images=images, note=note))
    return rows


def maps_of(activations: Array) -> Array:
    """Return one sample's activations as images: (height, width, channels) by channel, (units,) as one line."""
    return np.moveaxis(activations, -1, 0) if activations.ndim == 3 else activations[None, None]


def _layer_word(layer: object) -> str:
    """Call a layer by its kind."""
    kind = type(layer).__name__
    return {"Conv2D": "convolution", "MaxPool2D": "pooling", "AvgPool2D": "pooling"}.get(kind, kind.lower())
