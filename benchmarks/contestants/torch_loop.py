"""PyTorch as one writes it: autograd, `torch.optim.SGD`, one network after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.contestants._base import Contestant, Losses
from benchmarks.work import Array, Work, join_layers


class TorchLoop(Contestant):
    """Eager PyTorch on the CPU with its default threads."""

    name = "pytorch"

    def __init__(self, work: Work) -> None:
        import torch

        super().__init__(work)
        assert work.uniform, "plain gradient descent only"
        self.torch: Any = torch
        self.X, self.Y = torch.from_numpy(work.X.copy()), torch.from_numpy(work.Y.copy())
        self.classes = self.Y.argmax(dim=1)
        self.start = [[torch.from_numpy(part.copy()) for layer in work.layers(k) for part in layer]
                      for k in range(len(work))]  # fmt: skip
        self.end: list[list[Any]] = []
        self.batches = [
            None if work.full_batch else [torch.from_numpy(rows) for rows in work.batches(k)] for k in range(len(work))
        ]

    def train(self) -> None:
        """Train one member after the other."""
        self.end = [self._member(k) for k in range(len(self.work))]

    def evaluate(self, trained: bool) -> Losses:
        """Return the losses, in one pass over all samples."""
        with self.torch.no_grad():
            weights = self.end if trained else self.start
            return np.array([self._evaluated(parts) for parts in weights])

    def weights(self) -> list[Array]:
        """Return the trained weights."""
        arrays = [[part.detach().numpy() for part in parts] for parts in self.end]
        return [join_layers(list(zip(parts[0::2], parts[1::2], strict=True))) for parts in arrays]

    def _evaluated(self, parts: list[Any]) -> float:
        return float(self._loss(parts, self.X, self.Y, self.classes))

    def _member(self, k: int) -> list[Any]:
        parts = [part.clone().requires_grad_() for part in self.start[k]]
        optimizer = self.torch.optim.SGD(parts, lr=float(self.work.rates[k]))
        rows = self.batches[k]
        for t in range(self.work.epochs if rows is None else len(rows)):
            batch = (self.X, self.Y, self.classes)
            if rows is not None:
                batch = (self.X[rows[t]], self.Y[rows[t]], self.classes[rows[t]])
            optimizer.zero_grad()
            self._loss(parts, *batch).backward()
            optimizer.step()
        return parts

    def _loss(self, parts: list[Any], X: Any, Y: Any, classes: Any) -> Any:
        functional = self.torch.nn.functional
        Z, A = self._outputs(parts, X)
        if self.work.loss == "softmax_cross_entropy":
            return functional.cross_entropy(Z, classes)
        return functional.mse_loss(A, Y)

    def _outputs(self, parts: list[Any], X: Any) -> tuple[Any, Any]:
        """Return Z and A of the output layer."""
        A = X
        for W, b, name in zip(parts[0::2], parts[1::2], self.work.shapes[0].activations, strict=True):
            Z = self.torch.addmm(b, A, W)
            A = Z if name in ("softmax", "identity") else getattr(self.torch, name)(Z)
        return Z, A
