"""The integers by which kernels know activations, losses, metrics, step rules and stopping rules.

They stand apart from the kernels so that a setting can be looked at without importing Numba.
"""

from __future__ import annotations

IDENTITY, SIGMOID, TANH, RELU, LEAKY_RELU, ELU, SOFTPLUS, SILU, GELU, SOFTMAX = range(10)
ACTIVATIONS = {
    "identity": IDENTITY,
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "relu": RELU,
    "leaky_relu": LEAKY_RELU,
    "elu": ELU,
    "softplus": SOFTPLUS,
    "silu": SILU,
    "gelu": GELU,
    "softmax": SOFTMAX,
}

DENSE, CONV, MAX_POOL, AVG_POOL = range(4)
"""Kinds of layers."""

MSE, HALF_MSE, MAE, HUBER, BCE_LOGITS, SOFTMAX_CE, BCE_EPS = range(7)
LOSSES = {
    "mse": MSE,
    "half_mse": HALF_MSE,
    "mae": MAE,
    "huber": HUBER,
    "binary_cross_entropy": BCE_LOGITS,
    "softmax_cross_entropy": SOFTMAX_CE,
    "bce_eps_in_divisions": BCE_EPS,
}

ACCURACY, ABSOLUTE_ERROR = 0, 1
"""Metrics that kernels compute: `accuracy` for classes, `mae` for a regression."""

SGD, MOMENTUM, NESTEROV, ADAGRAD, RMSPROP, ADAM, ADAMW, ARRAY_NORMALIZED, ADAM_OVERWRITING, MOMENTUM_ASCENT = range(10)
OPTIMIZERS = {
    "sgd": SGD,
    "momentum": MOMENTUM,
    "nesterov": NESTEROV,
    "adagrad": ADAGRAD,
    "rmsprop": RMSPROP,
    "adam": ADAM,
    "adamw": ADAMW,
    "array_normalized_gradient": ARRAY_NORMALIZED,
    "adam_overwriting_moments": ADAM_OVERWRITING,
    "momentum_ascent": MOMENTUM_ASCENT,
}
MEMORIES = {SGD: 0, MOMENTUM: 1, NESTEROV: 1, ADAGRAD: 1, RMSPROP: 1, ADAM: 2, ADAMW: 2, ARRAY_NORMALIZED: 0,
            ADAM_OVERWRITING: 2, MOMENTUM_ASCENT: 1}  # fmt: skip
"""How many numbers a step rule remembers for each weight."""

RATE, FADE, FRESH, FADE_SQUARES, FRESH_SQUARES, EPS, DECAY, SCALE, SHIFT = range(9)
N_HYPER = 9
"""Rows of the numbers of a step rule: learning rate; beta (or rho, beta1) and 1 - beta; beta2 and 1 - beta2; eps;
weight decay; and two that are computed in each step: Adam's corrections for its start at zero."""

LOSS, METRIC, VALIDATION_LOSS, VALIDATION_METRIC, LEARNING_RATE, RUNNING_LOSS = range(6)
N_COLUMNS = 6
"""Columns of a history row; the first four are the values that stopping rules see."""

TRAINING, DIVERGED, STOPPED = 0, 1, 2
"""How a member stands: in training, diverged, or STOPPED + r when rule r ended it."""

COUNTING, PATIENCE = 0, 1
"""Kinds of stopping rules: `loss_below` and `target` count the epochs that are good enough; `patience` waits."""
