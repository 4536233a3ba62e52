"""Section 1: the data, drawn, and the machine that computed."""

from __future__ import annotations

import numpy as np

from chainrule.data import Dataset, facts
from chainrule.lab.context import LabContext
from chainrule.machine import this_machine
from chainrule.report.records import Cell, ImagesFigure, Item, PointsFigure, PointsPanel, SectionRecord, TableRecord

RECIPES: tuple[str, ...] = ()


def data(context: LabContext) -> SectionRecord:
    """Show every data set of the report, its facts, and the versions and hardware."""
    linear, xor, digits = (context.source(name).draw(0) for name in ("linear(n=100)", "xor", "digits"))
    sets = [linear, xor, digits]
    items: list[Item] = [
        PointsFigure(
            id="data-points",
            title="Points on the unit square",
            panels=tuple(
                PointsPanel(points=one.X, labels=one.y, classes=one.classes, title=title)
                for one, title in ((linear, "linear: label 0 where x₁ > x₂"), (xor, "xor: two crossing lines"))
            ),
            caption="linear is drawn anew for every seed (here seed 0); xor is always these 21 points.",
        ),
        _images("data-digits", "Handwritten digits, 8 × 8 pixels", digits),
    ]
    if context.has_mnist:
        mnist = context.source("mnist").draw(0)
        sets.append(mnist)
        items.append(_images("data-mnist", "MNIST, 28 × 28 pixels", mnist))
    else:
        context.notes.append(
            "MNIST was not at hand, so nothing here says anything about it; put its four files in a folder and name "
            "it with --data or CHAINRULE_DATA."
        )
    items += [_facts_table(sets), _machine_table()]
    return SectionRecord(
        id="data",
        title="Data and machine",
        lead="What the networks learn from, and what they were trained on.",
        items=tuple(items),
    )


def _images(ident: str, title: str, dataset: Dataset) -> ImagesFigure:
    """Draw the first two images of every class."""
    assert dataset.image_shape is not None
    y = np.asarray(dataset.y)
    index = [int(k) for rank in range(2) for label in range(10) for k in [np.flatnonzero(y == label)[rank]]]
    return ImagesFigure(
        id=ident,
        title=title,
        images=dataset.X[index].reshape(-1, *dataset.image_shape),
        labels=tuple(dataset.classes[int(y[k])] for k in index),
        caption=f"Two of each class, of {dataset.n:,} images.",
    )


def _facts_table(sets: list[Dataset]) -> TableRecord:
    """Return a row of facts per data set."""
    rows: list[tuple[Cell, ...]] = []
    for one in sets:
        told = facts(one)
        held_out = one.held_out.n if one.held_out is not None else 0
        rows.append(
            (one.name, one.n, held_out, one.n_features, len(one.classes), str(told["provenance"]), one.fingerprint[:12])
        )
    columns = ("data set", "samples", "given test set", "features", "classes", "origin", "fingerprint")
    return TableRecord(
        id="data-facts",
        title="The data sets",
        columns=columns,
        rows=tuple(rows),
        align=("left", "right", "right", "right", "right", "left", "left"),
        caption="The fingerprint is a hash of every number; equal data have equal fingerprints on every machine.",
    )


def _machine_table() -> TableRecord:
    """Return the versions and the hardware."""
    return TableRecord(
        id="machine",
        title="The machine",
        columns=("what", "value"),
        rows=tuple(this_machine().facts().items()),
        align=("left", "left"),
    )
