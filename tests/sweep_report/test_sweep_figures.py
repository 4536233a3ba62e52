"""The figures of a sweep: what is drawn is what the records say, and records refuse what does not fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from chainrule.errors import ShapeError
from chainrule.report.figures import draw
from chainrule.report.figures.parallel import place_on, ticks
from chainrule.report.records import (
    EstimateRow,
    EstimatesFigure,
    FanFigure,
    FanPanel,
    FanSeries,
    HeatmapFigure,
    ParallelAxis,
    ParallelFigure,
    RateMapFigure,
)
from chainrule.report.svg import render


def rate_map(**more: Any) -> RateMapFigure:
    """Two by two places, one without runs."""
    options: dict[str, Any] = {
        "id": "m",
        "title": "m",
        "rates": np.array([[0.0, 0.5], [1.0, np.nan]]),
        "low": np.array([[0.0, 0.2], [0.7, np.nan]]),
        "high": np.array([[0.3, 0.8], [1.0, np.nan]]),
        "rows": ("a", "b"),
        "columns": ("1", "2"),
        "notes": (("none of 10", "5 of 10"), ('10 of 10 & "all" <good>', "no runs")),
        "marked": np.array([[False, False], [True, False]]),
    }
    return RateMapFigure(**(options | more))


def test_a_map_tints_by_probability_and_writes_rates_with_intervals() -> None:
    axes = draw(rate_map()).axes[0]
    cells = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_zorder() == 1]
    tints = [to_rgba(cell.get_facecolor())[3] for cell in cells]
    assert tints[0] < tints[1] < tints[2]
    assert tints[1] == pytest.approx(0.55 * (0.03 + 0.97 * 0.5))
    texts = [text.get_text() for text in axes.texts]
    assert {"0", "50", "100", "20–80", "70–100"} <= set(texts)
    assert len([line for line in axes.lines if line.get_gid() == "no-runs"]) == 1
    framed = [patch for patch in axes.patches if patch.get_gid() == "marked"]
    assert [patch.get_xy()[1] > 1 for patch in framed if isinstance(patch, Rectangle)] == [True]


def test_pointing_at_a_cell_tells_its_numbers() -> None:
    drawing = render(rate_map())
    for svg in (drawing.svg, drawing.inline):
        assert "<title>5 of 10</title>" in svg
        assert "<title>10 of 10 &amp; &quot;all&quot; &lt;good&gt;</title>" in svg
        assert "<title>no runs</title>" in svg


def test_a_large_map_leaves_its_numbers_to_the_notes() -> None:
    rates = np.linspace(0, 1, 900).reshape(30, 30)
    names = tuple(str(k) for k in range(30))
    notes = tuple(tuple(f"{row}/{column}" for column in range(30)) for row in range(30))
    more = {"rates": rates, "low": rates, "high": rates, "rows": names, "columns": names, "notes": notes}
    picture = draw(rate_map(marked=np.zeros((30, 30), dtype=bool), **more))
    assert len(picture.axes[0].texts) == 0
    assert len(picture.hovers) == 900


def test_map_records_refuse_shapes_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match="low has the shape"):
        rate_map(low=np.zeros((2, 3)))
    with pytest.raises(ShapeError, match="notes"):
        rate_map(notes=(("a",), ("b",)))


def test_estimates_are_drawn_where_they_are() -> None:
    rows = (
        EstimateRow(name="good", value=0.9, low=0.7, high=0.98, told="9 of 10", marked=True, group="block"),
        EstimateRow(name="lost", value=math.nan, low=math.nan, high=math.nan, told="no value", group="block"),
        EstimateRow(name="bad", value=0.1, low=0.02, high=0.3, group="other"),
    )
    record = EstimatesFigure(id="e", title="e", rows=rows, value_label="rate", percent=True, marked_label="best set")
    picture = draw(record)
    axes = picture.axes[0]
    points = [line for line in axes.lines if line.get_gid() == "estimate"]
    assert [float(np.asarray(line.get_xdata())[0]) for line in points] == [0.9, 0.1]
    assert points[0].get_marker() != points[1].get_marker()  # told apart without colour
    bars = [np.asarray(line.get_xdata()).tolist() for line in axes.lines if line.get_gid() == "interval"]
    assert bars == [[0.7, 0.98], [0.02, 0.3]]
    texts = [text.get_text() for text in picture.findobj(Text)]
    assert {"block", "other", "no value", "best set"} <= set(texts)


def test_an_interval_without_end_reaches_the_edge() -> None:
    rows = (
        EstimateRow(name="a", value=0.1, low=0.05, high=math.inf),
        EstimateRow(name="b", value=1.0, low=math.nan, high=math.nan),
        EstimateRow(name="c", value=10.0, low=5.0, high=20.0),
    )
    axes = draw(EstimatesFigure(id="e", title="e", rows=rows, value_label="loss", log=True)).axes[0]
    bars = [np.asarray(line.get_xdata()).tolist() for line in axes.lines if line.get_gid() == "interval"]
    assert bars == [[0.05, axes.get_xlim()[1]], [5.0, 20.0]]
    assert len([line for line in axes.lines if line.get_gid() == "no-interval"]) == 1


def test_places_on_parallel_axes() -> None:
    log = ParallelAxis(name="rate", values=np.array([0.01, 1.0, 100.0]), log=True)
    np.testing.assert_allclose(place_on(log, log.values), [0.0, 0.5, 1.0])
    plain = ParallelAxis(name="n", values=np.array([2.0, 4.0, 10.0]))
    np.testing.assert_allclose(place_on(plain, plain.values), [0.0, 0.25, 1.0])
    words = ParallelAxis(name="w", values=np.array([0.0, 1.0]), labels=("x", "y"))
    np.testing.assert_allclose(place_on(words, words.values), [0.25, 0.75])
    share = ParallelAxis(name="s", values=np.array([0.4, 0.5]), percent=True)
    np.testing.assert_allclose(place_on(share, share.values), [0.4, 0.5])
    same = ParallelAxis(name="c", values=np.array([3.0, 3.0]))
    np.testing.assert_allclose(place_on(same, same.values), [0.5, 0.5])
    assert [text for _, text in ticks(log)] == ["0.01", "1", "100"]
    assert len(ticks(ParallelAxis(name="many", values=np.linspace(0, 1, 50)))) == 5


def test_better_lines_are_stronger_and_drawn_on_top() -> None:
    record = ParallelFigure(
        id="p",
        title="p",
        axes=(
            ParallelAxis(name="rate", values=np.array([0.1, 1.0, 10.0]), log=True),
            ParallelAxis(name="kind", values=np.array([0.0, 1.0, np.nan]), labels=("a", "b")),
        ),
        merit=np.array([0.9, 0.1, 0.5]),
        marked=np.array([False, False, True]),
        names=("good", "bad", "member"),
    )
    picture = draw(record)
    lines = [line for line in picture.axes[0].lines if str(line.get_gid()).startswith("hover")]
    told = [picture.hovers[str(line.get_gid())] for line in lines]
    assert told == ["bad", "good", "member"]
    bad, good, member = lines
    assert bad.get_linewidth() < good.get_linewidth()
    assert (bad.get_alpha() or 0) < (good.get_alpha() or 0)
    assert np.isnan(np.asarray(member.get_ydata(), dtype=float)[1])  # it has no place on the second axis
    assert member.get_marker() == "D"


def test_a_heat_map_may_follow_logarithms_and_tell_its_numbers() -> None:
    values = np.array([[0.01, 1.0, 100.0, np.inf]])
    notes = (("a", "b", "c", "lost"),)
    options: dict[str, Any] = {"id": "h", "title": "h", "values": values, "rows": ("r",), "value_label": "loss"}
    picture = draw(HeatmapFigure(columns=("1", "2", "3", "4"), log=True, notes=notes, **options))
    cells = [p for p in picture.axes[0].patches if isinstance(p, Rectangle) and p.get_zorder() == 1]
    tints = [to_rgba(cell.get_facecolor())[3] for cell in cells]
    assert tints[1] - tints[0] == pytest.approx(tints[2] - tints[1])
    assert sorted(picture.hovers.values()) == ["a", "b", "c", "lost"]


def test_names_that_do_not_fit_side_by_side_stand_on_two_lines() -> None:
    names = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
    values = np.arange(7.0)[None, :]
    picture = draw(HeatmapFigure(id="h", title="h", values=values, rows=("r",), columns=names, value_label="v"))
    written = [text.get_text().strip() for text in picture.axes[0].get_xticklabels()]
    assert written == list(names)


def test_of_many_runs_the_numbers_file_holds_some_and_the_bands_of_all() -> None:
    runs = np.random.default_rng(0).random((900, 5))
    series = FanSeries(name="s", x=np.arange(5.0), runs=runs, diverged=(0, 899))
    told = FanFigure(id="f", title="f", panels=(FanPanel(series=(series,)),)).to_json()["panels"][0]["series"][0]
    assert len(told["runs"]) == 200
    assert told["n"] == 900
    assert told["diverged"] == [0, 199]
    np.testing.assert_allclose(told["bands"], series.bands, rtol=1e-6)
