"""The front door: every kind of data, every edge, real digits, and refusals in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from chainrule import Dataset, Member, Runs, TrainingConfig, load, mlp, train, train_members
from chainrule.data import FixedSource
from chainrule.engines import ReferenceEngine, Trained
from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.training import as_source

X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1], [0.5, 0.2]])


def test_the_docstrings_example() -> None:
    runs = train(mlp([4, 4], "sigmoid"), "xor", seeds=3, epochs=10, learning_rate=0.5)
    assert (len(runs), runs[0].epochs, runs.source, runs.interrupted) == (3, 10, "xor", False)
    assert [run.seed for run in runs] == [0, 1, 2]
    assert runs[0].member.network == mlp([4, 4], "sigmoid").bind(2, 1, "sigmoid")


def test_settings_go_over_the_configuration() -> None:
    config = TrainingConfig(epochs=3, optimizer="adam", learning_rate=0.02)
    run = train(mlp([2]), "xor", config, epochs=2)[0]
    assert run.member.config == config.replace(epochs=2)
    assert run.epochs == 2


@pytest.mark.parametrize(
    ("data", "outputs", "activation"),
    [
        ("xor", 1, "sigmoid"),
        (load("xor"), 1, "sigmoid"),
        (load("linear(n=9)").draw(3), 1, "sigmoid"),
        ((X, [0, 1, 1, 0, 1]), 1, "sigmoid"),
        ((X.tolist(), ["no", "yes", "yes", "no", "no"]), 1, "sigmoid"),
        ((X, [True, False, True, False, True]), 1, "sigmoid"),
        ((X, ["a", "b", "c", "a", "b"]), 3, "softmax"),
        ((X, [0.5, 1.5, 2.5, 3.25, 4.0]), 1, "identity"),
        ((X, np.arange(10.0).reshape(5, 2)), 2, "identity"),
        ((X.astype(np.float32), np.arange(5) * 0.3), 1, "identity"),
        ((X.astype(int), np.arange(5) * 0.3), 1, "identity"),
        ((X[:, 0], np.arange(5) * 0.3), 1, "identity"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str | int) else str(value),
)
def test_kinds_of_data(data: Any, outputs: int, activation: str) -> None:
    run = train(mlp([3]), data, epochs=2, batch_size=2)[0]
    network = run.member.network
    assert (network.output_shape, network.output_activation.name) == ((outputs,), activation)
    assert np.isfinite(run.final["loss"])


def test_one_sample() -> None:
    data = Dataset("one", np.array([[1.0, 2.0]]), np.array([1]), "binary", is_part=True)
    run = train(mlp([2]), data, epochs=200, learning_rate=3.0, loss="binary_cross_entropy", batch_size=1)[0]
    assert run.final["accuracy"] == 1.0
    assert run.final["loss"] < 0.01


def test_two_rows_split_into_one_each() -> None:
    data = Dataset("two", np.array([[1.0], [2.0]]), np.array([[0.0, 1.0], [1.0, 0.5]]), "regression", is_part=True)
    with pytest.raises(DataError, match="all have the same label"):
        train(mlp([1]), data, validation=0.5, epochs=1)


def test_one_feature_and_width_1() -> None:
    run = train(mlp([1], "tanh"), "curve(n=20)", epochs=5)[0]
    assert run.theta.shape == (4,)
    assert [layer["W"].shape for layer in run.params] == [(1, 1), (1, 1)]


def test_several_outputs_are_a_linear_fit() -> None:
    """A linear network on linear targets finds the least-squares solution."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(40, 3))
    targets = inputs @ rng.normal(size=(3, 2)) + [1.0, -2.0] + 0.1 * rng.normal(size=(40, 2))
    run = train(mlp([]), (inputs, targets), epochs=3000, learning_rate=0.3, log_every=3000)[0]
    solution = np.linalg.lstsq(np.c_[inputs, np.ones(40)], targets, rcond=None)[0]
    np.testing.assert_allclose(run.params[0]["W"], solution[:3], atol=1e-10)
    np.testing.assert_allclose(run.params[0]["b"], solution[3], atol=1e-10)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_digits_are_learnt(dtype: str) -> None:
    """1,797 real handwritten digits, a fifth of them never trained on."""
    settings: dict[str, Any] = {"loss": "softmax_cross_entropy", "optimizer": "adam", "learning_rate": 0.01}
    runs = train(
        mlp([32], "relu"), "digits", seeds=2, epochs=8, batch_size=32, test=0.2, stratify=True, dtype=dtype,
        metrics="f1", **settings,
    )  # fmt: skip
    for run in runs:
        assert run.final["test_accuracy"] > 0.93
        assert run.final["test_f1"] > 0.93
        assert run.final["loss"] < 0.15
    data = load("digits").draw(0)
    whole = accuracy_score(data.y, runs.predict(data.X, 0).argmax(axis=1))
    n = data.n
    parts = round(n * 0.8) * runs[0].final["accuracy"] + round(n * 0.2) * runs[0].final["test_accuracy"]
    assert whole == pytest.approx(parts / n, abs=1e-3)


def test_a_table_from_file_to_prediction(tmp_path: Path) -> None:
    """Numbers of wild scales and a word that decides: only standardised and encoded does this train."""
    rng = np.random.default_rng(2)
    income, size = rng.normal(50_000, 10_000, 120), rng.normal(1e-3, 2e-4, 120)
    kind = rng.choice(["round", "square"], 120)
    label = np.where((income - 50_000) / 10_000 + np.where(kind == "round", 2, -2) > 0, "buys", "leaves")
    lines = [f"{i},{s},{k},{w}" for i, s, k, w in zip(income, size, kind, label, strict=True)]
    (tmp_path / "shop.csv").write_text("\n".join(["income,size,kind,choice", *lines]))
    source = load(f"{tmp_path / 'shop.csv'}?target=choice")
    settings: dict[str, Any] = {"validation": 0.25, "learning_rate": 1.0, "loss": "binary_cross_entropy"}
    runs = train(mlp([4], "tanh"), source, epochs=200, seeds=2, log_every=50, **settings)
    assert min(run.final["validation_accuracy"] for run in runs) > 0.9
    assert runs[0].preprocessing != runs[1].preprocessing  # each fitted on its own training rows
    runs.save(tmp_path / "run")
    run = Runs.load(tmp_path / "run")[1]
    assert run.preprocessing is not None
    raw = source.draw(1).raw
    assert raw is not None
    outputs = run.predict(run.preprocessing.transform(raw))[:, 0]
    agreement = np.mean((outputs >= 0.5) == (label == "leaves"))
    rows = 90 * run.final["accuracy"] + 30 * run.final["validation_accuracy"]
    assert agreement == pytest.approx(rows / 120)


def test_a_held_out_set_is_the_validation_part() -> None:
    run = train(mlp([3]), "ellipse(n=60, held_out=25)", epochs=1)[0]
    held_out = load("ellipse(n=60, held_out=25)").draw(0).held_out
    assert held_out is not None
    assert run.final["validation_accuracy"] == accuracy_score(held_out.y, run.predict(held_out.X).argmax(axis=1))
    run = train(mlp([3]), "ellipse(n=60, held_out=25)", epochs=1, validation=0.2)[0]
    assert run.final["test_accuracy"] == accuracy_score(held_out.y, run.predict(held_out.X).argmax(axis=1))


def test_seeds_and_rates_may_be_iterators() -> None:
    runs = train(mlp([2]), "xor", epochs=0, seeds=iter([5, 3]), learning_rates=iter([0.1, 0.2]))
    assert [(run.seed, run.member.config.learning_rate) for run in runs] == [(5, 0.1), (3, 0.1), (5, 0.2), (3, 0.2)]
    members = (run.member for run in runs)
    assert len(train_members(members, "xor")) == 4


def test_members_of_any_settings_come_back_in_order() -> None:
    members = [
        Member(mlp([width]), TrainingConfig(epochs=epochs, optimizer=optimizer), seed)
        for seed in (3, 1)
        for epochs in (2, 0)
        for width in (4, 2)
        for optimizer in ("adam", "sgd")
    ]
    runs = train_members(members, "linear(n=12)")
    for member, run in zip(members, runs, strict=True):
        assert (run.member.config, run.seed) == (member.config, member.seed)
        assert run.member.network == member.network.bind(2, 1, "sigmoid")
    assert runs.source == "linear(n=12)"


def test_threads_and_memory_change_no_result() -> None:
    some = train(mlp([3]), "moons(n=30)", seeds=4, epochs=5, batch_size=4)
    for given in ({"threads": 1}, {"threads": 3, "memory": "64 KiB"}, {"memory": 10**9}):
        again = train(mlp([3]), "moons(n=30)", seeds=4, epochs=5, batch_size=4, **given)
        assert [run.theta.tobytes() for run in again] == [run.theta.tobytes() for run in some]


def test_an_interrupted_engine_ends_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine may be interrupted with some members missing anywhere; places are kept."""
    members = [Member(mlp([width]), TrainingConfig(epochs=1), seed) for seed in range(3) for width in (2, 3)]
    whole = train_members(members, "xor", engine="reference")
    train_all = ReferenceEngine.train

    def some(self: Any, cohort: Any, progress: Any = None) -> Trained:
        runs = train_all(self, cohort, progress).runs
        wide = cohort.network.layers[0].units == 3
        return Trained({2: runs[2], 0: runs[0]} if wide else runs, interrupted=wide)

    monkeypatch.setattr(ReferenceEngine, "train", some)
    runs = train_members(members, "xor", engine="reference")
    assert runs.interrupted
    assert [run.member for run in runs] == [whole[k].member for k in (0, 1, 2, 4, 5)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": None}, "network must be a Network such as mlp([4, 4], 'sigmoid'), got None"),
        ({"network": [4, 4]}, "network must be a Network"),
        ({"config": {"epochs": 3}}, "config must be a TrainingConfig, got {'epochs': 3}: give its fields by name"),
        ({"config": 0}, "config must be a TrainingConfig, got 0"),
        ({"epoch": 3}, "unknown training setting 'epoch'; did you mean 'epochs'?"),
        ({"seeds": 0}, "seeds must be a count from 1"),
        ({"learning_rates": []}, "learning_rates is empty"),
        ({"learning_rates": 0.1}, "learning_rates must be a list of numbers, got 0.1"),
        ({"learning_rates": "0.1"}, "learning_rates must be a list of numbers, got '0.1'"),
        ({"learning_rates": [0.1, -1]}, "learning_rate must be a number in (0, 1e+300), got -1"),
        ({"learning_rates": [0.1, 0.1]}, "a learning rate is given twice"),
        ({"engine": "gpu"}, "unknown engine 'gpu' (known: auto, gemm, lanes, reference)"),
        ({"engine": None}, "unknown engine 'None'"),
        ({"threads": 0}, "threads must be a whole number from 1 to 1,024, got 0"),
        ({"threads": 2.0}, "threads must be a whole number from 1 to 1,024, got 2.0"),
        ({"threads": 5000, "dataset": "xorr"}, "threads must be"),
        ({"memory": "2 parsec"}, "unknown unit of memory 'parsec'"),
        ({"memory": 3}, "memory must be from 64 KiB to 1 EiB, or with a unit such as 2 GiB, got 3"),
        ({"progress": 3}, "progress must be callable, got 3"),
        ({"dataset": "xorr"}, "unknown data set 'xorr'; did you mean 'xor'?"),
        ({"dataset": None}, "data must be a name, a Dataset or a pair (X, y), got None"),
        ({"dataset": [X, [0, 1, 1, 0, 1]]}, "data must be a name, a Dataset or a pair (X, y)"),
        ({"dataset": (X,)}, "data must be a name"),
        ({"dataset": (X, [0, 1, 1, 0])}, "does not fit X of shape (5, 2)"),
        ({"dataset": (X, [0.5, 0.5, 0.5, 0.5, 0.5])}, "all 5 labels are 0.5"),
        ({"dataset": (X, [0.0, 1.0, float("nan"), 0.0, 1.0])}, "y[2] is not a finite number"),
        ({"dataset": (X, [0.0, float("nan"), 0.0, 0.0, 0.0])}, "y[1] is not a finite number"),
        ({"dataset": (np.where(X == 0.2, np.inf, X), [0, 1, 1, 0, 1])}, "X[4, 1] is inf"),
        ({"dataset": (X * 1j, [0, 1, 1, 0, 1])}, "X holds complex numbers"),
        ({"dataset": ([[1, 2], [3]], [0, 1])}, "X and y must be rectangular arrays of numbers"),
        ({"dataset": (X, [{}, [], 1, 2, 3])}, "X and y must be rectangular arrays of numbers"),
        ({"dataset": (X, None)}, "does not fit X"),
        ({"dataset": (np.zeros((0, 2)), [])}, "at least one sample"),
        ({"dataset": (np.zeros((2, 2, 2)), [0, 1])}, "X must have shape (samples, features), got (2, 2, 2)"),
        ({"dataset": ([["a"], ["b"]], [0, 1])}, "X must be numbers"),
        ({"loss": "softmax_cross_entropy"}, "needs probabilities"),
    ],
)
def test_what_cannot_work_is_one_line(arguments: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"network": mlp([2]), "dataset": "xor", "epochs": 1} | arguments
    with pytest.raises((ConfigError, DataError, ShapeError)) as error:
        train(**given)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("members", [[], [3], [None], [mlp([2])]])
def test_members_that_are_none(members: Any) -> None:
    with pytest.raises(ConfigError, match=r"no members to train|members must be a list of Member"):
        train_members(members, "xor")


def test_sources() -> None:
    assert as_source("xor").spec == "xor"
    data = load("xor").draw(0)
    assert as_source(data).draw(5) is data
    source = FixedSource(data)
    assert as_source(source) is source
    assert as_source((X, [0, 1, 1, 0, 1])).spec == "arrays"
