"""Narrow networks in full batch, whose samples are the lanes: not a bit may differ from units in the lanes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Dataset, Dense, Member, Network, TrainingConfig, mlp, train_members
from chainrule.cohorts import Cohort
from chainrule.data import FixedSource
from chainrule.engines.compiled.block import Stretch
from chainrule.engines.compiled.codes import DIVERGED, TRAINING
from chainrule.engines.gemm.records import CHUNK, HERE, STRIDE
from tests.engines.test_gemm_block import cohort_of, make_block, outcome, train

ACTIVATIONS = ["sigmoid", "tanh", "relu", "leaky_relu(0.1)", "elu", "softplus", "silu", "gelu", "identity"]
OPTIMIZERS = [
    "sgd", "momentum(beta=0.8)", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "adam_overwriting_moments",
    "momentum_ascent",
]  # fmt: skip
LOSSES = ["mse", "half_mse", "mae", "huber", "binary_cross_entropy", "bce_eps_in_divisions", "softmax_cross_entropy"]


def samples(n: int, d: int, k: int, weighted: bool = False) -> FixedSource:
    """Numbers to be learned, k of them for each sample."""
    rng = np.random.default_rng(100 * n + 10 * d + k)
    weight = rng.integers(0, 3, n) + 0.5 if weighted else None
    return FixedSource(
        Dataset("numbers", rng.normal(size=(n, d)), rng.random((n, k)), "regression", sample_weight=weight)
    )


def labels(n: int, d: int, k: int) -> FixedSource:
    """Points of k classes."""
    rng = np.random.default_rng(100 * n + 10 * d + k)
    return FixedSource(
        Dataset("points", rng.normal(size=(n, d)), np.arange(n) % k, "binary" if k == 2 else "multiclass")
    )


def same_bits(cohort: Cohort, cuts: tuple[int, ...] = ()) -> None:
    """Fail unless both ways of computing give the same weights, best weights, rows and end."""
    narrow, wide = make_block(cohort, narrow=True), make_block(cohort, narrow=False)
    assert narrow.setting.narrow
    assert not wide.setting.narrow
    assert outcome(train(narrow, cuts)) == outcome(train(wide))


@pytest.mark.parametrize("hidden", [[], [1], [4, 4], [7, 8, 5], [16], [13, 15, 3], [2, 33]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shapes(hidden: list[int], dtype: str) -> None:
    for n, d, k in ((2, 1, 1), (5, 3, 1), (16, 2, 3), (21, 2, 1), (CHUNK, 4, 5), (CHUNK + 1, 15, 2), (150, 17, 4)):
        for weighted in (False, True):
            source = samples(n, d, k, weighted)
            for optimizer in ("sgd", "momentum"):
                cohort = cohort_of(
                    mlp(hidden, "tanh"), source, loss="mse", batch_size="full", dtype=dtype, optimizer=optimizer
                )
                same_bits(cohort)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_step_rules_and_activations(optimizer: str) -> None:
    for k, (activation, dtype) in enumerate((a, t) for a in ACTIVATIONS for t in ("float32", "float64")):
        settings: dict[str, Any] = {"loss": LOSSES[k % 4], "dtype": dtype, "learning_rate": 0.01}
        if k % 2:
            settings |= {"validation": 0.2, "stopping": ("patience(2)",), "clip_value": 0.05}
        source = samples(37, 3, 1 + k % 3)
        same_bits(cohort_of(mlp([5, 6], activation), source, batch_size="full", optimizer=optimizer, **settings))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses(loss: str, dtype: str) -> None:
    k = 4 if loss == "softmax_cross_entropy" else 2
    for n in (8, 45):
        same_bits(cohort_of(mlp([6], "sigmoid"), labels(n, 2, k), loss=loss, batch_size="full", dtype=dtype), (1, 4))


def test_layers_without_bias_and_schedules() -> None:
    for biases in ((False, True, True), (True, False, False), (False, False, False)):
        layers = [Dense(units, "tanh", bias) for units, bias in zip((4, 5), biases, strict=False)]
        network = Network((*layers, Dense(None, None, biases[2])))
        for schedule in ("cosine", "exponential(0.9)", "loss_ratio(2)"):
            same_bits(cohort_of(network, samples(21, 2, 1), loss="mse", batch_size="full", schedule=schedule))


def test_zeros_keep_their_sign() -> None:
    points = FixedSource(Dataset("zeros", np.zeros((5, 2)), np.arange(5.0), "regression"))
    cohort = cohort_of(mlp([], "identity"), points, loss="mse", batch_size="full", epochs=0)
    signs = []
    for narrow in (True, False):
        block = make_block(cohort, narrow=narrow)
        block.buffers.theta[block.index] = -0.0
        train(block)
        sizes = block.layers.sizes[0]
        row = 1 if narrow else sizes[STRIDE]
        signs.append(np.signbit(block.buffers.A[sizes[HERE] : sizes[HERE] + 5 * row : row]))
    assert signs[0].all()
    np.testing.assert_array_equal(signs[0], signs[1])


@pytest.mark.parametrize("settings", [{"learning_rate": 1e30, "dtype": "float32"}, {"learning_rate": 1e290}])
def test_divergence_is_found_where_it_is(settings: dict[str, Any]) -> None:
    cohort = cohort_of(
        mlp([3, 3], "relu"), samples(21, 2, 1), **{"loss": "mse", "batch_size": "full", "epochs": 30} | settings
    )
    narrow, wide = train(make_block(cohort, narrow=True)), train(make_block(cohort, narrow=False))
    assert narrow.tracking.status[0] == wide.tracking.status[0] == DIVERGED
    assert narrow.tracking.ended[0] == wide.tracking.ended[0]
    np.testing.assert_array_equal(narrow.theta(0), wide.theta(0))


def test_padding_may_divide_0_by_0() -> None:
    same_bits(
        cohort_of(
            mlp([3]), samples(21, 2, 1), loss="mse", batch_size="full", dtype="float32", learning_rate=0.01,
            optimizer="adagrad(eps=1e-300)",
        )
    )  # fmt: skip


def test_it_is_taken_where_it_pays_and_can_be_done() -> None:
    def chosen(hidden: list[int], n: int, **settings: Any) -> bool:
        cohort = cohort_of(
            mlp(hidden, "sigmoid"), samples(n, 2, 1), **({"loss": "mse", "batch_size": "full"} | settings)
        )
        return make_block(cohort).setting.narrow

    assert chosen([4, 4], 21)
    assert chosen([8], 1000)
    assert not chosen([16, 16], 3)
    assert not chosen([4, 4], 21, batch_size=10)
    assert not chosen([4, 4], 21, clip_norm=1.0)
    assert not chosen([4, 4], 21, optimizer="array_normalized_gradient")


def test_a_cancelled_stretch_ends_behind_its_step() -> None:
    block = make_block(cohort_of(mlp([4], "tanh"), samples(21, 2, 1), loss="mse", batch_size="full"))
    before = block.theta(0)
    block.advance(Stretch(0, 5, np.array([[0.1]]), None), np.ones(1, dtype=np.int64))
    assert block.tracking.status[0] == TRAINING
    assert block.epoch == 1
    assert (block.theta(0) != before).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_lanes_engine_gives_the_same_bits(dtype: str) -> None:
    rng = np.random.default_rng(7)
    X, Y = rng.normal(size=(77, 3)), rng.random((77, 2))
    members = [
        Member(
            mlp([int(width) for width in rng.integers(1, 9, size=depth)], ACTIVATIONS[k % 9]),
            TrainingConfig(epochs=20, learning_rate=0.01, optimizer=OPTIMIZERS[k % 9], dtype=dtype, loss=LOSSES[k % 4]),
            seed=k,
        )
        for k, depth in enumerate([0, 1, 2, 3] * 5)
    ]
    for lanes, gemm in zip(*(train_members(members, (X, Y), engine=name) for name in ("lanes", "gemm")), strict=True):
        assert lanes.theta.tobytes() == gemm.theta.tobytes()
        np.testing.assert_array_equal(lanes.history["loss"], gemm.history["loss"])
