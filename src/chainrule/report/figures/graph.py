"""Pictures of networks: the computational graph with shapes and gradients, and neurons with their weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Circle, FancyBboxPatch

from chainrule.report._base import Array
from chainrule.report.figures._layout import WIDTH, Picture, footnote, legend, shorten, widest
from chainrule.report.figures._style import GRID, INK, LINE, MUTED, PAPER, SERIES, SMALL, TEXT
from chainrule.report.numbers import number
from chainrule.report.records import GraphFigure, GraphLayer, NetworkFigure

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
BOX, PITCH = 0.44, 0.68
"""Height of a box of the graph and the distance between boxes, in inches."""

BACKWARD = SERIES[3]
"""Colour of everything that flows back."""

MAX_NEURONS = 12
"""Neurons drawn per layer; of more, the first and the last few."""


def indexed(letter: str, index: int) -> str:
    """Write a letter with a subscript: ``W₁``."""
    return letter + str(index).translate(_SUBSCRIPTS)


def shape_text(shape: Sequence[int | str]) -> str:
    """Write a shape: ``n × 3``."""
    return " × ".join(str(size) for size in shape) if shape else "scalar"


def draw_graph(record: GraphFigure) -> Picture:
    """Draw the graph downward, a box an operation, and every gradient beside the box it belongs to."""
    n = len(record.layers)
    picture = Picture(record.title, 0.28 + (2 * n + 2) * PITCH)
    left, right = 1.35, 3.05
    picture.write((left + right) / 2, 0.12, "forward ↓", size=SMALL, color=MUTED, ha="center")
    picture.write(right + 0.32, 0.12, "backward ↑", size=SMALL, color=BACKWARD, weight="bold")
    y = 0.28
    _box(picture, left, right, y, "X", shape_text(record.input_shape), GRID)
    before = "X"
    for k, layer in enumerate(record.layers, start=1):
        after = indexed("A", k)
        _layer(picture, (left, right), y + PITCH, k, layer, before)
        _gradients(picture, right + 0.32, y + PITCH, k, n, before, layer, record)
        before, y = after, y + 2 * PITCH
    y += PITCH
    _arrow(picture, (left + right) / 2, y - PITCH + BOX, (left + right) / 2, y)
    _box(picture, left, right, y, f"L = loss({before}, Y)", record.loss, GRID)
    _chip(picture, y + BOX / 2 - 0.13, "Y", shape_text(record.layers[-1].output_shape), left)
    picture.write(right + 0.32, y + BOX / 2, f"dL/d{before}", color=BACKWARD)
    x = right + 0.17
    _arrow(picture, x, y + BOX / 2, x, 0.28 + PITCH, BACKWARD)
    return picture


def _layer(picture: Picture, span: tuple[float, float], y: float, k: int, layer: GraphLayer, before: str) -> None:
    """Draw a layer's map with its parameters, and its activation below."""
    left, right = span
    middle = (left + right) / 2
    weights, bias = indexed("W", k), indexed("b", k)
    shape = shape_text(layer.output_shape)
    formula = f"{before} {weights}" if layer.operation == "affine" else f"{layer.operation}({before}, {weights})"
    if layer.bias_shape is not None:
        formula += f" + {bias}"
    _arrow(picture, middle, y - PITCH + BOX, middle, y)
    _box(picture, left, right, y, f"{indexed('Z', k)} = {formula}", shape, PAPER)
    chips = [(weights, layer.weight_shape)] + ([(bias, layer.bias_shape)] if layer.bias_shape is not None else [])
    for number_, (name, size) in enumerate(chips):
        place = y + BOX / 2 - 0.13 + (number_ - (len(chips) - 1) / 2) * 0.3
        _chip(picture, place, name, shape_text(size), left)
    _arrow(picture, middle, y + BOX, middle, y + PITCH)
    name = _bare(layer.activation)
    note = shape if name == layer.activation else f"{shape} · {layer.activation}"
    _box(picture, left, right, y + PITCH, f"{indexed('A', k)} = {name}({indexed('Z', k)})", note, PAPER)


def _bare(spec: str) -> str:
    """Return a part's name without its numbers: ``leaky_relu`` for ``leaky_relu(0.01)``."""
    return spec.split("(")[0]


def _gradients(
    picture: Picture, x: float, y: float, k: int, n: int, before: str, layer: GraphLayer, record: GraphFigure
) -> None:
    """Write a layer's gradients beside its two boxes."""
    delta, weights = indexed("δ", k), indexed("W", k)
    picture.write(x, y + BOX / 2 - 0.09, f"d{weights} = {before}ᵀ {delta}", color=BACKWARD)
    if layer.bias_shape is not None:
        picture.write(x, y + BOX / 2 + 0.09, f"d{indexed('b', k)} = Σ {delta} over samples", color=BACKWARD)
    slope = "" if layer.activation == "identity" else f" ⊙ {_bare(layer.activation)}′({indexed('Z', k)})"
    if k < n:
        upstream = f"({indexed('δ', k + 1)} {indexed('W', k + 1)}ᵀ)"
    else:
        upstream = record.output_delta or f"dL/d{indexed('A', k)}"
        slope = "" if record.output_delta else slope
    parts = [f"{delta} = {upstream}{slope}"]
    room = WIDTH - x - 0.05
    if slope and widest(parts) > room:
        parts = [f"{delta} = {upstream}", slope.strip()]
    for line, text in enumerate(parts):
        inset = 0.0 if line == 0 else 0.24
        height = y + PITCH + BOX / 2 + (line - (len(parts) - 1) / 2) * 0.18
        picture.write(x + inset, height, shorten(text, room - inset), color=BACKWARD)


def _box(picture: Picture, left: float, right: float, y: float, text: str, note: str, face: str) -> None:
    """Draw a rounded box with a formula and a note (its shape) under it."""
    box = FancyBboxPatch(
        (left, y),
        right - left,
        BOX,
        boxstyle="round,pad=0,rounding_size=0.06",
        facecolor=face,
        edgecolor=LINE,
        linewidth=1.0,
        transform=picture.inches(),
    )
    picture.add_artist(box)
    middle = (left + right) / 2
    picture.write(middle, y + 0.14, shorten(text, right - left - 0.06), ha="center")
    picture.write(middle, y + 0.32, shorten(note, right - left - 0.06, SMALL), ha="center", size=SMALL, color=MUTED)


def _chip(picture: Picture, y: float, name: str, shape: str, right: float) -> None:
    """Write a parameter's name and shape left of a box, with a short arrow into it."""
    picture.write(0.1, y + 0.13, name, weight="bold", color=SERIES[0])
    picture.write(0.42, y + 0.13, shorten(shape, 0.72, SMALL), size=SMALL, color=MUTED)
    _arrow(picture, right - 0.22, y + 0.13, right, y + 0.13)


def _arrow(picture: Picture, x0: float, y0: float, x1: float, y1: float, colour: str = MUTED) -> None:
    """Draw an arrow between two places."""
    length = max(abs(x1 - x0) + abs(y1 - y0), 1e-9)
    along, head = ((x1 - x0) / length, (y1 - y0) / length), 0.06
    picture.line([x0, x1 - along[0] * head], [y0, y1 - along[1] * head], color=colour, linewidth=1.1)
    base = (x1 - along[0] * head * 1.4, y1 - along[1] * head * 1.4)
    across = (-along[1] * head * 0.7, along[0] * head * 0.7)
    picture.line(
        [base[0] + across[0], x1, base[0] - across[0]],
        [base[1] + across[1], y1, base[1] - across[1]],
        color=colour,
        linewidth=1.1,
    )


def draw_network(record: NetworkFigure) -> Picture:
    """Draw the neurons of a small network; a weight's size is its line's width, its sign colour and dashes."""
    widths = record.widths
    shown = [_shown(width) for width in widths]
    tallest = max(len(rows) for rows in shown)
    pitch = 0.42 if tallest <= 8 else 0.34
    height = max(tallest * pitch, 1.2)
    picture = Picture(record.title, 0.34 + height + 0.62)
    entries = [
        ("positive weight", {"color": SERIES[0], "linewidth": 2.2}),
        ("negative weight", {"color": SERIES[1], "linewidth": 2.2, "linestyle": (0, (3, 1.4))}),
    ]
    legend(picture, entries)
    names_in = list(record.input_names) or [indexed("x", k + 1) for k in range(widths[0])]
    names_out = list(record.output_names) or [indexed("a", k + 1) for k in range(widths[-1])]
    left = 0.38 + min(widest(names_in), 1.0)
    right = WIDTH - 0.38 - min(widest(names_out), 1.0)
    xs = np.linspace(left, right, len(widths))
    places = [_places(rows, 0.4 + height / 2, pitch) for rows in shown]
    _edges(picture, record, xs, places)
    _neurons(picture, record, xs, places)
    for k, y in places[0].items():
        picture.write(left - 0.2, y, shorten(names_in[k], 1.0), ha="right")
    for k, y in places[-1].items():
        picture.write(right + 0.2, y, shorten(names_out[k], 1.0))
    for k, x in enumerate(xs):
        kind = "input" if k == 0 else ("output" if k == len(xs) - 1 else "hidden")
        kind += "s" if widths[k] > 1 and kind != "hidden" else ""
        picture.write(x, 0.4 + height + 0.12, f"{widths[k]} {kind}", size=SMALL, ha="center", color=MUTED)
    largest = max(float(np.abs(w).max()) for w in record.weights)
    filled = "; discs: biases, filled above 0" if record.biases else ""
    footnote(picture, f"width: weight, largest {number(float(f'{largest:.3g}'))}{filled}")
    return picture


def _shown(width: int) -> list[int | None]:
    """Rows of a layer: neuron numbers, with None for the gap where a wide layer is abridged."""
    if width <= MAX_NEURONS:
        return list(range(width))
    return [*range(5), None, *range(width - 5, width)]


def _places(rows: Sequence[int | None], middle: float, pitch: float) -> dict[int, float]:
    """Heights of the neurons shown, centred about the middle."""
    top = middle - (len(rows) - 1) * pitch / 2
    return {neuron: top + k * pitch for k, neuron in enumerate(rows) if neuron is not None}


def _edges(picture: Picture, record: NetworkFigure, xs: Array, places: Sequence[dict[int, float]]) -> None:
    """Draw the weights, the strongest last so that it lies on top."""
    for layer, weights in enumerate(record.weights):
        largest = max(float(np.abs(weights).max()), 1e-300)
        pairs = [(i, j) for i in places[layer] for j in places[layer + 1]]
        for i, j in sorted(pairs, key=lambda pair: abs(weights[pair])):
            size = abs(float(weights[i, j])) / largest
            positive = weights[i, j] >= 0
            picture.line(
                [xs[layer], xs[layer + 1]],
                [places[layer][i], places[layer + 1][j]],
                color=SERIES[0] if positive else SERIES[1],
                linestyle="solid" if positive else (0, (3, 1.4)),
                linewidth=0.3 + 3.2 * size,
                alpha=0.35 + 0.6 * size,
                zorder=1,
                gid=f"weight-{layer}-{i}-{j}",
            )


def _neurons(picture: Picture, record: NetworkFigure, xs: Array, places: Sequence[dict[int, float]]) -> None:
    """Draw the neurons; a disc inside shows the bias by its area and, filled or hollow, its sign."""
    largest = max((float(np.abs(b).max()) for b in record.biases), default=0.0)
    for layer, rows in enumerate(places):
        for neuron, y in rows.items():
            frame = {"transform": picture.inches(), "zorder": 3}
            picture.add_artist(Circle((xs[layer], y), 0.13, facecolor=PAPER, edgecolor=INK, linewidth=1.0, **frame))
            if layer and record.biases and largest > 0:
                bias = float(record.biases[layer - 1][neuron])
                radius = 0.1 * float(np.sqrt(abs(bias) / largest))
                colour = SERIES[0] if bias >= 0 else SERIES[1]
                face = colour if bias >= 0 else "none"
                frame["zorder"] = 4
                disc = Circle((xs[layer], y), radius, facecolor=face, edgecolor=colour, linewidth=1.0, **frame)
                picture.add_artist(disc)
        if len(rows) < record.widths[layer]:
            gap = sorted(rows.values())
            picture.write(xs[layer], (gap[4] + gap[5]) / 2, "⋮", ha="center", size=TEXT + 2, color=MUTED)
