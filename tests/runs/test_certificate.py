"""Certificates: sound runs pass to the last bit, and every kind of tampering is named."""

from __future__ import annotations

import dataclasses
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import Certificate, Member, Run, Runs, TrainingConfig, certify, load, mlp, train, train_members
from chainrule.certificate import CERTIFIED_TOLERANCE, compare
from chainrule.engines import ProgressEvent
from chainrule.errors import ConfigError, DataError
from chainrule.runs import Divergence


@pytest.fixture(scope="module")
def population() -> Runs:
    """Members of several settings, with windows, stopping rules and a divergence."""
    base = TrainingConfig(epochs=30, window=3, validation=0.2, batch_size=4)
    members = [
        Member(mlp([3], "tanh"), base, 4),
        Member(mlp([5, 2], normalize=True), base.replace(optimizer="adam"), 1),
        Member(mlp([3], "tanh"), base.replace(learning_rate=0.7), 0),
        Member(mlp([3], "relu", output="identity"), base.replace(learning_rate=1e30, dtype="float32"), 2),
        Member(mlp([4]), base.replace(stopping="patience(3)"), 9),
        Member(mlp([3], dropout=0.3), base.replace(stopping="loss_below(9, times=2)"), 8),
    ]
    runs = train_members(members, "moons(n=40)", threads=1)
    assert {run.stop_reason for run in runs} == {"epochs", "diverged", "patience", "loss_below"}
    return runs


@pytest.mark.parametrize("place", range(6))
def test_every_member_alone_is_the_same(population: Runs, place: int) -> None:
    certificate = population.certify(place)
    run = population[place]
    assert (certificate.identical, certificate.holds, certificate.differing) == (True, True, ())
    assert certificate == certify(population, place - 6)
    assert (certificate.place, certificate.seed, certificate.engine) == (place, run.seed, run.engine)
    assert (certificate.largest_difference, certificate.tolerance) == (0.0, CERTIFIED_TOLERANCE[run.engine])
    assert (certificate.weights, certificate.rows) == (run.theta.size, len(run.history["epoch"]))
    assert certificate.epochs == run.epochs
    assert str(certificate).startswith(f"seed {run.seed} trained again alone by the {run.engine} engine is identical")
    assert len(str(certificate).splitlines()) == 1


def test_the_docstrings_sentence() -> None:
    runs = train(mlp([4]), "xor", seeds=9, epochs=10, engine="reference")
    assert str(certify(runs, 5)) == (
        "seed 5 trained again alone by the reference engine is identical to the last bit: "
        "17 weights, 11 rows of history, 10 epochs"
    )


# -- tampering -----------------------------------------------------------------------------------------------


def nudged(array: np.ndarray[Any, Any], place: int = 0) -> np.ndarray[Any, Any]:
    """Return an array with one number moved to its neighbour."""
    array = array.copy()
    array[place] = np.nextafter(array[place], np.array(9, array.dtype))
    return array


def other(run: Run, field: str, name: str, value: float | None = None) -> Run:
    """Return a run with one array of a group nudged, or one number changed."""
    group = dict(getattr(run, field))
    group[name] = nudged(group[name], 1) if value is None else value
    changes: dict[str, Any] = {field: group}
    return dataclasses.replace(run, **changes)


TAMPERED: dict[str, Callable[[Run], Run]] = {
    "weights": lambda run: dataclasses.replace(run, theta=nudged(run.theta, 5)),
    "final validation_loss": lambda run: other(run, "final", "validation_loss", run.final["validation_loss"] + 1e-15),
    "history of loss": lambda run: other(run, "history", "loss"),
    "windows of learning_rate": lambda run: other(run, "windows", "learning_rate"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_the_last_bit_is_seen(population: Runs, what: str) -> None:
    runs = dataclasses.replace(population, runs=(TAMPERED[what](population[0]), *population[1:]))
    certificate = runs.certify(0)
    assert (certificate.identical, certificate.holds, certificate.differing) == (False, False, (what,))
    assert 0 < certificate.largest_difference < 1e-14
    assert f"differs in {what}; largest difference" in str(certificate)
    assert str(certificate).endswith("(none is allowed)")
    assert runs.certify(1).identical  # the others are as they were


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"epochs": 29}, "epochs"),
        ({"stop_reason": "target"}, "stop reason"),
        ({"converged": True}, "convergence"),
        ({"divergence": Divergence(3, "loss", "loss", "made up")}, "divergence"),
    ],
)
def test_another_outcome_is_seen(population: Runs, change: dict[str, Any], what: str) -> None:
    certificate = dataclasses.replace(population, runs=(dataclasses.replace(population[0], **change),)).certify(0)
    assert (certificate.identical, certificate.differing) == (False, (what,))
    assert certificate.largest_difference == math.inf


def test_numbers_that_are_missing_or_not_finite_are_seen(population: Runs) -> None:
    run = population[1]
    assert run.normalization is not None
    normalization = tuple({name: array + 0.5 for name, array in layer.items()} for layer in run.normalization)
    for changed, what, difference in (
        (other(run, "final", "loss", math.nan), "final loss", math.inf),
        (dataclasses.replace(run, final={"loss": run.final["loss"]}), "final accuracy", math.inf),
        (dataclasses.replace(run, windows={}), "windows of loss", math.inf),
        (dataclasses.replace(run, theta=run.theta[:-1]), "weights", math.inf),
        (dataclasses.replace(run, theta=run.theta.astype(np.float32)), "weights", 1e-6),
        (dataclasses.replace(run, normalization=normalization), "normalization of layer 1 (mean)", 0.5 + 1e-9),
    ):
        certificate = compare(1, changed, run)
        assert what in certificate.differing
        assert certificate.largest_difference <= difference
        assert not certificate.holds


def test_signs_of_zero_differ_and_nan_does_not(population: Runs) -> None:
    run = dataclasses.replace(population[0], theta=np.array([0.0, np.nan, np.inf]))
    assert compare(0, run, dataclasses.replace(run, theta=np.array([0.0, -np.nan, np.inf]))).identical
    signed = compare(0, run, dataclasses.replace(run, theta=np.array([-0.0, np.nan, np.inf])))
    assert (signed.identical, signed.holds, signed.differing) == (False, False, ("weights",))
    infinite = compare(0, run, dataclasses.replace(run, theta=np.array([0.0, np.nan, -np.inf])))
    assert infinite.largest_difference == math.inf


def test_an_engine_with_a_tolerance() -> None:
    certificate = Certificate(2, 7, "wide", False, 1e-9, 1e-6, ("weights",), 10, 3, 2)
    assert certificate.holds
    assert str(certificate) == (
        "seed 7 trained again alone by the wide engine differs in weights; largest difference 1e-09 "
        "(up to 1e-06 is allowed, so this is in order)"
    )
    assert not dataclasses.replace(certificate, largest_difference=1e-5).holds
    assert not dataclasses.replace(certificate, largest_difference=math.inf).holds


# -- where the data come from -----------------------------------------------------------------------------------


def test_slices_certify_too(population: Runs) -> None:
    assert population[2:4].certify(0).seed == 0
    assert population.where(lambda run: run.stop_reason == "diverged").certify(-1).seed == 2
    assert population[::-1].certify(0).place == 0


def test_arrays_are_remembered_until_saved(tmp_path: Path) -> None:
    X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    runs = train(mlp([3]), (X, y), seeds=3, epochs=5)
    assert runs.certify(2).identical
    runs.save(tmp_path)
    loaded = Runs.load(tmp_path)
    with pytest.raises(ConfigError, match=r"do not hold the data .* use chainrule.certify\(runs, k, dataset\)"):
        loaded.certify(2)
    with pytest.raises(ConfigError, match=r"the data 'arrays' cannot be loaded by that name: give them, certify\("):
        certify(loaded, 2)
    assert certify(loaded, 2, (X, y)).identical
    with pytest.raises(DataError, match=r"these are not the data that run 2 \(seed 2\) was trained on: their finger"):
        certify(loaded, 2, (X + 1e-9, y))


def test_loaded_runs_load_their_data_by_name(population: Runs, tmp_path: Path) -> None:
    population.save(tmp_path)
    loaded = Runs.load(tmp_path)
    for place in range(len(loaded)):
        assert certify(loaded, place) == population.certify(place)
    with pytest.raises(DataError, match="not the data"):
        certify(loaded, 0, "moons(n=41)")


def test_runs_from_another_process(population: Runs) -> None:
    sent = pickle.loads(pickle.dumps(population))
    assert sent.retrain is None
    assert certify(sent, 1) == population.certify(1)


def test_a_table_that_changed(tmp_path: Path) -> None:
    table = tmp_path / "small.csv"
    table.write_text("a,b\n" + "".join(f"{k},{k % 2}\n" for k in range(20)))
    runs = train(mlp([2]), load(f"{table}?target=b"), epochs=3, validation=0.25)
    runs.save(tmp_path / "run")
    assert certify(Runs.load(tmp_path / "run"), 0).identical
    table.write_text("a,b\n" + "".join(f"{k * k},{k % 2}\n" for k in range(20)))
    with pytest.raises(DataError, match="not the data"):
        certify(Runs.load(tmp_path / "run"), 0)


# -- what cannot be certified -------------------------------------------------------------------------------------


def test_an_interrupted_run() -> None:
    def press(event: ProgressEvent) -> None:
        if event.epoch >= 4:
            raise KeyboardInterrupt

    runs = train(mlp([3]), "xor", epochs=9, log_every=4, progress=press, engine="reference")
    message = r"run 0 \(seed 0\) was interrupted after 4 epochs: only a run that ended by itself can be certified"
    attempts: list[Callable[[], Certificate]] = [
        lambda: runs.certify(0),
        lambda: certify(runs, 0),
        lambda: certify(runs, 0, "xor"),
    ]
    for attempt in attempts:
        with pytest.raises(ConfigError, match=message):
            attempt()


def test_ctrl_c_while_the_member_is_trained_again(population: Runs) -> None:
    def press(members: Any, engine: str) -> Runs:
        return dataclasses.replace(population, interrupted=True)

    with pytest.raises(KeyboardInterrupt):
        dataclasses.replace(population, retrain=press).certify(0)


@pytest.mark.parametrize("k", [6, -7, 1.0, "0", None, True])
def test_no_such_run(population: Runs, k: Any) -> None:
    message = r"^no run .*: there are 6, from 0 to 5$"
    with pytest.raises(ConfigError, match=message):
        population.certify(k)
    with pytest.raises(ConfigError, match=message):
        certify(population, k)


def test_no_runs_at_all(population: Runs) -> None:
    with pytest.raises(ConfigError, match=r"^no run 0: there are none$"):
        population[:0].certify(0)
    with pytest.raises(ConfigError, match="runs must be a Runs table, got 3"):
        certify(3, 0)  # type: ignore[arg-type]


def test_threads_and_memory_are_checked_before_anything_else(population: Runs) -> None:
    with pytest.raises(ConfigError, match="threads must be"):
        certify(population, 0, threads=0)
    with pytest.raises(ConfigError, match="memory must be"):
        certify(population, 0, memory="none")


def test_the_data_are_not_written_out(population: Runs) -> None:
    assert population.retrain is not None
    assert "retrain" not in repr(population[:0])
