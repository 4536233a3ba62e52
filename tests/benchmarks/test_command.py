"""The command, its record, its table and its page."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import page, picture, record
from benchmarks.cases import CASES
from benchmarks.cli import NAMES, chosen, main, parser
from benchmarks.contestants import PLACES
from benchmarks.curves import linearity, told
from benchmarks.lab import family, memory_of, watch
from benchmarks.table import printed, seconds, size
from benchmarks.worker import without_steering

ROOT = Path(__file__).parents[2]


def growth() -> dict[str, Any]:
    points = [
        {"size": n, "operations": 100.0 * n, "epochs": 5}
        | {"seconds": {"chainrule": 1e-6 * n, "jax": 1e-5 + 2e-6 * n}, "peak_memory": {"chainrule": 2**28}}
        for n in (1, 10, 100, 1000)
    ]
    sweep = {"title": "a sweep", "points": points, "linearity": linearity(points), "missing": {}}
    names = ("members", "width", "samples")
    return {
        "status": "measured",
        "title": "growth",
        "sweeps": {name: sweep | {"crossovers": [told(name, points)]} for name in names},
        "memory_budget": {"most": 2**30, "reached": 2**28, "met": True},
    }


def check_case(case: dict[str, Any]) -> None:
    """Hold a measured case to what readers of the file rely on."""
    assert case["status"] == "measured"
    names = set(case["seconds"])
    for key in ("seconds", "training_seconds", "compile_seconds", "first_call_seconds", "peak_memory", "repeats"):
        assert set(case[key]) == names
        assert all(isinstance(value, int | float) for value in case[key].values())
    assert "chainrule" in names
    peers = {name: value for name, value in case["seconds"].items() if name != "chainrule"}
    assert case["best_peer"] == min(peers, key=peers.__getitem__)
    assert case["ratio_to_best_peer"] == pytest.approx(min(peers.values()) / case["seconds"]["chainrule"])
    assert case["gflops"] == pytest.approx(case["gflop"] / case["seconds"]["chainrule"])
    assert case["fraction_of_sgemm"] > 0
    assert set(case["proof"]["found"]) == names
    for bar in case["bars"]:
        assert set(bar) == {"against", "times", "reached", "in_training_only", "met"}


@pytest.mark.usefixtures("environment")
def test_a_quick_case_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without PyTorch or JAX too: peers that are not installed are left out, and named."""
    path = tmp_path / "bench.json"
    options = ["--quick", "--engine", "reference", "--seconds", "0.1", "--output", str(path)]
    assert main(["--only", "W1", *options]) == 0
    run = json.loads(path.read_text(encoding="utf-8"))
    assert run["schema"] == 1
    assert run["quick"] is True
    assert run["sgemm"]["best"] == max(run["sgemm"].values())
    assert run["machine"]["cpu"]
    (name,) = run["cases"]
    case = run["cases"][name]
    check_case(case)
    assert {"numpy", "scikit-learn"} <= set(case["seconds"])
    assert set(case["seconds"]) | set(case["missing"]) == {entry.contestant for entry in CASES[0].entries}
    assert "binary cross-entropy" in case["differs"]["scikit-learn"]
    text = capsys.readouterr().out
    assert text.count("of members within the tolerance") == len(case["seconds"])
    assert "must reach 5 x" in text
    assert "must reach 100 x" in text


def test_mnist_is_skipped_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks import cli

    monkeypatch.setattr(cli, "_no_mnist", lambda: "no MNIST here")
    arguments = parser().parse_args(["--quick", "--output", str(tmp_path / "bench.json")])
    for name in ("W3", "W4", "W5", "C1"):
        assert cli._case(name, arguments, 1.0)["status"] == "skipped"
    assert capsys.readouterr().out == "  skipped: no MNIST here\n" * 4


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ([], NAMES[:-1]),
        (["--lab"], NAMES),
        (["--full"], NAMES),
        (["--only", "W2", "W1"], ("W1", "W2")),
        (["--only", "W6,W2m"], ("W2m", "W6")),
    ],
)
def test_choosing_cases(arguments: list[str], names: tuple[str, ...]) -> None:
    assert tuple(chosen(parser().parse_args(arguments))) == names


@pytest.mark.parametrize(
    ("arguments", "told"), [(["--only", "W9"], "no case 'W9'"), (["--seconds", "0"], "--seconds must be above 0")]
)
def test_what_cannot_be_asked(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


def test_a_case_that_breaks_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environment: None
) -> None:
    from benchmarks import cli

    def breaks(*_: object) -> dict[str, Any]:
        raise RuntimeError("it broke")

    monkeypatch.setattr(cli, "_case", breaks)
    path = tmp_path / "bench.json"
    assert main(["--only", "W1", "W2", "--quick", "--engine", "reference", "--output", str(path)]) == 1
    cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
    assert {name: case["status"] for name, case in cases.items()} == {"W1": "failed", "W2": "failed"}
    assert "FAILED: RuntimeError: it broke" in capsys.readouterr().out


def test_steering_is_taken_out() -> None:
    kept, dropped = without_steering({"OPENBLAS_CORETYPE": "Haswell", "OMP_NUM_THREADS": "1", "PATH": "/bin"})
    assert kept == {"PATH": "/bin"}
    assert dropped == ["OMP_NUM_THREADS", "OPENBLAS_CORETYPE"]


def a_record(cases: dict[str, Any], **more: Any) -> dict[str, Any]:
    return record.new_record(quick=False, engine="auto", dropped=[]) | {"cases": cases, "sgemm": {"best": 100.0}} | more


def test_runs_of_the_same_kind_are_merged() -> None:
    old, new = a_record({"W1": {"a": 1}, "W2": {"a": 1}}), a_record({"W2": {"a": 2}})
    assert record.merged(new, old)["cases"] == {"W1": {"a": 1}, "W2": {"a": 2}}
    assert record.merged(new, old | {"quick": True})["cases"] == {"W2": {"a": 2}}
    assert record.merged(new, None) == new


def test_files_that_are_no_record(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    assert record.read(path) is None
    path.write_text("{", encoding="utf-8")
    assert record.read(path) is None
    path.write_text('{"schema": 0}', encoding="utf-8")
    assert record.read(path) is None
    assert record.read(record.write(path, a_record({}))) == json.loads(path.read_text(encoding="utf-8"))


def test_growth_is_printed_drawn_and_published(tmp_path: Path) -> None:
    lab: dict[str, Any] = {"status": "measured", "title": "chainrule lab", "seconds": {"chainrule": 100.0}}
    lab["peak_memory"] = {"chainrule": 2**30}
    lab["bars"] = [{"against": "seconds", "most": 180.0, "reached": 100.0, "met": True}]
    skipped = {"status": "skipped", "title": "MNIST", "reason": "no MNIST here"}
    run = a_record({"W6": growth(), "W7": lab, "W3": skipped})
    text = printed(run)
    assert "seconds go as arithmetic^1.00" in text
    assert "skipped: no MNIST here" in text
    assert "members: chainrule is faster than every peer from 1 to 1,000" in text
    place = tmp_path / "page.md"
    place.write_text(f"# Title\n\n{page.BEGIN}\nold\n{page.END}\n\nafter\n", encoding="utf-8")
    drawing = tmp_path / "pictures" / picture.PICTURE.name
    assert page.publish(run, place, drawing) == [drawing, place]
    assert drawing.read_bytes().startswith(b"\x89PNG")
    filled = place.read_text(encoding="utf-8")
    assert "old" not in filled
    assert filled.endswith("\n\nafter\n")
    assert "| W7 | 100 s |" in filled
    assert page.publish(run, place, drawing)
    assert place.read_text(encoding="utf-8") == filled  # a second time changes nothing


@pytest.mark.parametrize("text", ["no markers", f"{page.END}\n{page.BEGIN}", f"{page.BEGIN}{page.BEGIN}{page.END}"])
def test_a_page_without_its_markers(text: str) -> None:
    with pytest.raises(ValueError, match="needs the lines"):
        page.filled(text, "figures")


def test_the_page_tells_of_every_case_and_contestant() -> None:
    text = (ROOT / page.PAGE).read_text(encoding="utf-8")
    page.filled(text, "figures")
    rows = re.findall(r"^\| ([\w ]+?) \|", text.partition(page.BEGIN)[0], re.MULTILINE)
    assert set(NAMES) <= set(rows)
    assert set(PLACES) - {"chainrule", "reference", "scikit-learn"} <= set(rows)
    options = {option for action in parser()._actions for option in action.option_strings}
    assert set(re.findall(r"--[a-z]+", text)) <= options


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (1234.6, "1,235 s"), (1.5, "1.5 s"), (0.01234, "12.3 ms"), (4.2e-6, "4.2 us")]
)
def test_times_are_written_with_their_unit(value: float | None, text: str) -> None:
    assert seconds(value) == text


def test_sizes_are_written_with_their_unit() -> None:
    assert [size(n) for n in (3 * 2**20, 3 * 2**29)] == ["3 MiB", "1.50 GiB"]


def test_watching_a_command_and_its_children() -> None:
    child = "import time; data = bytearray(60_000_000); time.sleep(0.6)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    found = watch([sys.executable, "-c", code])
    assert found["exit_status"] == 0
    assert found["seconds"]["chainrule"] > 0.6
    assert found["peak_memory"]["chainrule"] > 60_000_000


def test_a_process_that_is_gone_holds_nothing() -> None:
    assert memory_of(2**22 + 1) == 0
    assert family(2**22 + 1) == [2**22 + 1]
