"""A piece of work: the members, the data, the initial weights and the batches that every contestant gets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.image_layers import ImageLayer, Pooling, image_layers
from chainrule import Dataset, Member, Network, TrainingConfig
from chainrule.cohorts import bind_to_data
from chainrule.data import Split
from chainrule.engines._cohort_data import Batches
from chainrule.nn import loss, loss_value
from chainrule.random import stream

Array = npt.NDArray[np.float32]
Order = npt.NDArray[np.intp]
SLICE = 10_000  # samples evaluated at a time


class Shape(NamedTuple):
    """One network: its units from input to output, and the activation after each layer that has weights.

    Attributes
    ----------
    image : tuple of int
        (height, width, channels) of the input of a convolutional network; empty for a multilayer perceptron.
    image_layers : tuple
        The layers of a convolutional network.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    image: tuple[int, ...] = ()
    image_layers: tuple[ImageLayer, ...] = ()

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(fan_in, fan_out) of each layer of a multilayer perceptron."""
        assert not self.image, "a convolution has no fan_in x fan_out weights"
        return list(zip(self.sizes[:-1], self.sizes[1:], strict=True))

    @property
    def weights(self) -> list[tuple[int, ...]]:
        """The shape of each layer's W; its last axis is that of b."""
        if self.image:
            return [layer.weights for layer in self.image_layers if not isinstance(layer, Pooling)]
        return list(self.layers)

    @property
    def products(self) -> list[int]:
        """Multiplications of one sample in each layer that has weights."""
        if self.image:
            return [layer.products for layer in self.image_layers if not isinstance(layer, Pooling)]
        return list(map(math.prod, self.layers))


def shape_of(network: Network) -> Shape:
    """Return the shape of a bound network."""
    sizes = tuple(math.prod(shape) for shape in network.shapes)
    if len(network.shapes[0]) == 1:
        return Shape(sizes, tuple(layer.act.name for layer in network.layers))
    layers = image_layers(network)
    names = tuple(layer.activation for layer in layers if not isinstance(layer, Pooling))
    return Shape(sizes, names, network.shapes[0], layers)


@dataclass(frozen=True, eq=False)
class Work:
    """Members to be trained on one data set.

    Parameters
    ----------
    members : tuple of Member
        Networks of dense layers, or of convolutions, poolings and dense layers; all with the same loss, epochs and
        batch size.
    dataset : Dataset
        What they are trained on, without a held-out part.
    """

    members: tuple[Member, ...]
    dataset: Dataset

    @classmethod
    def of(cls, members: Sequence[Member], dataset: Dataset) -> Work:
        """Make the work, networks bound to the data."""
        bound: dict[Network, Network] = {}
        for member in members:
            if member.network not in bound:
                bound[member.network] = bind_to_data(member.network, Split(dataset), member.config)
        return cls(tuple(replace(member, network=bound[member.network]) for member in members), dataset)

    def __len__(self) -> int:
        return len(self.members)

    # -- the setting ----------------------------------------------------------------------------------------

    @property
    def config(self) -> TrainingConfig:
        """The first member's configuration: loss, epochs and batch size are everybody's."""
        return self.members[0].config

    @property
    def epochs(self) -> int:
        """Epochs of every member."""
        return self.config.epochs

    @property
    def loss(self) -> str:
        """The loss of every member."""
        return self.config.loss

    @property
    def batch(self) -> int:
        """Samples per step."""
        size = self.config.batch_size
        return self.dataset.n if isinstance(size, str) else min(size, self.dataset.n)

    @property
    def full_batch(self) -> bool:
        """Whether a step sees all samples, in their own order."""
        return self.batch >= self.dataset.n

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape of every member."""
        known: dict[Network, Shape] = {}
        for member in self.members:
            if member.network not in known:
                known[member.network] = shape_of(member.network)
        return tuple(known[member.network] for member in self.members)

    @property
    def uniform(self) -> bool:
        """Whether all members have one shape, and plain gradient descent moves them."""
        return len(set(self.shapes)) == 1 and {member.config.optimizer for member in self.members} == {"sgd"}

    @cached_property
    def rates(self) -> Array:
        """Learning rates (m,)."""
        return np.array([member.config.learning_rate for member in self.members], dtype=np.float32)

    # -- the numbers ----------------------------------------------------------------------------------------

    @cached_property
    def X(self) -> Array:
        """Inputs (n, d)."""
        return np.ascontiguousarray(self.dataset.X, dtype=np.float32)

    @cached_property
    def Y(self) -> Array:
        """Targets (n, k); classes are one-hot."""
        return np.ascontiguousarray(self.dataset.Y, dtype=np.float32)

    def theta(self, k: int) -> Array:
        """Draw member k's initial weights (P,), layer by layer, W before b."""
        member = self.members[k]
        flat = member.network.pack(member.network.init(stream(member.seed, "init")))
        return flat.astype(np.float32)

    def layers(self, k: int) -> list[tuple[Array, Array]]:
        """Return member k's initial W (fan_in, fan_out), or (ky, kx, channels, filters), and b, layer by layer."""
        return split_layers(self.shapes[k], self.theta(k))

    @cached_property
    def orders(self) -> dict[int, Order]:
        """The order in which each seed sees the samples, (epochs, n); empty for full batches."""
        if self.full_batch:
            return {}
        seeds = list(dict.fromkeys(member.seed for member in self.members))
        drawn: dict[int, Order] = {}
        for seed in seeds:
            batches = Batches([seed], self.dataset.n, self.batch, self.config.shuffle)
            epochs = [np.concatenate([_rows(rows) for rows in batches.epoch([seed])]) for _ in range(self.epochs)]
            drawn[seed] = np.stack(epochs)
        return drawn

    def batches(self, k: int) -> list[Order]:
        """Return the rows of each of member k's steps, epoch after epoch; not for full batches."""
        order = self.orders[self.members[k].seed]
        cuts = range(self.batch, self.dataset.n, self.batch)
        return [rows for epoch in order for rows in np.split(epoch, cuts)]

    def losses(self, weights: Sequence[Array]) -> npt.NDArray[np.float64]:
        """Return the loss of every member over all samples, for flat weights in the order of `theta`."""
        return np.array([self._loss_of(k, flat) for k, flat in enumerate(weights)])

    def _loss_of(self, k: int, flat: Array) -> float:
        # Weights are judged in float64 where that is cheap; 60,000 images in float32 differ in the seventh digit.
        dtype = np.float64 if self.dataset.X.size < 10**6 else np.float32
        network, total = self.members[k].network, 0.0
        params, rule = network.unpack(np.asarray(flat, dtype=dtype)), loss(self.loss)
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, self.dataset.n, SLICE):
                part = slice(start, start + SLICE)
                X, Y = self.X[part].astype(dtype), self.Y[part].astype(dtype)
                forward = network.forward(params, X)
                value = loss_value(rule, network.output_activation, forward.Z, forward.A, Y)
                total += float(value) * len(X)
        return total / self.dataset.n

    # -- less of it -----------------------------------------------------------------------------------------

    def with_config(self, **changes: Any) -> Work:
        """Return the work with some settings of every member changed."""
        configs: dict[TrainingConfig, TrainingConfig] = {}
        for member in self.members:
            if member.config not in configs:
                configs[member.config] = member.config.replace(**changes)
        return Work(tuple(replace(member, config=configs[member.config]) for member in self.members), self.dataset)

    def first(self, members: int) -> Work:
        """Return the work of the first members only."""
        return Work(self.members[:members], self.dataset)

    def first_shapes(self, shapes: int) -> Work:
        """Return the work of the members of the first few shapes that occur (activations set aside)."""
        sizes = list(dict.fromkeys(shape.sizes for shape in self.shapes))[:shapes]
        kept = [member for member, shape in zip(self.members, self.shapes, strict=True) if shape.sizes in sizes]
        return Work(tuple(kept), self.dataset)

    def first_samples(self, samples: int) -> Work:
        """Return the work on the first samples only."""
        return Work(self.members, self.dataset.take(np.arange(min(samples, self.dataset.n))))


def _rows(rows: Order | None) -> Order:
    assert rows is not None, "full batches have no order"
    return rows


def split_layers(shape: Shape, flat: Array) -> list[tuple[Array, Array]]:
    """Return W and b of each layer as views of flat weights."""
    parts, start = [], 0
    for axes in shape.weights:
        W = flat[start : start + math.prod(axes)].reshape(axes)
        start += W.size
        parts.append((W, flat[start : start + axes[-1]]))
        start += axes[-1]
    return parts


def join_layers(layers: Sequence[tuple[Any, Any]]) -> Array:
    """Return flat weights from W and b of each layer."""
    return np.concatenate([np.ravel(np.asarray(part, dtype=np.float32)) for W, b in layers for part in (W, b)])
