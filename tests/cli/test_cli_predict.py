"""`chainrule predict` against the forward pass written out by hand, and `chainrule show` and its pictures."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

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


@pytest.fixture
def pets(cli: Any, tmp_path: Path) -> Path:
    """A run on a table with words and gaps."""
    rows = [[age, city, int(age > 40)] for age, city in zip((23, 61, 45, 31, 52, 28), "abbaab", strict=True)]
    write_table(tmp_path / "pets.csv", ["age", "city", "old"], [*rows, ["", "a", 1]])
    told = cli("train", "--data", "pets.csv", "--target", "old").err
    assert "write 'pets.csv?target=old&missing=impute' (or --missing impute)" in told
    options = ["--epochs", "3", "--seeds", "1", "--no-pictures", "--quiet"]
    result = cli("train", "--data", "pets.csv", "--target", "old", "--missing", "impute", *options)
    assert (result.status, result.err) == (0, "")
    return tmp_path


def test_missing_values_are_imputed_as_asked(cli: Any, pets: Path) -> None:
    run = Runs.load(pets / "chainrule-run")[0]
    assert run.preprocessing is not None
    assert run.preprocessing.fill[0] == 38  # the median of 23, 28, 31, 45, 52, 61
    assert cli("data", "pets.csv", "--target", "old", "--missing", "impute", "--quiet").status == 0
    assert cli("data", "pets.csv", "--target", "old").status == 2


def test_a_word_that_training_did_not_see_is_told(cli: Any, pets: Path) -> None:
    write_table(pets / "new.csv", ["age", "city"], [[30, "a"], [30, "z"], [30, "q"], [30, "z"]])
    result = cli("predict", "chainrule-run", "--data", "new.csv", "--json")
    note = "column 'city': 'z', 'q' did not occur in the training data"
    assert result.err.startswith(f"note: {note}")
    assert len(result.err.splitlines()) == 1
    assert result.json()["notes"][0].startswith(note)
    assert cli("predict", "chainrule-run", "--data", "pets.csv").err == ""


def test_a_column_that_the_table_lacks(cli: Any, pets: Path) -> None:
    write_table(pets / "new.csv", ["age", "income"], [[30, 1]])
    assert cli("predict", "chainrule-run", "--data", "new.csv").err.splitlines() == [
        "error: --data: table 'new.csv': the table has no column 'city', which the run needs (it has: age, income)"
    ]


def test_data_that_cannot_be_named_are_one_option_s_fault(cli: Any, pets: Path) -> None:
    assert cli("predict", "chainrule-run", "--data", "").err.startswith("error: --data: name a data set")
    assert cli("predict", "chainrule-run", "--data", "xor", "--data-seed", "-1").err.startswith("error: --data-seed: ")


def test_a_normalised_network_predicts_one_sample_as_among_many(cli: Any, tmp_path: Path) -> None:
    options = "--normalize --optimizer adam --lr 0.1 --epochs 200 --seeds 1 --no-pictures --quiet"
    assert cli("train", "--data", "xor", *options.split()).status == 0
    points = {"both": [[0.1, 0.9], [0.9, 0.1]], "one": [[0.1, 0.9]], "other": [[0.9, 0.1]]}
    told = {}
    for name, rows in points.items():
        write_table(tmp_path / f"{name}.csv", ["x1", "x2"], rows)
        document = cli("predict", "chainrule-run", "--data", f"{name}.csv", "--json").json()
        told[name] = [row["outputs"][0] for row in document["predictions"]]
    np.testing.assert_allclose(told["both"], told["one"] + told["other"], rtol=1e-12)
    whole = cli("predict", "chainrule-run", "--data", "xor", "--json").json()["predictions"]
    by_point = {tuple(np.round(row["input"], 6)): row["outputs"][0] for row in whole}
    np.testing.assert_allclose(told["both"], [by_point[0.1, 0.9], by_point[0.9, 0.1]], rtol=1e-9)


def test_confusion_matrix_and_scores_are_scikit_learns(cli: Any, iris: Path, run_cli: Any) -> None:
    run = Runs.load(iris / "chainrule-run").with_seed(0)
    parts = split(load(str(iris / "iris.csv"), target="species").draw(0), 0, 0.3)
    assert parts.validation is not None
    truth, guess = parts.validation.y, np.argmax(run.predict(parts.validation.X), axis=1)
    expected = confusion_matrix(truth, guess, labels=[0, 1, 2])
    summary = json.loads((iris / "chainrule-run" / "summary.json").read_text())
    shown = run_cli(iris, "show", "chainrule-run", "--json", "--out", "pictures").json()["classification"]
    saved = summary["predictions"]["classification"]
    assert saved == shown
    assert saved["confusion_matrix"] == expected.tolist()
    scores = precision_recall_fscore_support(truth, guess, labels=[0, 1, 2], zero_division=0.0)
    for k, row in enumerate(saved["classes"]):
        assert row["label"] == ("setosa", "versicolor", "virginica")[k]
        assert [row["precision"], row["recall"], row["f1"]] == pytest.approx([scores[i][k] for i in range(3)])
    printed = run_cli(iris, "show", "chainrule-run", "--out", "pictures").out
    line = next(line for line in printed.splitlines() if line.strip().startswith("versicolor"))
    assert line.split() == ["versicolor", *map(str, expected[1]), *(f"{scores[i][1]:.3f}" for i in range(3))]


def test_no_confusion_matrix_for_numbers(cli: Any) -> None:
    result = cli("train", "--data", "curve(n=30)", "--epochs", "3", "--seeds", "1", "--no-pictures", "--json")
    assert result.json()["predictions"]["classification"] is None


def test_of_data_with_a_held_out_part_that_part_is_predicted(tmp_path: Path, run_cli: Any) -> None:
    spec = "ellipse(n=40, held_out=25)"
    run_cli(tmp_path, "train", "--data", spec, "--epochs", "3", "--seeds", "1", "--no-pictures", "--quiet")
    result = run_cli(tmp_path, "predict", "chainrule-run", "--data", spec, "--json")
    assert result.status == 0, result.err
    told = json.loads(result.out)
    held_out = load(spec).draw(0).held_out
    assert held_out is not None
    run = Runs.load(tmp_path / "chainrule-run")[0]
    outputs = [row["outputs"] for row in told["predictions"]]
    assert np.allclose(np.array(outputs, dtype=float).ravel(), run.predict(held_out.X).ravel())
    assert "the 25 held-out samples of 'ellipse(n=40, held_out=25)'" in told["notes"][0]
