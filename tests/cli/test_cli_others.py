"""The small commands: data, check, version, lab, help; and what surrounds them all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import load
from chainrule.data import DATASETS
from chainrule.data.tables import OPTIONS
from chainrule.errors import ConfigError
from chainrule.lab.run import LabResult
from chainrule.machine import this_machine
from chainrule.metrics import METRICS
from chainrule.nn import ACTIVATIONS, INITIALIZERS, LOSSES, gradient_check
from chainrule.optim import OPTIMIZERS, SCHEDULES, STOPPING_RULES
from chainrule.resources import Resources

COMMANDS = ("train", "predict", "show", "data", "check", "lab", "doctor", "version")


# -- help ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_the_commands(cli: Any, arguments: list[str]) -> None:
    result = cli(*arguments)
    assert (result.status, result.err) == (0, "")
    assert all(name in result.out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_examples_that_fit_the_terminal(cli: Any, command: str) -> None:
    result = cli(command, "--help")
    assert (result.status, result.err) == (0, "")
    assert f"chainrule {command}" in result.out.split("Examples:")[1]
    assert all(len(line) <= 80 for line in result.out.splitlines())


def test_train_help_names_every_part(cli: Any) -> None:
    out = cli("train", "--help").out
    for registry in (DATASETS, ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES, STOPPING_RULES, METRICS, INITIALIZERS):
        for cls in registry.values():
            assert cls.name in out


@pytest.mark.parametrize("command", ["train", "data"])
def test_help_lists_what_can_stand_behind_a_table(cli: Any, command: str) -> None:
    out = cli(command, "--help").out
    assert "--missing" in out
    for option in OPTIONS:
        assert f"  {option}=" in out


@pytest.mark.parametrize("command", ["train", "predict", "show", "data", "lab"])
def test_every_command_takes_the_data_folder_by_one_name(cli: Any, command: str) -> None:
    assert "--data-dir" in cli(command, "--help").out


def test_lab_help_names_every_section(cli: Any) -> None:
    from chainrule.lab.plan import SECTIONS

    out = cli("lab", "--help").out
    assert all(section.id in out and section.about in out for section in SECTIONS)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from chainrule.cli import main; main(['--help']); "
        "heavy = ('scipy', 'sklearn', 'matplotlib', 'pandas', 'pydantic'); "
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


# -- data ------------------------------------------------------------------------------------------------


def test_data_lists_every_data_set(cli: Any) -> None:
    out = cli("data").out
    assert all(name in out for name in DATASETS)
    assert [entry["name"] for entry in cli("data", "--json").json()["data_sets"]] == list(DATASETS)
    assert cli("data", "--quiet").out.split() == list(DATASETS)


SMALL = ["linear(n=20)", "xor", "ellipse(n=50, held_out=5)", "circles(n=20)", "moons(n=20)", "spirals(n=20)"]
SMALL += ["gaussians(n=20)", "gaussians(n=20, d=3)", "gaussians(n=20, d=1)", "parity(3)", "curve(n=20)", "digits"]


@pytest.mark.parametrize("spec", SMALL)
def test_facts_and_a_picture(cli: Any, tmp_path: Path, spec: str) -> None:
    document = cli("data", spec, "--seed", "2", "--json").json()
    dataset = load(spec).draw(2)
    assert document["facts"]["samples"] == dataset.n
    assert document["facts"]["inputs from"] == dataset.X.min()
    assert document["facts"]["fingerprint"] == dataset.fingerprint
    assert [Path(path).suffix for path in document["pictures"]] == [".svg", ".png"]
    assert all((tmp_path / path).stat().st_size > 1000 for path in document["pictures"])


def test_facts_of_a_table(cli: Any, tmp_path: Path) -> None:
    rows = "\n".join(f"{k},{k % 3},{'yes' if k > 3 else 'no'}" for k in range(8))
    (tmp_path / "small.csv").write_text(f"a,b,answer\n{rows}\n")
    result = cli("data", "small.csv", "--target", "answer", "--out", "pictures")
    assert (result.status, result.err) == (0, "")
    assert "binary" in result.out
    assert result.out.splitlines()[-2:] == ["pictures/small.svg", "pictures/small.png"]


# -- check, version --------------------------------------------------------------------------------------


def test_check_counts_every_row(cli: Any) -> None:
    document = cli("check", "--json").json()
    names = [case.name for case in gradient_check.cases()]
    assert [row["name"] for row in document["rows"]] == names
    assert (document["checked"], document["failed"]) == (len(names), 0)
    assert document["worst_error"] == max(row["relative_error"] for row in document["rows"]) < 1e-6


def test_check_prints_groups_or_every_row(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    few = gradient_check.cases()[::97]
    monkeypatch.setattr(gradient_check, "cases", lambda: few)
    result = cli("check")
    assert result.status == 0
    for title in ("hidden activation", "output activation", "loss", "layer", "samples and members"):
        assert title in result.out
    assert f"{len(few)} gradients checked, 0 failed" in result.out
    everything = cli("check", "--all").out
    assert everything.count("✓") == len(few)
    assert cli("check", "--quiet").out.splitlines() == [result.out.splitlines()[-1]]


def test_check_fails_with_status_1(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    few = gradient_check.cases()[::400]
    monkeypatch.setattr(gradient_check, "cases", lambda: few)
    monkeypatch.setattr(gradient_check, "TOLERANCE", 0.0)
    result = cli("check")
    assert result.status == 1
    assert result.out.count("FAILED") == len(few)
    assert cli("check", "--json").json()["failed"] == len(few)


def test_version(cli: Any) -> None:
    machine = this_machine()
    assert cli("version").out == cli("--version").out == f"chainrule {machine.chainrule}\n"
    assert cli("version", "--json").json() == {"chainrule": machine.chainrule}
    full = cli("version", "--full", "--json").json()
    assert (full["numpy"], full["cores"]) == (np.__version__, os.cpu_count())
    assert machine.cpu.split()[0] in cli("version", "--full").out


def test_python_m_chainrule() -> None:
    done = subprocess.run([sys.executable, "-m", "chainrule", "version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "chainrule", "")
    done = subprocess.run([sys.executable, "-m", "chainrule", "nosuch"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


# -- lab: the report itself is tested on its own floor ---------------------------------------------------


def stand_in(asked: dict[str, Any], **outcome: Any) -> Any:
    def run_lab(**arguments: Any) -> LabResult:
        asked.update(arguments)
        arguments["progress"](1.0, 2.0, "half way")
        return LabResult(arguments["out"] / "index.html", ("data",), **outcome)

    return run_lab


def test_lab_passes_its_options_on(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    outcome = {"verdict_counts": {"typical": 40, "lucky": 3}, "members": 12, "seconds": 200.4, "missing": ("MNIST",)}
    monkeypatch.setattr("chainrule.lab.run.run_lab", stand_in(asked, **outcome))
    (tmp_path / "mnist").mkdir()
    options = ["--out", "report", "--seeds", "9", "--quick", "--only", "data", "--only", "replication"]
    options += ["--engine", "reference", "--threads", "3", "--memory", "1 GiB"]
    result = cli("lab", *options, "--data", "mnist", "--workers", "2")
    assert (result.status, result.err) == (0, "")
    del asked["progress"]
    assert asked == {
        "out": Path("report"),
        "seeds": 9,
        "quick": True,
        "only": ("data", "replication"),
        "data_dir": Path("mnist"),
        "workers": 2,
        "engine": "reference",
        "resources": Resources(3, 2**30),
    }
    told = "typical 40 lucky 3 missing: MNIST report: report/index.html 12 networks trained, 3 min 20 s"
    assert result.out.split() == told.split()
    document = cli("lab", "--json").json()
    assert document["verdicts"] == {"typical": 40, "lucky": 3}
    assert asked["only"] == ()


def test_an_interrupted_lab(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.lab.run.run_lab", stand_in({}, interrupted=True, missing=("half of it",)))
    result = cli("lab", "--quiet")
    assert result.status == 130
    assert "missing: half of it" in result.out


# -- what surrounds every command ------------------------------------------------------------------------


class ClosedPipe:
    """A stdout whose reader has gone."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError

    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize("arguments", [["version"], ["data"], ["version", "--json"]])
def test_a_closed_pipe_is_no_error(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    from chainrule.cli import main

    monkeypatch.setattr(sys, "stdout", ClosedPipe())
    assert main(arguments) == 141
    assert capfd.readouterr().err == ""


def test_a_closed_stdout_is_no_error(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.cli import main

    monkeypatch.setattr(sys, "stdout", None)
    assert main(["version"]) == 0
    assert main(["version", "--json"]) == 0


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (MemoryError("Unable to allocate 7 PiB"), 2, "error: not enough memory: Unable to allocate 7 PiB"),
        (OSError(28, "No space left on device"), 2, "error: cannot write the output: No space left on device"),
        (PermissionError(13, "Permission denied", "x.npz"), 2, "error: cannot use 'x.npz': Permission denied"),
        (ConfigError("first\nsecond"), 2, "error: first second"),
    ],
)
def test_what_can_go_wrong_anywhere(
    cli: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, line: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("chainrule.machine.this_machine", fail)
    result = cli("version", "--full")
    assert (result.status, result.out, result.err.splitlines()) == (status, "", [line])


def test_a_bug_shows_its_traceback(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("chainrule.machine.this_machine", fail)
    with pytest.raises(ZeroDivisionError):
        cli("version", "--full")
