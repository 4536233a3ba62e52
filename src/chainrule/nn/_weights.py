"""What layers with weights W and b share: their initial values, and penalties on W."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from chainrule.errors import ConfigError, one_line
from chainrule.nn._base import Layer
from chainrule.nn._types import Array
from chainrule.nn.activations import Activation, activation
from chainrule.nn.initializers import Initializer, default_initializer, initializer
from chainrule.spec import spec_of


class WeightLayer(Layer):
    """A layer Z = W * A_in + b of some kind, with an activation; its dataclass has the fields named here."""

    affine: ClassVar[bool] = True
    weight_axes: ClassVar[int]
    """Axes of one member's W."""
    activation: str | None
    bias: bool
    weight_init: str | None
    bias_init: str
    l1: float
    l2: float

    def _check_shared_fields(self) -> None:
        """Check the fields named above and write specs in their canonical form."""
        act = None if self.activation is None else activation(self.activation)
        if not isinstance(self.bias, bool):
            raise ConfigError(f"{self.name}: bias must be true or false, got {one_line(repr(self.bias))}")
        canonical = {
            "activation": None if act is None else spec_of(act),
            "weight_init": None if self.weight_init is None else spec_of(initializer(self.weight_init)),
            "bias_init": spec_of(initializer(self.bias_init)),
            "l1": self._factor("l1", self.l1),
            "l2": self._factor("l2", self.l2),
        }
        for key, value in canonical.items():
            object.__setattr__(self, key, value)

    def _factor(self, key: str, value: object) -> float:
        """Return a penalty's factor as a float of at least 0."""
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise ConfigError(f"{self.name}: {key} must be a finite number of at least 0, got {one_line(repr(value))}")
        return float(value)

    @property
    def act(self) -> Activation:
        """The activation; raises `ConfigError` while it is left open."""
        if self.activation is None:
            raise ConfigError("the output layer's activation is still open: call network.bind(...) first")
        return activation(self.activation)

    @property
    def weight_initializer(self) -> Initializer:
        """What W is drawn from: as told, or as suits the activation."""
        return default_initializer(self.act) if self.weight_init is None else initializer(self.weight_init)

    def _bias_values(self, rng: np.random.Generator, fan_out: int) -> dict[str, Array]:
        """Draw b as one row of fan_in inputs; nothing without bias."""
        return {"b": initializer(self.bias_init).sample(rng, 1, fan_out)[0]} if self.bias else {}

    @property
    def penalised(self) -> bool:
        """Whether l1 or l2 is above 0."""
        return self.l1 > 0 or self.l2 > 0

    def penalty(self, params: dict[str, Array]) -> Array | float:
        """Return l1 sum |w| + l2/2 sum w^2, one for each member."""
        W, axes = params["W"], tuple(range(-self.weight_axes, 0))
        total: Array | float = 0.0
        if self.l1 > 0:
            total = total + self.l1 * np.sum(np.abs(W), axis=axes)
        if self.l2 > 0:
            total = total + (0.5 * self.l2) * np.sum(W * W, axis=axes)
        return total

    def penalty_gradient(self, params: dict[str, Array]) -> dict[str, Array]:
        """d/dw (l1 |w| + l2/2 w^2) = l1 sign(w) + l2 w, with sign(0) = 0."""
        if not self.penalised:
            return {}
        W = params["W"]
        return {"W": self.l1 * np.sign(W) + self.l2 * W}
