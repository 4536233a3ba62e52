"""Runs the command line in this process, in a folder of its own, and keeps what it wrote."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chainrule.cli import main


@dataclass(frozen=True)
class Result:
    """What a command left: exit status, stdout, stderr."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Read stdout as strict JSON."""

        def refuse(name: str) -> float:
            raise AssertionError(f"{name} is not strict JSON")

        return json.loads(self.out, parse_constant=refuse)


Cli = Callable[..., Result]


def run_in(folder: Path, *arguments: str) -> Result:
    """Run the command line with a folder as working directory."""
    out, err = io.StringIO(), io.StringIO()
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(list(arguments))
    finally:
        os.chdir(before)
    return Result(status, out.getvalue(), err.getvalue())


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """80 columns and no colours, whatever runs the tests."""
    for name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("CHAINRULE_DATA", "CHAINRULE_THREADS", "CHAINRULE_MEMORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run commands in this test's own folder."""

    def run(*arguments: str) -> Result:
        return run_in(tmp_path, *arguments)

    return run


@pytest.fixture(scope="session")
def run_cli() -> Callable[..., Result]:
    """Run commands in any folder: for fixtures that several tests share."""
    return run_in
