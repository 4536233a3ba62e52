"""What the gemm kernel works on: layers, the numbers of a setting, buffers, samples.

The host holds arrays; a kernel gets the same tuples with pointers in their place (see `fields`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.engines.compiled.tracking import Tracking

Integers = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
AnyFloats = np.ndarray[Any, np.dtype[np.floating[Any]]]
Indices = np.ndarray[Any, np.dtype[np.int32]]

FAN_IN, UNITS, STRIDE, BIASED, ACTIVATION, HERE, TURNED = range(7)
N_SIZES = 7
"""Columns of `Layers.sizes`: inputs and units of a layer, floats in a row of its activations (units, padded to whole
vectors), whether it has a bias, its activation's code, where its rows start in A and S, and its weights in `turned`."""

SLOPE, L1, L2 = range(3)
N_NUMBERS = 3
"""Columns of `Layers.numbers`: the activation's own number, and penalties."""

LOSSES, COUNTS, DIVISOR, STEP_LOSS = range(4)
N_SUMS = 4
"""Entries of `Buffers.sums`: of losses, of the metric, what the sum of losses is divided by, and the step's loss."""

GOES_ON, MOVES, CANCELLED, SHORTENED, ALONE = range(5)
N_DECISIONS = 8
"""Entries of `Buffers.decisions`, what the first thread has decided for all: whether training goes on, whether the
weights move in this step, whether it was cancelled, whether the gradient is longer than its bound, and whether the
first thread goes on alone, with all panels."""

FOUR = 4
"""Samples whose losses are computed at a time where lanes are units; units that are transposed where they are not."""

CHUNK = 64
"""Samples that pass through the layers at a time, at most."""

TILE, LEFT, LEFT_ROW, STEPS, RIGHT, RIGHT_ROW, PER_SAMPLE, START, OUT, OUT_ROW = range(10)
N_FIELDS = 10
"""Columns of `Data.steps`: the number of a tile (see `narrow_tiles`), or `ACTIVATE`; then the left factor and
the floats between its rows, the products of a sum, the right factor and the floats between its rows, how many floats it
lies further on for each sample before the chunk, the vector that a sum starts from, and the result with the floats
between its rows. Factors and results are addresses.

`ACTIVATE` makes of `STEPS` floats Z at `LEFT` activations, with slopes at `OUT`, by the activation `LEFT_ROW` with the
number `RIGHT` of `Layers.numbers`."""
ACTIVATE = -1


class Layers(NamedTuple):
    """Shapes, and who works on what.

    Every thread owns a range of columns of each layer, its panel: it computes these units, and their weights are its
    own. Panels lie one after the other in theta, first all of the first thread, row by row, the bias last.

    Attributes
    ----------
    sizes : (layers, N_SIZES)
        See `FAN_IN` and so on.
    numbers : (layers, N_NUMBERS)
        See `SLOPE` and so on.
    bounds : (layers, threads + 1)
        Thread t owns the columns from bounds[t] up to bounds[t + 1], whole vectors.
    panels : (layers, threads)
        Where a panel starts in theta.
    shares : (threads + 1,)
        Where a thread's panels start in theta.
    """

    sizes: Integers
    numbers: Floats
    bounds: Integers
    panels: Integers
    shares: Integers


class Setting(NamedTuple):
    """The numbers of a setting, and how training goes; see `plan.Plan` and `block.Course`.

    `chunk` samples pass through the layers at a time; `paired` says that the loss starts from logits, `fused` that
    nothing stands between gradient and weights, so that the gradient need not be written down, `narrow` that the lanes
    are samples (see `narrow_kernel`).
    """

    layers: int
    threads: int
    loss: int
    loss_number: float
    averaged: bool
    metric: int
    optimizer: int
    paired: bool
    fused: bool
    penalised: bool
    clip_value: float
    clip_norm: float
    keeps_best: bool
    epochs: int
    log_every: int
    batch: int
    chunk: int
    full: bool
    narrow: bool


class Buffers(NamedTuple):
    """State and working memory of a member, flat arrays of the training dtype unless another is named.

    Attributes
    ----------
    theta, grad, one, two, best
        Weights, gradient, memories of the step rule, best weights, in panels (or one vector, where unused).
    A, S
        Activations of a chunk, and slopes that become deltas: (chunk, stride) for each layer.
    X
        Inputs of a chunk, gathered from all over the samples.
    turned
        Transposed weights (units, stride below) of each layer but the first.
    hyper, down, share, ones, zeros, minus_zeros
        Numbers of the step rule, `codes.N_HYPER` vectors; minus the learning rate, 1 / divisor, and 1, a vector each;
        zeros and zeros with a minus sign, as many as a layer is wide.
    side_a, side_d, side_y, side_w
        Outputs, deltas and targets of four samples side by side: a vector for each unit of the last layer; and their
        weights.
    apart
        float64: their losses and their metrics.
    spare
        Two vectors for each thread.
    scales
        What gradients are divided or multiplied by, two vectors a layer and one more.
    base, powers
        float64 (4, 1), (2, 1): see `optimizer_kernel.prepare_step`.
    sums
        float64: see `LOSSES` and so on.
    decisions, gate
        int64: see `GOES_ON` and so on; and what `threads.meet` counts with.
    finite
        int64 (1,): whether all weights are finite.
    losses
        float64 (1,): the step's loss.
    listed, listed_samples, listed_values
        int32 (features + 1,), int32 and floats: the nonzero inputs of a chunk, input by input.
    """

    theta: AnyFloats
    grad: AnyFloats
    one: AnyFloats
    two: AnyFloats
    best: AnyFloats
    A: AnyFloats
    S: AnyFloats
    X: AnyFloats
    turned: AnyFloats
    hyper: AnyFloats
    down: AnyFloats
    share: AnyFloats
    ones: AnyFloats
    zeros: AnyFloats
    minus_zeros: AnyFloats
    side_a: AnyFloats
    side_d: AnyFloats
    side_y: AnyFloats
    side_w: AnyFloats
    apart: Floats
    spare: AnyFloats
    scales: AnyFloats
    base: Floats
    powers: Floats
    sums: Floats
    decisions: Integers
    gate: Integers
    finite: Integers
    losses: Floats
    listed: Indices
    listed_samples: Indices
    listed_values: AnyFloats


class Data(NamedTuple):
    """Samples of one part.

    Attributes
    ----------
    X, Y, w : (n, d), (n, k), (n or 0,)
        Inputs, targets, weights.
    n : int
        Samples; 0 for a part that there is not.
    weighted, sparse : bool
        Whether there are weights; whether the inputs are to be read from the lists of those that are not zero.
    starts : (n, blocks + 1)
        int64: where the nonzero inputs of a sample start in `inputs` and `values`, for each block of inputs.
    inputs, values : (nonzeros,)
        int32 and floats: which inputs they are, and their values.
    steps, ways : (., N_FIELDS), (5,)
        int64: where lanes are samples, what is to be done for a chunk, see `TILE`; and the rows at which begin the way
        forward of a full chunk, its way back, and the same of a shorter one.
    rows : (n, inputs and 1 for a bias)
        What lies under the first layer's weights then, which stand as such rows too. `X` holds the same, chunk by
        chunk as (inputs, samples), and `Y` is (vectors, k, lanes); samples and rows are padded to whole vectors.
    """

    X: AnyFloats
    Y: AnyFloats
    w: AnyFloats
    n: int
    weighted: bool
    sparse: bool
    starts: Integers
    inputs: Indices
    values: AnyFloats
    rows: AnyFloats
    steps: Integers
    ways: Integers


class Stage(NamedTuple):
    """What belongs to one stretch.

    Attributes
    ----------
    orders : (E, n)
        The order of the samples in each epoch, unless they keep their own (`in_order`).
    ascending
        0, 1, 2, ... for the longest part.
    rates : (n_rates, 1)
        Learning rate of each epoch, or the one of all of them.
    cancel : (1,)
        Set to 1 to end early.
    inputs, floats
        Inputs of the steps, (n, d), and how many floats further on those of the next epoch stand; 0 if they are always
        the same.
    """

    orders: Indices
    in_order: bool
    ascending: Indices
    rates: Floats
    n_rates: int
    cancel: Integers
    inputs: AnyFloats
    floats: int


_named: Any = NamedTuple
Watched = _named("Watched", [*Tracking.__annotations__.items(), ("members", "One"), ("rules", int)])
"""`tracking.Watch` in a table."""
