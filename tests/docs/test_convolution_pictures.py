"""The pictures of docs/convolution.md show what the library computes, and the library what the loops count."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studies.convolution_pictures import ENTRY, FOLDER, PIXEL, PLACE, Grid, Mark, draw, pictures, shown_in
from tests.nn.windows_by_loops import Way

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "convolution.md").read_text(encoding="utf-8")
PICTURES = pictures()
PLAIN = Way((5, 5), (3, 3))


def texts(grid: Grid) -> dict[tuple[int, int], str]:
    return {(mark.row, mark.column): mark.text for mark in grid.marks}


def name(letter: str, *index: int) -> str:
    return letter + "".join("₀₁₂₃₄₅₆₇₈₉"[i] for i in index)


@pytest.mark.parametrize("title", PICTURES)
def test_what_is_drawn_is_what_is_computed(title: str, tmp_path: Path) -> None:
    sentence, picture = PICTURES[title]
    assert shown_in(FOLDER / f"{title}.svg") == picture, "run python -m studies.convolution_pictures"
    draw(sentence, picture, tmp_path / "again.svg")
    assert shown_in(tmp_path / "again.svg") == picture


def test_the_page_shows_every_picture_and_says_what_is_on_it() -> None:
    shown = re.findall(r"!\[(.+)\]\(pictures/(.+)\.svg\)", PAGE)
    assert {stem for _, stem in shown} == set(PICTURES)
    assert all(len(words) > 40 for words, _ in shown)


def test_forward_is_the_index_formula() -> None:
    ((image, kernel, output),) = PICTURES["convolution-forward"][1]
    met = {(row, column): name("w", i, j) for y, x, i, j, row, column in PLAIN.meetings() if (y, x) == PLACE}
    assert texts(image) == met
    assert texts(kernel) == {(i, j): name("w", i, j) for i in range(3) for j in range(3)}
    assert texts(output) == {PLACE: name("z", *PLACE)}


def test_the_derivative_by_a_weight_is_the_index_formula() -> None:
    ((image, kernel, delta),) = PICTURES["convolution-weight"][1]
    met = {(row, column): name("δ", y, x) for y, x, i, j, row, column in PLAIN.meetings() if (i, j) == ENTRY}
    assert texts(image) == met
    assert texts(kernel) == {ENTRY: name("w", *ENTRY)}
    colours = {mark.text: mark.colour for mark in delta.marks}
    assert {mark.text: mark.colour for mark in image.marks} == colours
    assert len(set(colours.values())) == 9


def test_the_derivative_by_an_input_is_the_index_formula() -> None:
    ((delta, kernel, image),) = PICTURES["convolution-input"][1]
    met = {(y, x): name("w", i, j) for y, x, i, j, row, column in PLAIN.meetings() if (row, column) == PIXEL}
    assert texts(delta) == met
    assert texts(image) == {PIXEL: name("a", *PIXEL)}
    colours = {mark.text: mark.colour for mark in kernel.marks}
    assert {mark.text: mark.colour for mark in delta.marks} == colours
    turned = [[met[2 - i, 2 - j] for j in range(3)] for i in range(3)]
    assert turned == [[name("w", i, j) for j in range(3)] for i in range(3)]


@pytest.mark.parametrize(
    ("column", "way"),
    [
        (0, Way((5, 5), (3, 3), stride=(2, 2))),
        (1, Way((4, 4), (3, 3), padding="same")),
        (2, Way((7, 7), (3, 3), dilation=(2, 2))),
    ],
)
def test_options_are_the_index_formula(column: int, way: Way) -> None:
    upper, lower = (row[column] for row in PICTURES["convolution-options"][1])
    found = re.search(r"z\[(\d), (\d)\]", upper.title)
    assert found is not None
    place = int(found[1]), int(found[2])
    assert texts(upper) == {(r, c): name("w", i, j) for y, x, i, j, r, c in way.meetings() if (y, x) == place}
    assert upper.padded == way.pads[0] == way.pads[1]
    counts = np.zeros(way.image, int)
    for _, _, _, _, r, c in way.meetings():
        counts[r, c] += 1
    assert texts(lower) == {(r, c): str(counts[r, c]) for r, c in np.ndindex(*way.image)}
    assert " x ".join(map(str, way.places)) in lower.title


def test_pooling_by_hand() -> None:
    largest, mean = PICTURES["pooling"][1]

    def rows(grid: Grid) -> list[list[float]]:
        values = texts(grid)
        return [[float(values[r, c].replace("−", "-")) for c in range(grid.columns)] for r in range(grid.rows)]

    assert rows(largest[0]) == [[1, 5, 2, 0], [3, 4, 8, 7], [0, 2, 6, 1], [9, 0, 3, 5]]
    assert rows(largest[1]) == [[5, 8], [9, 6]]
    assert rows(largest[3]) == [[0, 4, 0, 0], [0, 0, 8, 0], [0, 0, 12, 0], [-4, 0, 0, 0]]
    assert rows(mean[1]) == [[13 / 4, 17 / 4], [11 / 4, 15 / 4]]
    assert rows(mean[3]) == [[1, 1, 2, 2], [1, 1, 2, 2], [-1, -1, 3, 3], [-1, -1, 3, 3]]
    assert largest[0].marks[5] == Mark(1, 1, 0, "4")


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example, *_ = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    scope: dict[str, Any] = {}
    exec(example, scope)
    assert capsys.readouterr().out.splitlines()[-1] == "(3, 10) (3, 10)"
