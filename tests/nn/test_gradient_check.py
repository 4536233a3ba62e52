"""The table itself, random networks beside it, and proof that it notices a wrong derivative."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.nn import ACTIVATIONS, LOSSES, Conv1D, Conv2D, Dense, Dropout, Network, Standardize, activation, loss
from chainrule.nn._describe import LAYERS
from chainrule.nn._types import Array
from chainrule.nn.activations import Tanh
from chainrule.nn.batch_norm import BatchNorm
from chainrule.nn.gradient_check import (
    IMAGE_KINDS,
    LAYER_KINDS,
    TOLERANCE,
    GradientCase,
    GradientResult,
    cases,
    check,
    run_table,
)
from chainrule.nn.pooling import MaxPool2D
from chainrule.nn.windows import Windows
from chainrule.random import stream


def test_every_row_passes() -> None:
    results = run_table()
    assert [(r.name, r.relative_error) for r in results if not r.passed] == []
    assert len(results) == len(cases()) > 2000


def test_no_row_is_there_twice() -> None:
    names = [case.name for case in cases()]
    assert len(set(names)) == len(names)


def test_every_part_meets_every_layer_sample_count_and_member_axis() -> None:
    rows = cases()
    for layer in LAYER_KINDS:
        for n in (1, 5):
            for members in (None, 2):
                here = [c for c in rows if (c.layer, c.n_samples, c.members) == (layer, n, members)]
                assert {c.hidden for c in here} >= set(ACTIVATIONS)
                assert {c.output for c in here} >= set(ACTIVATIONS)
                assert {c.loss for c in here} >= set(LOSSES)
                pairs = {(c.output, c.loss) for c in here}
                for name, cls in LOSSES.items():
                    wanted = cls.outputs or (("sigmoid", "softmax") if name.startswith("bce") else ACTIVATIONS)
                    assert all((act, name) in pairs for act in wanted), name


def test_rows_keep_to_valid_pairings() -> None:
    for case in cases():
        loss(case.loss).check_output(activation(case.output))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("layer", LAYER_KINDS)
def test_other_seeds_pass_too(layer: str, seed: int) -> None:
    for hidden, output, name in [("elu", "relu", "huber"), ("gelu", "softmax", "softmax_cross_entropy")]:
        assert check(GradientCase(hidden, output, name, layer, 5, 2, seed=seed)).passed


def test_every_layer_of_sequences_and_images_meets_every_batch_and_member_axis() -> None:
    rows = cases()
    for kind in IMAGE_KINDS:
        here = {(c.n_samples, c.members, c.shared) for c in rows if c.layer == kind}
        assert here == {(n, m, shared) for n in (1, 3) for m, shared in ((None, False), (2, False), (2, True))}, kind
    for kind in ("conv1d", "conv2d"):
        assert {c.hidden for c in rows if c.layer == kind} == set(ACTIVATIONS) - {"softmax"}
    for kind in ("batch_norm", "batch_norm of sequences", "batch_norm of images"):
        assert {c.hidden for c in rows if c.layer == kind} == set(ACTIVATIONS)


def test_the_rows_hold_every_layer_and_every_option() -> None:
    layers = {layer for case in cases() for layer in case.network.layers}
    assert {layer.name for layer in layers} == set(LAYERS)
    convolutions = [layer for layer in layers if isinstance(layer, Conv1D | Conv2D)]
    for cls in (Conv1D, Conv2D):
        here = [layer for layer in convolutions if isinstance(layer, cls)]
        assert {layer.padding == "same" for layer in here} == {True, False}
        assert any(max(layer.windows.stride) > 1 for layer in here)
        assert any(max(layer.windows.dilation) > 1 for layer in here)
        assert any(isinstance(layer.padding, tuple) and layer.padding[-1][0] != layer.padding[-1][1] for layer in here)
        assert {layer.groups for layer in here} == {1, 2}
        assert any(not layer.bias for layer in here)
        assert any(layer.l1 > 0 and layer.l2 > 0 for layer in here)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_other_seeds_pass_for_images_too(kind: str, seed: int) -> None:
    case = GradientCase("silu", "softmax", "softmax_cross_entropy", kind, 2, 2, seed=seed)
    assert check(case).passed


IMAGE_MISTAKES = [
    # a kernel turned round on the way back, a padding on the wrong side, a shared gradient, a forgotten term
    ("conv2d", Windows, "fold", lambda right: lambda self, dP, axes: right(self, dP[..., ::-1, :], axes)),
    (
        "conv2d with padding on one side",
        Windows,
        "fold",
        lambda right: lambda self, dP, axes: np.roll(right(self, dP, axes), 1, axis=-2),
    ),
    (
        "max_pool2d with overlap",
        MaxPool2D,
        "input_gradient",
        lambda right: lambda self, params, record, delta: 1.0001 * right(self, params, record, delta),
    ),
    (
        "batch_norm of images",
        BatchNorm,
        "_normal",
        lambda right: lambda self, record: 1.0001 * right(self, record),
    ),
]


@pytest.mark.parametrize("mistake", IMAGE_MISTAKES, ids=lambda mistake: f"{mistake[0]}: {mistake[2]}")
def test_a_wrong_way_back_through_windows_is_noticed(mistake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, cls, name, wrong = mistake
    case = GradientCase("tanh", "softmax", "softmax_cross_entropy", kind, 3, 2)
    assert check(case).passed
    monkeypatch.setattr(cls, name, wrong(getattr(cls, name)))
    assert not check(case).passed


@pytest.mark.parametrize("members", [None, 2])
def test_a_wrong_derivative_is_noticed(members: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    case = GradientCase("tanh", "sigmoid", "mse", "dense", 5, members)
    assert check(case).passed

    def almost(self: Tanh, dA: Array, Z: Array, A: Array) -> Array:
        return dA * (1.0 - A * A) * (1 + 1e-5)

    monkeypatch.setattr(Tanh, "backward", almost)
    result = check(case)
    assert not result.passed
    assert TOLERANCE < result.relative_error < 1e-4


def test_a_forgotten_input_gradient_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = GradientCase("tanh", "sigmoid", "mse", "dense", 5, None)

    def wrong(self: Network, params: object, forward: object, delta_out: Array) -> Array:
        return np.zeros((5, 2))

    monkeypatch.setattr(Network, "input_gradient", wrong)
    assert not check(case).passed


def test_nan_does_not_pass() -> None:
    assert not GradientResult(cases()[0], float("nan")).passed


SMOOTH = sorted(set(ACTIVATIONS) - {"relu", "leaky_relu", "elu"})
HEADS = [
    ("sigmoid", "binary_cross_entropy"), ("softmax", "softmax_cross_entropy"), ("softmax", "mse"), ("tanh", "half_mse"),
    ("identity", "mse(reduction=sum)"), ("softmax", "softmax_cross_entropy(0.2)"),
]  # fmt: skip


@st.composite
def networks(draw: st.DrawFn) -> tuple[Network, str]:
    """Networks of random depth, width and layers, with a loss."""
    layers: list[Dense | Dropout | Standardize] = []
    for width in draw(st.lists(st.integers(1, 4), max_size=3)):
        act = draw(st.sampled_from([name for name in SMOOTH if width > 1 or name != "softmax"]))
        layers.append(Dense(width, act, bias=draw(st.booleans()), l2=draw(st.sampled_from([0.0, 0.1]))))
        layers += draw(st.sampled_from([[], [Dropout(0.3)], [Standardize("tanh", eps=0.1)]]))
    output, name = draw(st.sampled_from(HEADS))
    return Network((*layers, Dense(draw(st.integers(2, 3)), output)), (draw(st.integers(1, 3)),)), name


@given(networks(), st.integers(1, 6), st.booleans(), st.integers(0, 10**6))
def test_random_networks(drawn: tuple[Network, str], n: int, weighted: bool, seed: int) -> None:
    """The directional derivative along a random direction equals the gradient's projection on it."""
    network, name = drawn
    rng = np.random.default_rng(seed)
    theta, direction = rng.normal(size=(2, network.n_parameters)) * 0.7
    X = rng.normal(size=(n, *network.shapes[0]))
    (k,) = network.output_shape
    Y = np.eye(k)[rng.integers(0, k, n)]
    weight = rng.uniform(0.5, 2, n) if weighted else None

    def along(t: float) -> tuple[float, Array]:
        params = network.unpack(theta + t * direction)
        value, grads, _ = network.loss_and_gradients(params, X, Y, name, weight, stream(seed, "dropout"))
        return float(value), network.pack(grads)

    h = 1e-4
    # the fourth-order central difference: its error is of order h^4
    numeric = (8 * (along(h)[0] - along(-h)[0]) - (along(2 * h)[0] - along(-2 * h)[0])) / (12 * h)
    exact = float(along(0)[1] @ direction)
    assert exact == pytest.approx(numeric, rel=1e-6, abs=1e-8)


def test_cases_are_plain_records() -> None:
    case = cases()[0]
    assert dataclasses.replace(case, seed=4).seed == 4
    assert case.name == "sigmoid -> sigmoid + mse, dense, 1 sample, no member axis"
    assert GradientCase("tanh", "softmax", "mse", "dropout", 5, 2, weighted=True).name.endswith("2 members, weighted")
