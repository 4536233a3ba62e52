"""Ctrl-C, once and twice, at any moment of a command."""

from __future__ import annotations

import builtins
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup

from chainrule import Runs
from chainrule.cli import _training, main
from chainrule.cli._help import Command
from chainrule.cli._interrupts import OneInterrupt
from chainrule.cli._progress import TrainingBar
from chainrule.engines import ProgressEvent
from chainrule.engines._evaluation import Evaluation

XOR = ["train", "--data", "xor", "--epochs", "200", "--seeds", "3", "--no-pictures"]


class PressesCtrlC(TrainingBar):
    """Presses Ctrl-C at the first event after 30 epochs, as a terminal would."""

    def __call__(self, event: ProgressEvent) -> None:
        if event.epoch >= 30:
            signal.raise_signal(signal.SIGINT)


def press_again_in(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, pressed: list[str]) -> None:
    """Press Ctrl-C whenever a function begins, and note it."""
    before = getattr(owner, name)

    def pressing(*arguments: Any, **options: Any) -> Any:
        pressed.append(name)
        signal.raise_signal(signal.SIGINT)
        return before(*arguments, **options)

    monkeypatch.setattr(owner, name, pressing)


def test_further_ctrl_c_while_the_runs_are_finished_and_saved(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_training, "TrainingBar", PressesCtrlC)
    pressed: list[str] = []
    press_again_in(monkeypatch, Evaluation, "finals", pressed)
    press_again_in(monkeypatch, _training, "save_runs", pressed)
    press_again_in(monkeypatch, _training, "write_text", pressed)
    press_again_in(monkeypatch, _training, "show_saved", pressed)
    before = signal.getsignal(signal.SIGINT)
    result = cli(*XOR, "--engine", "reference")
    assert result.status == 130
    assert pressed == ["finals", "save_runs", "write_text", "show_saved"]
    assert result.err.startswith("warning: interrupted: 0 of 3 networks finished and 3 are as they were then")
    runs = Runs.load(tmp_path / "chainrule-run")
    assert [run.stop_reason for run in runs] == ["interrupted"] * 3
    assert signal.getsignal(signal.SIGINT) is before


def test_a_finished_training_is_saved_before_ctrl_c_ends_the_command(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pressed: list[str] = []
    press_again_in(monkeypatch, _training, "save_runs", pressed)
    press_again_in(monkeypatch, _training, "write_pictures", pressed)
    result = cli(*XOR[:-1])
    assert (result.status, result.err) == (130, "error: interrupted\n")
    assert pressed == ["save_runs", "write_pictures"]
    assert len(Runs.load(tmp_path / "chainrule-run")) == 3


def test_ctrl_c_during_imports_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delitem(sys.modules, "chainrule.cli.app", raising=False)
    real = builtins.__import__

    def interrupted(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "chainrule.cli.app":
            raise KeyboardInterrupt
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    assert main(["version"]) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


@pytest.mark.parametrize("name", ["make_context", "invoke"])
def test_ctrl_c_while_the_command_line_is_read_is_one_line(
    cli: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    press_again_in(monkeypatch, Command if name == "make_context" else TyperGroup, name, [])
    result = cli("version")
    assert (result.status, result.err) == (130, "error: interrupted\n")


def test_the_first_goes_through_and_the_others_do_not() -> None:
    before = signal.getsignal(signal.SIGINT)
    with OneInterrupt() as ctrl_c:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        ctrl_c.deaf = False
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with OneInterrupt():
            signal.raise_signal(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_thread_has_no_handlers_to_change() -> None:
    done = []

    def work() -> None:
        with OneInterrupt():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
