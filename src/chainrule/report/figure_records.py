"""The records behind pictures of data and of networks: points, images, boundaries, graphs.

Frozen dataclasses holding numbers and text only. Every figure has an `id` (also its file name), a `title`, a
`caption` and an `alt` text. Array fields accept lists. Drawing lives in `chainrule.report.figures`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.errors import ShapeError
from chainrule.report._base import (
    Array,
    FigureRecord,
    Record,
    require_one_of,
    require_same_length,
    set_array,
    set_filled_tuple,
    set_points,
    set_tuple,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class PointsPanel(Record):
    """Points (n, 2) with their class numbers (n,); `classes` names them."""

    points: Array
    labels: Array
    classes: tuple[str, ...] = ("0", "1")
    title: str = ""

    def __post_init__(self) -> None:
        set_points(self, "points")
        set_array(self, "labels", 1, int)
        set_tuple(self, "classes")
        require_same_length(self, "points", "labels")


@dataclass(frozen=True, kw_only=True, eq=False)
class PointsFigure(FigureRecord):
    """One scatter of labelled 2-D points per panel."""

    panels: tuple[PointsPanel, ...]
    x_label: str = "x₁"
    y_label: str = "x₂"

    def __post_init__(self) -> None:
        super().__post_init__()
        set_filled_tuple(self, "panels")


@dataclass(frozen=True, kw_only=True, eq=False)
class ImagesFigure(FigureRecord):
    """A grid of images with a label each; predictions that differ are marked.

    The images are grey, (n, height, width), or in colours from 0 to 1, (n, height, width, 3).
    """

    images: Array
    labels: tuple[str, ...]
    predictions: tuple[str, ...] | None = None
    columns: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        coloured = np.ndim(self.images) == 4 and np.shape(self.images)[-1] == 3
        set_array(self, "images", 4 if coloured else 3)
        set_tuple(self, "labels")
        require_same_length(self, "images", "labels")
        if len(self.images) == 0 or self.columns < 1:
            raise ShapeError(f"figure '{self.id}' needs at least one image and one column")
        if self.predictions is not None:
            set_tuple(self, "predictions")
            require_same_length(self, "labels", "predictions")


@dataclass(frozen=True, kw_only=True, eq=False)
class TileRow(Record):
    """Grey images of one size (k, height, width) side by side; `name` stands before them, `note` below the name."""

    name: str
    images: Array
    note: str = ""

    def __post_init__(self) -> None:
        if 0 in set_array(self, "images", 3).shape:
            raise ShapeError(f"row '{self.name}' of tiles has no image: {self.images.shape}")


@dataclass(frozen=True, kw_only=True, eq=False)
class TilesFigure(FigureRecord):
    """Rows of small grey images: filters, activations.

    With `scale` "rows" each row runs from its smallest number (white) to its largest (black); with "diverging" all
    rows share one scale with zero in the middle.
    """

    rows: tuple[TileRow, ...]
    scale: str = "rows"

    def __post_init__(self) -> None:
        super().__post_init__()
        set_filled_tuple(self, "rows")
        require_one_of(self, "scale", ("rows", "diverging"))


@dataclass(frozen=True, kw_only=True, eq=False)
class BoundaryGrid(Record):
    """A network's output over a grid: `values` (len(y), len(x)).

    For two classes the values are probabilities of class 1; for more they are class numbers.
    `members` (k, len(y), len(x)) are further members, drawn as thin boundary lines.
    """

    x: Array
    y: Array
    values: Array
    members: Array | None = None

    def __post_init__(self) -> None:
        set_array(self, "x", 1)
        set_array(self, "y", 1)
        set_array(self, "values", 2)
        shape = (len(self.y), len(self.x))
        if self.values.shape != shape:
            raise ShapeError(f"BoundaryGrid.values has the shape {self.values.shape} but (len(y), len(x)) is {shape}")
        if self.members is not None and set_array(self, "members", 3).shape[1:] != shape:
            raise ShapeError(f"BoundaryGrid.members has the shape {self.members.shape} but must be (k, {shape})")


@dataclass(frozen=True, kw_only=True, eq=False)
class TruthFigure(FigureRecord):
    """Ground truth beside prediction, and the decision boundary when a `grid` is given.

    `points` (n, 2), `truth` (n,) and `prediction` (n,) as class numbers.
    """

    points: Array
    truth: Array
    prediction: Array
    classes: tuple[str, ...] = ("0", "1")
    grid: BoundaryGrid | None = None
    x_label: str = "x₁"
    y_label: str = "x₂"

    def __post_init__(self) -> None:
        super().__post_init__()
        set_points(self, "points")
        set_array(self, "truth", 1, int)
        set_array(self, "prediction", 1, int)
        set_tuple(self, "classes")
        require_same_length(self, "points", "truth", "prediction")


@dataclass(frozen=True, kw_only=True, eq=False)
class BoundaryPanel(Record):
    """A decision boundary with the points it should separate."""

    grid: BoundaryGrid
    points: Array
    labels: Array
    classes: tuple[str, ...] = ("0", "1")
    title: str = ""

    def __post_init__(self) -> None:
        set_points(self, "points")
        set_array(self, "labels", 1, int)
        set_tuple(self, "classes")
        require_same_length(self, "points", "labels")


@dataclass(frozen=True, kw_only=True, eq=False)
class BoundaryFigure(FigureRecord):
    """Decision boundaries side by side."""

    panels: tuple[BoundaryPanel, ...]
    x_label: str = "x₁"
    y_label: str = "x₂"

    def __post_init__(self) -> None:
        super().__post_init__()
        set_filled_tuple(self, "panels")


@dataclass(frozen=True, kw_only=True)
class GraphLayer(Record):
    """One layer of a computational graph; shapes hold integers or names such as "n".

    `bias_shape` is None without a bias, `operation` names the map ("affine").
    """

    weight_shape: tuple[int | str, ...]
    bias_shape: tuple[int | str, ...] | None
    output_shape: tuple[int | str, ...]
    activation: str
    operation: str = "affine"

    def __post_init__(self) -> None:
        set_tuple(self, "weight_shape", "output_shape")
        if self.bias_shape is not None:
            set_tuple(self, "bias_shape")


@dataclass(frozen=True, kw_only=True, eq=False)
class GraphFigure(FigureRecord):
    """A network as a computational graph: X, then a row per layer, then the loss; gradients flow back beside it.

    `output_delta` is the formula of the last layer's δ where loss and activation pair up (``"(A − Y) / n"``).
    """

    input_shape: tuple[int | str, ...]
    layers: tuple[GraphLayer, ...]
    loss: str
    output_delta: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        set_tuple(self, "input_shape")
        set_filled_tuple(self, "layers")


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkFigure(FigureRecord):
    """Neurons and weights of a small network: weights (fan_in, fan_out) and biases (fan_out,) per layer."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...] = ()
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        set_tuple(self, "input_names", "output_names")
        object.__setattr__(self, "weights", tuple(np.array(w, dtype=float) for w in self.weights))
        object.__setattr__(self, "biases", tuple(np.array(b, dtype=float) for b in self.biases))
        if not self.weights or any(w.ndim != 2 for w in self.weights):
            raise ShapeError(f"figure '{self.id}': weights must be arrays (fan_in, fan_out), one a layer")
        for before, after in zip(self.weights, self.weights[1:], strict=False):
            if before.shape[1] != after.shape[0]:
                raise ShapeError(
                    f"figure '{self.id}': weights {before.shape} and {after.shape} do not follow each other"
                )
        if self.biases and [b.shape for b in self.biases] != [(w.shape[1],) for w in self.weights]:
            raise ShapeError(f"figure '{self.id}': every layer's bias must have the shape (fan_out,)")

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of units per layer, inputs first."""
        return (int(self.weights[0].shape[0]), *(int(w.shape[1]) for w in self.weights))
