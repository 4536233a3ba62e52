"""The page: self-contained, escaped, in order, accessible."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from chainrule.report.figures._style import CSS_VARIABLES
from chainrule.report.html import marked, matrix_rows, render_html, table_cells
from chainrule.report.records import (
    MatrixRecord,
    ReportRecord,
    SectionRecord,
    TableRecord,
    VerdictRecord,
)
from chainrule.report.svg import render

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Reads a page: checks that tags nest, and collects ids, links, headings and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[int] = []
        self.labelled: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if tag not in VOID:
            self.stack.append(tag)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given[k] or "" for k in ("href", "src", "xlink:href") if k in given]
        self.labelled += (given.get("aria-labelledby") or "").split()
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def html(report: ReportRecord) -> str:
    """The page of the sample report."""
    return render_html(report, {figure.id: render(figure).inline for figure in report.figures()})


def test_the_page_nests_and_its_ids_are_unique(html: str) -> None:
    page = Page(html)
    assert page.stack == []
    assert len(page.ids) == len(set(page.ids))
    assert set(page.labelled) <= set(page.ids)


def test_the_page_needs_nothing_from_elsewhere(html: str) -> None:
    page = Page(html)
    assert all(not re.match(r"(?i)[a-z]+:|//", link) for link in page.links if not link.startswith("data:image/png"))
    assert not {"link", "iframe", "object"} & set(page.tags)
    assert "@import" not in html
    assert set(re.findall(r"https?://[^\s\"'<>)]*", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_every_inner_link_has_its_target(html: str) -> None:
    page = Page(html)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_every_figure_links_to_its_record_and_its_files(html: str, report: ReportRecord) -> None:
    links = Page(html).links
    for figure in report.figures():
        assert f"results.json#{figure.id}" in links
        assert f"figures/{figure.id}.png" in links
        assert f"figures/{figure.id}.svg" in links


def test_headings_go_down_one_level_at_a_time(html: str) -> None:
    headings = Page(html).headings
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(headings))


def test_text_of_the_user_is_escaped(html: str) -> None:
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
    assert "Table &lt;1&gt;" in html
    assert "&lt;fast&gt;" in html
    assert "a &amp; b" in html
    assert "A &#34;report&#34; &amp; more" in html


def test_everything_is_said(html: str) -> None:
    words = " ".join(Page(html).words)
    for expected in (
        "30 seeds",
        "95 % interval 0.735 to 0.979",
        "MNIST was not at hand.",
        "0.123",
        "Open question",
        "3.11",
    ):
        assert expected in words.replace("\u00a0", " ")
    assert 'lang="en"' in html
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def css_colours(css: str) -> tuple[dict[str, str], dict[str, str]]:
    """The variables of the light and of the dark page."""
    light, dark = re.findall(r":root \{(.*?)\}", css, flags=re.S)[:2]
    read = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in (light, dark)]
    return read[0], read[1]


def luminance(colour: str) -> float:
    """Relative luminance as the Web Content Accessibility Guidelines define it."""
    shares = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", [0, 1])
def test_text_has_enough_contrast_in_light_and_dark(html: str, mode: int) -> None:
    colours = css_colours(html)[mode]
    pairs = [
        (text, ground)
        for text in ("ink", "muted")
        for ground in colours
        if ground.endswith(("wash", "paper", "surface"))
    ]
    pairs += [(tone, f"{tone}-wash") for tone in ("good", "bad", "notice")] + [("c1", "finding-wash")]
    pairs += [(text, "paper") for text in ("link", "good", "bad", "notice", "c1", "c4")]
    for text, ground in pairs:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for series in range(1, 7):  # lines and markers need 3 : 1
        assert contrast(colours[f"c{series}"], colours["paper"]) >= 3.0, series


def test_the_pictures_colours_are_the_pages_colours(html: str) -> None:
    light, dark = css_colours(html)
    for colour, variable in CSS_VARIABLES.items():
        assert light[variable[2:]] == colour
        assert variable[2:] in dark


def test_markup_is_small_and_safe() -> None:
    assert marked("*so* `x*y` W_{1} x^{2}") == "<em>so</em> <code>x*y</code> W<sub>1</sub> x<sup>2</sup>"
    assert marked("lr <- lr * lr * 2") == "lr &lt;- lr * lr * 2"
    assert marked("95 % & more") == "95\u00a0% &amp; more"
    assert marked("<b>") == "&lt;b&gt;"


def test_columns_of_numbers_stand_right_and_ticks_in_the_middle() -> None:
    table = TableRecord(
        id="t", title="", columns=("name", "n", "ok", "mixed"), rows=(("a", 1, True, "x"), ("b", None, False, 2.5))
    )
    prepared = table_cells(table)
    assert [name.split()[0] for name in prepared["classes"]] == ["left", "right", "center", "left"]
    assert prepared["rows"][1][1]["text"] == "–"
    assert [row[2]["text"] for row in prepared["rows"]] == ["✓", "✗"]
    assert prepared["rows"][0][2]["spoken"] == "yes"


def test_formats_and_signs_of_cells() -> None:
    table = TableRecord(
        id="t", title="", columns=("a", "b", "c"), rows=((-0.5, 0.25, float("nan")),), formats=("", ".1%", ".2f")
    )
    assert [cell["text"] for cell in table_cells(table)["rows"][0]] == ["−0.5", "25.0%", "–"]


def test_long_tables_are_folded_unless_told_otherwise() -> None:
    rows = tuple((k,) for k in range(30))
    assert table_cells(TableRecord(id="t", title="", columns=("k",), rows=rows))["folded"]
    assert not table_cells(TableRecord(id="t", title="", columns=("k",), rows=rows, collapsed=False))["folded"]
    assert not table_cells(TableRecord(id="t", title="", columns=("k",), rows=rows[:3]))["folded"]


def test_large_matrices_are_abridged() -> None:
    rows, factor = matrix_rows(MatrixRecord("W", np.ones((20, 12))), most=4)
    assert rows == [["1", "1", "1", "…"]] * 3 + [["⋮"] * 4]
    assert factor == ""
    assert matrix_rows(MatrixRecord("s", np.array(2.0)))[0] == [["2"]]
    assert matrix_rows(MatrixRecord("none", np.zeros((0, 3))))[0] == []


def test_a_report_without_anything_is_a_page_too() -> None:
    page = Page(render_html(ReportRecord(title="Empty", sections=()), {}))
    assert page.headings == [1, 2]


def test_sections_are_numbered_and_listed() -> None:
    inner = SectionRecord(id="b", title="Rates", items=(VerdictRecord(sentence="Yes."),))
    html = render_html(ReportRecord(title="R", sections=(SectionRecord(id="a", title="A", items=(inner,)),)), {})
    assert re.search(r'href="#b"><span class="ordinal">1\.1</span> Rates', html)
    assert html.count("Yes.") == 2  # in its place and among all verdicts
