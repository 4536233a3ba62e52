"""`chainrule train`: the printed numbers are those of the saved runs, and those are right."""

from __future__ import annotations

import csv
import dataclasses
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

import chainrule
from chainrule import Runs
from chainrule.cli import _training
from chainrule.cli._progress import TrainingBar
from chainrule.engines import ProgressEvent

XOR = ["train", "--data", "xor", "--hidden", "4,4", "--optimizer", "adam", "--lr", "0.1", "--epochs", "300"]


def lines_of_table(out: str, heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading."""
    below = out[out.index(heading) :].splitlines()
    start = next(i for i, line in enumerate(below) if "─" in line or "---" in line or "===" in line)
    rows = []
    for line in below[start + 1 :]:
        if not line.strip():
            break
        rows.append(re.sub(r"(\d) %", r"\1%", line).replace(", ", ",").split())
    return rows


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, run_cli: Any) -> tuple[Any, Path]:
    """One training with everything: what it printed, and where it was saved."""
    folder = tmp_path_factory.mktemp("xor")
    result = run_cli(folder, *XOR, "--seeds", "12", "--show-seed", "3", "--log-every", "100")
    assert (result.status, result.err) == (0, "")
    return result, folder / "chainrule-run"


def test_the_prediction_table_has_the_21_points_and_the_saved_predictions(trained: tuple[Any, Path]) -> None:
    result, folder = trained
    rows = lines_of_table(result.out, "Predictions of seed 3 for its training samples")
    assert [int(row[0]) for row in rows] == list(range(21))
    points = [[float(x) for x in row[1].split(",")] for row in rows]
    diagonal = [[0.1 * i, 0.1 * i] for i in range(11)]
    other = [[0.1 * i, 1 - 0.1 * i] for i in range(11) if i != 5]
    assert sorted(map(tuple, np.round(points, 6).tolist())) == sorted(
        map(tuple, np.round([*diagonal, *other], 6).tolist())
    )
    truths = [int(row[2]) for row in rows]
    assert truths == [int(abs(x1 - x2) > 1e-9) for x1, x2 in points]
    own = Runs.load(folder).with_seed(3).predict(np.array(points))[:, 0]
    assert [row[3] for row in rows] == [f"{value:.5f}" for value in own]
    rounded = [int(row[4]) for row in rows]
    assert rounded == [int(value >= 0.5) for value in own]
    assert [row[5] for row in rows] == ["✓" if r == t else "✗" for r, t in zip(rounded, truths, strict=True)]


def test_the_success_rate_is_that_of_the_saved_runs(trained: tuple[Any, Path]) -> None:
    result, folder = trained
    with (folder / "runs.csv").open(newline="") as file:
        won = sum(float(row["final_accuracy"]) >= 0.99 for row in csv.DictReader(file))
    exact = binomtest(won, 12).proportion_ci(0.95, method="exact")
    told = (
        f"success rate {100 * won / 12:.1f} % ({won} of 12 seeds, "
        f"95 % interval {100 * exact.low:.1f} to {100 * exact.high:.1f} %); success: final accuracy >= 0.99"
    )
    assert told in result.out
    assert 0 < won < 12  # a rate that says something


def test_the_printed_lines_are_the_history(trained: tuple[Any, Path]) -> None:
    result, folder = trained
    runs = Runs.load(folder)
    rows = lines_of_table(result.out, "Training: seed 3 and the median over 12 seeds")
    assert [int(row[0]) for row in rows] == [0, 100, 200, 300]
    for row in rows:
        place = list(runs[3].history["epoch"]).index(int(row[0]))
        losses = [run.history["loss"][place] for run in runs]
        shares = [run.history["accuracy"][place] for run in runs]
        assert float(row[1]) == pytest.approx(losses[3], rel=6e-3)
        assert row[2] == f"{100 * shares[3]:.1f}%"
        assert float(row[3]) == pytest.approx(float(np.median(losses)), rel=6e-3)
        assert row[4] == f"{100 * float(np.median(shares)):.1f}%"


def test_everything_is_saved(trained: tuple[Any, Path]) -> None:
    _, folder = trained
    pictures = [f"{name}.{kind}" for name in ("curves", "accuracy", "truth") for kind in ("svg", "png")]
    files = ["runs.npz", "config.json", "runs.csv", "history.csv", "summary.json", *pictures]
    assert sorted(path.name for path in folder.iterdir()) == sorted(files)
    for name in pictures:
        start = (folder / name).read_bytes()[:200]
        assert start.startswith(b"\x89PNG") if name.endswith("png") else b"<svg" in start
    runs = Runs.load(folder)
    with (folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(run.history["epoch"]) for run in runs)
    of_seven = [float(row["loss"]) for row in rows if row["seed"] == "7"]
    assert of_seven == runs.with_seed(7).history["loss"].tolist()


def test_json_is_the_saved_runs(cli: Any, tmp_path: Path) -> None:
    result = cli(*XOR, "--seeds", "4", "--json", "--no-pictures", "--metric", "mae")
    document = result.json()
    runs = Runs.load(tmp_path / "chainrule-run")
    assert document["runs"] == [dict(row) for row in runs.to_rows()]
    (rate,) = document["rates"]
    won = sum(run.final["accuracy"] >= 0.99 for run in runs)
    assert (rate["success"]["successes"], rate["success"]["n"]) == (won, 4)
    assert rate["final"]["mae"]["shown"] == runs[0].final["mae"]
    assert len(document["predictions"]["rows"]) == 21
    assert document["saved"]["folder"] == "chainrule-run"


def test_quiet_prints_the_result_only(cli: Any) -> None:
    result = cli(*XOR, "--epochs", "5", "--seeds", "2", "--quiet", "--no-pictures")
    assert result.err == ""
    assert [line.split()[0] for line in result.out.splitlines()] == ["success", "ended:", "saved"]


def test_several_rates_are_trained_side_by_side(cli: Any, tmp_path: Path) -> None:
    result = cli("train", "--lr", "0.5,2", "--seeds", "3", "--epochs", "20", "--no-pictures")
    runs = Runs.load(tmp_path / "chainrule-run")
    assert [(run.member.config.learning_rate, run.seed) for run in runs] == [
        (rate, seed) for rate in (0.5, 2.0) for seed in range(3)
    ]
    for rate in ("0.5", "2"):
        assert f"learning rate {rate}: success rate" in result.out
        assert f"over 3 seeds, learning rate {rate}\n" in result.out
    alone = cli("train", "--lr", "2", "--seeds", "3", "--epochs", "20", "--no-pictures", "--out", "alone")
    assert alone.status == 0
    for one, other in zip(runs[3:], Runs.load(tmp_path / "alone"), strict=True):
        np.testing.assert_array_equal(one.theta, other.theta)


def test_every_knob_reaches_the_configuration(cli: Any, tmp_path: Path) -> None:
    options = """--data linear(n=40) --hidden 3,2 --activation tanh --output sigmoid --loss mse(reduction=sum)
        --optimizer momentum(0.8) --lr 0.05 --schedule step(5,0.5) --batch 8 --epochs 12 --seed-list 4,9-10
        --stop loss_below(1e-9) --stop patience(50) --validation 0.2 --test 0.1 --stratify
        --metric tolerance_accuracy(0.2) --weight-init normal(0.5) --bias-init constant(0.1) --dropout 0.1
        --l1 0.001 --l2 0.002 --clip-norm 5 --clip-value 2 --class-weight balanced --dtype float32
        --log-every 4 --window 3 --success validation_mae<=0.9 --show-seed 9 --engine reference --no-shuffle
        --augment noise(0.01)"""
    result = cli("train", *options.split(), "--no-pictures")
    assert (result.status, result.err) == (0, "")
    runs = Runs.load(tmp_path / "chainrule-run")
    assert [run.seed for run in runs] == [4, 9, 10]
    config, network = runs[0].member.config, runs[0].member.network
    assert config.describe() == {
        "loss": "mse(reduction='sum')",
        "optimizer": "momentum(beta=0.8)",
        "learning_rate": 0.05,
        "schedule": "step(every=5, factor=0.5)",
        "batch_size": 8,
        "epochs": 12,
        "stopping": ("loss_below(threshold=1e-09)", "patience(epochs=50)"),
        "clip_norm": 5.0,
        "clip_value": 2.0,
        "validation": 0.2,
        "test": 0.1,
        "stratify": True,
        "metrics": ("tolerance_accuracy(tol=0.2)", "mae"),
        "log_every": 1,
        "dtype": "float32",
        "class_weight": "balanced",
        "shuffle": False,
        "window": 3,
        "augment": ("noise(std=0.01)",),
    }
    layers = [layer for layer in network.describe()["layers"] if layer["layer"] == "dense"]
    assert [(layer["units"], layer["activation"]) for layer in layers] == [(3, "tanh"), (2, "tanh"), (1, "sigmoid")]
    assert {(layer["l1"], layer["l2"], layer["bias_init"]) for layer in layers} == {
        (0.001, 0.002, "constant(value=0.1)")
    }
    assert runs[0].theta.dtype == np.float32
    assert "Predictions of seed 9 for its test samples" in result.out
    assert len(lines_of_table(result.out, "Predictions")) == 4


def test_without_bias_or_activation_or_hidden_layer(cli: Any, tmp_path: Path) -> None:
    assert cli("train", "--hidden", "none", "--no-bias", "--epochs", "3", "--seeds", "1", "--no-pictures").status == 0
    assert Runs.load(tmp_path / "chainrule-run")[0].theta.shape == (2,)


def test_a_stopping_rule_makes_the_default_success(cli: Any, tmp_path: Path) -> None:
    result = cli(*XOR, "--seeds", "5", "--stop", "loss_below(0.05, times=2)", "--no-pictures")
    runs = Runs.load(tmp_path / "chainrule-run")
    stopped = [run.epochs for run in runs if run.stop_reason == "loss_below"]
    assert stopped
    assert f"({len(stopped)} of 5 seeds" in result.out
    assert "stopped by loss_below(threshold=0.05, times=2)" in result.out
    assert f"{len(stopped)} by loss_below" in result.out
    median = np.median(stopped)
    assert f"epochs to success: median {median:,.4g}" in result.out


def test_divergence_is_told_by_epoch_layer_and_cause(cli: Any, tmp_path: Path) -> None:
    result = cli(
        *("train", "--activation", "identity", "--output", "identity", "--lr", "50", "--seeds", "3", "--epochs", "50")
    )
    runs = Runs.load(tmp_path / "chainrule-run")
    assert {run.stop_reason for run in runs} == {"diverged"}
    divergence = runs[0].divergence
    assert divergence is not None
    assert "success rate 0.0 % (0 of 3 seeds" in result.out
    assert f"{divergence.layer}: {divergence.quantity} not finite; {divergence.cause}" in result.out
    assert (tmp_path / "chainrule-run" / "truth.png").exists()


def test_all_networks_diverge_at_once(cli: Any) -> None:
    result = cli(
        *("train", "--activation", "identity", "--output", "identity", "--weight-init", "normal(1e200)", "--seeds", "2")
    )
    assert result.status == 0
    assert "the loss was never finite" in result.out


def test_regression_states_no_success_by_itself(cli: Any) -> None:
    base = ["train", "--data", "curve(n=50)", "--epochs", "20", "--seeds", "3", "--no-pictures"]
    result = cli(*base)
    assert "no success rule for regression" in result.out
    assert "rounded" not in result.out
    assert "3 of 3 seeds" in cli(*base, "--success", "r2<=1.0").out


def test_an_earlier_run_is_replaced_and_other_files_are_kept(cli: Any, tmp_path: Path) -> None:
    folder = tmp_path / "chainrule-run"
    assert cli("train", "--epochs", "2", "--seeds", "1").err == ""
    (folder / "notes.txt").write_text("mine")
    result = cli("train", "--data", "digits", "--epochs", "1", "--seeds", "1", "--no-pictures")
    assert result.err.splitlines() == [
        "note: the run saved in chainrule-run before has been replaced; other files there were kept"
    ]
    assert (folder / "notes.txt").read_text() == "mine"
    assert not list(folder.glob("*.png"))  # the old pictures would show another run
    assert Runs.load(folder).source == "digits"


def test_a_failing_command_leaves_the_earlier_run_alone(cli: Any, tmp_path: Path) -> None:
    assert cli("train", "--epochs", "2", "--seeds", "1", "--no-pictures").status == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "chainrule-run").iterdir()}
    assert cli("train", "--loss", "softmax_cross_entropy").status == 2
    assert {path.name: path.read_bytes() for path in (tmp_path / "chainrule-run").iterdir()} == before


class PressesCtrlC(TrainingBar):
    """Interrupts the process, as a terminal would, at the first event after 30 epochs."""

    def __call__(self, event: ProgressEvent) -> None:
        if event.epoch >= 30:
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_saves_what_there_is(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_training, "TrainingBar", PressesCtrlC)
    result = cli(*XOR, "--seeds", "3", "--no-pictures", "--log-every", "10", "--engine", "reference")
    assert result.status == 130
    assert result.err.splitlines() == [
        "warning: interrupted: 0 of 3 networks finished and 3 are as they were then; saved in chainrule-run"
    ]
    assert "no success rate: only 0 of 3 networks finished" in result.out
    runs = Runs.load(tmp_path / "chainrule-run")
    assert runs.interrupted
    assert [run.stop_reason for run in runs] == ["interrupted"] * 3
    assert 30 <= runs[0].epochs < 300


def test_ctrl_c_counts_the_finished_networks(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_training, "TrainingBar", PressesCtrlC)
    result = cli(
        *XOR,
        "--seeds",
        "12",
        "--no-pictures",
        "--stop",
        "loss_below(0.24)",
        "--log-every",
        "10",
        "--engine",
        "reference",
    )
    runs = Runs.load(tmp_path / "chainrule-run")
    finished = sum(run.stop_reason == "loss_below" for run in runs)
    assert 0 < finished < 12
    assert result.status == 130
    # those that stopped early are those that succeeded: their share would be 100 %
    assert f"no success rate: only {finished} of 12 networks finished" in result.out
    assert "interval" not in result.out
    assert f"{finished} of 12 networks finished and {12 - finished} are as they were" in result.err


def test_ctrl_c_replaces_no_finished_run(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli(*XOR, "--epochs", "5", "--seeds", "1", "--no-pictures").status == 0
    monkeypatch.setattr(_training, "TrainingBar", PressesCtrlC)
    for number in (1, 2):
        assert cli(*XOR, "--seeds", "2", "--no-pictures", "--quiet").status == 130
        assert Runs.load(tmp_path / f"chainrule-run-interrupted-{number}").interrupted
    assert not Runs.load(tmp_path / "chainrule-run").interrupted


def test_windows_are_kept_and_drawn(cli: Any, tmp_path: Path) -> None:
    assert cli("train", "--batch", "1", "--window", "21", "--epochs", "6", "--seeds", "2", "--quiet").status == 0
    runs = Runs.load(tmp_path / "chainrule-run")
    assert len(runs[0].windows["loss"]) == 6
    assert (tmp_path / "chainrule-run" / "windows.svg").exists()


# -- engine and machine --------------------------------------------------------------------------------------


def test_the_engine_is_told_with_its_reason(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = cli("train", "--engine", "reference", "--epochs", "2", "--seeds", "2", "--no-pictures")
    runs = Runs.load(tmp_path / "chainrule-run")
    assert {run.engine for run in runs} == {"reference"}
    (line,) = (line for line in result.out.splitlines() if line.startswith("engine "))
    assert line.split(maxsplit=1)[1].startswith("reference")
    told = [dataclasses.replace(run, engine="lanes", engine_reason="small networks") for run in runs]
    dataclasses.replace(runs, runs=tuple(told)).save(tmp_path / "told")
    assert re.search(r"^engine +lanes: small networks *$", cli("show", "told").out, re.MULTILINE)


def test_threads_and_memory_reach_the_training(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def train(*arguments: Any, **options: Any) -> Runs:
        asked.append((options["engine"], options["threads"], options["memory"]))
        return chainrule.train(*arguments, **options)

    monkeypatch.setattr(_training, "train", train)
    few = ("train", "--epochs", "1", "--seeds", "1", "--no-pictures")
    assert cli(*few, "--threads", "3", "--memory", "1.5 GiB", "--engine", "reference").status == 0
    monkeypatch.setenv("CHAINRULE_THREADS", "5")
    assert cli(*few, "--memory", "100MB").status == 0
    assert asked == [("reference", 3, 3 * 2**29), ("auto", 5, 100_000_000)]


CERTIFY = ("train", "--epochs", "20", "--seeds", "4", "--lr", "0.1,0.5", "--no-pictures", "--certify")


def test_the_last_network_is_certified(cli: Any) -> None:
    result = cli(*CERTIFY, "--engine", "reference")
    assert (result.status, result.err) == (0, "note: training seed 3 again, alone\n")
    told = (
        "certificate: seed 3 trained again alone by the reference engine is identical to the last bit: "
        "37 weights, 21 rows of history, 20 epochs"
    )
    assert result.out.splitlines()[-1] == told
    assert cli(*CERTIFY, "--quiet", "--engine", "reference").out.splitlines()[-1] == told
    certificate = cli(*CERTIFY, "--json").json()["certificate"]
    assert (certificate["place"], certificate["seed"], certificate["identical"]) == (7, 3, True)
    assert cli(*CERTIFY[:-1], "--json").json()["certificate"] is None


def test_a_network_that_differs_is_status_1_after_all_is_saved(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*arguments: Any, **options: Any) -> Runs:
        """Train, and spoil one weight of the last network."""
        runs = chainrule.train(*arguments, **options)
        theta = runs[-1].theta.copy()
        theta[5] += 0.25
        return dataclasses.replace(runs, runs=(*runs[:-1], dataclasses.replace(runs[-1], theta=theta)))

    monkeypatch.setattr(_training, "train", train)
    result = cli(*CERTIFY)
    assert result.status == 1
    assert "differs in weights; largest difference 0.25 (none is allowed)" in result.out.splitlines()[-1]
    assert len(Runs.load(tmp_path / "chainrule-run")) == 8
    assert cli(*CERTIFY, "--json").json()["certificate"]["differing"] == ["weights"]


def test_an_interrupted_training_is_not_certified(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_training, "TrainingBar", PressesCtrlC)
    result = cli(*XOR, "--seeds", "3", "--no-pictures", "--certify")
    assert result.status == 130
    assert result.err.splitlines()[0] == "note: not certified: the training was interrupted"
