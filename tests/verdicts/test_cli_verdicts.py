"""`chainrule compare`, `spread` and `audit` as a newcomer types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chainrule.cli.app import main

Cli = Callable[..., tuple[int, str, str]]
AT = ("--at", "learning_rate=0.3")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command line; returns status, stdout and stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_a_comparison_is_one_sentence_and_what_is_paired(cli: Cli, recipe: Path) -> None:
    status, out, _ = cli("compare", recipe, *AT, "--a", "optimizer=adam", "--b", "optimizer=sgd", "--quantity", "loss")
    assert status == 0
    first, *rest = out.splitlines()
    assert first.startswith("adam had a lower final loss than sgd: mean difference")
    assert "Paired by seed: same data, initial weights." in rest
    assert "48 runs trained." in rest


def test_quiet_prints_the_sentence_only(cli: Cli, recipe: Path) -> None:
    _, out, err = cli("compare", recipe, *AT, "--a", "optimizer=adam", "--b", "optimizer=sgd", "--quiet")
    assert len(out.splitlines()) == 1
    assert err == ""


def test_json_and_files_hold_the_record(cli: Cli, recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "verdict"
    words = ("compare", recipe, *AT, "--a", "optimizer=adam", "--b", "optimizer=sgd", "--out", folder, "--json")
    status, out, _ = cli(*words)
    assert status == 0
    document = json.loads(out)
    saved = json.loads((folder / "verdict.json").read_text())
    assert document["command"] == "compare"
    assert {key: document[key] for key in saved} == saved
    assert document["files"] == [str(folder / "verdict.json"), str(folder / "verdict.svg")]
    assert (folder / "verdict.svg").read_text().lstrip().startswith("<")


def test_until_decided_from_a_store(cli: Cli, recipe: Path, tmp_path: Path) -> None:
    words = ["compare", recipe, *AT, "--a", "optimizer=adam", "--b", "optimizer=sgd", "--quantity", "accuracy"]
    words += ["--until-decided", "--margin", "0.01", "--max-seeds", "200", "--store", tmp_path / "runs.db"]
    status, first, _ = cli(*words)
    assert status == 0
    assert "decided after" in first.splitlines()[0]
    _, again, _ = cli(*words)
    assert again.splitlines()[0] == first.splitlines()[0]
    assert "0 runs trained" in again
    assert "found in the store" in again


def test_one_recipe_alone_is_ranked(cli: Cli, recipe: Path) -> None:
    status, out, _ = cli("compare", recipe, "--seeds", "8", "--quantity", "loss")
    assert status == 0
    assert "of 6 settings" in out.splitlines()[0]
    status, out, _ = cli("compare", recipe, "--seeds", "8", *AT, "--quantity", "loss")
    assert "of 3 settings" in out.splitlines()[0]


def test_three_recipes_are_ranked(cli: Cli, recipe: Path, write: Callable[..., Path]) -> None:
    others = [write(name, ("hidden = [4]", f"hidden = [{units}]")) for name, units in (("small", 1), ("large", 8))]
    words = ("compare", recipe, *others, "--at", "optimizer=adam,lr=0.3", "--quantity", "loss")
    status, out, _ = cli(*words)
    assert status == 0
    assert "of 3 settings; 1 cannot be told from it (large), the rest are worse" in out
    assert cli(*words, "--a", "lr=0.3")[0] == 2


def test_a_spread_shows_a_table(cli: Cli, write: Callable[..., Path]) -> None:
    noisy = write("noisy", ('"xor"', '"moons(n=40)"'), ("epochs = 60", "epochs = 3\nvalidation = 0.25\nbatch_size = 8"))
    status, out, _ = cli("spread", noisy, *AT, "--at", "lr=0.3,optimizer=adam", "--runs", "30")
    assert status == 0
    assert out.startswith("Changing only the ")
    assert "when only it changes" in out
    assert "25 crossed runs and" in out
    assert "dropout" in out.splitlines()[-2]  # not listed, with the reason


def test_an_audit_names_the_order(cli: Cli, recipe: Path) -> None:
    words = (
        "audit",
        recipe,
        "--claim",
        "adam > momentum > sgd",
        *AT,
        "--runs",
        "1",
        "--seeds",
        "40",
        "--quantity",
        "loss",
    )
    status, out, _ = cli(*words)
    assert status == 0
    assert out.startswith("A study with 1 run each shows adam ahead of momentum(0.9) ahead of sgd in final loss in ")


def test_a_claim_about_several_cells_is_tuned_on_other_seeds(cli: Cli, recipe: Path, tmp_path: Path) -> None:
    words = ("audit", "--claim", "adam > sgd", "--runs", "5", recipe, "--seeds", "60")
    status, out, _ = cli(*words, "--store", tmp_path / "runs.db", "--out", tmp_path / "verdict", "--json")
    assert status == 0
    told = json.loads(out)
    assert told["n_seeds"] == 30
    assert told["names"][0] == "adam (learning rate 0.3)"
    assert told["sentence"].endswith("; each was tuned over 2 settings on 30 other seeds.")
    assert told["numbers"]["computed"] == 4 * 30 + 2 * 30
    assert json.loads((tmp_path / "verdict" / "verdict.json").read_text())["sentence"] == told["sentence"]
    assert "as claimed" in (tmp_path / "verdict" / "verdict.svg").read_text()
    _, again, _ = cli(*words, "--store", tmp_path / "runs.db")
    assert again.splitlines()[0] == told["sentence"]
    assert "0 runs trained, 180 runs found in the store." in again
    _, plain, _ = cli(*words, *AT)
    assert plain.splitlines()[0].endswith("; neither was tuned, both ran at learning rate 0.3.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compare", "none.toml"], "cannot read the recipe"),
        (["compare", "RECIPE", "--a", "optimizer=adam"], "give both --a and --b"),
        (["compare", "RECIPE", "RECIPE"], "same settings of 'opt'"),
        (["compare", "RECIPE", "--a", "optimiser=adam", "--b", "optimizer=sgd"], "did you mean 'optimizer'"),
        (["compare", "RECIPE", "--a", "optimizer=adm", "--b", "optimizer=sgd"], "did you mean 'adam'"),
        (["compare", "RECIPE", "--a", "", "--b", "optimizer=sgd"], "--a: write axis=value"),
        (["compare", "RECIPE", "--quantity", "acuracy"], "did you mean 'accuracy'"),
        (["compare", "RECIPE", "--seeds", "0"], "--seeds: a number from 1"),
        (["compare", "RECIPE", "--level", "95"], "--level: a confidence"),
        (["compare", "RECIPE", "--margin", "-1"], "--margin: margin is a number"),
        (["compare", "RECIPE", "--max-seeds", "0"], "--max-seeds: a number from 1"),
        (["compare", "RECIPE", "--statistic", "mode"], "--statistic: mean or median"),
        (["compare", "RECIPE", "--until-decided"], "--until-decided takes two sides"),
        (["compare", "RECIPE", "--engine", "warp"], "unknown engine"),
        (["compare", "RECIPE", "--success", "acuracy>=1"], "--success: unknown metric"),
        (["spread", "RECIPE"], "the recipe is 6 cells: choose one of them, such as --at optimizer="),
        (["spread", "RECIPE", "--at", "optimizer=adam,lr=0.3", "--runs", "10"], "--runs: a spread crosses 5 to 64"),
        (["spread", "RECIPE", "--at", "optimizer=adam,lr=7"], "unknown value of learning_rate '7'"),
        (["audit", "RECIPE", "--claim", "adam better than sgd"], "--claim: cannot read the claim"),
        (["audit", "RECIPE", "--claim", "adam > sdg"], "did you mean 'sgd'"),
        (["audit", "RECIPE", "--claim", "adam > sgd", "--seeds", "1"], "give --seeds at least 2"),
        (["audit", "RECIPE", "--claim", "adam > sgd", "--runs", "0"], "--runs: a number from 1"),
        (["audit", "RECIPE"], "--claim"),
    ],
)
def test_what_is_mistyped_is_one_line_and_status_2(
    cli: Cli, recipe: Path, words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recipe.parent)
    status, out, err = cli(*[str(recipe) if word == "RECIPE" else word for word in words])
    assert status == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("error: ")
    assert message in err


def test_recipes_on_different_data_are_refused(cli: Cli, recipe: Path, write: Callable[..., Path]) -> None:
    status, _, err = cli("compare", recipe, write("moons", ("xor", "moons")))
    assert status == 2
    assert "different data, xor and moons" in err
