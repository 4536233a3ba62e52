"""The mathematics: activations, losses, initializers, layers and networks, in plain NumPy.

Every function stands beside its derivative, every derivative is a row in the gradient-check table.
"""

from chainrule.nn._base import Layer, LayerRecord
from chainrule.nn._describe import LAYERS
from chainrule.nn._types import Array, Params
from chainrule.nn.activations import ACTIVATIONS, Activation, activation
from chainrule.nn.batch_norm import BatchNorm
from chainrule.nn.conv import Conv1D, Conv2D
from chainrule.nn.dense import Dense
from chainrule.nn.dropout import Dropout
from chainrule.nn.initializers import INITIALIZERS, Initializer, default_initializer, initializer
from chainrule.nn.layer_language import parse_layers
from chainrule.nn.losses import LOSSES, Loss, loss, loss_value, output_delta
from chainrule.nn.network import Forward, Network, ParameterSlot
from chainrule.nn.normalize import Standardize, fix_statistics
from chainrule.nn.perceptron import mlp
from chainrule.nn.pooling import AvgPool1D, AvgPool2D, MaxPool1D, MaxPool2D
from chainrule.nn.reshape import Flatten, GlobalAvgPool, GlobalMaxPool
from chainrule.nn.trace import Trace, TraceStep

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "LAYERS",
    "LOSSES",
    "Activation",
    "Array",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNorm",
    "Conv1D",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "Forward",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "Initializer",
    "Layer",
    "LayerRecord",
    "Loss",
    "MaxPool1D",
    "MaxPool2D",
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
    "parse_layers",
]
