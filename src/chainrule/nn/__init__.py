"""The mathematics: activations, losses, initializers, layers and networks, in plain NumPy.

Every function stands beside its derivative, every derivative is a row in the gradient-check table.
"""

from chainrule.nn._base import Layer, LayerRecord
from chainrule.nn._types import Array, Params
from chainrule.nn.activations import ACTIVATIONS, Activation, activation
from chainrule.nn.dense import Dense
from chainrule.nn.dropout import Dropout
from chainrule.nn.initializers import INITIALIZERS, Initializer, default_initializer, initializer
from chainrule.nn.losses import LOSSES, Loss, loss, loss_value, output_delta
from chainrule.nn.network import Forward, Network, ParameterSlot, mlp
from chainrule.nn.normalize import Standardize, fix_statistics
from chainrule.nn.trace import Trace, TraceStep

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "LOSSES",
    "Activation",
    "Array",
    "Dense",
    "Dropout",
    "Forward",
    "Initializer",
    "Layer",
    "LayerRecord",
    "Loss",
    "Network",
    "ParameterSlot",
    "Params",
    "Standardize",
    "Trace",
    "TraceStep",
    "activation",
    "default_initializer",
    "fix_statistics",
    "initializer",
    "loss",
    "loss_value",
    "mlp",
    "output_delta",
]
