"""The contract of a layer, and the record that its forward pass leaves for its backward pass.

Shapes: the sample axis comes first, then the feature axes: (n, d) for a dense layer, (n, height, width,
channels) for an image layer. `input_shape` and `output_shape` are the feature axes alone. A population adds
a leading member axis to weights and activations; which of the two it is shows in the weights' number of axes.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

from chainrule.errors import ConfigError, ShapeError, one_line
from chainrule.nn._types import Array
from chainrule.nn.activations import Activation, Identity

DropoutStream: TypeAlias = np.random.Generator | Sequence[np.random.Generator]
"""One generator without a member axis, one generator for each member with it."""


@dataclass(frozen=True)
class LayerRecord:
    """What a layer's forward pass computed, and its backward pass needs.

    Attributes
    ----------
    A_in : array
        What went in: the activations of the layer below.
    Z : array
        Pre-activations.
    A : array
        Activations f(Z): what goes out.
    mask : array, optional
        Dropout's factors: 0 or 1 / (1 - rate); None at inference.
    scale : array, optional
        The standard deviation that a normalising layer divided by.
    """

    A_in: Array
    Z: Array
    A: Array
    mask: Array | None = None
    scale: Array | None = None


@dataclass(frozen=True)
class Forward:
    """The forward pass: a record per layer, and Z and A of the output layer."""

    records: tuple[LayerRecord, ...]

    @property
    def Z(self) -> Array:
        """Pre-activations of the output layer, (..., n, k)."""
        return self.records[-1].Z

    @property
    def A(self) -> Array:
        """The network's outputs, (..., n, k)."""
        return self.records[-1].A


class Layer(ABC):
    """The contract: an immutable description (frozen dataclass) that owns no weights and no state.

    A layer maps A_in to Z (its own map, with weights if it has any) and Z to A (its activation). Every method
    takes arrays with or without the leading member axis and keeps their float type.

    Attributes
    ----------
    name : str
        The registry name.
    affine : bool
        True for layers Z = A_in W + b, which number the steps of a trace.
    """

    name: ClassVar[str]
    affine: ClassVar[bool] = False
    input_axes: ClassVar[int | None] = None
    """Feature axes that the layer takes, channels included; None: any number."""

    @property
    def act(self) -> Activation:
        """The activation; identity unless the layer has one."""
        return Identity()

    def fitted(self, input_shape: tuple[int, ...]) -> Layer:
        """Return the layer for inputs of a shape: itself, unless it has to write down what it cannot see later."""
        return self

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the feature axes that come out; raises `ShapeError` when the layer cannot take `input_shape`."""
        return input_shape

    def parameter_shapes(self, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Return the shape of each weight array of one member, in the order in which they are packed."""
        return {}

    def init(self, rng: np.random.Generator, input_shape: tuple[int, ...]) -> dict[str, Array]:
        """Draw the float64 weights of one member."""
        return {}

    @abstractmethod
    def forward(
        self, params: dict[str, Array], A_in: Array, dropout: DropoutStream | None = None, training: bool = False
    ) -> LayerRecord:
        """Compute Z and A = f(Z) from A_in.

        `training` says whether the pass belongs to a training step, `dropout` where its masks are drawn from (None:
        nowhere); only layers that then behave differently look at either.
        """

    def delta(self, record: LayerRecord, dA: Array) -> Array:
        """Return dL/dZ from dL/dA: back through the activation."""
        return self.act.backward(dA, record.Z, record.A)

    @abstractmethod
    def input_gradient(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> Array:
        """Return dL/dA_in from delta = dL/dZ."""

    def parameter_gradients(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> dict[str, Array]:
        """Return dL/d(weights) from delta = dL/dZ, without the penalties; keys and shapes as in `params`."""
        return {}

    def backward(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> tuple[Array, dict[str, Array]]:
        """Return dL/dA_in and dL/d(weights), without the penalties, from delta = dL/dZ."""
        return self.input_gradient(params, record, delta), self.parameter_gradients(params, record, delta)

    def running(self, params: dict[str, Array], record: LayerRecord) -> dict[str, Array]:
        """Return the weights that follow what passes through instead of a gradient, after a training step."""
        return {}

    @property
    def penalised(self) -> bool:
        """Whether the layer adds a penalty on its weights to the loss."""
        return False

    def penalty(self, params: dict[str, Array]) -> Array | float:
        """Return the penalty on the weights, () or one for each member."""
        return 0.0

    def penalty_gradient(self, params: dict[str, Array]) -> dict[str, Array]:
        """Return the derivative of the penalty, for the weights that have one."""
        return {}


def whole_number(value: object, what: str) -> int:
    """Return `value` as an int of at least 1, or raise `ConfigError` naming what it is."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise ConfigError(f"{what} must be a whole number of at least 1, got {one_line(repr(value))}")
    return number


def fit_layers(layers: Sequence[Layer], shape: tuple[int, ...]) -> tuple[Layer, ...]:
    """Let every layer write down what it needs to know of its input, the first one's being of `shape`.

    Raises
    ------
    ShapeError
        If a layer cannot take what the one below gives; with the layer's index as `layer`.
    """
    fitted: list[Layer] = []
    for index, layer in enumerate(layers):
        try:
            fitted.append(layer.fitted(shape))
            shape = fitted[-1].output_shape(shape)
        except ShapeError as error:
            told = ShapeError(f"layer {index + 1} of {len(layers)}: {error}")
            told.layer = index
            raise told from None
    return tuple(fitted)
