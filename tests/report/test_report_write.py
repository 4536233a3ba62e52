"""Writing: complete or not at all, one line on refusal, nothing foreign removed."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule.report.write as write_module
from chainrule.errors import ConfigError, RunError
from chainrule.report.records import Bar, BarFigure, FigureRecord, ReportRecord, SectionRecord
from chainrule.report.write import write_figure, write_report


def bars(name: str, value: float = 1.0) -> BarFigure:
    """A small figure."""
    return BarFigure(id=name, title="Bars", bars=(Bar(name="a", value=value),), value_label="v")


def small(*figures: FigureRecord, title: str = "R") -> ReportRecord:
    """A report of one section."""
    return ReportRecord(title=title, sections=(SectionRecord(id="s", title="S", items=figures),))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_report_is_a_page_its_numbers_and_its_pictures(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    page = write_report(small(bars("one"), bars("two", np.nan)), tmp_path / "deep" / "out", lambda *s: steps.append(s))
    folder = tmp_path / "deep" / "out"
    assert page == folder / "index.html"
    assert set(contents(folder)) == {
        "index.html", "results.json", "figures/one.svg", "figures/one.png", "figures/two.svg", "figures/two.png",
    }  # fmt: skip
    assert steps == [(1, 2), (2, 2)]

    def refuse(constant: str) -> Any:
        raise AssertionError(f"results.json holds {constant}")

    told = json.loads((folder / "results.json").read_text(), parse_constant=refuse)
    assert told["figures"] == ["one", "two"]
    assert [b["value"] for f in told["sections"][0]["items"] for b in f["bars"]] == [1.0, None]


def test_equal_reports_are_equal_files(tmp_path: Path, report: ReportRecord) -> None:
    write_report(report, tmp_path / "a")
    write_report(report, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_new_report_replaces_the_old_one_and_leaves_other_files(tmp_path: Path) -> None:
    write_report(small(bars("old"), bars("both")), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "figures" / "mine.svg").write_text("mine")
    write_report(small(bars("both", 2.0), title="New"), tmp_path)
    assert set(contents(tmp_path)) == {
        "index.html", "results.json", "notes.txt", "figures/mine.svg", "figures/both.svg", "figures/both.png",
    }  # fmt: skip
    assert "New" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("bug")])
def test_a_failure_leaves_the_old_report_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    write_report(small(bars("one")), tmp_path)
    before = contents(tmp_path)

    def fail(*_: object) -> str:
        raise failure

    monkeypatch.setattr(write_module, "render_html", fail)
    with pytest.raises(RunError if isinstance(failure, OSError) else type(failure)) as caught:
        write_report(small(bars("one", 5.0), bars("two")), tmp_path)
    assert contents(tmp_path) == before
    if isinstance(failure, OSError):
        assert "No space left" in str(caught.value)


@pytest.mark.parametrize(
    "old", ["", "[]", '{"format": "chainrule-report-1"}', '{"format": "chainrule-report-1", "figures": 3}']
)
def test_a_strange_old_results_file_does_no_harm(tmp_path: Path, old: str) -> None:
    (tmp_path / "results.json").write_text(old)
    write_report(small(bars("one")), tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())["figures"] == ["one"]


def test_an_old_results_file_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "precious.svg").write_text("keep")
    names = json.dumps({"format": "chainrule-report-1", "figures": ["../../precious", "..", 7]})
    (out / "results.json").write_text(names)
    write_report(small(bars("one")), out)
    assert (tmp_path / "precious.svg").read_text() == "keep"


def test_a_file_where_the_folder_should_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="it is a file; name a folder"):
        write_report(small(), tmp_path / "file")
    with pytest.raises(RunError, match="cannot write"):
        write_report(small(), tmp_path / "file" / "below")


def test_single_figures_go_to_svg_or_png(tmp_path: Path) -> None:
    assert write_figure(bars("one"), tmp_path / "new" / "a.svg").read_text().startswith("<?xml")
    assert write_figure(bars("one"), tmp_path / "b.PNG").read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["b.PNG", "new"]
    assert stat.S_IMODE((tmp_path / "b.PNG").stat().st_mode) & stat.S_IRUSR


def test_other_endings_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"end it in \.svg or \.png"):
        write_figure(bars("one"), tmp_path / "a.jpg")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        write_figure(bars("one"), tmp_path / "file" / "a.svg")
