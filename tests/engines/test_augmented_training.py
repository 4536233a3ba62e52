"""Augmentation in the compiled engines: agreement with the reference, and that nothing around a member changes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import Dataset, Member, Network, Run, Runs, TrainingConfig, load, mlp, train, train_members
from chainrule.engines import ProgressEvent
from chainrule.engines.compiled import bundle_training, bundles
from chainrule.nn import parse_layers

Same = Callable[[Run, Run], None]
COMPILED = ["lanes", "gemm"]
DATA = load("digits").draw(0).take(np.arange(40))
CONV = parse_layers("conv 4 3 tanh, pool 2, dense 6 tanh")
NETWORKS = {"dense": mlp([5], "tanh"), "wide": mlp([70, 20], "tanh"), "conv": CONV}
AUGMENTS = {
    "shift": ("shift(2)",), "rotate": ("rotate(20)",), "noise": ("noise(0.2)",),
    "all": ("shift(1)", "noise(0.1)", "rotate(10)"),
}  # fmt: skip
TOLERANCE = {"float64": 1e-10, "float32": 2e-4}


def agree(reference: Runs, other: Runs, tolerance: float) -> None:
    """Compare ends, weights, histories and windows."""
    for a, b in zip(reference, other, strict=True):
        assert (a.stop_reason, a.epochs, a.converged) == (b.stop_reason, b.epochs, b.converged)
        assert np.max(np.abs(a.theta - b.theta)) <= tolerance * max(1.0, float(np.max(np.abs(a.theta))))
        assert list(a.history) == list(b.history)
        for name in a.history:
            scale = 0.1 if "accuracy" in name else 0.0  # one sample on the boundary may fall to either side
            np.testing.assert_allclose(b.history[name], a.history[name], rtol=10 * tolerance, atol=tolerance + scale)
        for name in a.windows:
            np.testing.assert_allclose(b.windows[name], a.windows[name], rtol=10 * tolerance, atol=tolerance)


def by_all(network: Network, tolerance: float, data: Any = DATA, **settings: Any) -> Runs:
    """Train with every engine, compare, and return what the lanes engine made."""
    settings = {"loss": "softmax_cross_entropy", "learning_rate": 0.05, "seeds": 3, **settings}
    wanted = train(network, data, engine="reference", **settings)
    lanes, gemm = (train(network, data, engine=engine, **settings) for engine in COMPILED)
    agree(wanted, lanes, tolerance)
    for one, other in zip(lanes, gemm, strict=True):
        assert one.theta.tobytes() == other.theta.tobytes()
        for name in one.history:
            np.testing.assert_array_equal(one.history[name], other.history[name])
    return lanes


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("augment", AUGMENTS)
@pytest.mark.parametrize("batch", [1, 16, "full"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_200_steps(network: str, augment: str, batch: int | str, dtype: str) -> None:
    steps = {1: 40, 16: 3, "full": 1}[batch]
    epochs = -(-200 // steps)
    settings: dict[str, Any] = {"batch_size": batch, "epochs": epochs, "log_every": 20, "dtype": dtype}
    lanes = by_all(NETWORKS[network], TOLERANCE[dtype], augment=AUGMENTS[augment], **settings)
    plain = train(NETWORKS[network], DATA, engine="lanes", loss="softmax_cross_entropy", seeds=3, **settings)
    assert not np.array_equal(lanes[0].theta, plain[0].theta)


@pytest.mark.parametrize("batch", [7, "full"])
@pytest.mark.parametrize("network", ["dense", "conv"])
@pytest.mark.parametrize(
    "settings",
    [
        {"shuffle": False}, {"validation": 0.25, "window": 3}, {"validation": 0.3, "stopping": ("patience(3)",)},
        {"stopping": ("loss_below(1.9)", "target(0.8)")}, {"class_weight": "balanced", "optimizer": "adam"},
        {"schedule": "loss_ratio(4)", "window": 5}, {"schedule": "cosine", "log_every": 9},
        {"clip_norm": 0.5, "clip_value": 0.1}, {"metrics": ("f1",), "validation": 0.2, "test": 0.2},
    ],
)  # fmt: skip
def test_what_else_a_configuration_may_ask(network: str, batch: int | str, settings: dict[str, Any]) -> None:
    more = {"epochs": 30, "learning_rate": 0.02, "batch_size": batch, **settings}
    by_all(NETWORKS[network], 1e-10, augment=("shift(1)", "noise(0.1)"), **more)


@pytest.mark.parametrize("batch", [4, "full"])
def test_sample_weights_and_members_with_data_of_their_own(batch: int | str) -> None:
    weights = np.linspace(0.1, 2.0, 40)
    weighted = Dataset.from_arrays(DATA.X, DATA.y, image_shape=(8, 8), sample_weight=weights)
    by_all(CONV, 1e-10, weighted, augment="rotate(20)", batch_size=batch, epochs=20)
    own = {"loss": "binary_cross_entropy", "augment": "noise(0.3)", "validation": 0.25}
    by_all(mlp([4], "tanh"), 1e-10, "moons(n=30)", batch_size=batch, epochs=60, **own)


def test_steps_see_augmented_samples_and_reports_do_not() -> None:
    """Strong noise: the mean step loss is that of noisy samples, the loss that of the samples as they are."""
    lanes = by_all(NETWORKS["dense"], 1e-10, augment="noise(30)", batch_size="full", epochs=5)
    plain = train(NETWORKS["dense"], DATA, engine="lanes", loss="softmax_cross_entropy", epochs=0, seeds=3)
    for run, other in zip(lanes, plain, strict=True):
        assert run.history["loss"][0] == other.history["loss"][0]
        assert abs(run.history["running_loss"][1] - run.history["loss"][0]) > 0.05


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch", [16, "full"])
def test_samples_that_overflow_end_a_member_as_in_the_reference(dtype: str, batch: int | str) -> None:
    """Noise beyond the largest float32 makes step losses NaN; in float64 it fits."""
    settings: dict[str, Any] = {
        "loss": "softmax_cross_entropy", "augment": "noise(1e39)", "batch_size": batch, "epochs": 3, "dtype": dtype,
    }  # fmt: skip
    wanted = train(NETWORKS["dense"], DATA, engine="reference", seeds=3, **settings)
    for engine in COMPILED:
        for a, b in zip(
            wanted, train(NETWORKS["dense"], DATA, engine=engine, seeds=3, threads=2, **settings), strict=True
        ):
            assert (a.stop_reason, a.epochs) == (b.stop_reason, b.epochs)
            assert (a.stop_reason == "diverged") == (dtype == "float32")


def company() -> list[Member]:
    """Members of several augmentations, seeds, widths and rates that may share blocks; some stop early."""
    config = TrainingConfig(
        loss="softmax_cross_entropy",
        epochs=25,
        batch_size=9,
        log_every=4,
        stopping=("loss_below(2.1)",),
        validation=0.2,
    )
    return [
        Member(network, config.replace(augment=augment, learning_rate=rate), seed)
        for augment in (("shift(1)",), ("noise(0.2)", "rotate(5)"), ())
        for network in (mlp([3], "tanh"), mlp([6], "tanh"), CONV)
        for rate in (0.01, 0.1)
        for seed in range(4)
    ]


@pytest.fixture(scope="module", params=COMPILED)
def calm(request: pytest.FixtureRequest) -> tuple[str, list[Run]]:
    """The company trained in one thread, with nothing unusual."""
    return request.param, list(train_members(company(), DATA, engine=request.param, threads=1))


def test_the_company_is_mixed(calm: tuple[str, list[Run]]) -> None:
    assert {run.stop_reason for run in calm[1]} == {"loss_below", "epochs"}
    assert len({run.epochs for run in calm[1]}) > 5
    assert {run.engine for run in calm[1]} == {calm[0]}


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads(same_run: Same, calm: tuple[str, list[Run]], threads: int) -> None:
    for run, other in zip(train_members(company(), DATA, engine=calm[0], threads=threads), calm[1], strict=True):
        same_run(run, other)


@pytest.mark.parametrize("most", [1, 7])
def test_chunks(same_run: Same, calm: tuple[str, list[Run]], monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(bundles, "MOST_MEMBERS", most)
    for run, other in zip(train_members(company(), DATA, engine=calm[0]), calm[1], strict=True):
        same_run(run, other)


@pytest.mark.parametrize("room", [1, 10**5])
def test_samples_that_do_not_fit_into_a_stretch(
    same_run: Same, calm: tuple[str, list[Run]], monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Then a stretch is an epoch, or a few; with plenty of memory all epochs may be one."""
    monkeypatch.setattr(bundle_training, "STRETCH_BYTES", room)
    for run, other in zip(train_members(company(), DATA, engine=calm[0]), calm[1], strict=True):
        same_run(run, other)


def test_certificates(calm: tuple[str, list[Run]]) -> None:
    runs = train_members(company(), DATA, engine=calm[0], threads=2)
    for k in (0, 13, 35, 70):
        assert runs.certify(k).holds


@pytest.mark.parametrize("engine", COMPILED)
@pytest.mark.parametrize("network", ["wide", "conv"])
def test_several_threads_of_one_member(same_run: Same, engine: str, network: str) -> None:
    settings: dict[str, Any] = {
        "loss": "softmax_cross_entropy", "augment": ("shift(2)", "noise(0.1)"), "epochs": 6, "seeds": 1,
        "engine": engine, "dtype": "float32",
    }  # fmt: skip
    for batch in (32, "full"):
        one, two = (train(NETWORKS[network], DATA, threads=t, batch_size=batch, **settings) for t in (1, 2))
        same_run(one[0], two[0])


@pytest.mark.parametrize("engine", COMPILED)
def test_an_interrupt(engine: str) -> None:
    """Those under way come back as they are; a whole run's weights are those of as many epochs."""
    settings: dict[str, Any] = {
        "loss": "softmax_cross_entropy", "augment": "rotate(10)", "batch_size": 8, "engine": engine, "seeds": 5,
    }  # fmt: skip

    def stop(event: ProgressEvent) -> None:
        if event.epoch >= 3:
            raise KeyboardInterrupt

    runs = train(NETWORKS["dense"], DATA, epochs=10**5, progress=stop, log_every=1, **settings)
    assert runs.interrupted
    assert {run.stop_reason for run in runs} == {"interrupted"}
    epochs = runs[0].epochs
    whole = train(NETWORKS["dense"], DATA, epochs=max(epochs, 1), log_every=1, **settings)
    if epochs:
        np.testing.assert_array_equal(whole[0].history["loss"][: epochs - 1], runs[0].history["loss"][: epochs - 1])


def test_auto_chooses_as_without_augmentation() -> None:
    for network in NETWORKS.values():
        for seeds in (1, 8):
            settings: dict[str, Any] = {"loss": "softmax_cross_entropy", "epochs": 1, "batch_size": 16, "seeds": seeds}
            plain = train(network, DATA, **settings)
            changed = train(network, DATA, augment="shift(1)", **settings)
            assert [run.engine for run in changed] == [run.engine for run in plain] != ["reference"] * seeds
            assert changed[0].engine_reason == plain[0].engine_reason
