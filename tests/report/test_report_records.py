"""Records: what they accept, what they compute, and their strict JSON."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from chainrule.errors import ConfigError, ShapeError
from chainrule.report.records import (
    FAN_LEVELS,
    BoundaryGrid,
    Curve,
    FanFigure,
    FanPanel,
    FanSeries,
    FigureRecord,
    Group,
    HeatmapFigure,
    Mark,
    NetworkFigure,
    PointsPanel,
    RateRow,
    ReplicationRow,
    ReportRecord,
    SectionRecord,
    TableRecord,
    TextRecord,
    TileRow,
    VerdictRecord,
    jsonable,
    thin_index,
)


def test_every_figure_survives_strict_json(figures: list[FigureRecord]) -> None:
    for figure in figures:
        told = figure.to_json()
        assert json.loads(json.dumps(told, allow_nan=False)) == told
        assert told["record"] == type(figure).__name__
        assert told["id"] == figure.id


def test_a_report_writes_its_items_in_order(report: ReportRecord) -> None:
    told = json.loads(json.dumps(report.to_json(), allow_nan=False))
    items = told["sections"][0]["items"]
    assert [item["record"] for item in items][-1] == "SectionRecord"
    assert items[-1]["items"][0]["rows"][0] == [
        "a & b",
        0.123456,
        True,
        {"record": "Badge", "text": "typical", "tone": "good"},
    ]
    assert items[-1]["items"][3]["interval"] == [0.735, 0.979, 0.95]
    assert [figure.id for figure in report.figures()] == [f["id"] for f in items[:-1]]


@given(arrays(np.float64, array_shapes(max_dims=3, max_side=4), elements=st.floats(allow_nan=True, width=64)))
def test_json_keeps_seven_digits_and_turns_non_finite_into_null(values: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    told = np.array(json.loads(json.dumps(jsonable(values), allow_nan=False)), dtype=float)
    finite = np.isfinite(values)
    np.testing.assert_array_equal(np.isnan(told), ~finite)
    np.testing.assert_allclose(told[finite], values[finite], rtol=5.1e-7, atol=0)


def test_json_is_short() -> None:
    assert json.dumps(jsonable(np.array([0.1 + 0.2, 1 / 3, 1e-9 / 7]))) == "[0.3, 0.3333333, 1.428571e-10]"
    assert jsonable({"a": (np.float32(1.5), np.int64(2), np.bool_(True), math.inf)}) == {"a": [1.5, 2, True, None]}
    assert jsonable(np.array([1, 2])) == [1, 2]


def test_json_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(ConfigError, match="cannot hold a object"):
        jsonable(object())


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "a b", "x" * 81, "a\n"])
def test_ids_must_be_file_names(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a file name"):
        SectionRecord(id=name, title="t")


def test_ids_may_not_repeat_even_in_another_case() -> None:
    with pytest.raises(ConfigError, match="have the id 'a1'"):
        ReportRecord(title="t", sections=(SectionRecord(id="A1", title="x"), SectionRecord(id="a1", title="y")))


def test_records_are_read_only() -> None:
    curve = Curve("c", np.arange(3.0), np.arange(3.0))
    with pytest.raises(ValueError, match="read-only"):
        curve.y[0] = 5.0


def test_a_record_does_not_share_its_arrays_with_the_caller() -> None:
    y = np.arange(3.0)
    curve = Curve("c", np.arange(3.0), y)
    y[0] = 9.0
    assert curve.y[0] == 0.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: Curve("c", np.arange(3.0), np.arange(4.0)),
        lambda: FanSeries(name="s", x=np.arange(3.0), runs=np.zeros((2, 4))),
        lambda: FanSeries(name="s", x=np.arange(3.0), runs=np.zeros(3)),
        lambda: FanSeries(name="s", x=np.arange(3.0), runs=np.zeros((2, 3)), diverged=(2,)),
        lambda: FanPanel(series=()),
        lambda: PointsPanel(points=np.zeros((3, 3)), labels=np.zeros(3)),
        lambda: PointsPanel(points=np.zeros((3, 2)), labels=np.zeros(4)),
        lambda: BoundaryGrid(x=np.arange(3.0), y=np.arange(2.0), values=np.zeros((3, 2))),
        lambda: BoundaryGrid(x=np.arange(3.0), y=np.arange(2.0), values=np.zeros((2, 3)), members=np.zeros((1, 3, 2))),
        lambda: TileRow(name="r", images=np.zeros((3, 3))),
        lambda: TileRow(name="r", images=np.zeros((0, 3, 3))),
        lambda: Group(name="g", values=np.zeros(3), n=2),
        lambda: HeatmapFigure(
            id="h", title="", values=np.zeros((2, 2)), rows=("a",), columns=("b", "c"), value_label=""
        ),
        lambda: NetworkFigure(id="n", title="", weights=(np.zeros((2, 3)), np.zeros((2, 1)))),
        lambda: NetworkFigure(id="n", title="", weights=(np.zeros((2, 3)),), biases=(np.zeros(2),)),
        lambda: TableRecord(id="t", title="", columns=("a", "b"), rows=((1,),)),
        lambda: TableRecord(id="t", title="", columns=("a",), rows=((1,),), align=("left", "left")),
        lambda: VerdictRecord(sentence="s", interval=(0.1, 0.2)),  # type: ignore[arg-type]
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(make: Any) -> None:
    with pytest.raises(ShapeError) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mark(1.0, "m", "z"),
        lambda: VerdictRecord(sentence="s", kind="guess"),
        lambda: RateRow(name="r", successes=5, n=4, low=0, high=1),
        lambda: TableRecord(id="t", title="", columns=("a",), rows=(), align=("middle",)),
        lambda: ReplicationRow(
            id="A", label="", reported=1, median=1, low=1, high=1, percentile=1, n=1, verdict="good"
        ),
    ],
)
def test_impossible_values_are_refused(make: Any) -> None:
    with pytest.raises(ConfigError):
        make()


def test_lists_become_tuples_and_a_single_paragraph_is_enough() -> None:
    assert TextRecord(paragraphs="one").paragraphs == ("one",)  # type: ignore[arg-type]
    table = TableRecord(id="t", title="", columns=["a"], rows=[[1]])  # type: ignore[arg-type]
    assert table.columns == ("a",)
    assert table.rows == ((1,),)


def test_a_stopped_run_keeps_its_last_value_and_a_diverged_one_drops_out() -> None:
    nan = np.nan
    runs = np.array([[1.0, 2.0, nan, nan], [5.0, nan, 3.0, nan], [nan, 7.0, np.inf, nan]])
    held = FanSeries(name="s", x=np.arange(4.0), runs=runs).held
    np.testing.assert_array_equal(held, [[1, 2, 2, 2], [5, 5, 3, 3], [nan, 7, 7, 7]])
    lost = FanSeries(name="s", x=np.arange(4.0), runs=runs, diverged=(2,)).held
    np.testing.assert_array_equal(lost, [[1, 2, 2, 2], [5, 5, 3, 3], [nan, 7, nan, nan]])


def test_bands_are_the_quantiles_of_all_runs() -> None:
    rng = np.random.default_rng(3)
    runs = rng.random((30, 12))
    runs[4, 6:] = np.nan
    series = FanSeries(name="s", x=np.arange(12.0), runs=runs)
    held = runs.copy()
    held[4, 6:] = runs[4, 5]
    np.testing.assert_allclose(series.bands, np.quantile(held, FAN_LEVELS, axis=0))
    np.testing.assert_allclose(series.bands[2], np.median(held, axis=0))


def test_bands_where_runs_are_missing_use_those_that_are_there() -> None:
    nan = np.nan
    series = FanSeries(name="s", x=np.arange(3.0), runs=np.array([[nan, nan, 1.0], [nan, 4.0, 3.0]]))
    np.testing.assert_allclose(series.bands[2], [nan, 4.0, 2.0])


@given(n=st.integers(1, 5000), limit=st.integers(2, 400), log=st.booleans())
def test_thinning_keeps_both_ends_the_order_and_the_limit(n: int, limit: int, log: bool) -> None:
    keep = thin_index(np.arange(n) * 10.0, limit, log)
    assert keep[0] == 0
    assert keep[-1] == n - 1
    assert (np.diff(keep) > 0).all()
    assert len(keep) <= max(limit, 1) or n <= limit


def test_log_thinning_is_finer_at_the_start() -> None:
    keep = thin_index(np.arange(10000.0), 100, log=True)
    assert keep[10] < 20
    assert thin_index(np.arange(10000.0), 100)[10] > 900


def test_a_long_fan_is_stored_as_it_is_drawn() -> None:
    runs = np.random.default_rng(0).random((4, 5000))
    runs[0, 4990:] = np.nan
    series = FanSeries(name="s", x=np.arange(5000.0), runs=runs)
    told = FanFigure(id="f", title="", panels=(FanPanel(series=(series,)),)).to_json()["panels"][0]["series"][0]
    assert len(told["x"]) <= 300
    assert told["x"][-1] == 4999
    assert told["runs"][0][-1] == pytest.approx(runs[0, 4989], rel=1e-6)
    place = int(told["x"][7])
    assert told["bands"][2][7] == pytest.approx(np.median(runs[:, place]), rel=1e-6)
    assert told["levels"] == list(FAN_LEVELS)


def test_alt_text_falls_back_on_the_title(figures: list[FigureRecord]) -> None:
    assert figures[0].alt_text == "Points"


def test_importing_records_does_not_load_the_drawing_libraries() -> None:
    code = "import chainrule.report, sys; print(sorted({'matplotlib', 'jinja2', 'PIL', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_offers_everything_it_lists() -> None:
    import chainrule.report

    for name in chainrule.report.__all__:
        assert getattr(chainrule.report, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        chainrule.report.nothing  # noqa: B018
