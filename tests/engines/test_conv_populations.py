"""Networks that know places in company: whoever shares a block, a member's result is its own to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from chainrule import Dataset, Dense, Member, Network, TrainingConfig, mlp, train, train_members
from chainrule.engines.compiled.codes import AVG_POOL, CONV, DENSE, MAX_POOL
from chainrule.engines.compiled.geometry import Geometry
from chainrule.engines.lanes.block import LANES, SPATIAL_LANES
from chainrule.errors import ShapeError
from chainrule.nn import AvgPool2D, BatchNorm, Conv2D, Flatten, GlobalAvgPool, GlobalMaxPool, Layer, MaxPool2D

ENGINES = ["lanes", "gemm"]
random = np.random.default_rng(5)
SHAPE = (5, 6)
X = random.normal(size=(19, 30))
DATA = Dataset.from_arrays(X, np.arange(19) % 3, image_shape=SHAPE)
LAYERS = (Conv2D(5, 3, "tanh", padding="same"), MaxPool2D(2), Conv2D(4, 2, "relu"), Flatten(), Dense(None, None))
UNHURRIED = settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

BATCHES: st.SearchStrategy[int | str] = st.one_of(st.just("full"), st.sampled_from([1, 4, 7]))


@st.composite
def layers_of_places(draw: st.DrawFn) -> tuple[Layer, ...]:
    """Draw layers; they may not fit the image."""
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    padding = st.one_of(st.sampled_from(["valid", "same"]), st.integers(0, 2))
    layers: list[Layer] = []
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            groups = draw(st.sampled_from([1, 1, 2])) if layers and isinstance(layers[-1], Conv2D) else 1
            if groups == 2 and layers[-1].output_shape((9, 9, 1))[-1] % 2:  # its channels
                groups = 1
            layers.append(
                Conv2D(
                    groups * draw(st.integers(1, 5)),
                    draw(pairs),
                    draw(st.sampled_from(["tanh", "sigmoid", "softplus", "identity"])),
                    stride=draw(pairs),
                    padding=draw(padding),
                    dilation=draw(pairs),
                    groups=groups,
                    bias=draw(st.booleans()),
                    l2=draw(st.sampled_from([0.0, 0.01])),
                )
            )
        else:
            kind = draw(st.sampled_from([MaxPool2D, AvgPool2D]))
            layers.append(kind(draw(pairs), stride=draw(pairs), padding=draw(st.sampled_from(["valid", "same"]))))
    return (*layers, draw(st.sampled_from([Flatten(), GlobalAvgPool(), GlobalMaxPool()])), Dense(None, None))


def fitting(layers: tuple[Layer, ...]) -> Network:
    """Return the network, if it fits the images."""
    network = Network(layers)
    try:
        network.bind((*SHAPE, 1), 3, "softmax")
    except ShapeError:
        assume(False)
    return network


@pytest.mark.parametrize("engine", ENGINES)
@UNHURRIED
@given(drawn=st.data())
def test_random_architectures_agree_with_the_reference(engine: str, drawn: st.DataObject) -> None:
    network = fitting(drawn.draw(layers_of_places()))
    config = TrainingConfig(
        loss="softmax_cross_entropy",
        optimizer=drawn.draw(st.sampled_from(["sgd", "momentum", "adam"])),
        learning_rate=0.01,
        batch_size=drawn.draw(BATCHES),
        epochs=drawn.draw(st.sampled_from([1, 8])),
    )
    asked = [Member(network, config, seed) for seed in range(drawn.draw(st.integers(1, 3)))]
    reference = train_members(asked, DATA, engine="reference")
    for a, b in zip(reference, train_members(asked, DATA, engine=engine), strict=True):
        assert (b.epochs, b.stop_reason) == (a.epochs, a.stop_reason)
        assert np.max(np.abs(a.theta - b.theta)) <= 1e-8 * max(1.0, float(np.max(np.abs(a.theta))))
        np.testing.assert_allclose(b.history["loss"], a.history["loss"], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@UNHURRIED
@given(drawn=st.data())
def test_both_engines_give_the_same_bits(dtype: str, drawn: st.DataObject) -> None:
    network = fitting(drawn.draw(layers_of_places()))
    settings: dict[str, Any] = {"loss": "softmax_cross_entropy", "dtype": dtype, "batch_size": drawn.draw(BATCHES)}
    settings["optimizer"] = drawn.draw(st.sampled_from(["sgd", "adam"]))
    lanes, gemm = (train(network, DATA, engine=name, seeds=2, epochs=4, **settings) for name in ENGINES)
    for a, b in zip(lanes, gemm, strict=True):
        assert a.theta.tobytes() == b.theta.tobytes()
        np.testing.assert_array_equal(a.history["accuracy"], b.history["accuracy"])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@UNHURRIED
@given(drawn=st.data())
def test_neither_company_nor_threads_nor_chunks_change_a_bit(engine: str, dtype: str, drawn: st.DataObject) -> None:
    network = fitting(drawn.draw(layers_of_places()))
    batch = drawn.draw(BATCHES)
    config = TrainingConfig(loss="softmax_cross_entropy", epochs=3, batch_size=batch, dtype=dtype)
    rates = drawn.draw(st.lists(st.sampled_from([0.001, 0.1]), min_size=2, max_size=20))
    asked = [Member(network, config.replace(learning_rate=rate), seed) for seed, rate in enumerate(rates)]
    together = train_members(asked, DATA, engine=engine, threads=2)
    cramped = train_members(asked[::-1], DATA, engine=engine, threads=1, memory="1MiB")[::-1]
    alone = train_members(asked[-1:], DATA, engine=engine)
    for a, b in [*zip(together, cramped, strict=True), (together[-1], alone[0])]:
        assert a.member == b.member
        assert a.theta.tobytes() == b.theta.tobytes()
        np.testing.assert_array_equal(a.history["loss"], b.history["loss"])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch", ["full", 6])
def test_a_certificate(engine: str, dtype: str, batch: int | str) -> None:
    """Of members of the first and the last block."""
    settings: dict[str, Any] = {"loss": "softmax_cross_entropy", "optimizer": "adam", "dtype": dtype}
    runs = train(Network(LAYERS), DATA, engine=engine, seeds=19, epochs=5, batch_size=batch, **settings)
    for k in (0, 15, 18):
        assert runs.certify(k).identical


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_with_networks_of_dense_layers_in_one_call(dtype: str) -> None:
    """Automatic choice: each kind gets blocks of its own, and what only the reference knows goes there."""
    config = TrainingConfig(loss="softmax_cross_entropy", epochs=5, batch_size=2, dtype=dtype, learning_rate=0.05)
    normed = Network((Conv2D(3, 2), BatchNorm(), Flatten(), Dense(None, None)))
    networks = [Network(LAYERS), mlp([6]), normed, mlp([3]), Network(LAYERS[1:])]
    asked = [Member(network, config, seed) for seed in range(5) for network in networks]
    runs = train_members(asked, DATA)
    assert [run.engine for run in runs] == ["lanes", "lanes", "reference", "lanes", "lanes"] * 5
    reference = train_members(asked, DATA, engine="reference")
    for a, b in zip(reference, runs, strict=True):
        assert b.member == a.member
        assert np.max(np.abs(a.theta - b.theta)) <= {"float64": 1e-11, "float32": 1e-4}[dtype]


@pytest.mark.parametrize("engine", ENGINES)
def test_members_that_end_early_make_room(engine: str, same_run: Any) -> None:
    """Blocks are packed anew while the others go on; what is left is what each member gives alone."""
    rules = [("loss_below(0.01)",), ("loss_below(1.0)",), ("loss_below(1.05)",), ("loss_below(1.09)",)]
    base = TrainingConfig(loss="softmax_cross_entropy", epochs=60, batch_size=6, optimizer="adam", learning_rate=0.003)
    asked = [Member(Network(LAYERS), base.replace(stopping=rule), seed) for seed in range(10) for rule in rules]
    runs = train_members(asked, DATA, engine=engine)
    assert len({run.epochs for run in runs}) > 5
    for k in (0, 1, 2, 3, 39):
        (alone,) = train_members([asked[k]], DATA, engine=engine)
        same_run(alone, runs[k])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch", ["full", 6])
def test_divergence(engine: str, batch: int | str) -> None:
    """One member's infinite weights are seen in the reference's epoch, and nobody else notices."""
    layers = (Conv2D(4, 3, "relu"), AvgPool2D(2, padding="same"), Conv2D(4, 2, "relu"), Flatten(), Dense(None, None))
    target = Dataset.from_arrays(X, X[:, :1] * 2, image_shape=SHAPE)
    settings: dict[str, Any] = {"learning_rates": [0.01, 1e3], "batch_size": batch, "epochs": 60, "loss": "mse"}
    reference, runs = (train(Network(layers), target, engine=name, **settings) for name in ("reference", engine))
    assert [run.stop_reason for run in runs] == [run.stop_reason for run in reference] == ["epochs", "diverged"]
    assert abs(runs[1].epochs - reference[1].epochs) <= 1
    np.testing.assert_allclose(runs[0].theta, reference[0].theta, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("pooling", [MaxPool2D(2), MaxPool2D(3, stride=1), AvgPool2D(2), GlobalMaxPool()])
def test_weights_that_are_no_numbers_come_through_poolings(engine: str, pooling: Layer) -> None:
    """Infinite weights from the start: outputs are NaN in the first forward pass, as in the reference engine."""
    layers = (Conv2D(3, 2, "tanh", weight_init="normal(std=1e300)"), Conv2D(3, 2, "identity"), pooling, Flatten())
    wild = (Conv2D(3, 2, weight_init="normal(std=1e300)"), Conv2D(3, 2, weight_init="normal(std=1e300)"))
    for first in (layers, (*wild, pooling, Flatten())):
        network = Network((*first, Dense(None, None)))
        settings: dict[str, Any] = {"loss": "softmax_cross_entropy", "epochs": 4, "seeds": 2}
        reference, runs = (train(network, DATA, engine=name, **settings) for name in ("reference", engine))
        for a, b in zip(reference, runs, strict=True):
            assert (a.stop_reason, a.epochs) == (b.stop_reason, b.epochs)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_steps_of_one_sample_and_a_kernel_as_large_as_the_image(engine: str, dtype: str) -> None:
    data = Dataset.from_arrays(X[:2], X[:2, :2], image_shape=SHAPE)
    network = Network((Conv2D(3, SHAPE, "tanh"), Flatten(), Dense(None, None)))
    settings: dict[str, Any] = {"loss": "mse", "epochs": 50, "seeds": 3, "dtype": dtype, "learning_rate": 0.02}
    settings["batch_size"] = 1
    for a, b in zip(*(train(network, data, engine=name, **settings) for name in ("reference", engine)), strict=True):
        np.testing.assert_allclose(b.theta, a.theta, atol={"float64": 1e-12, "float32": 1e-5}[dtype])


def test_blocks_of_places_fill_one_register() -> None:
    """Vectors are half as long as those of dense networks; kernels know layers by the order of their numbers."""
    assert {size: 2 * lanes for size, lanes in SPATIAL_LANES.items()} == LANES
    assert all(size * lanes == 64 for size, lanes in SPATIAL_LANES.items())
    assert (DENSE, Geometry._fields[0], Geometry._fields[15]) == (0, "kind", "groups")
    assert len({DENSE, CONV, MAX_POOL, AVG_POOL}) == 4
