"""SVG: well formed, ids of its own, themed inline, plain on disk, equal bytes for equal records."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from chainrule.report.figures._style import CSS_VARIABLES
from chainrule.report.records import Curve, CurveFigure, CurvePanel, FigureRecord, PointsFigure, PointsPanel
from chainrule.report.svg import render, render_png, render_svg

SVG = "{http://www.w3.org/2000/svg}"


def curve(name: str, title: str = "A title & more", alt: str = "") -> CurveFigure:
    """A small figure."""
    x = np.linspace(0, 1, 20)
    return CurveFigure(id=name, title=title, alt=alt, panels=(CurvePanel(curves=(Curve("c", x, x**2),)),))


def test_every_figure_is_well_formed_with_ids_unique_across_the_page(figures: list[FigureRecord]) -> None:
    seen: set[str] = set()
    for figure in figures:
        rendering = render(figure)
        ElementTree.fromstring(rendering.svg.encode())
        root = ElementTree.fromstring(rendering.inline)
        ids = [element.get("id", "") for element in root.iter() if element.get("id")]
        assert len(ids) == len(set(ids))
        assert not seen & set(ids)
        assert all(name.startswith(f"{figure.id}:") for name in ids)
        seen |= set(ids)
        refers = re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', rendering.inline)
        assert set(refers) <= set(ids)


def test_inline_svg_is_themed_and_leaves_the_page_alone(figures: list[FigureRecord]) -> None:
    for figure in figures:
        inline = render(figure).inline
        assert "<style" not in inline
        assert "<metadata" not in inline
        assert not [colour for colour in CSS_VARIABLES if colour in inline]
        # Whatever is left in hexadecimal would not follow the page into the dark.
        assert not re.findall(r"(?:fill|stroke): ?#[0-9a-f]{6}", inline), figure.id
        root = ElementTree.fromstring(inline)
        assert root.get("viewBox")
        assert root.get("width") is None
        assert root.get("role") == "img"


def test_inline_svg_leaves_its_title_to_the_page() -> None:
    rendering = render(curve("c", alt="A parabola < 1"))
    words = [t.text for t in ElementTree.fromstring(rendering.inline).iter(f"{SVG}text")]
    assert "A title & more" not in words
    assert "A title & more" in [t.text for t in ElementTree.fromstring(rendering.svg.encode()).iter(f"{SVG}text")]
    title = ElementTree.fromstring(rendering.inline).find(f"{SVG}title")
    assert title is not None
    assert title.text == "A parabola < 1"


def test_files_are_plain_and_say_nothing_of_date_or_version(figures: list[FigureRecord]) -> None:
    for figure in figures:
        svg = render_svg(figure)
        assert "var(--" not in svg
        assert "atplotlib" not in svg
        assert not re.search(r"20\d\d-\d\d-\d\d", svg)


def test_equal_records_give_equal_bytes() -> None:
    first, second = render(curve("c")), render(curve("c"))
    assert first == second
    assert render_png(curve("c")) == first.png
    assert render_svg(curve("c")) == first.svg


def test_text_stays_text_in_an_inherited_font() -> None:
    root = ElementTree.fromstring(render(curve("c")).inline)
    labels = list(root.iter(f"{SVG}text"))
    assert {"0", "0.5", "1"} <= {t.text for t in labels}
    assert all("font-size" in t.get("style", "") and "font:" not in t.get("style", "") for t in labels)
    assert "sans-serif" in root.get("font-family", "")


def test_pictures_are_as_large_as_a_page_can_use() -> None:
    assert render_png(curve("c"))[16:20] == (750).to_bytes(4, "big")  # 5 inches at 150 dots


@pytest.mark.parametrize("n", [10, 20000])
def test_pictures_stay_small_however_many_points(n: int) -> None:
    points = np.random.default_rng(0).random((n, 2))
    panel = PointsPanel(points=points, labels=np.arange(n) % 2)
    assert len(render_svg(PointsFigure(id="p", title="t", panels=(panel,)))) < 80_000
