"""What the images kernel works on; layers, settings, samples and stretches are those of the gemm engine.

A group is as many samples as a vector has lanes: the feature i of a group is one vector, that of sample s is lane s.
"""

from __future__ import annotations

from typing import NamedTuple

from chainrule.engines.gemm.records import AnyFloats, Floats, Indices, Integers

DENSE, WINDOWS, POOL = range(3)
"""What a layer is: its weight gradient is one chain over samples; or over places, sample after sample; or it has none.
"""
ONE, FROM_OUTPUT, STORED = range(3)
"""Where a level's slopes come from: they are all 1; 1 where the activation is positive, else 0; from the buffer S."""

(
    KIND, MEANS, BELOW, BELOW_FLOATS, HERE_FLOATS, SLOPES, FORWARD, FORWARD_END, DELTAS, DELTAS_END, GRADIENT,
    GRADIENT_END, WINDOW_ROWS, WINDOW_ROWS_END, LONE, LANES_AT, ROWS_A, ROWS_A_ROW, ROWS_D, PARTS, DEPTH, WEIGHTS_AT,
    PITCH,
) = range(23)  # fmt: skip
N_SHAPE = 23
"""Columns of `Nets.shapes`, for each layer: what it is; whether a pooling takes means; where the level below starts in
A, its floats, the floats of the layer's own level; where its slopes come from; its rows of `Nets.jobs`, forward, for
the deltas below, and for its gradient; its rows of `Nets.windows` (poolings), and whether no input lies in two of them,
or `ALL_LONE`; where its sums of lanes start in `lanes`; where its inputs start in `rows_a`, the floats of such a row,
and where its deltas start in `rows_d`; entries (i, j), channels of a group, where its weights start in theta, and the
sums of lanes of a row of weights: a power of two, or whole vectors."""

IN_PLACES, N_PLACES, OUT_PLACES, LEFT, RIGHT, N_STEPS, COLUMNS, IN_SHIFT, RIGHT_SHIFT, OUT_SHIFT, OF_ONES, GOES_ON = (
    range(12)
)
N_JOB = 12
"""Columns of `Nets.jobs`: see `tables.Job`."""

ALL_LONE = 2
"""Every input lies in one window of a pooling."""

IN_AT, OUT_AT, FIRST_ENTRY, N_ENTRIES = range(4)
N_WINDOW = 4
"""Columns of `Nets.windows`: where a place's window starts in the level below, where the place is in its own level, its
entries in `places`, and their number."""


class Nets(NamedTuple):
    """Where everything is: see `tables`.

    Attributes
    ----------
    shapes : (layers, N_SHAPE)
        See `KIND` and so on.
    jobs : (jobs, N_JOB)
        Sums of products.
    windows : (places, N_WINDOW)
        Windows of the poolings.
    places : (entries,)
        int32: what jobs and windows refer to.
    lowest : int
        The first layer that has weights: below it no deltas are needed.
    floats, stored : int
        Floats of all levels of a group, and of their slopes: 0 if none are stored.
    lane_floats : int
        Floats of the sums of lanes of a group.
    features, inputs : int
        Inputs of a sample, and the same rounded up to whole vectors.
    outputs, chunk, together : int
        Outputs of a sample; samples between two meetings of the threads, whole vectors; groups that a thread passes
        through the network side by side.
    plain : bool
        Whether the gradient goes to the step rule as it is.
    choices : (9, 16)
        For so many columns and places left: the places of the next tile.
    """

    shapes: Integers
    jobs: Integers
    windows: Integers
    places: Indices
    lowest: int
    floats: int
    lane_floats: int
    stored: int
    features: int
    inputs: int
    outputs: int
    chunk: int
    together: int
    plain: bool
    choices: Integers


class Buffers(NamedTuple):
    """State and working memory of a member, flat arrays of the training dtype unless another is named.

    Attributes
    ----------
    theta, grad, one, two, best
        Weights, gradient, memories of the step rule, best weights: rows of whole vectors, the bias last.
    A, D, S
        Of each thread and of each of its groups `together`: activations, level by level, deltas, and slopes where they
        are stored.
    lanes
        Of each group of a chunk: the gradients of weights with places, one vector of samples for each weight.
    packed
        The sums of `lanes` over the samples of the chunks so far.
    rows_a, rows_d
        Inputs and deltas of the dense layers, sample by sample.
    fresh
        Of each thread: a group's samples as they were given.
    turned
        Transposed weights of each layer but the first.
    side_y, side_w
        Of each thread: targets and weights of a group.
    apart
        float64 (2, chunk): the samples' losses, and metrics.
    square
        Of each thread: a square of as many rows and columns as a vector has lanes.
    hyper, down, share, ones, zeros, spare, scales, base, powers, sums, decisions, gate, finite, losses
        As in `gemm.records.Buffers`.
    """

    theta: AnyFloats
    grad: AnyFloats
    one: AnyFloats
    two: AnyFloats
    best: AnyFloats
    A: AnyFloats
    D: AnyFloats
    S: AnyFloats
    lanes: AnyFloats
    packed: AnyFloats
    rows_a: AnyFloats
    rows_d: AnyFloats
    fresh: AnyFloats
    turned: AnyFloats
    side_y: AnyFloats
    side_w: AnyFloats
    apart: Floats
    square: AnyFloats
    hyper: AnyFloats
    down: AnyFloats
    share: AnyFloats
    ones: AnyFloats
    zeros: AnyFloats
    spare: AnyFloats
    scales: AnyFloats
    base: Floats
    powers: Floats
    sums: Floats
    decisions: Integers
    gate: Integers
    finite: Integers
    losses: Floats
