"""The main job end to end: what the report says is what training gives, also when it is cut short."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import mlp, train
from chainrule.errors import ConfigError, DataError, RunError
from chainrule.experiments import expand
from chainrule.lab import run_lab
from chainrule.lab.context import RECIPES, LabContext, make_level, section_recipe
from chainrule.lab.plan import SECTIONS
from chainrule.lab.run import build_report, choose_sections
from chainrule.lab.sections.tuned import tune
from chainrule.stats import success_rate


def walk(node: Any) -> list[dict[str, Any]]:
    """All records in a results file."""
    if isinstance(node, dict):
        found = [node] if "record" in node else []
        return found + [one for value in node.values() for one in walk(value)]
    return [one for value in node for one in walk(value)] if isinstance(node, list) else []


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lab")
    result = run_lab(out=out, seeds=6, quick=True, only=("data", "results"), workers=1)
    assert result.path == out / "index.html"
    assert not result.interrupted
    assert result.members == 3 * 6
    return out


def test_every_recipe_belongs_to_a_section() -> None:
    used = {name for section in SECTIONS for name in section.recipes}
    assert used == {path.stem for path in (RECIPES / "sections").glob("*.toml")}


def test_the_full_lab_uses_thirty_seeds_but_for_mnist() -> None:
    for name in {name for section in SECTIONS for name in section.recipes}:
        recipe = section_recipe(name)
        assert recipe.data is not None
        halved = name in ("optimizers", "activations", "no_activation")  # one half tunes, the other is judged
        judged = recipe.seeds.count // 2 if halved else recipe.seeds.count
        assert judged >= (3 if recipe.data.source.startswith("mnist") else 30), name


def test_rates_in_the_report_are_those_of_training(report: Path) -> None:
    records = walk(json.loads((report / "results.json").read_text()))
    figure = next(one for one in records if one["record"] == "RatesFigure" and one["id"] == "results-rates")
    row = next(row for row in figure["rows"] if row["name"].startswith("xor"))
    runs = train(
        mlp([4, 4], "sigmoid", weight_init="normal(1.0)"), "xor", seeds=6, epochs=2000, learning_rate=1.0,
        loss="binary_cross_entropy",
    )  # fmt: skip
    solved = sum(run.final["accuracy"] >= 0.99 for run in runs)  # all 21 points are trained on: nothing is held out
    expected = success_rate(solved, 6)
    assert (row["successes"], row["n"]) == (solved, 6)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high), rel=1e-6)


def test_every_figure_is_there_as_svg_png_and_record(report: Path) -> None:
    records = walk(json.loads((report / "results.json").read_text()))
    names = {one["id"] for one in records if one["record"].endswith("Figure")}
    assert {"data-points", "results-xor-truth", "results-linear-loss"} <= names
    files = {path.name for path in (report / "figures").iterdir()}
    assert files == {f"{name}.{suffix}" for name in names for suffix in ("svg", "png")}


def test_the_page_is_one_file_that_needs_no_network(report: Path) -> None:
    page = (report / "index.html").read_text()
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?https?:", page)
    assert "@import" not in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_verdicts_carry_an_interval_and_a_number_of_seeds(report: Path) -> None:
    records = walk(json.loads((report / "results.json").read_text()))
    verdicts = [one for one in records if one["record"] == "VerdictRecord"]
    assert len(verdicts) >= 5
    for verdict in verdicts:
        assert verdict["n_seeds"] == 6, verdict["sentence"]
        assert verdict["interval"] is not None, verdict["sentence"]


def test_every_section_has_a_picture_and_a_verdict_in_the_quick_lab() -> None:
    context = LabContext(quick=True, seeds=2)
    from chainrule.experiments import make_jobs, run_jobs

    chosen = choose_sections(["learning-rates", "loss-windows"])
    context.results = run_jobs(make_jobs([work for section in chosen for work in section.work(context)]))
    record = build_report(context, chosen)
    for section in record.sections:
        kinds = [type(item).__name__ for item in section.walk()]
        assert any(kind.endswith("Figure") for kind in kinds), section.id
        assert "TableRecord" in kinds, section.id
        assert "VerdictRecord" in kinds, section.id
        first_figure = next(k for k, kind in enumerate(kinds) if kind.endswith("Figure"))
        assert first_figure < kinds.index("TableRecord") < kinds.index("VerdictRecord"), section.id


def test_an_interrupted_lab_writes_what_it_has(tmp_path: Path) -> None:
    calls = []

    def interrupt(done: float, total: float, text: str) -> None:
        calls.append(text)
        if len(calls) == 2:  # after the first population
            raise KeyboardInterrupt

    result = run_lab(out=tmp_path, seeds=2, quick=True, only=("results",), workers=1, progress=interrupt)
    assert result.interrupted
    assert any("interrupted" in line for line in result.missing)
    page = (tmp_path / "index.html").read_text()
    assert "interrupted" in page
    assert "Results: does it learn?" in page


def test_an_interrupted_report_goes_beside_a_complete_one(report: Path, tmp_path: Path) -> None:
    out = tmp_path / "lab"
    out.mkdir()
    (out / "index.html").write_text("a complete report")

    def interrupt(done: float, total: float, text: str) -> None:
        if text.startswith("1 of"):  # after the first population
            raise KeyboardInterrupt

    result = run_lab(out=out, seeds=2, quick=True, only=("results",), workers=1, progress=interrupt)
    assert result.path == tmp_path / "lab-interrupted" / "index.html"
    assert (out / "index.html").read_text() == "a complete report"
    assert result.missing == ("results: 2 of 3 settings lack runs: interrupted.",)


def test_damaged_data_are_found_before_anything_is_trained(tmp_path: Path) -> None:
    names = [f"{part}-{kind}" for part in ("train", "t10k") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    for name in names:
        (tmp_path / name).write_bytes(b"\x00\x00\x08\x03")
    heard: list[str] = []
    with pytest.raises(DataError, match="truncated"):
        run_lab(
            out=tmp_path / "lab", quick=True, data_dir=tmp_path, progress=lambda done, total, text: heard.append(text)
        )
    assert heard == []
    assert not (tmp_path / "lab").exists()


def test_a_level_is_judged_on_held_out_samples_where_there_are_any() -> None:
    runs = train(mlp([2]), "linear(n=40)", seeds=3, epochs=5, validation=0.25)
    level = make_level("results", [("case", "linear")], runs)
    assert level.rule == "held-out accuracy ≥ 99 %"
    assert list(level.success) == [run.final["validation_accuracy"] >= 0.99 for run in runs]
    level = make_level("results", [("case", "xor")], train(mlp([2]), "xor", seeds=3, epochs=5))
    assert level.rule == "training accuracy ≥ 99 %"


def test_a_diverged_run_never_counts_as_success() -> None:
    runs = train(mlp([2], "identity", output="identity"), "linear(n=40)", seeds=3, epochs=300, learning_rate=1e6)
    assert {run.stop_reason for run in runs} == {"diverged"}
    assert not make_level("results", [("case", "linear")], runs).success.any()


def test_tuning_and_judging_use_different_seeds() -> None:
    context = LabContext(quick=True, seeds=4)
    from chainrule.experiments import make_jobs, run_jobs

    wanted = {("sgd", "xor"), ("adam", "xor")}
    cells = [
        cell
        for cell in expand(section_recipe("optimizers"), quick=True)
        if (dict(cell.place)["training.optimizer"], dict(cell.place)["case"]) in wanted
    ]
    context.results = run_jobs(make_jobs([(cell, (0, 1, 2, 3)) for cell in cells]))
    tuned = tune(context, "optimizers", "training.optimizer", "xor")
    assert [one.name for one in tuned] == ["sgd", "adam"]
    for one in tuned:
        assert [run.seed for run in one.judged.runs] == [2, 3]
        # no rate does better on the tuning seeds (0, 1) than the chosen one
        successes = [int(level.success[:2].sum()) for level in one.all_rates]
        chosen = next(level for level in one.all_rates if level.value == one.rate)
        assert int(chosen.success[:2].sum()) == max(successes)
        assert np.isclose(one.judged.runs[0].member.config.learning_rate, one.rate)


def test_bad_requests_are_one_line_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'replication'"):
        run_lab(out=tmp_path / "new", only=("replicaton",))
    with pytest.raises(ConfigError, match="at least 1"):
        run_lab(out=tmp_path / "new", seeds=0)
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(RunError, match="is a file"):
        run_lab(out=file, only=("data",))
    assert file.read_text() == "mine"
    assert not (tmp_path / "new").exists()
