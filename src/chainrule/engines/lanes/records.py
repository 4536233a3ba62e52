"""What the lanes kernel is called with: shapes, the numbers of a setting, and buffers; tuples of arrays for Numba."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Integers = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
AnyFloats = np.ndarray[Any, np.dtype[np.floating[Any]]]


class Shape(NamedTuple):
    """Sizes and places; everything in a buffer is counted in vectors.

    Attributes
    ----------
    sizes : (layers + 1,)
        Features, and the units of each layer, of the widest member.
    narrow : (layers + 1,)
        Units of the narrowest member: units from there on may be padding in some lanes.
    weights, biases : (layers,)
        Where W and b of each layer start in theta; b is -1 without bias.
    inputs, deltas : (layers + 1,), (layers,)
        Where the activations of each level and the deltas of each layer start in their buffers.
    rows, columns : (layers,)
        W of each layer as a matrix: inputs and units of a dense layer, entries and filters of a convolution, 0 and 0
        of a pooling.
    n_theta : int
        Vectors of theta.
    chunk : int
        Samples that pass through the layers at a time.
    """

    sizes: Integers
    narrow: Integers
    weights: Integers
    biases: Integers
    inputs: Integers
    deltas: Integers
    rows: Integers
    columns: Integers
    n_theta: int
    chunk: int


class Setting(NamedTuple):
    """The numbers of a setting, and how training goes; see `plan.Plan` and `block.Course`."""

    activations: Integers
    numbers: Floats
    layers: int
    members: int
    loss: int
    loss_number: float
    averaged: bool
    metric: int
    optimizer: int
    penalised: bool
    clips_value: bool
    clips_norm: bool
    keeps_best: bool
    epochs: int
    log_every: int
    batch: int
    full: bool


class Buffers(NamedTuple):
    """State and working memory of a block, flat arrays of the training dtype unless another is named.

    Attributes
    ----------
    theta, grad, one, two, best
        Weights, gradient, memories of the step rule, best weights: ``n_theta`` vectors (or one, where unused).
    A, D, Y, w
        Activations, deltas, targets and sample weights of a chunk.
    hyper
        Numbers of the step rule, `codes.N_HYPER` vectors.
    base, powers
        float64 (4, V): beta1, beta2, eps, learning rate; and (2, V): beta1^t, beta2^t.
    penalty
        l1 and l2 of each layer, two vectors a layer.
    clip
        Bounds on the gradient: value, norm; two vectors.
    valid
        1 where a unit exists, 0 where it is padding: a vector for each unit of each layer.
    mask, check, share
        One vector each: who moves; whose weights are finite; 1 / (samples or sum of weights).
    sums
        float64, one number a lane: sums of losses.
    counts
        float64, one number a lane: sums of the metric.
    losses
        float64 (V,): step losses.
    finite
        int64 (V,).
    spare
        One image, for poolings whose windows overlap.
    """

    theta: AnyFloats
    grad: AnyFloats
    one: AnyFloats
    two: AnyFloats
    best: AnyFloats
    A: AnyFloats
    D: AnyFloats
    Y: AnyFloats
    w: AnyFloats
    hyper: AnyFloats
    base: Floats
    powers: Floats
    penalty: AnyFloats
    clip: AnyFloats
    valid: AnyFloats
    mask: AnyFloats
    check: AnyFloats
    share: AnyFloats
    sums: Floats
    counts: Floats
    losses: Floats
    finite: Integers
    spare: AnyFloats


class Data(NamedTuple):
    """Samples of one part.

    Attributes
    ----------
    X : (sets, n, d)
        Inputs.
    own : (V,)
        Which set of inputs is each member's; `alike` says that all have the same.
    Y, w : (1 or V, n, k), (1 or V, n or 0)
        Targets and weights; one entry if all members see the same samples.
    n : int
        Samples; 0 for a part that there is not.
    resident : bool
        Whether the chunk's buffers already hold all samples, in order.
    """

    X: AnyFloats
    Y: AnyFloats
    w: AnyFloats
    own: Integers
    alike: bool
    n: int
    resident: bool
