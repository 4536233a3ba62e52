"""PyTorch on convolutional networks: as one writes it, with channels last, and a population in grouped convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.contestants._base import Contestant, Losses
from benchmarks.contestants.torch_loop import TorchLoop
from benchmarks.image_layers import Convolution, Pooling
from benchmarks.work import Array, Shape, Work, join_layers

SLICE = 500  # samples evaluated at a time: what comes between the layers stays in the cache


class TorchImages(TorchLoop):
    """`conv2d`, `max_pool2d`, autograd and `torch.optim.SGD`, one network after the other."""

    name = "pytorch images"
    channels_last = False

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        assert work.loss == "softmax_cross_entropy", "the loss of the benchmarks"
        rows, columns, channels = work.shapes[0].image
        images = self.X.view(-1, rows, columns, channels).permute(0, 3, 1, 2)
        self.form = self.torch.channels_last if self.channels_last else self.torch.contiguous_format
        self.X = images.contiguous(memory_format=self.form)
        self.start = [self._tensors(torch_layers(work.shapes[k], work.layers(k))) for k in range(len(work))]

    def weights(self) -> list[Array]:
        """Return the trained weights in chainrule's layout."""
        arrays = [[part.detach().numpy() for part in parts] for parts in self.end]
        return [
            join_layers(our_layers(shape, list(zip(parts[0::2], parts[1::2], strict=True))))
            for shape, parts in zip(self.work.shapes, arrays, strict=True)
        ]

    def _tensors(self, layers: list[tuple[Array, Array]]) -> list[Any]:
        parts = [self.torch.from_numpy(part.copy()) for layer in layers for part in layer]
        return [part.contiguous(memory_format=self.form) if part.ndim == 4 else part for part in parts]

    def _evaluated(self, parts: list[Any]) -> float:
        total = 0.0
        for start in range(0, len(self.X), SLICE):
            rows = slice(start, start + SLICE)
            some = self.X[rows], self.Y[rows], self.classes[rows]
            total += float(self._loss(parts, *some)) * len(some[0])
        return total / len(self.X)

    def _outputs(self, parts: list[Any], X: Any) -> tuple[Any, Any]:
        functional, A = self.torch.nn.functional, X
        rest = iter(zip(parts[0::2], parts[1::2], strict=True))
        for layer in self.work.shapes[0].image_layers:
            if isinstance(layer, Pooling):
                A = functional.max_pool2d(A, layer.size)
                continue
            W, b = next(rest)
            Z = functional.conv2d(A, W, b) if isinstance(layer, Convolution) else self.torch.addmm(b, A.flatten(1), W)
            A = Z if layer.activation in ("softmax", "identity") else getattr(self.torch, layer.activation)(Z)
        return Z, A


class TorchChannelsLast(TorchImages):
    """The same with images and kernels in PyTorch's channels-last memory format."""

    name = "pytorch channels last"
    channels_last = True


class TorchGrouped(Contestant):
    """All members in one convolution with a group for each, and in one `baddbmm`; autograd, one rate for all."""

    name = "pytorch grouped"

    def __init__(self, work: Work) -> None:
        import torch

        super().__init__(work)
        assert work.uniform, "one shape, plain gradient descent"
        assert len(set(work.rates)) == 1, "one rate"
        assert not work.full_batch, "minibatches"
        assert work.loss == "softmax_cross_entropy", "the loss of the benchmarks"
        self.torch: Any = torch
        self.shape = work.shapes[0]
        rows, columns, channels = self.shape.image
        images = work.X.reshape(-1, rows, columns, channels).transpose(0, 3, 1, 2)
        self.X = torch.from_numpy(np.ascontiguousarray(images))
        self.classes = torch.from_numpy(work.Y.argmax(axis=1))
        members = [torch_layers(self.shape, work.layers(k)) for k in range(len(work))]
        self.start = [torch.from_numpy(np.stack(parts)) for level in zip(*members, strict=True)
                      for parts in zip(*level, strict=True)]  # fmt: skip
        self.end: list[Any] = self.start
        steps = zip(*(work.batches(k) for k in range(len(work))), strict=True)
        self.batches = [torch.from_numpy(np.stack(rows, axis=1)) for rows in steps]  # (batch, m): members side by side

    def train(self) -> None:
        """Train all members from their initial weights."""
        parts = [part.clone().requires_grad_() for part in self.start]
        optimizer = self.torch.optim.SGD(parts, lr=float(self.work.rates[0]))
        for rows in self.batches:
            optimizer.zero_grad()
            loss = self._losses(parts, self.X[rows].flatten(1, 2), self.classes[rows.T]).sum()
            loss.backward()
            optimizer.step()
        self.end = [part.detach() for part in parts]

    def evaluate(self, trained: bool) -> Losses:
        """Return the losses, all members on a slice of the samples at a time."""
        m, total = len(self.work), np.zeros(len(self.work))
        with self.torch.no_grad():
            for start in range(0, len(self.X), SLICE):
                X, classes = self.X[start : start + SLICE], self.classes[start : start + SLICE]
                losses = self._losses(self.end if trained else self.start, X.repeat(1, m, 1, 1), classes.expand(m, -1))
                total += losses.numpy() * len(X)
        return total / len(self.X)

    def weights(self) -> list[Array]:
        """Return the trained weights in chainrule's layout."""
        arrays = [part.numpy() for part in self.end]
        return [
            join_layers(our_layers(self.shape, [(W[k], b[k]) for W, b in zip(arrays[0::2], arrays[1::2], strict=True)]))
            for k in range(len(self.work))
        ]

    def _losses(self, parts: list[Any], X: Any, classes: Any) -> Any:
        """Return the mean loss (m,) of each member on X (batch, m channels, height, width), classes (m, batch)."""
        functional, m, A = self.torch.nn.functional, len(self.work), X
        rest = iter(zip(parts[0::2], parts[1::2], strict=True))
        for layer in self.shape.image_layers:
            if isinstance(layer, Pooling):
                A = functional.max_pool2d(A, layer.size)
                continue
            W, b = next(rest)
            if isinstance(layer, Convolution):
                Z = functional.conv2d(A, W.flatten(0, 1), b.flatten(), groups=m)
            else:
                if A.ndim == 4:  # (batch, m channels, height, width) to (m, batch, features)
                    A = A.reshape(len(A), m, -1).transpose(0, 1)
                Z = self.torch.baddbmm(b[:, None, :], A, W)
            A = Z if layer.activation in ("softmax", "identity") else getattr(self.torch, layer.activation)(Z)
        each = functional.cross_entropy(Z.flatten(0, 1), classes.flatten(), reduction="none")
        return each.view(m, -1).mean(dim=1)


def torch_layers(shape: Shape, layers: list[tuple[Array, Array]]) -> list[tuple[Array, Array]]:
    """Return weights as PyTorch wants them: W (filters, channels, ky, kx), rows of the first dense W by channel."""
    return _moved(shape, layers, back=False)


def our_layers(shape: Shape, layers: list[tuple[Array, Array]]) -> list[tuple[Array, Array]]:
    """Return the layout of `torch_layers` as chainrule has it."""
    return _moved(shape, layers, back=True)


def _moved(shape: Shape, layers: list[tuple[Array, Array]], back: bool) -> list[tuple[Array, Array]]:
    moved, rest, image = [], iter(layers), shape.image
    for layer in shape.image_layers:
        if isinstance(layer, Pooling):
            image = (image[0] // layer.size[0], image[1] // layer.size[1], image[2])
            continue
        W, b = next(rest)
        if isinstance(layer, Convolution):
            W = W.transpose((2, 3, 1, 0) if back else (3, 2, 0, 1))
            image = (*layer.places, layer.filters)
        elif image:  # rows in the order (height, width, channels), or (channels, height, width)
            rows, order = ((image[2], *image[:2]), (1, 2, 0, 3)) if back else (image, (2, 0, 1, 3))
            W, image = W.reshape(*rows, -1).transpose(order).reshape(W.shape), ()
        moved.append((np.ascontiguousarray(W), b))
    return moved
