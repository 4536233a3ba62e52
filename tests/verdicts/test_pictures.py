"""Every kind of picture is drawn, also where values or ends are not finite."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from chainrule.experiments.verdicts.verdict import Picture, Verdict
from chainrule.report import write_figure
from chainrule.report.verdict_figure import verdict_figure, verdict_record

INF, NAN = math.inf, math.nan


def verdict(kind: Any, *rows: tuple[Any, ...], margin: float = 0.0) -> Verdict:
    picture = Picture(kind, rows, "final loss", margin)
    return Verdict("A is better.", "a", names=("A", "B"), quantity="final loss", n_seeds=12, picture=picture)


@pytest.mark.parametrize(
    "told",
    [
        verdict("rates", ("A", 3, 6, 0.1, 0.9), ("B", 0, 6, 0.0, 0.4)),
        verdict("samples", ("A", (1.0, 2.0, 1e4)), ("B", (1.0, NAN, INF))),
        verdict("samples", ("A", (NAN, NAN)), ("B", (INF, 1.0))),
        verdict(
            "path", (16, -1.0, 0.1, 1.0), (32, -0.5, 0.1, 0.6), (48, 0.1, 0.2, 0.3), (72, 0.1, 0.2, 0.3), margin=0.05
        ),
        verdict("path", (16, -INF, 0.1, INF), (32, -0.5, 0.1, 0.6)),
        verdict("path", (16, -INF, 0.1, INF)),
        verdict("path", (16, -INF, 0.1, INF), (32, -INF, 0.2, INF)),
        verdict("path", (16, -INF, INF, INF), (32, -INF, INF, INF)),
        verdict("bars", ("x", 1.0, 0.5, 2.0), ("y", INF, 1.0, INF)),
        verdict("chances", ("as claimed", 0.7, 0.6, 0.8), ("a tie", 0.3, 0.3, 0.3)),
    ],
)
def test_pictures_are_drawn(told: Verdict, tmp_path: Path) -> None:
    figure = verdict_figure(told)
    assert figure is not None
    assert "A" in figure.title or told.picture is None or told.picture.kind == "path"
    assert write_figure(figure, tmp_path / "one.svg").stat().st_size > 500
    figure.to_json()


def test_a_verdict_without_a_picture_has_no_figure() -> None:
    assert verdict_figure(Verdict("Nothing.", "no verdict")) is None
    record = verdict_record(Verdict("Nothing.", "no verdict"))
    assert (record.kind, record.n_seeds, record.interval) == ("question", None, None)
