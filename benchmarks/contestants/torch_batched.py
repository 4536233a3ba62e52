"""PyTorch over a population: one batched matrix product for all members, padded to the widest.

The gradient is written by hand (autograd costs a third more here), activations are computed on the slice of members
that has them, and one branch-free formula serves all optimizers.
"""

from __future__ import annotations

from typing import Any

from benchmarks.contestants._base import Contestant, Losses
from benchmarks.padding import Padded
from benchmarks.unified import corrections, rule_of
from benchmarks.work import Array, Work


class TorchBatched(Contestant):
    """Full-batch training of all members at once with `baddbmm`."""

    name = "pytorch batched"

    def __init__(self, work: Work) -> None:
        import torch

        super().__init__(work)
        assert work.full_batch, "all members see the same samples"
        assert work.loss == "mse", "the delta below is that of the squared error after a sigmoid"
        self.torch: Any = torch
        self.padded = Padded(work)
        m = len(work)
        self.X = torch.from_numpy(work.X.copy()).expand(m, -1, -1)
        self.Y = torch.from_numpy(work.Y.copy())
        self.start = [(torch.from_numpy(W), torch.from_numpy(b)) for W, b in self.padded.layers]
        self.masks = [None if mask is None else torch.from_numpy(mask)[:, None, :] for mask in self.padded.masks]
        self.rule = None if work.uniform else list(map(torch.from_numpy, rule_of(work).take(self.padded.order)))
        self.corrections = corrections(work.epochs)
        self.rates = torch.from_numpy(work.rates[self.padded.order])
        self.end = self.start

    def train(self) -> None:
        """Train all members from their initial weights."""
        torch = self.torch
        with torch.no_grad():
            layers = [(W.clone(), b.clone()) for W, b in self.start]
            memory = [tuple((torch.zeros_like(part), torch.zeros_like(part)) for part in layer) for layer in layers]
            for t in range(self.work.epochs):
                for layer, kept, grads in zip(layers, memory, self._gradients(layers), strict=True):
                    for part, moments, grad in zip(layer, kept, grads, strict=True):
                        self._step(part, moments, grad, t)
            self.end = layers

    def evaluate(self, trained: bool) -> Losses:
        """Return the losses."""
        with self.torch.no_grad():
            A = self._forward(self.end if trained else self.start)[-1]
            values = ((A - self.Y) ** 2).mean(dim=(1, 2)).numpy()
        return self.padded.in_order(values)

    def weights(self) -> list[Array]:
        """Return the trained weights without their padding."""
        return self.padded.flat([(W.numpy(), b.numpy()) for W, b in self.end])

    def _forward(self, layers: list[tuple[Any, Any]]) -> list[Any]:
        A = [self.X]
        for level, (W, b) in enumerate(layers):
            Z = self.torch.baddbmm(b[:, None, :], A[-1], W)
            A.append(Z.sigmoid_() if level == len(layers) - 1 else self._activate(Z, self.masks[level]))
        return A

    def _activate(self, Z: Any, mask: Any) -> Any:
        for name, part in self.padded.groups:
            if name == "elu":
                self.torch.nn.functional.elu_(Z[part])
            else:
                getattr(Z[part], f"{name}_")()
        return Z if mask is None else Z.mul_(mask)

    def _slope(self, A: Any, delta: Any) -> Any:
        """Multiply delta by the activations' slopes, group by group."""
        for name, part in self.padded.groups:
            a, d = A[part], delta[part]
            if name == "sigmoid":
                d.mul_(a).mul_(1 - a)
            elif name == "tanh":
                d.mul_(1 - a * a)
            else:
                d.mul_(self.torch.where(a > 0, 1.0, 0.0 if name == "relu" else a + 1))
        return delta

    def _gradients(self, layers: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        A = self._forward(layers)
        out = A[-1]
        delta = (out - self.Y).mul_(2 / self.Y.numel()).mul_(out).mul_(1 - out)
        grads = []
        for level in range(len(layers) - 1, -1, -1):
            grads.append((self.torch.bmm(A[level].transpose(1, 2), delta), delta.sum(dim=1)))
            if level:
                delta = self._slope(A[level], self.torch.bmm(delta, layers[level][0].transpose(1, 2)))
        return grads[::-1]

    def _step(self, part: Any, moments: tuple[Any, Any], grad: Any, t: int) -> None:
        lead = (-1, *(1 for _ in part.shape[1:]))
        if self.rule is None:
            part.addcmul_(grad, self.rates.view(lead), value=-1.0)
            return
        a, c, p, q, eps, adaptive, corrected, rate = (v.view(lead) for v in self.rule)
        M, S = moments
        M.mul_(a).addcmul_(grad, c)
        S.mul_(p).addcmul_(grad * grad, q)
        where, (first, second) = self.torch.where, self.corrections[t]
        root = (S / where(corrected, float(second), 1.0)).sqrt_().add_(eps)
        step = M * (rate / where(corrected, float(first), 1.0))
        part.sub_(step.div_(where(adaptive, root, 1.0)))
