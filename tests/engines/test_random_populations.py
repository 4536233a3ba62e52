"""Random architectures and random mixed populations: whatever is asked for together is what each member gives alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule import Dense, Member, Network, TrainingConfig, train_members

random = np.random.default_rng(3)
ACTIVATIONS = ["sigmoid", "tanh", "relu", "leaky_relu(0.1)", "elu", "softplus", "silu", "identity"]
OPTIMIZERS = ["sgd", "momentum(beta=0.8)", "nesterov", "adagrad", "rmsprop", "adam", "adamw"]
SCHEDULES = ["constant", "cosine", "exponential(0.95)", "step(4, factor=0.5)"]
INITIALIZERS = [None, "normal(std=0.5)", "uniform(low=-1, high=1)"]
UNHURRIED = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def data_sets(draw: st.DrawFn) -> tuple[Any, str]:
    """Draw samples and a loss that suits them."""
    n, d = draw(st.integers(3, 40)), draw(st.integers(1, 6))
    X = random.normal(size=(n, d))
    kind = draw(st.sampled_from(["numbers", "binary", "classes"]))
    if kind == "numbers":
        return (X, X @ random.normal(size=(d, draw(st.integers(1, 3)))) + 0.1), "mse"
    k = 2 if kind == "binary" else 3
    return (X, np.arange(n) % k), "binary_cross_entropy" if k == 2 else "softmax_cross_entropy"


@st.composite
def members(draw: st.DrawFn, loss: str, dtype: str) -> Member:
    """Draw a member of any setting that compiled engines can train."""
    widths = draw(st.lists(st.integers(1, 20), max_size=3))
    layer = st.builds(
        Dense,
        units=st.just(1),
        activation=st.sampled_from(ACTIVATIONS),
        bias=st.booleans(),
        weight_init=st.sampled_from(INITIALIZERS),
        l2=st.sampled_from([0.0, 0.01]),
    )
    hidden = []
    for width in widths:
        drawn = draw(layer)
        hidden.append(Dense(width, drawn.activation, drawn.bias, drawn.weight_init, l2=drawn.l2))
    batch: int | str = draw(st.one_of(st.just("full"), st.sampled_from([1, 4, 7])))
    config = TrainingConfig(
        loss=loss,
        dtype=dtype,
        optimizer=draw(st.sampled_from(OPTIMIZERS)),
        learning_rate=draw(st.sampled_from([0.001, 0.003, 0.01])),
        schedule=draw(st.sampled_from(SCHEDULES)),
        batch_size=batch,
        epochs=draw(st.sampled_from([0, 1, 9])),
        log_every=draw(st.sampled_from([1, 3])),
        stopping=draw(st.sampled_from([(), ("loss_below(0.6)",), ("patience(3, monitor='loss')",)])),
    )
    return Member(Network((*hidden, Dense(None, None))), config, draw(st.integers(0, 5)))


@pytest.mark.parametrize("engine", ["lanes", "gemm"])
@UNHURRIED
@given(drawn=st.data())
def test_random_members_agree_with_the_reference(engine: str, drawn: st.DataObject) -> None:
    data, loss = drawn.draw(data_sets())
    asked = drawn.draw(st.lists(members(loss, "float64"), min_size=1, max_size=6))
    reference = train_members(asked, data, engine="reference")
    for a, b in zip(reference, train_members(asked, data, engine=engine), strict=True):
        assert (b.member, b.epochs, b.stop_reason) == (a.member, a.epochs, a.stop_reason)
        scale = max(1.0, float(np.max(np.abs(a.theta))))
        assert np.max(np.abs(a.theta - b.theta)) <= 1e-8 * scale
        assert list(b.history) == list(a.history)
        np.testing.assert_array_equal(b.history["epoch"], a.history["epoch"])
        np.testing.assert_allclose(b.history["loss"], a.history["loss"], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@UNHURRIED
@given(drawn=st.data())
def test_neither_company_nor_order_nor_threads_nor_chunks_change_a_bit(dtype: str, drawn: st.DataObject) -> None:
    data, loss = drawn.draw(data_sets())
    asked = drawn.draw(st.lists(members(loss, dtype), min_size=2, max_size=12))
    together = train_members(asked, data, engine="lanes", threads=2)
    order = drawn.draw(st.permutations(range(len(asked))))
    shuffled = train_members([asked[k] for k in order], data, engine="lanes", threads=1)
    cramped = train_members(asked, data, engine="lanes", memory="1MiB")
    for place, k in enumerate(order):
        (alone,) = train_members([asked[k]], data, engine="lanes")
        for other in (shuffled[place], cramped[k], alone):
            assert other.member == together[k].member
            assert other.theta.tobytes() == together[k].theta.tobytes()
            assert (other.epochs, other.stop_reason) == (together[k].epochs, together[k].stop_reason)
            np.testing.assert_array_equal(other.history["loss"], together[k].history["loss"])
