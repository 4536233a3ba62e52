"""The fully connected layer: Z = A_in W + b, A = f(Z)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.errors import ConfigError, ShapeError
from chainrule.nn._base import DropoutStream, LayerRecord, whole_number
from chainrule.nn._types import Array
from chainrule.nn._weights import WeightLayer
from chainrule.nn.activations import activation


@dataclass(frozen=True)
class Dense(WeightLayer):
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
    input_axes: ClassVar[int | None] = 1
    weight_axes: ClassVar[int] = 2
    units: int | None = None
    activation: str | None = "identity"
    bias: bool = True
    weight_init: str | None = None
    bias_init: str = "zeros"
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        """Check every value and write specs in their canonical form, so that equal layers compare equal."""
        self._check_shared_fields()
        units = None if self.units is None else whole_number(self.units, "units")
        if units == 1 and self.activation is not None and activation(self.activation).name == "softmax":
            raise ConfigError("dense: softmax over 1 unit is always 1: use 'sigmoid', or at least 2 units")
        object.__setattr__(self, "units", units)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (units,); the input must have one feature axis."""
        if self.units is None:
            raise ConfigError("the output layer's units are still open: call network.bind(...) first")
        if len(input_shape) != 1:
            raise ShapeError(
                f"a dense layer takes inputs of shape (n, features), got features {input_shape}: put Flatten, or a "
                "global pooling, below it"
            )
        return (self.units,)

    def parameter_shapes(self, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Return W (fan_in, fan_out) and, with bias, b (fan_out,)."""
        (fan_out,) = self.output_shape(input_shape)
        return {"W": (input_shape[0], fan_out)} | ({"b": (fan_out,)} if self.bias else {})

    def init(self, rng: np.random.Generator, input_shape: tuple[int, ...]) -> dict[str, Array]:
        """Draw W, then b, from their initializers; b is drawn as one row of fan_in inputs."""
        (fan_in,), (fan_out,) = input_shape, self.output_shape(input_shape)
        return {"W": self.weight_initializer.sample(rng, fan_in, fan_out)} | self._bias_values(rng, fan_out)

    def forward(
        self, params: dict[str, Array], A_in: Array, dropout: DropoutStream | None = None, training: bool = False
    ) -> LayerRecord:
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
