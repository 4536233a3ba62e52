"""Convolution, pooling, batch normalisation and dropout of channels against PyTorch, forward and back, in float64.

PyTorch's channels are the second axis, ours the last; its kernels are (filters, channels of a group, *kernel), ours
(*kernel, channels of a group, filters).
"""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from chainrule.nn import (
    Array,
    AvgPool1D,
    AvgPool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    MaxPool1D,
    MaxPool2D,
    Network,
    output_delta,
)
from chainrule.nn import loss as find_loss
from chainrule.nn.windows import Windows
from chainrule.random import stream

pytestmark = pytest.mark.oracle
torch.set_num_threads(1)  # the arrays are tiny: threads would only wait for one another

TOLERANCE = 1e-9
Tensor = Any
Numbers = tuple[int, ...]


def channels_first(A: Array) -> Array:
    """Move (n, *axes, c) to (n, c, *axes)."""
    return np.ascontiguousarray(np.moveaxis(A, -1, 1))


def channels_last(A: Tensor) -> Array:
    """Move (n, c, *axes) to (n, *axes, c)."""
    array: Array = np.moveaxis(A.detach().numpy(), 1, -1)
    return array


def tensor(A: Array) -> Tensor:
    """Return a tensor whose gradient is asked for."""
    return torch.tensor(np.ascontiguousarray(A), dtype=torch.float64, requires_grad=True)


def assert_close(ours: Array, theirs: Array) -> None:
    """Compare two arrays relative to the norm of the second."""
    assert ours.shape == theirs.shape
    assert float(np.linalg.norm(ours - theirs)) <= TOLERANCE * max(float(np.linalg.norm(theirs)), 1e-6)


def padded(a: Tensor, windows: Windows, axes: Numbers, value: float = 0.0) -> Tensor:
    """Pad (n, c, *axes) as the windows do; PyTorch names the last axis first."""
    pads = [number for pair in reversed(windows.pads(axes)) for number in pair]
    return F.pad(a, pads, value=value)


# -- convolution -----------------------------------------------------------------------------------------

PADDINGS = ("valid", "same", 1, "one side")
CONVOLUTIONS = [
    (k, stride, padding, dilation, groups)
    for k, stride, padding, dilation, groups in product((1, 2, 3), (1, 2, 3), PADDINGS, (1, 2), (1, 2, 4))
]


def convolve(layer: Conv1D | Conv2D, params: dict[str, Array], A: Array, delta: Array) -> tuple[Array, ...]:
    """Return PyTorch's z, dL/dA, dL/dW and dL/db for L = sum of delta z."""
    a, w, b = tensor(channels_first(A)), tensor(np.moveaxis(params["W"], (-1, -2), (0, 1))), tensor(params["b"])
    run = F.conv1d if layer.axes == 1 else F.conv2d
    windows = layer.windows
    z = run(
        padded(a, windows, A.shape[1:-1]), w, b, stride=windows.stride, dilation=windows.dilation, groups=layer.groups
    )
    z.backward(torch.tensor(channels_first(delta)))
    dW = np.moveaxis(w.grad.numpy(), (0, 1), (-1, -2))
    return channels_last(z), channels_last(a.grad), dW, b.grad.numpy()


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize(("k", "stride", "padding", "dilation", "groups"), CONVOLUTIONS)
def test_convolution(axes: int, k: int, stride: int, padding: Any, dilation: int, groups: int) -> None:
    if padding == "one side":
        padding = ((2, 0), (1, 3))[:axes]
    kernel, steps = ((k,), (stride,)) if axes == 1 else ((k, 4 - k), (stride, 1))
    cls = Conv1D if axes == 1 else Conv2D
    layer = cls(8, kernel, stride=steps, padding=padding, dilation=dilation, groups=groups)
    rng = np.random.default_rng(k + 10 * stride)
    A = rng.normal(size=(3, *(9, 8)[:axes], 4))
    params: dict[str, Array] = {
        "W": rng.normal(size=layer.parameter_shapes(A.shape[1:])["W"]), "b": rng.normal(size=8)
    }  # fmt: skip
    record = layer.forward(params, A)
    delta = rng.normal(size=record.Z.shape)
    dA, grads = layer.backward(params, record, delta)
    for ours, theirs in zip((record.Z, dA, grads["W"], grads["b"]), convolve(layer, params, A, delta), strict=True):
        assert_close(ours, theirs)


@pytest.mark.parametrize(("k", "dilation"), [(1, 1), (2, 1), (3, 1), (2, 2), (4, 1), (3, 3)])
def test_same_is_the_same_word(k: int, dilation: int) -> None:
    """With stride 1 PyTorch knows the word too."""
    rng = np.random.default_rng(0)
    layer = Conv2D(2, k, padding="same", dilation=dilation, bias=False)
    A, W = rng.normal(size=(2, 7, 6, 3)), rng.normal(size=(k, k, 3, 2))
    w = np.ascontiguousarray(np.moveaxis(W, (-1, -2), (0, 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # even kernels need one zero more after: a copy, which PyTorch says once
        z = F.conv2d(torch.tensor(channels_first(A)), torch.tensor(w), padding="same", dilation=dilation)
    assert_close(layer.forward({"W": W}, A).Z, channels_last(z))


# -- pooling ---------------------------------------------------------------------------------------------

POOLS = list(product((1, 2), (2, 3), (1, 2, 3), ("valid", "same", 1)))


@pytest.mark.parametrize(("axes", "k", "stride", "padding"), POOLS)
@pytest.mark.parametrize("largest", [True, False])
def test_pooling(axes: int, k: int, stride: int, padding: Any, largest: bool) -> None:
    rng = np.random.default_rng(k)
    A = rng.normal(size=(3, *(9, 8)[:axes], 4))
    layer: Layer
    if axes == 1:
        layer = (MaxPool1D if largest else AvgPool1D)(k, stride, padding)
        max_pool, avg_pool = F.max_pool1d, F.avg_pool1d
    else:
        layer = (MaxPool2D if largest else AvgPool2D)(k, stride, padding)
        max_pool, avg_pool = F.max_pool2d, F.avg_pool2d
    record = layer.forward({}, A)
    delta = rng.normal(size=record.Z.shape)
    a = tensor(channels_first(A))
    if largest:
        z = max_pool(padded(a, layer.windows, A.shape[1:-1], -np.inf), k, stride)
    elif padding == 1:
        z = avg_pool(a, k, stride, padding=1, count_include_pad=False)
    else:  # sums over the padded input, divided by sums over padded ones
        ones = padded(torch.ones_like(a), layer.windows, A.shape[1:-1])
        z = avg_pool(padded(a, layer.windows, A.shape[1:-1]), k, stride) / avg_pool(ones, k, stride)
    z.backward(torch.tensor(channels_first(delta)))
    assert_close(record.Z, channels_last(z))
    assert_close(layer.input_gradient({}, record, delta), channels_last(a.grad))


@pytest.mark.parametrize("axes", [1, 2])
def test_pooling_over_all_places(axes: int) -> None:
    rng = np.random.default_rng(axes)
    A, delta = rng.normal(size=(3, *(5, 4)[:axes], 2)), rng.normal(size=(3, 2))
    for layer in (GlobalAvgPool(axes), GlobalMaxPool(axes)):
        a = tensor(channels_first(A))
        flat = a.flatten(2)
        z = flat.mean(dim=-1) if layer.name == "global_avg_pool" else flat.amax(dim=-1)
        z.backward(torch.tensor(delta))
        record = layer.forward({}, A)
        assert_close(record.Z, z.detach().numpy())
        assert_close(layer.input_gradient({}, record, delta), channels_last(a.grad))


# -- batch normalisation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("momentum", [0.1, 0.7, 1.0])
@pytest.mark.parametrize("shape", [(6, 3), (6, 5, 3), (4, 5, 6, 3)])
def test_batch_norm_over_four_steps_and_in_prediction(shape: Numbers, momentum: float) -> None:
    rng = np.random.default_rng(len(shape))
    layer = BatchNorm(momentum=momentum, eps=1e-3, axes=len(shape) - 2)
    params: dict[str, Array] = {key: rng.uniform(0.5, 2, 3) for key in ("gamma", "beta", "mean", "variance")}
    mean, variance = (torch.tensor(params[key].copy()) for key in ("mean", "variance"))
    for step in range(5):
        training = step < 4
        A, delta = rng.normal(1, 3, shape), rng.normal(size=shape)
        a, gamma, beta = tensor(channels_first(A)), tensor(params["gamma"]), tensor(params["beta"])
        z = F.batch_norm(a, mean, variance, gamma, beta, training=training, momentum=momentum, eps=1e-3)
        z.backward(torch.tensor(channels_first(delta)))
        record = layer.forward(params, A, training=training)
        dA, grads = layer.backward(params, record, delta)
        assert_close(record.Z, channels_last(z))
        assert_close(dA, channels_last(a.grad))
        assert_close(grads["gamma"], gamma.grad.numpy())
        assert_close(grads["beta"], beta.grad.numpy())
        if training:
            params = params | layer.running(params, record)
            assert_close(params["mean"], mean.numpy())
            assert_close(params["variance"], variance.numpy())


# -- dropout of channels ---------------------------------------------------------------------------------


def test_dropout_of_channels_has_the_moments_of_theirs() -> None:
    """Both drop a channel whole with probability 0.3 and keep the mean; their draws are their own."""
    torch.manual_seed(0)
    A = np.ones((4000, 2, 3, 5))
    ours = Dropout(0.3, channels=True, axes=2).forward({}, A, stream(0, "dropout")).A
    theirs = channels_last(F.dropout2d(torch.tensor(channels_first(A)), p=0.3, training=True))
    for A_out in (ours, theirs):
        assert np.ptp(A_out, axis=(1, 2)).max() == 0  # whole channels
        np.testing.assert_allclose(np.unique(A_out), [0, 1 / 0.7], rtol=1e-15)
    # 20,000 channels: each share is within 5 standard errors of 0.7
    error = 5 * np.sqrt(0.7 * 0.3 / 20_000)
    assert abs((ours[:, 0, 0] > 0).mean() - 0.7) < error
    assert abs((theirs[:, 0, 0] > 0).mean() - 0.7) < error


# -- whole networks --------------------------------------------------------------------------------------


def lenet(a: Tensor, arrays: list[dict[str, Tensor]]) -> Tensor:
    """Return the logits of the network below, channels first until it flattens."""
    first, norm, second, top = arrays[0], arrays[1], arrays[3], arrays[5]
    z = F.conv2d(a, first["W"].permute(3, 2, 0, 1), first["b"], padding=1)
    z = F.batch_norm(z, None, None, norm["gamma"], norm["beta"], training=True, eps=1e-5)
    z = F.max_pool2d(F.relu(z), 2)
    z = F.silu(F.conv2d(z, second["W"].permute(3, 2, 0, 1), second["b"], stride=2, groups=2))
    return z.permute(0, 2, 3, 1).flatten(1) @ top["W"] + top["b"]


@pytest.mark.parametrize("members", [None, 3])
def test_a_whole_network(members: int | None) -> None:
    layers = (
        Conv2D(4, 3, padding="same"), BatchNorm("relu"), MaxPool2D(2), Conv2D(6, 2, "silu", stride=2, groups=2),
        Flatten(), Dense(5, "softmax"),
    )  # fmt: skip
    network = Network(layers, (10, 12, 2))
    rng = np.random.default_rng(8)
    theta = rng.normal(0, 0.5, ((members,) if members else ()) + (network.n_parameters,))
    X, labels = rng.normal(size=(7, 10, 12, 2)), rng.integers(0, 5, 7)
    params = network.unpack(theta)
    value, grads, forward = network.loss_and_gradients(params, X, labels, "softmax_cross_entropy")
    loss, act = find_loss("softmax_cross_entropy"), network.output_activation
    dX = network.input_gradient(params, forward, output_delta(loss, act, forward.Z, forward.A, labels))
    flat = network.pack(grads)
    for k in range(members or 1):
        own = (theta[k], value[k], flat[k], dX[k]) if members else (theta, value, flat, dX)
        weights, a = tensor(own[0]), tensor(channels_first(X))
        arrays: list[dict[str, Tensor]] = [{} for _ in layers]
        for slot in network.slots:
            arrays[slot.layer][slot.key] = weights[slot.slice].reshape(slot.shape)
        theirs = F.cross_entropy(lenet(a, arrays), torch.tensor(labels))
        theirs.backward()
        assert float(own[1]) == pytest.approx(theirs.item(), rel=TOLERANCE)
        assert_close(own[2], weights.grad.numpy())
        assert_close(own[3], channels_last(a.grad))
