"""The replication's summary and lists, on rows made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chainrule.experiments import Results
from chainrule.lab.context import LabContext
from chainrule.lab.replication import ReplicationRow, replication_recipes
from chainrule.lab.sections.replication import _assumptions, _counts_table, _summary, replication, spanned
from chainrule.report.records import TextRecord


def row(name: str, verdict: str, n_seeds: int = 30, fitted: bool = False, exact: bool = False) -> ReplicationRow:
    plain = ReplicationRow(name, name[0], "a number", "a setting", reported="1", value=1.0, quantity="final loss")
    return replace(plain, verdict=verdict, n_seeds=n_seeds, fitted=fitted, exact=exact)


ROWS = [
    *(row(f"A1.{k}", "typical") for k in range(1, 5)),
    row("A1.5", "unlucky"),
    row("A2.1", "typical", fitted=True),
    row("A2.2", "typical", n_seeds=3),
    row("B1.1", "lucky", n_seeds=7),
    row("B1.2", "no verdict"),
    row("E0.1", "typical", n_seeds=0, exact=True),
    row("E0.2", "typical", n_seeds=0, exact=True),
    row("E3.1", "no verdict", n_seeds=3),
    row("D8.1", "not run", n_seeds=0),
]


def test_the_summary_counts_what_was_judged_by_rows_and_by_experiments() -> None:
    told = _summary(ROWS)
    # judged: five of A1, two of A2, one of B1; all of A2's are typical
    assert told.sentence.startswith(
        "Of 8 reported figures and claims that could be judged, 5 are typical of their settings, 1 typical "
        "only after fitting a value that the report does not state, 1 lucky, 1 unlucky."
    )
    assert "from 3 experiments, of which 1 had nothing but typical rows, fitted or not" in told.sentence
    assert "6 of the rows rest on 30 seeds, the others on 3 to 7." in told.sentence
    assert "2 without a verdict" in told.sentence
    assert told.interval is None  # rows of one run are no independent draws
    assert told.n_seeds == 30
    assert told.evidence["judged"] == 8
    assert told.evidence["exact"] == 2


def test_nothing_judged_is_said() -> None:
    told = _summary([one for one in ROWS if one.id[:2] in ("E0", "E3", "D8")])
    assert "could be judged" in told.sentence
    assert told.kind == "question"
    assert told.interval is None


def test_verdicts_are_counted_in_order_with_the_fitted_apart() -> None:
    table = _counts_table(ROWS[::-1])
    assert table.columns == (
        "report", "exact", "typical", "typical, fitted", "lucky", "unlucky", "no verdict", "not run", "rows"
    )  # fmt: skip
    assert table.rows[-1] == ("all", 2, 5, 1, 1, 1, 2, 1, 13)


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (["B1"], "B1"),
        (["B1", "B2"], "B1, B2"),
        (["B1", "B2", "B3", "B4", "B5"], "B1 to B5"),
        (["B1", "B2", "B3", "B7", "E5M"], "B1 to B3, B7, E5M"),
    ],
)
def test_ids_that_follow_each_other_are_written_shortly(ids: list[str], told: str) -> None:
    assert spanned(ids) == told


def test_equal_assumptions_are_listed_once() -> None:
    for report in "ABCDE":
        (listed,) = _assumptions(report)
        assert isinstance(listed, TextRecord)
        texts = [point.partition(": ")[2] for point in listed.points]
        assert len(texts) == len(set(texts))
    (listed,) = _assumptions("B")
    assert isinstance(listed, TextRecord)
    assert listed.points[0].startswith("B1 to B5: Initial weights are not stated")


def test_what_did_not_run_is_noted_in_the_right_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    context = LabContext(quick=True, data_dir=tmp_path)
    context.results = Results()
    replication(context)
    assert not any("waits for" in note for note in context.notes)
    skipped = sum(len(r.figures) + len(r.claims) for r in replication_recipes() if r.trains and r.seeds.quick == 0)
    (waiting,) = (note for note in context.notes if "not run in quick mode" in note)
    assert waiting == f"{skipped} replication rows: not run in quick mode."
