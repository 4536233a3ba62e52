"""Draws the pictures of docs/convolution.md from what the library's own windows say.

    python -m studies.convolution_pictures           # writes docs/pictures/*.svg
    python -m studies.convolution_pictures FOLDER    # writes there

Every picture is a list of `Grid` records, computed with `chainrule.nn.windows` and the pooling layers. The records are
written into the file beside the drawing (its description), so that a test can compare what a picture shows with what
the library computes, and with loops.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.files import write_whole
from chainrule.nn import Array, AvgPool2D, MaxPool2D
from chainrule.nn.windows import Windows

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
IMAGE, KERNEL = 5, 3
ENTRY, PLACE, PIXEL = (0, 2), (1, 2), (2, 2)
"""The kernel entry whose derivative is drawn, the output whose sum is drawn, the input whose derivative is drawn."""
POOLED = ((1, 5, 2, 0), (3, 4, 8, 7), (0, 2, 6, 1), (9, 0, 3, 5))
DELTA = ((4, 8), (-4, 12))

COLOURS = (
    "#f4b6b0", "#f9d3a4", "#f6ec9e", "#c9e6a5", "#a8dfc9", "#a9d8f0", "#b3c3f3", "#d2b8ee", "#f3b7dc"
)  # fmt: skip


@dataclass(frozen=True)
class Mark:
    """A cell that is coloured: `colour` counts the kernel entries or places, -1 is only framed; `text` is in it."""

    row: int
    column: int
    colour: int
    text: str


@dataclass(frozen=True)
class Grid:
    """A grid of cells: its title, its size, the padded cells around it (before, after), and its marks."""

    title: str
    rows: int
    columns: int
    marks: tuple[Mark, ...]
    padded: tuple[int, int] = (0, 0)


Picture = tuple[tuple[Grid, ...], ...]
"""Rows of grids."""


def pictures() -> dict[str, tuple[str, Picture]]:
    """Return every picture by its name: a sentence, and the grids."""
    return {
        "convolution-forward": (
            f"z[{_at(PLACE)}] is the sum of the coloured inputs, each times the weight of its colour (and b)",
            (_forward(),),
        ),
        "convolution-weight": (
            f"dL/dw[{_at(ENTRY)}] is the sum of the coloured inputs, each times the delta of its colour",
            (_weight(),),
        ),
        "convolution-input": (
            f"dL/da[{_at(PIXEL)}] is the sum of the coloured deltas, each times the weight of its colour",
            (_input(),),
        ),
        "convolution-options": (
            "Which inputs one window meets, and how many windows hold each input, for a kernel of 3 x 3",
            _options(),
        ),
        "pooling": ("Pooling windows of 2 x 2: forward, and what delta becomes on the way back", _pooling()),
    }


# -- records -------------------------------------------------------------------------------------------


def _forward() -> tuple[Grid, ...]:
    met = _inputs_of(_windows(), (IMAGE, IMAGE), PLACE)
    return (
        Grid("input a", IMAGE, IMAGE, tuple(Mark(*at, k, f"w{_sub(_entry(k))}") for k, at in met)),
        Grid("kernel w", KERNEL, KERNEL, _kernel()),
        Grid("output z", 3, 3, (Mark(*PLACE, -1, f"z{_sub(PLACE)}"),)),
    )


def _weight() -> tuple[Grid, ...]:
    places = _places((3, 3))
    met = [dict(_inputs_of(_windows(), (IMAGE, IMAGE), place))[KERNEL * ENTRY[0] + ENTRY[1]] for place in places]
    deltas = tuple(Mark(*place, k, f"δ{_sub(place)}") for k, place in enumerate(places))
    return (
        Grid("input a", IMAGE, IMAGE, tuple(Mark(*at, m.colour, m.text) for at, m in zip(met, deltas, strict=True))),
        Grid("kernel w", KERNEL, KERNEL, (Mark(*ENTRY, -1, f"w{_sub(ENTRY)}"),)),
        Grid("delta = dL/dz", 3, 3, deltas),
    )


def _input() -> tuple[Grid, ...]:
    holding = [
        Mark(*place, k, f"w{_sub(_entry(k))}")
        for place in _places((3, 3))
        for k, at in _inputs_of(_windows(), (IMAGE, IMAGE), place)
        if at == PIXEL
    ]
    return (
        Grid("delta = dL/dz", 3, 3, tuple(holding)),
        Grid("kernel w", KERNEL, KERNEL, _kernel()),
        Grid("input a", IMAGE, IMAGE, (Mark(*PIXEL, -1, f"a{_sub(PIXEL)}"),)),
    )


def _options() -> Picture:
    upper, lower = [], []
    for title, size, place, options in (
        ("stride 2: window of z[0, 1]", 5, (0, 1), {"stride": (2, 2)}),
        ("padding 'same': window of z[0, 0]", 4, (0, 0), {"padding": "same"}),
        ("dilation 2: window of z[1, 1]", 7, (1, 1), {"dilation": (2, 2)}),
    ):
        windows = _windows(**options)
        before, after = windows.pads((size, size))[0]
        met = _inputs_of(windows, (size, size), place)
        marks = tuple(Mark(*at, k, f"w{_sub(_entry(k))}") for k, at in met)
        upper.append(Grid(title, size, size, marks, (before, after)))
        held = windows.fold(np.ones((*windows.places((size, size)), KERNEL, KERNEL, 1)), (size, size))[..., 0]
        counts = " x ".join(map(str, windows.places((size, size))))
        lower.append(Grid(f"held by how many of {counts} windows", size, size, _numbers(held)))
    return tuple(upper), tuple(lower)


def _pooling() -> Picture:
    A, delta = (np.array(values, float)[None, :, :, None] for values in (POOLED, DELTA))
    colours = np.repeat(np.repeat(np.arange(4).reshape(2, 2), 2, axis=0), 2, axis=1)
    rows = []
    for title, layer in (("largest", MaxPool2D(2)), ("mean", AvgPool2D(2))):
        record = layer.forward({}, A)
        dA = layer.input_gradient({}, record, delta)
        small = np.arange(4).reshape(2, 2)
        rows.append(
            (
                Grid("input a", 4, 4, _numbers(A[0, :, :, 0], colours)),
                Grid(f"{title} z", 2, 2, _numbers(record.Z[0, :, :, 0], small)),
                Grid("delta = dL/dz", 2, 2, _numbers(delta[0, :, :, 0], small)),
                Grid("dL/da", 4, 4, _numbers(dA[0, :, :, 0], colours)),
            )
        )
    return tuple(rows)


def _windows(**options: Any) -> Windows:
    """Return the kernel's windows with these options."""
    values = {"stride": (1, 1), "dilation": (1, 1), "padding": "valid"} | options
    return Windows((KERNEL, KERNEL), what="convolution", **values)


def _inputs_of(windows: Windows, axes: tuple[int, int], place: tuple[int, int]) -> list[tuple[int, tuple[int, int]]]:
    """Return (number of the entry, input) for the inputs that a window meets; what is padded is left out.

    The patches of an image that holds each pixel's own number say which pixels those are.
    """
    numbers = np.arange(1.0, axes[0] * axes[1] + 1).reshape(*axes, 1)
    patch = windows.patches(numbers)[place].ravel().astype(int)
    return [(k, divmod(int(number) - 1, axes[1])) for k, number in enumerate(patch) if number]


def _kernel() -> tuple[Mark, ...]:
    return tuple(Mark(*_entry(k), k, f"w{_sub(_entry(k))}") for k in range(KERNEL**2))


def _entry(k: int) -> tuple[int, int]:
    return divmod(k, KERNEL)


def _places(counts: tuple[int, int]) -> list[tuple[int, int]]:
    return [(y, x) for y in range(counts[0]) for x in range(counts[1])]


def _numbers(values: Array, colours: Any = None) -> tuple[Mark, ...]:
    """Mark every cell with its number; without colours only framed cells, shaded by nothing."""
    return tuple(
        Mark(r, c, -2 if colours is None else int(colours[r, c]), f"{values[r, c]:g}".replace("-", "−"))
        for r, c in np.ndindex(*values.shape)
    )


def _at(index: tuple[int, int]) -> str:
    return ", ".join(map(str, index))


def _sub(index: tuple[int, int]) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[i] for i in index)


# -- drawing -------------------------------------------------------------------------------------------

UNIT, GAP, HEAD, TOP, LEAST = 0.5, 1.5, 1.3, 0.7, 17.0
"""A cell in inches; in cells: between grids, above each, above all, and the least width, for the sentence."""


def draw(sentence: str, picture: Picture, path: Path) -> None:
    """Draw rows of grids into an SVG file that carries its records in its description."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    columns = [max(map(_width, column)) for column in zip(*picture, strict=True)]
    rows = [max(map(_height, row)) for row in picture]
    width, height = sum(columns) + GAP * (len(columns) - 1), sum(rows) + HEAD * len(rows) + TOP
    left, right = -0.8 - max(0.0, LEAST - width) / 2, width + 0.4 + max(0.0, LEAST - width) / 2
    settings: Any = {"svg.hashsalt": path.stem, "font.family": "DejaVu Sans"}
    with mpl.rc_context(settings):
        figure = plt.figure(figsize=(UNIT * (right - left), UNIT * (height + 0.4)), facecolor="white")
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set_xlim(left, right)
        axes.set_ylim(height + 0.4, 0.0)
        axes.text((left + right) / 2, 0.5, sentence, ha="center", va="center", fontsize=9.5, color="#222222")
        y = TOP
        for row, most in zip(picture, rows, strict=True):
            x = 0.0
            for grid, broad in zip(row, columns, strict=True):
                _draw_grid(axes, grid, x + (broad - _width(grid)) / 2, y + HEAD + (most - _height(grid)) / 2)
                x += broad + GAP
            y += HEAD + most
        file = StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Title": sentence, "Description": _text(picture)})
        plt.close(figure)
    text = re.sub(r"[ \t]+$", "", file.getvalue(), flags=re.MULTILINE)
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _width(grid: Grid) -> int:
    return grid.columns + sum(grid.padded)


def _height(grid: Grid) -> int:
    return grid.rows + sum(grid.padded)


def _draw_grid(axes: Any, grid: Grid, left: float, top: float) -> None:
    """Draw one grid with its title above, the indices of rows and columns beside it and its marks."""
    from matplotlib.patches import Rectangle

    before, after = grid.padded
    axes.text(left + _width(grid) / 2, top - 0.8, grid.title, ha="center", va="center", fontsize=9.5, weight="bold")
    marks = {(mark.row, mark.column): mark for mark in grid.marks}
    for row in range(-before, grid.rows + after):
        for column in range(-before, grid.columns + after):
            inside = 0 <= row < grid.rows and 0 <= column < grid.columns
            x, y = left + before + column, top + before + row
            mark = marks.get((row, column))
            fill = COLOURS[mark.colour] if mark and mark.colour >= 0 else "white"
            style: dict[str, Any] = {"facecolor": fill, "edgecolor": "#777777", "linewidth": 0.8}
            if not inside:
                style = {"facecolor": "#f3f3f3", "edgecolor": "#bbbbbb", "linewidth": 0.8, "linestyle": (0, (2, 2))}
            axes.add_patch(Rectangle((x, y), 1, 1, zorder=1 if inside else 0, **style))
            text = mark.text if mark else "" if inside else "0"
            axes.text(
                x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=8.5, color="#222222" if inside else "#999999"
            )
    for mark in grid.marks:
        if mark.colour == -1:
            x, y = left + before + mark.column, top + before + mark.row
            axes.add_patch(Rectangle((x, y), 1, 1, fill=False, edgecolor="#222222", linewidth=2.0, zorder=3))
    _draw_indices(axes, grid, left, top)


def _draw_indices(axes: Any, grid: Grid, left: float, top: float) -> None:
    """Number the rows and columns from 0; padded ones have no number."""
    before = grid.padded[0]
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 6.5, "color": "#888888"}
    for column in range(grid.columns):
        axes.text(left + before + column + 0.5, top - 0.25, str(column), **style)
    for row in range(grid.rows):
        axes.text(left - 0.25, top + before + row + 0.5, str(row), **style)


# -- files ---------------------------------------------------------------------------------------------


def _text(picture: Picture) -> str:
    """Write the records as JSON."""
    return json.dumps([[asdict(grid) for grid in row] for row in picture], ensure_ascii=False, separators=(",", ":"))


def shown_in(path: Path) -> Picture:
    """Return the records that a drawn picture carries."""
    found = re.search(r"<dc:description>(.*?)</dc:description>", path.read_text(encoding="utf-8"), re.DOTALL)
    if found is None:
        raise ValueError(f"{path} carries no records")
    return tuple(tuple(map(_grid, row)) for row in json.loads(unescape(found[1])))


def _grid(record: Mapping[str, Any]) -> Grid:
    marks: Iterable[Mapping[str, Any]] = record["marks"]
    values = dict(record) | {"marks": tuple(Mark(**mark) for mark in marks), "padded": tuple(record["padded"])}
    return Grid(**values)


def main(arguments: Sequence[str]) -> None:
    """Draw every picture."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, (sentence, picture) in pictures().items():
        draw(sentence, picture, folder / f"{name}.svg")


if __name__ == "__main__":
    main(sys.argv[1:])
