"""The fully connected layer: Z = A_in W + b, A = f(Z)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.errors import ConfigError, ShapeError, one_line
from chainrule.nn._base import DropoutStream, Layer, LayerRecord, whole_number
from chainrule.nn._types import Array
from chainrule.nn.activations import Activation, activation
from chainrule.nn.initializers import default_initializer, initializer
from chainrule.spec import spec_of


@dataclass(frozen=True)
class Dense(Layer):
    """An affine map of all features and an activation.

    Parameters
    ----------
    units : int or None
        Number of outputs; None leaves it to `Network.bind`, which knows the data.
    activation : str or None
        Spec of the activation; None leaves it to `Network.bind`.
    bias : bool
        Whether b is added.
    weight_init : str or None
        Spec of the initializer of W; None takes the one that suits the activation.
    bias_init : str
        Spec of the initializer of b.
    l1, l2 : float
        Penalty l1 sum |w| + l2/2 sum w^2 over W (not b), added to the batch loss.

    Raises
    ------
    ConfigError
        For a number of units below 1, an unknown name or a negative penalty.
    """

    name: ClassVar[str] = "dense"
    affine: ClassVar[bool] = True
    units: int | None = None
    activation: str | None = "identity"
    bias: bool = True
    weight_init: str | None = None
    bias_init: str = "zeros"
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        """Check every value and write specs in their canonical form, so that equal layers compare equal."""
        units = None if self.units is None else whole_number(self.units, "units")
        act = None if self.activation is None else activation(self.activation)
        if units == 1 and act is not None and act.name == "softmax":
            raise ConfigError("dense: softmax over 1 unit is always 1: use 'sigmoid', or at least 2 units")
        if not isinstance(self.bias, bool):
            raise ConfigError(f"dense: bias must be true or false, got {one_line(repr(self.bias))}")
        canonical = {
            "units": units,
            "activation": None if act is None else spec_of(act),
            "weight_init": None if self.weight_init is None else spec_of(initializer(self.weight_init)),
            "bias_init": spec_of(initializer(self.bias_init)),
            "l1": _penalty("l1", self.l1),
            "l2": _penalty("l2", self.l2),
        }
        for key, value in canonical.items():
            object.__setattr__(self, key, value)

    @property
    def act(self) -> Activation:
        """The activation; raises `ConfigError` while it is left open."""
        if self.activation is None:
            raise ConfigError("the output layer's activation is still open: call network.bind(...) first")
        return activation(self.activation)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (units,); the input must have one feature axis."""
        if self.units is None:
            raise ConfigError("the output layer's units are still open: call network.bind(...) first")
        if len(input_shape) != 1:
            raise ShapeError(f"a dense layer takes inputs of shape (n, features), got features {input_shape}")
        return (self.units,)

    def parameter_shapes(self, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Return W (fan_in, fan_out) and, with bias, b (fan_out,)."""
        (fan_out,) = self.output_shape(input_shape)
        return {"W": (input_shape[0], fan_out)} | ({"b": (fan_out,)} if self.bias else {})

    def init(self, rng: np.random.Generator, input_shape: tuple[int, ...]) -> dict[str, Array]:
        """Draw W, then b, from their initializers; b is drawn as one row of fan_in inputs."""
        (fan_in,), (fan_out,) = input_shape, self.output_shape(input_shape)
        draw = default_initializer(self.act) if self.weight_init is None else initializer(self.weight_init)
        params = {"W": draw.sample(rng, fan_in, fan_out)}
        if self.bias:
            params["b"] = initializer(self.bias_init).sample(rng, 1, fan_out)[0]
        return params

    def forward(self, params: dict[str, Array], A_in: Array, dropout: DropoutStream | None = None) -> LayerRecord:
        """Z = A_in W + b, A = f(Z); A_in (n, fan_in) or (m, n, fan_in), Z and A (..., n, fan_out)."""
        Z = A_in @ params["W"]
        if self.bias:
            Z = Z + params["b"][..., None, :]
        return LayerRecord(A_in, Z, self.act.forward(Z))

    def input_gradient(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> Array:
        """dL/da_i = sum_j dL/dz_j dz_j/da_i = sum_j delta_j w_ij, so dA_in = delta W'."""
        result: Array = delta @ np.swapaxes(params["W"], -1, -2)
        return result

    def parameter_gradients(self, params: dict[str, Array], record: LayerRecord, delta: Array) -> dict[str, Array]:
        """dL/dw_ij = sum over samples a_i delta_j, so dW = A_in' delta; dz_j/db_j = 1, so db = sum delta."""
        A_transposed = np.swapaxes(record.A_in, -1, -2)
        # For a single sample the sum has one term: an outer product, which BLAS is slow at (4 times, 784 x 300).
        grads: dict[str, Array] = {"W": A_transposed * delta if delta.shape[-2] == 1 else A_transposed @ delta}
        if self.bias:
            grads["b"] = np.sum(delta, axis=-2)
        return grads

    @property
    def penalised(self) -> bool:
        """Whether l1 or l2 is above 0."""
        return self.l1 > 0 or self.l2 > 0

    def penalty(self, params: dict[str, Array]) -> Array | float:
        """Return l1 sum |w| + l2/2 sum w^2, one for each member."""
        W = params["W"]
        total: Array | float = 0.0
        if self.l1 > 0:
            total = total + self.l1 * np.sum(np.abs(W), axis=(-2, -1))
        if self.l2 > 0:
            total = total + (0.5 * self.l2) * np.sum(W * W, axis=(-2, -1))
        return total

    def penalty_gradient(self, params: dict[str, Array]) -> dict[str, Array]:
        """d/dw (l1 |w| + l2/2 w^2) = l1 sign(w) + l2 w, with sign(0) = 0."""
        if not self.penalised:
            return {}
        W = params["W"]
        return {"W": self.l1 * np.sign(W) + self.l2 * W}


def _penalty(key: str, value: object) -> float:
    """Return a penalty's factor as a float of at least 0."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise ConfigError(f"dense: {key} must be a finite number of at least 0, got {one_line(repr(value))}")
    return float(value)
