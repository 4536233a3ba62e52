"""The defining test: member k of a population equals the same member trained alone, to the last bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from chainrule import Dataset, Member, Run, Runs, TrainingConfig, mlp, train, train_members
from chainrule.data import FixedSource, load
from chainrule.engines import reference
from chainrule.nn import Network
from chainrule.optim import OPTIMIZERS

pytestmark = pytest.mark.usefixtures("every_engine")

Same = Callable[[Run, Run], None]
RATES = (0.03, 0.5, 2.0)
SCHEDULES = (
    "constant",
    "step(2, 0.5)",
    "exponential(0.9)",
    "cosine(0.1)",
    "self_multiplying(3)",
    "loss_ratio(4)",
    "warmup(3)",
    "warmup(2, then='loss_ratio(3)')",
)


def check(
    same_run: Same,
    network: Network,
    data: Any,
    seeds: int | Sequence[int] = 3,
    rates: Sequence[float] = RATES,
    **settings: Any,
) -> Runs:
    """Train a population, and each of its members alone, and compare them."""
    config = TrainingConfig(**({"epochs": 7} | settings))
    runs = train(network, data, config, seeds, learning_rates=rates)
    numbers = range(seeds) if isinstance(seeds, int) else seeds
    members = [Member(network, config.replace(learning_rate=rate), seed) for rate in rates for seed in numbers]
    assert len(runs) == len(members)
    for run, member in zip(runs, members, strict=True):
        assert (run.seed, run.member.config) == (member.seed, member.config)
        same_run(run, train_members([member], data)[0])
    return runs


def weighted_points(n: int = 30) -> FixedSource:
    """Points with weights, some of them 0."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(n, 3))
    data = Dataset("weighted", X, (X.sum(axis=1) > 0).astype(int), "binary", sample_weight=rng.integers(0, 4, n) * 1.0)
    return FixedSource(data)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", ["full", 5, 1])
@pytest.mark.parametrize("data", ["xor", "linear(n=23)", "curve(n=19)", "gaussians(n=20)"])
def test_data_batches_and_dtypes(same_run: Same, data: str, batch_size: int | str, dtype: str) -> None:
    check(same_run, mlp([4, 3], "tanh"), data, batch_size=batch_size, dtype=dtype, epochs=4)


@pytest.mark.parametrize("batch_size", ["full", 4])
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_every_optimizer(same_run: Same, optimizer: str, batch_size: int | str) -> None:
    check(same_run, mlp([4], "sigmoid"), "linear(n=14)", optimizer=optimizer, batch_size=batch_size)


@pytest.mark.parametrize("batch_size", ["full", 4])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule(same_run: Same, schedule: str, batch_size: int | str) -> None:
    check(same_run, mlp([4], "sigmoid"), "xor", schedule=schedule, batch_size=batch_size, window=3)


@pytest.mark.parametrize(
    "settings",
    [
        {"shuffle": False, "batch_size": 4},
        {"validation": 0.3, "test": 0.2, "batch_size": 3},
        {"validation": 0.3, "stratify": True},
        {"class_weight": "balanced", "batch_size": 4},
        {"clip_norm": 0.05, "batch_size": 4},
        {"clip_value": 0.01},
        {"metrics": ("tolerance_accuracy(0.2)", "r2", "brier", "f1"), "log_every": 3},
        {"window": 2, "batch_size": 5, "optimizer": "adam"},
        {"loss": "mse(reduction=sum)", "batch_size": 10},
        {"loss": "bce_eps_in_divisions"},
        {"loss": "binary_cross_entropy(scale=2)", "validation": 0.25},
    ],
    ids=lambda settings: "-".join(settings),
)
@pytest.mark.parametrize("data", ["xor", "linear(n=24)"])
def test_every_setting(same_run: Same, data: str, settings: dict[str, Any]) -> None:
    check(same_run, mlp([3, 3], "sigmoid"), data, **settings)


@pytest.mark.parametrize("batch_size", ["full", 7])
@pytest.mark.parametrize(
    "network",
    [
        mlp([6], "relu", dropout=0.4),
        mlp([6, 5], "gelu", dropout=0.2, l1=1e-3, l2=1e-2),
        mlp([5], "sigmoid", normalize=True),
        mlp([5], "elu", bias=False, weight_init="orthogonal"),
        mlp([]),
        mlp([1], "softplus"),
    ],
    ids=["dropout", "dropout-penalties", "standardised", "no-bias", "linear", "width-1"],
)
@pytest.mark.parametrize("data", ["xor", "linear(n=24)"])
def test_every_layer(same_run: Same, network: Network, data: str, batch_size: int | str) -> None:
    check(same_run, network, data, batch_size=batch_size, validation=0.25)


@pytest.mark.parametrize("batch_size", ["full", 8, 1])
def test_sample_weights(same_run: Same, batch_size: int | str) -> None:
    check(same_run, mlp([4]), weighted_points(), batch_size=batch_size, validation=0.2, class_weight="balanced")


def test_multiclass_pictures_in_slices(same_run: Same, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluation in pieces rounds like itself, whatever the population."""
    monkeypatch.setattr("chainrule.engines._evaluation.SLICE", 500)
    check(same_run, mlp([12], "relu"), "digits", 2, (0.1,), batch_size=100, epochs=2, validation=0.3)


def test_members_that_stop_at_different_epochs(same_run: Same) -> None:
    stopping = ("loss_below(0.235, times=2)", "target(0.75)")
    runs = check(
        same_run, mlp([4], "tanh"), "xor", 6, RATES, epochs=60, stopping=stopping, log_every=7, batch_size=6,
        optimizer="momentum", schedule="cosine", window=5,
    )  # fmt: skip
    assert len({run.epochs for run in runs}) > 5
    assert {run.stop_reason for run in runs} == {"loss_below", "target", "epochs"}


def test_members_that_stop_at_different_epochs_with_data_of_their_own(same_run: Same) -> None:
    runs = check(
        same_run, mlp([3], "sigmoid", dropout=0.2), "linear(n=30)", 5, (0.05, 0.5, 3.0), epochs=40, validation=0.3,
        stopping=("patience(3)", "target(0.9)"), batch_size=5, optimizer="adam", class_weight="balanced",
    )  # fmt: skip
    assert len({run.epochs for run in runs}) > 4
    assert {run.stop_reason for run in runs} >= {"patience", "target"}


@pytest.mark.parametrize("batch_size", ["full", 4, 1])
@pytest.mark.parametrize("data", ["curve(n=16)", "linear(n=16)"])
def test_diverging_neighbours(same_run: Same, data: str, batch_size: int | str) -> None:
    network = mlp([5], "leaky_relu(0.1)", output="identity")
    rates = (0.001, 1e3, 0.01, 1e30, 1e5, 0.002)
    runs = check(same_run, network, data, 2, rates, batch_size=batch_size, epochs=30, window=3)
    assert {run.stop_reason for run in runs if run.member.config.learning_rate < 0.1} == {"epochs"}
    assert {run.stop_reason for run in runs if run.member.config.learning_rate > 1} == {"diverged"}


def test_initial_weights_that_overflow_in_float32(same_run: Same) -> None:
    network = mlp([4], "relu", weight_init="normal(3e19)", output="identity")
    runs = check(same_run, network, "curve(n=9)", 4, (0.1,), dtype="float32")
    assert {run.stop_reason for run in runs} == {"diverged"}


def signature(run: Run) -> bytes:
    return run.theta.tobytes() + np.array(list(run.final.values())).tobytes() + run.stop_reason.encode()


@pytest.mark.parametrize("settings", [{"batch_size": 4}, {"validation": 0.25}, {"optimizer": "adam"}])
@pytest.mark.parametrize("data", ["xor", "linear(n=20)"])
def test_neither_order_nor_chunks_nor_company_matter(
    same_run: Same, monkeypatch: pytest.MonkeyPatch, data: str, settings: dict[str, Any]
) -> None:
    """Members of several networks, configurations and rates, in any order, cut in any way."""
    networks = (mlp([3], "sigmoid"), mlp([4], "relu", dropout=0.3))
    config = TrainingConfig(epochs=6, stopping=("loss_below(0.2)",), **settings)
    members = [
        Member(network, config.replace(learning_rate=rate, schedule=schedule), seed)
        for seed in range(3)
        for network in networks
        for schedule in ("constant", "step(2)")
        for rate in (0.1, 1.0)
    ]
    together = dict(zip(members, train_members(members, data), strict=True))
    for attempt, limit in enumerate((1, 5_000, 20_000, 10**9)):
        monkeypatch.setattr(reference, "CHUNK_BYTES", limit)
        order = np.random.default_rng(attempt).permutation(len(members))
        mixed = [members[k] for k in order]
        for member, run in zip(mixed, train_members(mixed, data), strict=True):
            assert (run.seed, run.member.config) == (member.seed, member.config)
            same_run(run, together[member])


def test_a_large_population_holds_no_surprise(same_run: Same) -> None:
    """Vector units work on blocks: 257 members fill and overfill them."""
    runs = train(mlp([3], "sigmoid"), "xor", seeds=257, epochs=3, optimizer="adam", batch_size=6)
    for seed in (0, 1, 63, 64, 127, 128, 255, 256):
        same_run(
            runs[seed], train(mlp([3], "sigmoid"), "xor", seeds=[seed], epochs=3, optimizer="adam", batch_size=6)[0]
        )


def test_the_number_of_blas_threads_changes_no_bit(same_run: Same) -> None:
    """A product of (50, 784) and (784, 300) rounds otherwise in two threads; the engine uses one."""
    rng = np.random.default_rng(3)
    data = Dataset("wide", rng.normal(size=(100, 784)), rng.integers(0, 2, 100), "binary")
    runs = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            runs.append(train(mlp([300], "tanh"), data, epochs=2, batch_size=50)[0])
            after = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
        assert after == {threads}  # and others may go on with theirs
    same_run(*runs)


def test_equal_seeds_share_data_split_and_order_whatever_the_setting() -> None:
    """The comparison of two settings is paired: what the seed draws does not depend on the setting."""
    members = [
        Member(mlp([width]), TrainingConfig(epochs=1, optimizer=optimizer, validation=0.2, batch_size=3), seed)
        for seed in (4, 9)
        for width in (2, 5)
        for optimizer in ("sgd", "adam")
    ]
    runs = train_members(members, load("linear(n=20)"))
    for seed in (4, 9):
        assert len({run.fingerprint for run in runs if run.seed == seed}) == 1
    assert runs[0].fingerprint != runs[-1].fingerprint
