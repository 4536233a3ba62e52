"""What is printed while a training goes on is what its history says afterwards."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from chainrule import Runs
from chainrule.cli import _training
from chainrule.cli._console import Output, number
from chainrule.cli._live import LiveLines
from chainrule.cli._progress import TrainingBar
from chainrule.engines import ProgressEvent, reference

LINE = re.compile(r"(?:learning rate (\S+), )?epoch ([\d,]+)  (.*)")


def lines_of(out: str) -> list[tuple[str | None, int, str]]:
    found = [LINE.fullmatch(line) for line in out.splitlines()]
    return [(one[1], int(one[2].replace(",", "")), one[3]) for one in found if one]


def at(runs: Runs, key: str, epoch: int) -> Any:
    """Every run's value after an epoch; the last one of a run that has stopped."""
    values = []
    for run in runs:
        place = np.searchsorted(run.history["epoch"], epoch, side="right") - 1
        values.append(run.history[key][place])
    return np.array(values)


def test_the_lines_are_the_history(cli: Any, tmp_path: Path) -> None:
    options = "--epochs 60 --seeds 5 --show-seed 2 --log-every 20 --lr 0.5,2 --validation 0.2 --no-pictures"
    out = cli("train", *options.split()).out
    lines = lines_of(out)
    assert [(rate, epoch) for rate, epoch, _ in lines] == [(r, e) for e in (0, 20, 40, 60) for r in ("0.5", "2")]
    runs = Runs.load(tmp_path / "chainrule-run")
    for rate, epoch, told in lines:
        ours = runs.where(lambda run, rate=rate: run.member.config.learning_rate == float(rate))  # type: ignore[misc]
        own, middle = told.split("  median of 5 seeds: ")
        for text, pick in ((own.removeprefix("seed 2: "), lambda v: v[2]), (middle, np.median)):
            shown = dict(part.rsplit(" ", 1) if "%" not in part else part.split(". ") for part in text.split(", "))
            assert list(shown) == ["loss", "val loss", "acc", "val acc"]
            for name, key in (("loss", "loss"), ("val loss", "validation_loss")):
                assert shown[name] == number(float(pick(at(ours, key, epoch))))
            for name, key in (("acc", "accuracy"), ("val acc", "validation_accuracy")):
                assert shown[name] == f"{100 * float(pick(at(ours, key, epoch))):.2f} %"
    assert "Training: seed 2 and the median over 5 seeds" in out  # the table follows as ever


def test_stopped_members_keep_their_last_value(cli: Any, tmp_path: Path) -> None:
    options = "--optimizer adam --lr 0.1 --epochs 300 --seeds 8 --stop loss_below(0.1) --log-every 50 --no-pictures"
    out = cli("train", *options.split()).out
    runs = Runs.load(tmp_path / "chainrule-run")
    assert len({run.epochs for run in runs}) > 2
    for _, epoch, told in lines_of(out):
        at_rows = at(runs, "loss", epoch)
        # a member's stop falls between two printed lines, but its last kept row is the last that was told
        assert f"median of 8 seeds: loss {number(float(np.median(at_rows)))}," in told


def test_one_seed_has_no_median(cli: Any) -> None:
    lines = lines_of(cli(*["train", "--epochs", "4", "--seeds", "1", "--log-every", "2", "--no-pictures"]).out)
    assert [epoch for _, epoch, _ in lines] == [0, 2, 4]
    assert all(told.startswith("loss ") and "median" not in told for _, _, told in lines)


def test_parts_of_a_population_are_not_mixed(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "CHUNK_BYTES", 1)
    data = ["--data", "moons(n=20)"]  # fresh for every seed, so that each is a part of its own
    options = ["--epochs", "4", "--seeds", "2", "--log-every", "2", "--no-pictures", "--engine", "reference"]
    lines = lines_of(cli("train", *data, *options).out)
    assert [epoch for _, epoch, _ in lines] == [0, 2, 4] * 2
    runs = Runs.load(tmp_path / "chainrule-run")
    for k, (_, epoch, told) in enumerate(lines):
        assert f"median of 1 seed: loss {number(float(runs[k // 3].history['loss'][epoch]))}," in told
        assert told.startswith("seed 0: ") == (k < 3)


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_no_lines_where_only_the_result_is_wanted(cli: Any, option: str) -> None:
    assert lines_of(cli(*["train", "--epochs", "4", "--seeds", "2", "--no-pictures"], option).out) == []


def test_the_lines_come_while_it_trains(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []

    class Looks(TrainingBar):
        def __call__(self, event: ProgressEvent) -> None:
            import sys

            if event.record is not None and isinstance(sys.stdout, io.StringIO):
                seen.append((event.epoch, len(lines_of(sys.stdout.getvalue()))))

    monkeypatch.setattr(_training, "TrainingBar", Looks)
    cli(*["train", "--epochs", "6", "--seeds", "2", "--log-every", "3", "--no-pictures"])
    assert {epoch: lines for epoch, lines in seen if epoch % 3 == 0} == {0: 0, 3: 1, 6: 2}


def test_a_closed_pipe_ends_the_lines_but_not_the_training() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    output = Output()
    output.out = type(output.out)(file=Closed(), highlight=False)
    assert isinstance(output.out, Console)
    lines = LiveLines(output, [0], [0.1], 0, 1, "binary")
    record = {"loss": np.array([0.5]), "accuracy": np.array([1.0])}
    lines(ProgressEvent(0, 5, 1, 0, 0, 0, 0.0, record, (0,)))
    assert not lines.on
