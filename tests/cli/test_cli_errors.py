"""Every mistake is one line on stderr and exit status 2, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

TRAIN = [
    (["--hidden", "4,x"], ["--hidden", "'x'", "whole number"]),
    (["--hidden", "0"], ["--hidden", "from 1", "got 0"]),
    (["--hidden", "-3"], ["--hidden", "from 1"]),
    (["--lr", "abc"], ["--lr", "'abc'"]),
    (["--lr", "-1"], ["--lr", "(0, ", "-1"]),
    (["--lr", "nan"], ["--lr", "(0, "]),
    (["--lr", "0.1,0.1"], ["--lr", "twice"]),
    (["--lr", "0.1,-2"], ["--lr", "-2"]),
    (["--batch", "0"], ["--batch", "at least 1"]),
    (["--batch", "ful"], ["--batch", "'ful'", "full"]),
    (["--epochs", "-1"], ["--epochs", "-1"]),
    (["--epochs", "many"], ["--epochs", "whole number", "'many'"]),
    (["--seeds", "0"], ["--seeds", "from 1"]),
    (["--seeds", "3", "--seed-list", "1"], ["--seeds", "--seed-list"]),
    (["--seed-list", "1,1"], ["--seed-list", "twice"]),
    (["--seed-list", "5-2"], ["--seed-list", "at least 5"]),
    (["--seed-list", "0-99999999999"], ["--seed-list", "at most"]),
    (["--show-seed", "7", "--seeds", "3"], ["--show-seed", "7", "0 to 2"]),
    (["--activation", "sigmod"], ["--activation", "did you mean 'sigmoid'?"]),
    (["--output", "softmacks"], ["--output", "did you mean 'softmax'?"]),
    (["--loss", "mce"], ["--loss", "did you mean 'mse'?"]),
    (["--loss", "softmax_cross_entropy"], ["softmax_cross_entropy", "use output 'softmax'"]),
    (["--optimizer", "adm"], ["--optimizer", "did you mean 'adam'?"]),
    (["--optimizer", "adam(beta1=2)"], ["--optimizer", "beta1"]),
    (["--schedule", "step"], ["--schedule", "every"]),
    (["--stop", "loss_bellow(1)"], ["--stop", "did you mean 'loss_below'?"]),
    (["--metric", "acuracy"], ["--metric", "did you mean 'accuracy'?"]),
    (["--success", "acuracy>=1"], ["--success", "did you mean 'accuracy'?"]),
    (["--success", "accuracy"], ["--success", "METRIC>=NUMBER"]),
    (["--success", "accuracy>=x"], ["--success", "METRIC>=NUMBER"]),
    (["--success", "validation_accuracy>=0.9"], ["--success", "--validation"]),
    (["--success", "accuracy>=2"], ["--success", "accuracy lies between 0 and 1"]),
    (["--success", "converged"], ["--success", "--stop"]),
    (["--data", "nosuch"], ["--data", "'nosuch'", "xor"]),
    (["--data", ""], ["--data"]),
    (["--data", "nosuch.csv?target=y"], ["--data", "nosuch.csv"]),
    (["--data", "."], ["--data", "'.' is a folder"]),
    (["--data", "sheet.xlsx"], ["--data", "'sheet.xlsx'", ".csv"]),
    (["--target", "y"], ["--target", "table"]),
    (["--missing", "impute"], ["--missing", "table"]),
    (["--data", "x.csv?target=y", "--missing", "imput"], ["--missing", "did you mean 'impute'?"]),
    (["--data-dir", ""], ["error: --data-dir: '' is no path"]),
    (["--data", "linear(n=0)"], ["--data", "n"]),
    (["--validation", "1"], ["--validation", "[0, 1)"]),
    (["--validation", "0.6", "--test", "0.5"], ["--test", "below 1"]),
    (["--data", "curve", "--stratify", "--validation", "0.2"], ["stratify", "regression"]),
    (["--data", "curve", "--class-weight", "balanced"], ["class", "regression"]),
    (["--class-weight", "even"], ["--class-weight", "balanced"]),
    (["--class-weight", "0=1,1=-1"], ["--class-weight", "class '1'", "(0, "]),
    (["--class-weight", "2=1"], ["class_weight", "unknown class '2'", "known: 0, 1"]),
    (["--dropout", "1"], ["--dropout", "[0, 1)"]),
    (["--l1", "-1"], ["--l1"]),
    (["--l2", "nan"], ["--l2"]),
    (["--weight-init", "normal(-1)"], ["--weight-init", "std"]),
    (["--bias-init", "ones"], ["--bias-init", "'ones'"]),
    (["--clip-norm", "0"], ["--clip-norm"]),
    (["--clip-value", "-1"], ["--clip-value"]),
    (["--dtype", "float16"], ["--dtype", "float32"]),
    (["--engine", "fast"], ["--engine", "reference"]),
    (["--threads", "0"], ["--threads", "from 1 to 1,024", "got 0"]),
    (["--threads", "-2"], ["--threads", "got -2"]),
    (["--threads", "all"], ["--threads", "whole number", "'all'"]),
    (["--threads", "2000"], ["--threads", "from 1 to 1,024"]),
    (["--memory", "2 QB"], ["--memory", "unknown unit of memory 'QB'", "GiB"]),
    (["--memory", "much"], ["--memory", "2 GiB", "'much'"]),
    (["--memory", "2"], ["--memory", "from 64 KiB", "with a unit such as 2 GiB"]),
    (["--log-every", "0"], ["--log-every", "at least 1"]),
    (["--window", "-1"], ["--window"]),
    (["--out", ""], ["--out"]),
    (["--out", "/proc/no/such"], ["--out", "/proc/no/such"]),
    (["--epoch", "3"], ["--epoch", "did you mean '--epochs'?", "chainrule train --help"]),
    (["--lr"], ["--lr needs a value", "chainrule train --help"]),
    (["surplus"], ["unexpected 'surplus'", "chainrule train takes options only"]),
]

URL = "postgresql://me:geheim@127.0.0.1:1/runs"
SECRETS = [
    ["store", "check", URL],
    ["store", "export", URL],
    ["store", "list", "--by", URL],
    ["store", "list", "--store", URL],
    ["sweep", URL],
    ["sweep", URL, "--store", "runs.db"],
    ["compare", URL, URL],
    ["recipe", "new", URL],
    ["lab", "--out", URL],
    ["train", "--data", URL],
    ["train", "--epochs", URL],
    ["show", URL],
    [URL],
]

OTHERS = [
    (["sweep", "a.toml", "b"], ["unexpected 'b'", "chainrule sweep takes RECIPE and options", "sweep --help"]),
    (["store", "check", "runs.db"], ["unexpected 'runs.db'", "a store is named with --store"]),
    (["store", "list", "--limit", "0"], ["--limit", "from 1", "got 0"]),
    (["audit", "a.toml"], ["--claim is missing", "chainrule audit --help"]),
    (["sweep"], ["RECIPE is missing", "chainrule sweep --help"]),
    (["trian"], ["'trian'", "did you mean 'train'?"]),
    (["--verbose"], ["--verbose"]),
    (["predict"], ["RUN", "chainrule predict --help"]),
    (["predict", "nowhere", "--data", "xor"], ["nowhere", "runs.npz"]),
    (["show", "nowhere"], ["nowhere", "runs.npz"]),
    (["data", "elipse"], ["did you mean 'ellipse'?"]),
    (["data", "xor", "--seed", "-1"], ["--seed", "-1"]),
    (["data", "xor", "--target", "y"], ["--target"]),
    (["lab", "--only", "replicaton"], ["--only", "did you mean 'replication'?"]),
    (["lab", "--seeds", "0"], ["--seeds"]),
    (["lab", "--workers", "0"], ["--workers"]),
    (["lab", "--engine", "fast"], ["--engine", "reference"]),
    (["lab", "--threads", "0"], ["--threads", "from 1 to 1,024", "got 0"]),
    (["lab", "--memory", "2 QB"], ["--memory", "'QB'"]),
    (["doctor", "--wram"], ["--wram", "did you mean '--warm'?"]),
    (["lab", "--data", "nowhere"], ["--data", "nowhere"]),
    (["lab", "--data-dir", "nowhere"], ["--data", "nowhere"]),
    (["check", "--al"], ["--al", "did you mean '--all'?"]),
    (["version", "--ful"], ["--ful", "did you mean '--full'?"]),
]


def check_mistake(result: Any, parts: list[str], folder: Path) -> None:
    lines = result.err.splitlines()
    assert result.status == 2
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    for part in parts:
        assert part in lines[0]
    assert result.out == ""
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("options", "parts"), TRAIN, ids=lambda value: " ".join(value)[:40])
def test_train_mistakes(cli: Any, tmp_path: Path, options: list[str], parts: list[str]) -> None:
    check_mistake(cli("train", "--epochs", "3", "--no-pictures", *options), parts, tmp_path)


@pytest.mark.parametrize(("arguments", "parts"), OTHERS, ids=lambda value: " ".join(value)[:40])
def test_other_mistakes(cli: Any, tmp_path: Path, arguments: list[str], parts: list[str]) -> None:
    check_mistake(cli(*arguments), parts, tmp_path)


@pytest.mark.parametrize("arguments", SECRETS, ids=lambda value: " ".join(value[:2])[:20])
def test_the_password_of_a_store_is_not_shown_wherever_it_is_typed(
    cli: Any, tmp_path: Path, arguments: list[str]
) -> None:
    result = cli(*arguments)
    check_mistake(result, [], tmp_path)
    assert "geheim" not in result.err


@pytest.mark.parametrize(("name", "text"), [("CHAINRULE_THREADS", "none"), ("CHAINRULE_MEMORY", "2 QB")])
@pytest.mark.parametrize("command", ["train", "lab"])
def test_an_impossible_variable(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    check_mistake(cli(command), [f"environment variable {name}: "], tmp_path)


@pytest.mark.parametrize("command", ["train", "lab", "data xor"])
def test_out_is_a_file(cli: Any, tmp_path: Path, command: str) -> None:
    (tmp_path / "taken").write_text("mine")
    result = cli(*command.split(), "--out", "taken")
    assert result.status == 2
    assert result.err.splitlines() == ["error: --out: 'taken' is a file, not a folder; name another"]
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_folder_below_a_file(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    result = cli("train", "--out", "taken/deep/er")
    assert result.status == 2
    assert len(result.err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


# NumPy leaves a file open that turns out to be no whole archive; nothing is lost by that.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_damaged_run(cli: Any, tmp_path: Path, damage: str) -> None:
    assert cli("train", "--epochs", "2", "--seeds", "1", "--no-pictures").status == 0
    path = tmp_path / "chainrule-run" / "runs.npz"
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 2], "text": b"no archive", "empty": b""}[damage])
    for arguments in (["show", "chainrule-run"], ["predict", "chainrule-run", "--data", "xor"]):
        result = cli(*arguments)
        assert result.status == 2
        assert len(result.err.splitlines()) == 1
        assert "runs.npz is damaged" in result.err


def test_markup_and_control_characters_are_shown_as_they_are(cli: Any) -> None:
    result = cli("train", "--data", "[bold]x[/bold]\n\x1b[31m")
    assert result.status == 2
    assert "[bold]x[/bold]" in result.err
    assert "\x1b" not in result.err
    assert len(result.err.splitlines()) == 1


def test_json_and_errors(cli: Any) -> None:
    result = cli("train", "--lr", "0", "--json")
    assert (result.status, result.out) == (2, "")
