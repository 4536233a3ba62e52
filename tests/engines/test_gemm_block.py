"""The block of the gemm engine by itself: wide layers, sparse inputs, several threads, and stretches cut anywhere.

`test_agreement` holds every part of a setting against the reference engine; here are the shapes and the ways of
computing that only this engine has. None of them may change a bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from chainrule import Dataset, Member, Run, TrainingConfig, mlp
from chainrule.cohorts import Cohort, make_cohorts
from chainrule.data import FixedSource
from chainrule.engines._cohort_data import gather
from chainrule.engines.compiled.block import Course, Part, Stretch, make_tracking
from chainrule.engines.compiled.codes import DIVERGED, STOPPED, TRAINING
from chainrule.engines.compiled.plan import make_plan
from chainrule.engines.gemm.block import GemmBlock
from chainrule.engines.gemm.records import CHUNK
from chainrule.engines.reference import ReferenceEngine
from chainrule.nn import Network
from chainrule.random import stream

SETTINGS: dict[str, Any] = {"epochs": 6, "learning_rate": 0.1, "log_every": 2, "loss": "softmax_cross_entropy"}


def classes(n: int, d: int, k: int = 5, zeros: float = 0.0, weighted: bool = False) -> FixedSource:
    """Classes of points, some of whose coordinates are zero."""
    rng = np.random.default_rng(n + d)
    X = rng.normal(size=(n, d)) * (rng.random((n, d)) >= zeros)
    weight = rng.integers(0, 4, n) * 1.0 if weighted else None
    return FixedSource(Dataset("points", X, rng.integers(0, k, n), "multiclass", sample_weight=weight))


def cohort_of(network: Network, source: FixedSource, **settings: Any) -> Cohort:
    """Return the cohort of one member."""
    config = TrainingConfig(**(SETTINGS | settings))
    ((_, cohort),) = make_cohorts([Member(network, config, 3)], source)
    return cohort


def make_block(cohort: Cohort, threads: int = 1, sparse: bool | None = None, narrow: bool | None = None) -> GemmBlock:
    """Return a block as the session makes it."""
    config, plan = cohort.config, make_plan(cohort)
    parts = [gather(cohort, name) for name in ("train", "validation")]
    train, validation = (None if part is None else Part(*vars(part).values()) for part in parts)
    assert train is not None
    batch = train.n if isinstance(config.batch_size, str) else min(config.batch_size, train.n)
    course = Course(config.epochs, config.log_every, batch, batch >= train.n, config.window)
    rate = float(cohort.learning_rates[0])
    tracking = make_tracking([plan], [rate], course, config.epochs + 1, train.n)
    theta = cohort.network.pack(cohort.network.init(stream(3, "init"))).astype(config.dtype)
    return GemmBlock(plan, 0, theta, rate, course, train, validation, tracking, threads, sparse, narrow)


def train(block: GemmBlock, cuts: Sequence[int] = ()) -> GemmBlock:
    """Train to the end, in stretches that begin at `cuts` too."""
    course, n = block.course, block.data.n
    rng, cancel = stream(3, "order"), np.zeros(1, dtype=np.int64)
    orders = np.array([rng.permutation(n) for _ in range(course.epochs + 1)], dtype=np.int32)[:, None]
    edges = [0, *cuts, course.epochs + 1]
    for first, stop in itertools.pairwise(edges):
        own = None if course.full else orders[first:stop]
        block.advance(Stretch(first, stop, block.tracking.rate[None, :].copy(), own), cancel)
        if not block.going:
            break
    return block


def reference(cohort: Cohort) -> Run:
    return ReferenceEngine().train(cohort).runs[0]


def outcome(block: GemmBlock) -> tuple[bytes, bytes, bytes, list[int]]:
    """Return what must have the same bits however it is computed."""
    t = block.tracking
    rows = t.rows[: t.n_rows[0]].tobytes()
    best = block.best(0).tobytes() if block.plans[0].keeps_best else b""
    return block.theta(0).tobytes(), best, rows, [block.epoch, int(t.status[0]), int(t.ended[0])]


@pytest.mark.parametrize("hidden", [[], [1], [300], [17, 33], [64, 3, 50], [2, 2, 2, 2, 2]])
@pytest.mark.parametrize("batch", ["full", 7, 1])
def test_shapes_against_the_reference(hidden: list[int], batch: int | str) -> None:
    for d, zeros, dtype, tolerance in (
        (37, 0.0, "float64", 1e-9),
        (130, 0.8, "float64", 1e-9),
        (9, 0, "float32", 2e-4),
    ):
        cohort = cohort_of(mlp(hidden, "tanh"), classes(41, d, 11, zeros), batch_size=batch, dtype=dtype)
        block = train(make_block(cohort))
        assert block.data.sparse == (zeros > 0)
        np.testing.assert_allclose(block.theta(0), reference(cohort).theta, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("batch", ["full", 2 * CHUNK + 5, CHUNK])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_batches_larger_than_a_chunk(batch: int | str, optimizer: str) -> None:
    source = classes(3 * CHUNK + 7, 40, zeros=0.7, weighted=True)
    cohort = cohort_of(mlp([20], "sigmoid"), source, batch_size=batch, optimizer=optimizer, validation=0.1)
    block, run = train(make_block(cohort)), reference(cohort)
    np.testing.assert_allclose(block.theta(0), run.theta, rtol=1e-12, atol=1e-12)
    t = block.tracking
    for column, name in enumerate(("loss", "accuracy", "validation_loss", "validation_accuracy")):
        np.testing.assert_allclose(t.rows[: t.n_rows[0], column, 0], run.history[name], rtol=1e-12)


MORE_OF_A_STEP: list[dict[str, Any]] = [
    {},
    {"optimizer": "adam", "clip_norm": 0.1},
    {"optimizer": "array_normalized_gradient", "clip_value": 0.01},
    {"stopping": ("patience(1)",), "validation": 0.2},
]


@pytest.mark.parametrize("more", MORE_OF_A_STEP)
@pytest.mark.parametrize("batch", ["full", 20])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_threads_sparse_inputs_and_cuts_change_no_bit(more: dict[str, Any], batch: int | str, dtype: str) -> None:
    network = mlp([100, 70], "sigmoid", l2=0.01 if more else 0.0)
    cohort = cohort_of(network, classes(60, 48, zeros=0.7), batch_size=batch, dtype=dtype, **more)
    expected = outcome(train(make_block(cohort, sparse=False)))
    assert outcome(train(make_block(cohort, sparse=True))) == expected
    for threads, sparse, cuts in ((2, True, ()), (3, False, (1, 2, 5)), (2, False, (4,)), (3, True, ())):
        block = make_block(cohort, threads, sparse)
        assert block.threads == threads
        assert outcome(train(block, cuts)) == expected


def test_one_thread_may_take_over_from_several() -> None:
    cohort = cohort_of(mlp([100], "tanh"), classes(60, 48), batch_size=20)
    expected = outcome(train(make_block(cohort)))
    block = make_block(cohort, threads=3)
    block.alone_until = np.inf
    assert outcome(train(block)) == expected
    mixed = make_block(cohort, threads=3)
    rate, cancel = np.array([[0.1]]), np.zeros(1, dtype=np.int64)
    rng = stream(3, "order")
    for epoch in range(7):
        mixed.alone_until = np.inf if epoch % 2 else 0.0
        order = rng.permutation(60).astype(np.int32)[None, None] if epoch < 6 else np.zeros((1, 1, 60), np.int32)
        mixed.advance(Stretch(epoch, epoch + 1, rate, order), cancel)
    assert outcome(mixed) == expected


def test_threads_are_used_where_they_pay() -> None:
    wide, narrow = classes(60, 48), classes(60, 2)
    assert make_block(cohort_of(mlp([300]), wide), threads=4).threads == 4
    assert make_block(cohort_of(mlp([40]), wide), threads=4).threads == 2  # 5 vectors, at least 2 each
    assert make_block(cohort_of(mlp([4, 4]), narrow), threads=4).threads == 1
    assert make_block(cohort_of(mlp([30]), wide, batch_size=1), threads=4).threads == 1


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch", ["full", 20])
def test_a_cancelled_stretch_ends_behind_its_step(threads: int, batch: int | str) -> None:
    block = make_block(cohort_of(mlp([100], "tanh"), classes(60, 48), batch_size=batch), threads)
    before = block.theta(0)
    orders = None if batch == "full" else np.arange(60, dtype=np.int32)[None, None]
    block.advance(Stretch(0, 1, np.array([[0.1]]), orders), np.ones(1, dtype=np.int64))
    assert block.tracking.status[0] == TRAINING
    assert block.tracking.steps[0] == 1
    assert (block.theta(0) != before).any()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("sparse", [True, False])
def test_ends_are_those_of_the_reference(threads: int, sparse: bool) -> None:
    source, network = classes(60, 48, zeros=0.7), mlp([100], "relu")
    for settings in (
        {"stopping": ("loss_below(0.5)",), "epochs": 40},
        {"stopping": ("target(0.9, times=2)",), "epochs": 40},
        {"stopping": ("patience(2)",), "validation": 0.2, "epochs": 40, "learning_rate": 1.0},
        {"learning_rate": 1e20, "loss": "softmax_cross_entropy"},
        {"learning_rate": 1e299, "batch_size": "full"},
    ):
        cohort = cohort_of(network, source, **({"batch_size": 20, "learning_rate": 0.5} | settings))
        block, run = train(make_block(cohort, threads, sparse)), reference(cohort)
        status = int(block.tracking.status[0])
        assert (status == DIVERGED) == (run.stop_reason == "diverged")
        assert (status >= STOPPED) == (run.stop_reason in ("loss_below", "target", "patience"))
        if status >= STOPPED:
            theta = block.best(0) if run.stop_reason == "patience" else block.theta(0)
            np.testing.assert_allclose(theta, run.theta, rtol=1e-9, atol=1e-9)
        if status != TRAINING:
            assert block.tracking.ended[0] == run.epochs


def test_lists_of_inputs_are_made_once_for_an_array() -> None:
    cohort = cohort_of(mlp([20]), classes(60, 48, zeros=0.9))
    part = gather(cohort, "train")
    assert part is not None
    same = Part(part.X, part.Y, None, True)
    plan, course = make_plan(cohort), Course(6, 2, 60, True, 0)
    theta = np.zeros(cohort.network.n_parameters)
    blocks = [
        GemmBlock(plan, 0, theta, 0.1, course, same, None, make_tracking([plan], [0.1], course, 7, 60))
        for _ in range(2)
    ]
    assert blocks[0].data.values is blocks[1].data.values
    dense = np.zeros_like(part.X)
    for s in range(60):
        at = slice(blocks[0].data.starts[s, 0], blocks[0].data.starts[s, -1])
        dense[s, blocks[0].data.inputs[at]] = blocks[0].data.values[at]
    np.testing.assert_array_equal(dense, part.X)
