"""The formulation of Farias, Ludermir and Bastos-Filho (2022), in PyTorch.

"Embarrassingly Parallel Independent Training of Multi-Layer Perceptrons with Heterogeneous Architectures",
arXiv 2206.08369: the hidden units of all members stand side by side in one network. The first layer is one matrix
product. In the layers above, the product of activations and weights is replaced by an elementwise product of every
unit with its own weights, and by a sum that scatters the terms to their own member's units, so that no gradient
crosses from one member to another. Units are sorted by activation, and each activation is applied to its segment.

The paper has one hidden layer; here a layer above the first has a term for every pair of units of one member. Terms
are laid out units first, samples last, which makes gather and scatter move whole rows: the fastest layout we found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.contestants._base import Contestant, Losses
from benchmarks.unified import corrections, rule_of
from benchmarks.work import Array, Work, join_layers

Index = npt.NDArray[np.int64]


class TorchFarias(Contestant):
    """One concatenated network with scattered sums; autograd, full batch."""

    name = "farias"

    def __init__(self, work: Work) -> None:
        import torch

        super().__init__(work)
        assert work.full_batch, "all members see the same samples"
        assert work.loss == "mse", "one sigmoid output a member, squared error"
        self.torch: Any = torch
        self.plan = Plan(work)
        self.X = torch.from_numpy(work.X.T.copy())
        self.Y = torch.from_numpy(work.Y.T.copy())
        self.start = [torch.from_numpy(part) for part in self.plan.weights]
        self.pairs = [tuple(map(torch.from_numpy, pair)) for pair in self.plan.pairs]
        rule = rule_of(work)
        self.rules = [list(map(torch.from_numpy, rule.take(owner))) for owner in self.plan.owners]
        self.corrections = corrections(work.epochs)
        self.end = self.start

    def train(self) -> None:
        """Train all members from their initial weights."""
        torch = self.torch
        parts = [part.clone().requires_grad_() for part in self.start]
        memory = [(torch.zeros_like(part), torch.zeros_like(part)) for part in self.start]
        for t in range(self.work.epochs):
            outputs = self._forward(parts)
            # The sum over members: each weight belongs to one of them and gets its own member's gradient.
            ((outputs - self.Y) ** 2).sum().div(self.Y.numel()).backward()
            with torch.no_grad():
                for part, moments, rule in zip(parts, memory, self.rules, strict=True):
                    self._step(part, moments, rule, t)
                    part.grad = None
        self.end = [part.detach() for part in parts]

    def evaluate(self, trained: bool) -> Losses:
        """Return the losses."""
        with self.torch.no_grad():
            outputs = self._forward(self.end if trained else self.start)
            values: npt.NDArray[np.float32] = ((outputs - self.Y) ** 2).mean(dim=1).numpy()
        result = np.empty_like(values)
        result[self.plan.order] = values
        return result

    def weights(self) -> list[Array]:
        """Return the trained weights, member by member."""
        return self.plan.flat([part.numpy() for part in self.end])

    def _forward(self, parts: list[Any]) -> Any:
        torch = self.torch
        W, b = parts[:2]
        A = self._activate(torch.addmm(b[:, None], W.T, self.X), 0)
        for level, (source, target) in enumerate(self.pairs, start=1):
            w, b = parts[2 * level : 2 * level + 2]
            terms = A.index_select(0, source) * w[:, None]
            Z = b[:, None].expand(-1, A.shape[1]).index_add(0, target, terms)
            A = torch.sigmoid(Z) if level == len(self.pairs) else self._activate(Z, level)
        return A

    def _activate(self, Z: Any, level: int) -> Any:
        functions = {"elu": self.torch.nn.functional.elu}
        segments = [functions.get(name) or getattr(self.torch, name) for name, _ in self.plan.segments[level]]
        pieces = Z.split([size for _, size in self.plan.segments[level]])
        done = [function(piece) for function, piece in zip(segments, pieces, strict=True)]
        return done[0] if len(done) == 1 else self.torch.cat(done)

    def _step(self, part: Any, moments: tuple[Any, Any], rule: list[Any], t: int) -> None:
        a, c, p, q, eps, adaptive, corrected, rate = rule
        if self.work.uniform:
            part.addcmul_(part.grad, rate, value=-1.0)
            return
        M, S = moments
        M.mul_(a).addcmul_(part.grad, c)
        S.mul_(p).addcmul_(part.grad * part.grad, q)
        where, (first, second) = self.torch.where, self.corrections[t]
        root = (S / where(corrected, float(second), 1.0)).sqrt_().add_(eps)
        step = M * (rate / where(corrected, float(first), 1.0))
        part.sub_(step.div_(where(adaptive, root, 1.0)))


class Plan:
    """Where everything of every member lies in the concatenated network.

    Attributes
    ----------
    order : ndarray (m,)
        The members as they stand side by side: sorted by activation.
    weights : list of ndarray
        W (d, units) and b (units,) of the first layer, then w (pairs,) and b (units,) of each layer above.
    pairs : list of (source, target)
        For each layer above the first: the unit below and the unit above of every weight.
    owners : list of ndarray
        For each array of `weights`, which member its entries belong to (of its columns, for the first W).
    segments : list of list of (activation, units)
        For each hidden layer.
    """

    def __init__(self, work: Work) -> None:
        self.shapes = work.shapes
        hidden = np.array([shape.activations[0] for shape in self.shapes])
        self.order: npt.NDArray[np.intp] = np.argsort(hidden, kind="stable")
        sizes = np.array([self.shapes[k].sizes for k in self.order])  # (m, layers + 1)
        starts = np.vstack([np.zeros((1, sizes.shape[1]), np.int64), np.cumsum(sizes, axis=0)])
        layers = [work.layers(k) for k in self.order]
        depth = sizes.shape[1] - 1
        self.weights = [np.concatenate([own[0][0] for own in layers], axis=1), _joined(layers, 0, 1)]
        owner = [np.repeat(self.order, sizes[:, level]) for level in range(1, depth + 1)]
        self.owners = [owner[0], owner[0]]
        self.pairs: list[tuple[Index, Index]] = []
        for level in range(1, depth):
            self.weights += [_joined(layers, level, 0), _joined(layers, level, 1)]
            self.pairs.append(_pairs(sizes, starts, level))
            self.owners += [np.repeat(self.order, sizes[:, level] * sizes[:, level + 1]), owner[level]]
        names = hidden[self.order]
        self.segments = [
            [(str(name), int(sizes[names == name, level].sum())) for name in dict.fromkeys(names)]
            for level in range(1, depth)
        ]

    def flat(self, weights: list[Array]) -> list[Array]:
        """Return the flat weights of every member, in the order of the work."""
        flats: list[Array] = [np.empty(0, np.float32)] * len(self.order)
        at = [0] * len(weights)
        for k in self.order:
            own = []
            for level, (fan_in, fan_out) in enumerate(self.shapes[k].layers):
                i, size = 2 * level, fan_out if level == 0 else fan_in * fan_out
                W = weights[i][..., at[i] : at[i] + size]
                own.append((W, weights[i + 1][at[i + 1] : at[i + 1] + fan_out]))
                at[i] += size
                at[i + 1] += fan_out
            flats[k] = join_layers(own)
        return flats


def _joined(layers: list[list[tuple[Array, Array]]], level: int, part: int) -> Array:
    """Return one array of a layer, of all members one after the other."""
    return np.concatenate([np.ravel(own[level][part]) for own in layers])


def _pairs(sizes: Index, starts: Index, level: int) -> tuple[Index, Index]:
    """Return the units below and above of every weight of a layer, in the order of the flat W of each member."""
    source, target = [], []
    for row in range(len(sizes)):
        below, above = (starts[row, at] + np.arange(sizes[row, at]) for at in (level, level + 1))
        source.append(np.repeat(below, len(above)))
        target.append(np.tile(above, len(below)))
    return np.concatenate(source), np.concatenate(target)
