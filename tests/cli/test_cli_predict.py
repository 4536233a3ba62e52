"""`chainrule predict` against the forward pass written out by hand, and `chainrule show` and its pictures."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

from chainrule import Runs, load
from chainrule.data import split

COLUMNS = ["sepal length", "sepal width", "petal length", "petal width"]


def write_table(path: Path, header: list[str], rows: list[list[Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory, run_cli: Any) -> Path:
    """A folder with a trained run on a table, and tables to predict."""
    folder = tmp_path_factory.mktemp("iris")
    data = load_iris()
    order = np.random.default_rng(3).permutation(150)
    rows = [[*map(float, data.data[k]), str(data.target_names[data.target[k]])] for k in order]
    write_table(folder / "iris.csv", [*COLUMNS, "species"], rows[:100])
    write_table(folder / "new.csv", [*COLUMNS, "species"], rows[100:])
    write_table(folder / "bare.csv", COLUMNS, [row[:4] for row in rows[100:]])
    write_table(folder / "narrow.csv", COLUMNS[:3], [row[:3] for row in rows[100:]])
    write_table(folder / "strange.csv", [*COLUMNS, "species"], [[*rows[0][:4], "tulip"]])
    options = """--data iris.csv --target species --hidden 5 --activation tanh --loss softmax_cross_entropy
        --lr 0.5 --epochs 200 --validation 0.3 --seeds 3 --no-pictures --quiet"""
    result = run_cli(folder, "train", *options.split())
    assert (result.status, result.err) == (0, "")
    return folder


def by_hand(folder: Path, seed: int) -> Any:
    """Standardise with the training rows' statistics and run the forward pass in plain NumPy."""
    run = Runs.load(folder / "chainrule-run").with_seed(seed)
    with (folder / "iris.csv").open(newline="") as file:
        table = np.array([[float(row[name]) for name in COLUMNS] for row in csv.DictReader(file)])
    with (folder / "bare.csv").open(newline="") as file:
        new = np.array([[float(row[name]) for name in COLUMNS] for row in csv.DictReader(file)])
    rows = split(load(str(folder / "iris.csv?target=species")).draw(seed), seed, validation=0.3).train_rows
    assert rows is not None
    X = (new - table[rows].mean(axis=0)) / table[rows].std(axis=0)
    first, last = run.params
    Z = np.tanh(X @ first["W"] + first["b"]) @ last["W"] + last["b"]
    exponentials = np.exp(Z - Z.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("table", ["new.csv", "bare.csv"])
def test_a_table_goes_through_the_saved_preprocessing(iris: Path, run_cli: Any, table: str) -> None:
    document = run_cli(iris, "predict", "chainrule-run", "--data", table, "--seed", "1", "--json").json()
    outputs = np.array([row["outputs"] for row in document["predictions"]])
    np.testing.assert_allclose(outputs, by_hand(iris, 1), rtol=1e-9, atol=1e-12)
    names = ("setosa", "versicolor", "virginica")
    assert [row["predicted"] for row in document["predictions"]] == [names[k] for k in outputs.argmax(axis=1)]
    with (iris / "new.csv").open(newline="") as file:
        truth = [row["species"] for row in csv.DictReader(file)]
    if table == "new.csv":
        assert [row["truth"] for row in document["predictions"]] == truth
        assert document["right"] == sum(row["predicted"] == row["truth"] for row in document["predictions"]) > 40
    else:
        assert document["right"] is None
        assert all("truth" not in row for row in document["predictions"])


def test_an_ensemble_is_the_mean_of_its_networks(iris: Path, run_cli: Any) -> None:
    document = run_cli(iris, "predict", "chainrule-run", "--data", "bare.csv", "--ensemble", "--json").json()
    each = np.array([by_hand(iris, seed) for seed in range(3)])
    for key, expected in (("outputs", each.mean(axis=0)), ("lowest", each.min(axis=0)), ("highest", each.max(axis=0))):
        np.testing.assert_allclose([row[key] for row in document["predictions"]], expected, rtol=1e-9, atol=1e-12)
    assert document["seeds"] == [0, 1, 2]


def test_predictions_as_csv(iris: Path, run_cli: Any) -> None:
    result = run_cli(iris, "predict", "chainrule-run", "--data", "new.csv", "--out", "sub/predicted.csv")
    assert "50 predictions written to sub/predicted.csv" in result.out
    assert "25 more samples not shown" in result.out
    with (iris / "sub" / "predicted.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 50
    outputs = [[float(row[f"output {name}"]) for name in ("setosa", "versicolor", "virginica")] for row in rows]
    np.testing.assert_allclose(outputs, by_hand(iris, 0), rtol=1e-9, atol=1e-12)


def test_quiet_prints_a_prediction_a_line(iris: Path, run_cli: Any) -> None:
    result = run_cli(iris, "predict", "chainrule-run", "--data", "bare.csv", "--quiet")
    names = np.array(["setosa", "versicolor", "virginica"])
    assert result.out.splitlines() == names[by_hand(iris, 0).argmax(axis=1)].tolist()


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--data", "narrow.csv"], ["narrow.csv", "petal width"]),
        (["--data", "strange.csv"], ["strange.csv", "'tulip'"]),
        (["--data", "xor"], ["(21, 2)", "(n, 4)"]),
        (["--data", "digits"], ["(1797, 64)", "(n, 4)"]),
        (["--data", "nosuch.csv"], ["nosuch.csv"]),
        (["--data", "new.csv", "--target", "nose"], ["nose"]),
        (["--data", "new.csv", "--seed", "77"], ["--seed", "77", "0, 1, 2"]),
        (["--data", "new.csv", "--lr", "9"], ["--lr", "0.5"]),
        (["--data", "new.csv", "--seed", "1", "--ensemble"], ["--seed", "--ensemble"]),
        (["--data", "new.csv", "--out", "/proc/no/such.csv"], ["/proc/no"]),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_mistakes(iris: Path, run_cli: Any, options: list[str], parts: list[str]) -> None:
    result = run_cli(iris, "predict", "chainrule-run", *options)
    assert result.status == 2
    assert len(result.err.splitlines()) == 1
    for part in parts:
        assert part in result.err


def test_numbers_in_a_table_for_a_run_on_named_data(cli: Any, tmp_path: Path) -> None:
    assert cli("train", "--epochs", "5", "--seeds", "2", "--no-pictures").status == 0
    points = [[0.1, 0.1, 0], [0.1, 0.9, 1], [0.4, 0.6, 0]]
    write_table(tmp_path / "points.csv", ["a", "b", "t"], points)
    document = cli("predict", "chainrule-run", "--data", "points.csv", "--target", "t", "--json").json()
    own = Runs.load(tmp_path / "chainrule-run")[0].predict(np.array(points)[:, :2])
    np.testing.assert_allclose([row["outputs"] for row in document["predictions"]], own, rtol=1e-12)
    assert [row["truth"] for row in document["predictions"]] == ["0", "1", "0"]
    wide = cli("predict", "chainrule-run", "--data", "points.csv")
    assert wide.status == 2
    assert "(3, 3)" in wide.err
    assert "(n, 2)" in wide.err


def test_another_draw_of_varying_data(cli: Any, tmp_path: Path) -> None:
    assert cli("train", "--data", "linear(n=30)", "--epochs", "5", "--seeds", "1", "--no-pictures").status == 0
    own = cli("predict", "chainrule-run", "--data", "linear(n=30)", "--json").json()
    other = cli("predict", "chainrule-run", "--data", "linear(n=30)", "--data-seed", "5", "--json").json()
    assert [row["input"] for row in own["predictions"]] == load("linear(n=30)").draw(0).X.tolist()
    assert [row["input"] for row in other["predictions"]] == load("linear(n=30)").draw(5).X.tolist()


# -- show ------------------------------------------------------------------------------------------------


def test_show_draws_curves_truth_and_boundaries(cli: Any, tmp_path: Path) -> None:
    assert cli("train", "--epochs", "40", "--seeds", "5", "--lr", "0.5,1", "--no-pictures").status == 0
    result = cli("show", "chainrule-run", "--seed", "3", "--lr", "1", "--out", "pictures")
    assert (result.status, result.err) == (0, "")
    names = [f"{name}.{kind}" for name in ("curves", "accuracy", "truth", "boundary") for kind in ("svg", "png")]
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == sorted(names)
    assert [line for line in result.out.splitlines() if line.startswith("pictures/")] == [
        f"pictures/{name}" for name in names
    ]
    assert "seed 3, training samples" in (tmp_path / "pictures" / "truth.svg").read_text()
    assert result.out.count("learning rate") >= 3


def test_show_repeats_the_success_rate_of_the_training(cli: Any) -> None:
    trained = cli("train", "--epochs", "200", "--seeds", "6", "--lr", "5", "--success", "loss<=0.2", "--no-pictures")
    line = next(line for line in trained.out.splitlines() if line.startswith("success rate"))
    assert line in cli("show", "chainrule-run").out
    assert "success: final loss <= 0\n" in cli("show", "chainrule-run", "--success", "loss<=0").out


def test_show_as_json(cli: Any, tmp_path: Path) -> None:
    assert cli("train", "--epochs", "5", "--seeds", "2", "--no-pictures").status == 0
    document = cli("show", "chainrule-run", "--json").json()
    assert document["runs"] == Runs.load(tmp_path / "chainrule-run").to_rows()
    assert all((tmp_path / path).is_file() for path in document["pictures"])


def test_show_without_the_data_draws_the_curves(iris: Path, run_cli: Any, tmp_path: Path) -> None:
    shutil.copytree(iris / "chainrule-run", tmp_path / "moved")
    result = run_cli(tmp_path, "show", "moved")
    assert result.status == 0
    assert (tmp_path / "moved" / "curves.svg").exists()
    (line,) = result.err.splitlines()
    assert line.startswith("note: its data are not at hand")
    assert "iris.csv" in line


def test_show_says_when_the_data_have_changed(iris: Path, run_cli: Any, tmp_path: Path) -> None:
    shutil.copytree(iris / "chainrule-run", tmp_path / "run")
    shutil.copy(iris / "new.csv", tmp_path / "iris.csv")
    result = run_cli(tmp_path, "show", "run")
    assert result.status == 0
    assert "the data have changed" in result.err
