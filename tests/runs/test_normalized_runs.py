"""Networks that standardise their pre-activations predict with the training part's statistics, written out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import Dataset, Run, Runs, mlp, train
from chainrule.data import Split, load, split
from chainrule.errors import RunError
from chainrule.nn import Network, Standardize, fix_statistics
from chainrule.random import stream
from chainrule.run_store import FILE_NAME

DATA = "moons(n=120)"
SETTINGS: dict[str, Any] = {
    "optimizer": "adam", "learning_rate": 0.05, "epochs": 30, "batch_size": 16, "validation": 0.25, "test": 0.1
}  # fmt: skip


@pytest.fixture(scope="module")
def runs() -> Runs:
    network = mlp([5, 3], "tanh", normalize=True, dropout=0.1)
    parts = [train(network, DATA, seeds=3, dtype=dtype, **SETTINGS) for dtype in ("float64", "float32")]
    return Runs(tuple(run for part in parts for run in part), DATA)


def parts_of(run: Run) -> Split:
    return split(load(DATA).draw(run.seed), run.seed, 0.25, 0.1)


def by_hand(run: Run, X: Any) -> Any:
    """The forward pass of 2 - 5 - 3 - 1, standardised as the training rows are, in float64."""
    train_X = parts_of(run).train.X
    for layer in (0, 3):  # dense, standardize, dropout, dense, standardize, dropout, dense
        W, b = (run.member.network.unpack(run.theta.astype(np.float64))[layer][key] for key in ("W", "b"))
        Z, train_Z = X @ W + b, train_X @ W + b
        mean, scale = train_Z.mean(axis=0), np.sqrt(train_Z.var(axis=0) + 1e-5)
        X, train_X = np.tanh((Z - mean) / scale), np.tanh((train_Z - mean) / scale)
    last = run.params[6]
    return 1 / (1 + np.exp(-(X @ last["W"] + last["b"])))


def test_predictions_are_those_of_the_training_statistics(runs: Runs) -> None:
    X = np.random.default_rng(1).normal(size=(9, 2))
    for run in runs:
        rtol = 1e-10 if run.theta.dtype == np.float64 else 1e-3
        np.testing.assert_allclose(run.predict(X), by_hand(run, X), rtol=rtol)


def test_a_prediction_does_not_depend_on_its_neighbours(runs: Runs) -> None:
    X = np.array([[0.1, 0.9], [0.9, 0.1], [2.0, -1.0]])
    together = runs.predict(X)
    alone = np.concatenate([runs.predict(X[k : k + 1]) for k in range(3)], axis=1)
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    assert (np.ptp(together[:3], axis=1) > 0.3).all()  # they differ, as they would not if each were its own batch


def test_final_values_of_held_out_parts_use_them_too(runs: Runs) -> None:
    for run in runs[:3]:
        parts = parts_of(run)
        for name, prefix in (("train", ""), ("validation", "validation_"), ("test", "test_")):
            dataset: Dataset = getattr(parts, name)
            error = np.mean((by_hand(run, dataset.X) - dataset.Y) ** 2)
            assert run.final[f"{prefix}loss"] == pytest.approx(float(error), rel=1e-9)
        assert run.history["validation_loss"][-1] == pytest.approx(run.final["validation_loss"], rel=1e-12)


def test_the_statistics_are_saved(runs: Runs, tmp_path: Path) -> None:
    plain = train(mlp([4]), "xor", epochs=2)  # a network without them, in the same table
    loaded = Runs.load(Runs((*runs, *plain)).save(tmp_path))
    X = np.random.default_rng(2).normal(size=(4, 2))
    for before, after in zip((*runs, *plain), loaded, strict=True):
        assert before.predict(X).tobytes() == after.predict(X).tobytes()
        assert before.predict(X).dtype == after.predict(X).dtype
    assert loaded[6].normalization is None


def test_each_member_keeps_its_own(runs: Runs) -> None:
    alone = train(mlp([5, 3], "tanh", normalize=True, dropout=0.1), DATA, seeds=[1], **SETTINGS)[0]
    assert alone.normalization is not None
    assert runs[1].normalization is not None
    for one, other in zip(alone.normalization, runs[1].normalization, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            assert one[key].tobytes() == other[key].tobytes()


def test_inputs_that_all_members_share() -> None:
    X = np.array([[1.0, 10.0], [3.0, 30.0], [5.0, -10.0], [7.0, 2.0]])
    network = Network((Standardize(), *mlp([3]).layers))
    run = train(network, (X, [0, 1, 0, 1]), seeds=2, epochs=3)[1]
    assert run.normalization is not None
    np.testing.assert_allclose(run.normalization[0]["mean"], [4.0, 8.0])
    np.testing.assert_allclose(run.normalization[0]["scale"], np.sqrt(X.var(axis=0) + 1e-5))


def test_fixed_statistics_differentiate_as_a_constant_scale() -> None:
    layer = Standardize("tanh")
    A = np.random.default_rng(0).normal(2, 3, (6, 4))
    network = Network((layer, *mlp([], units=1, output="identity").layers)).bind(4, 1)
    params = network.init(stream(0, "init"))
    fixed = fix_statistics(params, network.forward(params, A))[0]
    point, direction, h = A[:2], np.random.default_rng(1).normal(size=(2, 4)), 1e-6
    record = layer.forward(fixed, point)
    np.testing.assert_allclose(record.Z, ((A - A.mean(axis=0)) / np.sqrt(A.var(axis=0) + 1e-5))[:2], rtol=1e-12)
    slope = layer.input_gradient(fixed, record, layer.delta(record, direction))
    for i, j in np.ndindex(2, 4):
        step = np.zeros((2, 4))
        step[i, j] = h
        up, down = (layer.forward(fixed, point + sign * step).A for sign in (1, -1))
        assert slope[i, j] == pytest.approx(float(np.sum(direction * (up - down))) / (2 * h), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("damage", ["shape", "name", "missing"])
def test_damage_is_refused(runs: Runs, tmp_path: Path, damage: str) -> None:
    run = runs[0]
    assert run.normalization is not None
    own = run.normalization[1]
    changed = {
        "shape": {**own, "mean": own["mean"][:-1]},
        "name": {**own, "mode": own["mean"]},
        "missing": {"mean": own["mean"]},
    }[damage]
    other = replace(run, normalization=(run.normalization[0], changed, *run.normalization[2:]))
    Runs((other,)).save(tmp_path)
    with pytest.raises(RunError, match=f"{FILE_NAME} is damaged or no saved run"):
        Runs.load(tmp_path)
