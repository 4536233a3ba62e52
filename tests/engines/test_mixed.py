"""Mixed populations: any members together are what each is alone, in whichever engine, and come back in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import Member, Run, TrainingConfig, mlp, train_members
from chainrule.nn import Network

Same = Callable[[Run, Run], None]

random = np.random.default_rng(5)
POINTS = random.normal(size=(26, 3))
TWO = (POINTS, (POINTS[:, 0] * POINTS[:, 1] > 0).astype(int))
THREE = (POINTS, np.clip(np.abs(POINTS[:, 0]) * 2, 0, 2).astype(int))
NUMBERS = (POINTS, POINTS[:, 0] * POINTS[:, 1])

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu(0.2)", "elu", "softplus", "silu", "gelu", "identity")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam(beta2=0.9)", "adam", "adamw")
SCHEDULES = ("constant", "step(2)", "cosine", "warmup(3)", "loss_ratio(2)", "self_multiplying(3)", "exponential(0.9)")


@st.composite
def networks(draw: st.DrawFn) -> Network:
    hidden = draw(st.lists(st.integers(1, 20), max_size=3))
    return mlp(
        hidden,
        draw(st.sampled_from(ACTIVATIONS)),
        bias=draw(st.booleans()) or not hidden,
        weight_init=draw(st.sampled_from((None, "glorot_normal", "he_uniform"))),
        l2=draw(st.sampled_from((0.0, 0.0, 0.01))),
    )


def configs(losses: tuple[str, ...]) -> st.SearchStrategy[TrainingConfig]:
    return st.builds(
        TrainingConfig,
        loss=st.sampled_from(losses),
        optimizer=st.sampled_from(OPTIMIZERS),
        learning_rate=st.sampled_from((0.003, 0.01, 0.05)),
        schedule=st.sampled_from(SCHEDULES),
        batch_size=st.sampled_from(("full", 1, 5, 8)),
        epochs=st.integers(0, 7),
        stopping=st.sampled_from(((), ("loss_below(0.2)",), ("patience(2, monitor=loss)",))),
        clip_norm=st.sampled_from((None, None, 0.5)),
        validation=st.sampled_from((0.0, 0.2)),
        log_every=st.sampled_from((1, 3)),
        window=st.sampled_from((0, 2)),
    )


def populations(losses: tuple[str, ...]) -> st.SearchStrategy[list[Member]]:
    """Return members of a few settings each: distinct settings alone would seldom share blocks."""
    group = st.tuples(networks(), configs(losses), st.lists(st.integers(0, 50), min_size=1, max_size=6))
    return st.lists(group, min_size=1, max_size=6).map(
        lambda groups: [Member(network, config, seed) for network, config, seeds in groups for seed in seeds]
    )


def close(one: Run, other: Run) -> None:
    assert (one.member, one.stop_reason, one.epochs) == (other.member, other.stop_reason, other.epochs)
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-8, atol=1e-9)
    assert list(one.history) == list(other.history)
    for name in one.history:
        slack = 0.04 if "accuracy" in name else 1e-9  # a sample on the boundary may fall to either side
        np.testing.assert_allclose(one.history[name], other.history[name], rtol=1e-7, atol=slack, err_msg=name)
    np.testing.assert_allclose(list(one.final.values()), list(other.final.values()), rtol=1e-7, atol=0.04)
    assert list(one.final) == list(other.final)


def check(members: list[Member], data: Any) -> None:
    lanes, gemm = (train_members(members, data, engine=name) for name in ("lanes", "gemm"))
    reference = train_members(members, data, engine="reference")
    for member, a, b, judge in zip(members, lanes, gemm, reference, strict=True):
        assert (a.member.config, a.seed) == (member.config, member.seed)
        assert a.theta.tobytes() == b.theta.tobytes()  # gemm trains each alone: neither padding nor company matter
        assert (a.stop_reason, a.epochs) == (b.stop_reason, b.epochs)
        for name in a.history:
            np.testing.assert_array_equal(a.history[name], b.history[name])
        for name in a.windows:
            np.testing.assert_array_equal(a.windows[name], b.windows[name])
        close(a, judge)


@given(populations(("mse", "binary_cross_entropy", "mae", "half_mse(reduction=sum)")))
@settings(max_examples=80)
def test_two_classes(members: list[Member]) -> None:
    check(members, TWO)


@given(populations(("softmax_cross_entropy", "softmax_cross_entropy(label_smoothing=0.1)")))
@settings(max_examples=40)
def test_three_classes(members: list[Member]) -> None:
    check(members, THREE)


@given(populations(("mse", "huber(0.3)")))
@settings(max_examples=40)
def test_numbers(members: list[Member]) -> None:
    check(members, NUMBERS)


def test_auto_mixes_engines_and_keeps_the_order() -> None:
    """Narrow, wide and single networks, and some with dropout, interleaved."""
    config = TrainingConfig(epochs=4, batch_size=6, optimizer="adam", learning_rate=0.01)
    kinds = [mlp([3]), mlp([80]), mlp([4], dropout=0.2), mlp([5]), mlp([2, 2], "gelu")]
    members = [Member(network, config, seed) for seed in range(4) for network in kinds[:4]] + [
        Member(kinds[4], config, 9)
    ]
    runs = train_members(members, TWO)
    assert [run.engine for run in runs] == ["lanes", "gemm", "reference", "lanes"] * 4 + ["gemm"]
    for member, run, judge in zip(members, runs, train_members(members, TWO, engine="reference"), strict=True):
        assert (run.member.config, run.seed) == (member.config, member.seed)
        close(run, judge)
