"""Building a multilayer perceptron from a list of widths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.errors import one_line
from chainrule.nn._base import Layer, whole_number
from chainrule.nn.dense import Dense
from chainrule.nn.dropout import Dropout
from chainrule.nn.initializers import default_initializer
from chainrule.nn.network import Network
from chainrule.nn.normalize import Standardize
from chainrule.spec import require, spec_of


def mlp(
    hidden: Sequence[int] = (),
    activation: str = "sigmoid",
    output: str | None = None,
    bias: bool = True,
    weight_init: str | None = None,
    bias_init: str = "zeros",
    l1: float = 0.0,
    l2: float = 0.0,
    dropout: float = 0.0,
    normalize: bool = False,
    units: int | None = None,
) -> Network:
    """Return a multilayer perceptron, to be bound to data: input size, and whatever the output leaves open.

    Parameters
    ----------
    hidden : sequence of int
        Units of each hidden layer; empty for a linear model.
    activation : str
        Spec of the hidden activation.
    output : str or None
        Spec of the output activation; None takes the one that the data ask for.
    bias, weight_init, bias_init, l1, l2
        As `Dense` takes them, for every layer.
    dropout : float
        Rate of a dropout after each hidden layer.
    normalize : bool
        Whether the hidden pre-activations are standardised over the batch before the activation.
    units : int or None
        Number of outputs; None takes as many as the targets have.

    Raises
    ------
    ConfigError
        For an impossible value.

    Examples
    --------
    >>> mlp([4, 4], activation="tanh").bind(2, 1, "sigmoid").n_parameters
    37
    """
    require(not isinstance(hidden, str), f"hidden must be a list of whole numbers, got {one_line(repr(hidden))}")
    shared: dict[str, Any] = {
        "bias": bias, "weight_init": weight_init, "bias_init": bias_init, "l1": l1, "l2": l2
    }  # fmt: skip
    layers: list[Layer] = []
    for width in hidden:
        if normalize:
            draw = spec_of(default_initializer(activation)) if weight_init is None else weight_init
            layers.append(Dense(whole_number(width, "units"), "identity", **(shared | {"weight_init": draw})))
            layers.append(Standardize(activation))
        else:
            layers.append(Dense(whole_number(width, "units"), activation, **shared))
        if dropout:
            layers.append(Dropout(dropout))
    layers.append(Dense(units, output, **shared))
    return Network(tuple(layers))
