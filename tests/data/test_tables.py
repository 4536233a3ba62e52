"""Tables as data sources: tasks, targets, splits without leaks, specs, and predictions on new tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.data import FittedPreprocessing, facts, load, load_table, split, table_inputs
from chainrule.data.tables import parse_table_spec, table_spec
from chainrule.errors import ChainruleError, ConfigError, DataError

IRIS = """petal,colour,id,species
1.4,white,1,setosa
4.7,blue,2,versicolor
6.0,white,3,virginica
1.3,blue,4,setosa
"""


def write(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_becomes_a_data_set(tmp_path: Path) -> None:
    source = load_table(write(tmp_path, IRIS, "iris.csv"), "species", drop=["id"])
    data = source.draw(0)
    assert (data.name, data.task, data.classes) == ("iris", "multiclass", ("setosa", "versicolor", "virginica"))
    assert data.feature_names == ("petal", "colour=blue", "colour=white")
    np.testing.assert_array_equal(data.y, [0, 1, 2, 0])
    # petal: mean 3.35, variance (1.95^2 + 1.35^2 + 2.65^2 + 2.05^2) / 4 = 4.2125
    np.testing.assert_allclose(data.X[:, 0] * np.sqrt(4.2125) + 3.35, [1.4, 4.7, 6.0, 1.3])
    np.testing.assert_array_equal(data.X[:, 1:], [[0, 1], [1, 0], [0, 1], [1, 0]])
    assert facts(data)["table columns"] == 2


@pytest.mark.parametrize(
    ("targets", "task", "classes"),
    [
        (["yes", "no", "yes"], "binary", ("no", "yes")),
        (["0.5", "1.5", "0.5"], "binary", ("0.5", "1.5")),
        (["10", "9", "2"], "multiclass", ("2", "9", "10")),
        (["b", "a", "c"], "multiclass", ("a", "b", "c")),
        (["1.5", "2.5", "3.25"], "regression", ()),
    ],
)
def test_the_task_follows_from_the_target(
    tmp_path: Path, targets: list[str], task: str, classes: tuple[str, ...]
) -> None:
    rows = "".join(f"{i},{target}\n" for i, target in enumerate(targets))
    data = load_table(write(tmp_path, f"x,t\n{rows}"), "t").draw(0)
    assert (data.task, data.classes) == (task, classes)
    truth = [float(t) for t in targets] if task == "regression" else [classes.index(t) for t in targets]
    np.testing.assert_array_equal(data.y, truth)


def test_the_task_can_be_told(tmp_path: Path) -> None:
    path = write(tmp_path, "x,t\n1,0\n2,1\n3,2\n")
    assert load_table(path, "t", task="regression").draw(0).n_outputs == 1
    two = load_table(write(tmp_path, "x,t\n1,0\n2,1\n", "two.csv"), "t", task="multiclass").draw(0)
    assert (two.n_outputs, two.output_activation) == (2, "softmax")
    with pytest.raises(DataError, match="has 3 different values, too many for binary"):
        load_table(path, "t", task="binary")
    with pytest.raises(ConfigError, match="did you mean 'regression'"):
        load_table(path, "t", task="regresion")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="regression needs numbers, found 'setosa'"):
        load_table(write(tmp_path, IRIS), "species", task="regression")


def numbers_table(folder: Path, n: int = 40) -> Path:
    rng = np.random.default_rng(5)
    rows = [f"{value},{'abcd'[i % 4]},{i % 2}\n" for i, value in enumerate(rng.normal(size=n))]
    return write(folder, "value,letter,label\n" + "".join(rows), "numbers.csv")


def test_statistics_come_from_the_training_rows_alone(tmp_path: Path) -> None:
    data = load_table(numbers_table(tmp_path), "label").draw(0)
    assert data.raw is not None
    parts = split(data, 3, validation=0.25, test=0.25)
    train_raw = data.raw[parts.train_rows]
    assert parts.train.preprocess is not None
    assert parts.train.preprocess.mean[0] == pytest.approx(train_raw[:, 0].mean())
    assert parts.train.preprocess.scale[0] == pytest.approx(train_raw[:, 0].std())
    np.testing.assert_allclose(parts.train.X[:, 0].mean(), 0, atol=1e-12)
    np.testing.assert_allclose(parts.train.X[:, 0].std(), 1)
    for part, rows in ((parts.validation, parts.validation_rows), (parts.test, parts.test_rows)):
        assert part is not None
        truth = (data.raw[rows, 0] - train_raw[:, 0].mean()) / train_raw[:, 0].std()
        np.testing.assert_allclose(part.X[:, 0], truth)
        assert part.preprocess is parts.train.preprocess


def test_changing_validation_rows_changes_nothing_in_training(tmp_path: Path) -> None:
    path = numbers_table(tmp_path)
    before = split(load_table(path, "label").draw(0), 3, validation=0.25)
    assert before.validation_rows is not None
    lines = path.read_text().splitlines()
    for row in before.validation_rows:
        _, letter, label = lines[row + 1].split(",")
        lines[row + 1] = f"{1e6 + row},{letter},{label}"
    write(tmp_path, "\n".join(lines), "numbers.csv")
    after = split(load_table(path, "label").draw(0), 3, validation=0.25)
    assert after.train.fingerprint == before.train.fingerprint
    assert after.train.preprocess == before.train.preprocess
    assert after.validation is not None
    assert after.validation.X[:, 0].min() > 1e5


def test_without_a_split_all_rows_count(tmp_path: Path) -> None:
    data = load_table(numbers_table(tmp_path), "label").draw(0)
    train = split(data, 3).train
    np.testing.assert_allclose(train.X[:, 0].mean(), 0, atol=1e-12)


def test_every_seed_has_the_same_inputs_even_if_a_category_is_not_in_training(tmp_path: Path) -> None:
    rows = "".join(f"{i},{'rare' if i == 0 else 'common'},{i % 2}\n" for i in range(10))
    data = load_table(write(tmp_path, "n,kind,label\n" + rows), "label").draw(0)
    trains = [split(data, seed, validation=0.3).train for seed in range(10)]
    assert {train.n_features for train in trains} == {3}
    without = [train for train in trains if train.X[:, train.feature_names.index("kind=rare")].sum() == 0]
    assert 0 < len(without) < 10


def test_missing_values_are_imputed_only_if_asked(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,label\n1,x,0\n,x,1\n3,,0\n10,y,1\n")
    with pytest.raises(DataError, match=r"t\.csv'.*row 2, column 'a' has no value") as caught:
        load_table(path, "label")
    assert f"write '{path}?target=label&missing=impute' (or --missing impute)" in str(caught.value)
    assert "or drop=a to leave it out" in str(caught.value)
    data = load_table(path, "label", missing="impute").draw(0)
    assert load(f"{path}?target=label&missing=impute").draw(0).fingerprint == data.fingerprint  # what it said
    assert load(f"{path}?target=label&drop=a&missing=impute").draw(0).n_features == 2
    assert data.preprocess is not None
    assert data.preprocess.fill[0] == 3  # the median of 1, 3, 10
    np.testing.assert_array_equal(data.X[2, 1:], [1, 0])  # x is the most frequent
    assert facts(data)["missing values"] == 2


def test_a_saved_preprocessing_encodes_new_tables_alike(tmp_path: Path) -> None:
    data = load_table(numbers_table(tmp_path), "label").draw(0)
    train = split(data, 1, validation=0.25).train
    assert train.preprocess is not None
    fitted = FittedPreprocessing.from_state(train.preprocess.state())
    new = write(tmp_path, "letter,value\nb,0.5\nz,-1\n", "new.csv")
    X = table_inputs(new, fitted)
    scaled = (np.array([0.5, -1]) - fitted.mean[0]) / fitted.scale[0]
    np.testing.assert_allclose(X, [[scaled[0], 0, 1, 0, 0], [scaled[1], 0, 0, 0, 0]])
    labelled = write(tmp_path, "letter,value,label\nb,0.5,1\n", "labelled.csv")
    again = load_table(labelled, "label", task="binary", preprocess=fitted, classes=train.classes).draw(0)
    np.testing.assert_allclose(again.X, X[:1])
    assert (again.y.tolist(), again.classes) == ([1], ("0", "1"))
    bad = write(tmp_path, "letter,value,label\nb,0.5,7\n", "bad.csv")
    with pytest.raises(DataError, match="unknown class '7'"):
        load_table(bad, "label", task="binary", preprocess=fitted, classes=train.classes)
    with pytest.raises(
        DataError, match=r"new2\.csv'.*the table has no column 'letter', which the run needs \(it has: value\)"
    ):
        table_inputs(write(tmp_path, "value\n1\n", "new2.csv"), fitted)


@pytest.mark.parametrize(
    ("text", "options", "kind", "told"),
    [
        (IRIS, {}, ConfigError, "name the column to predict, FILE?target=NAME (columns: petal, colour, id, species)"),
        (IRIS, {"target": "spezies"}, ConfigError, "unknown target column 'spezies'; did you mean 'species'?"),
        (IRIS, {"target": "species", "drop": ["colur"]}, ConfigError, "did you mean 'colour'"),
        (IRIS, {"target": "species", "drop": ["species"]}, ConfigError, "is the target and cannot be dropped"),
        (IRIS, {"target": "species", "missing": "guess"}, ConfigError, "known: error, impute"),
        ("t\n1\n2\n", {"target": "t"}, DataError, "no column is left beside the target"),
        ("x,t\n1,a\n2,a\n", {"target": "t"}, DataError, "all 2 labels are 'a'"),
        ("x,t\n1,a\n2,\n", {"target": "t"}, DataError, "row 2: target column 't' has no value"),
        ("x,t\n1,1\n2,inf\n", {"target": "t"}, DataError, "row 2: target column 't' is infinite"),
        ("x,t\n1,1\n-inf,2\n", {"target": "t"}, DataError, "row 2, column 'x' is infinite"),
        ("x,t\n1,1\n2,1e999\n", {"target": "t"}, DataError, "row 2: target column 't' is infinite"),
        ("x,t\n1,5\n2,5\n", {"target": "t", "task": "regression"}, DataError, "all 2 labels are 5"),
    ],
)
def test_bad_tables_give_one_line_with_the_file(
    tmp_path: Path, text: str, options: dict[str, Any], kind: type[ChainruleError], told: str
) -> None:
    with pytest.raises(kind) as caught:
        load_table(write(tmp_path, text), **options)
    assert told in str(caught.value)
    assert "t.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_many_classes(tmp_path: Path) -> None:
    rows = "".join(f"{i},w{i}\n" for i in range(1001))
    with pytest.raises(DataError, match="has 1,001 different values, too many for multiclass"):
        load_table(write(tmp_path, "x,t\n" + rows), "t")


def test_npz_needs_no_target(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=np.arange(8.0).reshape(4, 2), y=np.array(["u", "v", "v", "u"]))
    data = load(str(tmp_path / "t.npz")).draw(0)
    assert (data.task, data.classes, data.n_features) == ("binary", ("u", "v"), 2)


@given(
    st.text("ab%&,=? é", min_size=1, max_size=5),
    st.lists(st.text("ab%&,=? é", min_size=1, max_size=5), max_size=3),
    st.sampled_from(["error", "impute"]),
)
def test_specs_go_through_text_unchanged(target: str, drop: list[str], missing: str) -> None:
    text = table_spec("some folder/t.csv", target, drop=drop, missing=missing)
    expected: dict[str, Any] = {"target": target}
    expected |= {"drop": tuple(drop)} if drop else {}
    expected |= {"missing": missing} if missing != "error" else {}
    assert parse_table_spec(text) == ("some folder/t.csv", expected)


def test_a_source_is_loaded_again_by_its_spec(tmp_path: Path) -> None:
    source = load_table(write(tmp_path, IRIS), "species", drop=["id"], categorical=["petal"])
    again = load(source.spec)
    assert again.spec == source.spec
    assert again.draw(0).fingerprint == source.draw(0).fingerprint
    assert again.draw(0).feature_names[0] == "petal=1.3"


CELL = st.sampled_from(["", "1", "2.5", "-3e300", "1e308", "-1e308", "inf", "nan", "a", "b", "?", "1_0", '"', " ", "é"])


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=8)
    ),
    st.sampled_from(["error", "impute"]),
    st.sampled_from([None, "binary", "multiclass", "regression"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_table_gives_a_data_set_or_our_error(
    tmp_path: Path, rows: list[list[str]], missing: str, task: Any
) -> None:
    names = ["t", "u", "v", "w"][: len(rows[0])]
    path = write(tmp_path, "\n".join(",".join(row) for row in [names, *rows]), "fuzz.csv")
    told = ""
    try:
        data = load_table(path, "t", missing=missing, task=task).draw(0)
        split(data, 0, validation=0.3)
    except (DataError, ConfigError) as error:
        told = str(error)
    assert "\n" not in told
