"""Where everything is: levels of features, and the lists of addresses that sums of products run along.

A layer with weights is a list of jobs for each direction. A job is a set of places that see the same entries relative
to where they are: inside an image all places do, at padded edges each row and column has a set of its own. So kernels
know nothing of strides, padding, dilation and groups, and no padding is ever computed with.

Places are (rows) x (columns), and what a row sees does not depend on the column: lists of both are found separately.
A dense layer is a window of one place over an image of one place.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.engines.compiled.codes import ARRAY_NORMALIZED, AVG_POOL, CONV, IDENTITY, RELU
from chainrule.engines.compiled.geometry import Geometry
from chainrule.engines.compiled.plan import Plan
from chainrule.engines.gemm.records import N_SIZES, Layers
from chainrule.engines.images.axes import Pairs, alike, axes_of
from chainrule.engines.images.records import (
    ALL_LONE,
    DENSE,
    FROM_OUTPUT,
    N_JOB,
    N_SHAPE,
    N_WINDOW,
    ONE,
    POOL,
    SLOPES,
    STORED,
    WINDOWS,
    Nets,
)
from chainrule.engines.images.tile import FEWER, SHAPES

Index = np.ndarray[Any, np.dtype[np.intp]]
Whole = np.ndarray[Any, np.dtype[np.int64]]

PLACES_BYTES = 24 * 2**10
"""Inputs and deltas of the places that a gradient's sums take before they go on: half of a nearest cache."""
LEAST_PLACES = 24
"""With fewer places at a time sums would be taken up and put down too often."""

MOST_TOGETHER, TOGETHER_BYTES = 4, 140 * 2**10
"""Groups that a thread passes through the network side by side, and the bytes of their levels, at most."""
VECTOR_BYTES = 64


def whole(count: int, lanes: int) -> int:
    """Round up to whole vectors."""
    return -(-count // lanes) * lanes


def pitch_of(units: int, lanes: int) -> int:
    """Return how many sums of lanes a row of weights takes, so that rows fill vectors or vectors fill rows."""
    return whole(units, lanes) if units > lanes else 1 << (units - 1).bit_length()


def geometries(plan: Plan) -> list[Geometry]:
    """Return the geometry of every layer, dense ones too."""
    layers = zip(plan.geometries, plan.sizes[:-1], plan.sizes[1:], strict=True)
    return [Geometry(CONV, 1, 1, i, 1, 1, o, *(1,) * 6, 0, 0, 1) if g is None else g for g, i, o in layers]


@dataclass
class Lists:
    """The numbers that jobs and windows refer to, one list after the other.

    Attributes
    ----------
    numbers : list of int
        All of them.
    jobs : list of tuple
        Rows of `Nets.jobs`.
    windows : list of tuple
        Rows of `Nets.windows`.
    """

    numbers: list[int] = field(default_factory=list)
    jobs: list[tuple[int, ...]] = field(default_factory=list)
    windows: list[tuple[int, ...]] = field(default_factory=list)

    def add(self, numbers: Sequence[int]) -> int:
        """Add a list and return where it starts."""
        self.numbers.extend(numbers)
        return len(self.numbers) - len(numbers)


@dataclass(frozen=True)
class Slots:
    """Groups that pass through the network side by side.

    Parameters
    ----------
    count, floats : int
        How many they are, and from where to where each level of the next one is.
    """

    count: int
    floats: int

    def __call__(self, places: Sequence[int]) -> list[int]:
        """Return the places of the first group, then those of the next ones."""
        return [place + slot * self.floats for slot in range(self.count) for place in places]


def _sets(one: list[tuple[list[int], Pairs]], other: list[tuple[list[int], Pairs]]) -> Iterator[Any]:
    """Yield (rows, what they see, columns, what they see)."""
    for rows, down in one:
        for columns, across in other:
            yield rows, down, columns, across


def forward_jobs(lists: Lists, g: Geometry, lanes: int, stride: int, slots: Slots) -> None:
    """Add the jobs of z = b + sum over (i, j, c) of a w; weights stand in rows of `stride` floats."""
    rows, columns = axes_of(g)
    depth, width = g.channels // g.groups, g.filters // g.groups
    for ys, down, xs, across in _sets(alike(g.rows, rows.sees), alike(g.columns, columns.sees)):
        inputs = [
            ((y * g.stride_y - g.top) * g.width + x * g.stride_x - g.left) * g.channels * lanes for y in ys for x in xs
        ]
        outputs = [(y * g.columns + x) * g.filters * lanes for y in ys for x in xs]
        steps = [(r, q, i * g.kernel_x + j) for r, i in down for q, j in across]
        left = [((r * g.width + q) * g.channels + c) * lanes for r, q, _ in steps for c in range(depth)]
        right = [(entry * depth + c) * stride for _, _, entry in steps for c in range(depth)]
        places = lists.add(slots(inputs)), len(inputs), lists.add(slots(outputs))
        starts = *places, lists.add(left), lists.add(right), len(left)
        for group in range(g.groups):
            lists.jobs.append((*starts, width, group * depth * lanes, group * width, group * width * lanes, 0, 0))


def delta_jobs(lists: Lists, g: Geometry, lanes: int, slots: Slots) -> None:
    """Add the jobs of dA = sum over places and filters of delta w; `turned` has rows (i, j, f) of c."""
    rows, columns = axes_of(g)
    depth, width = g.channels // g.groups, g.filters // g.groups
    for ys, down, xs, across in _sets(alike(g.height, rows.seen_by), alike(g.width, columns.seen_by)):
        top, left = [(y + g.top) // g.stride_y for y in ys], [(x + g.left) // g.stride_x for x in xs]
        places = [(y * g.columns + x) * g.filters * lanes for y in top for x in left]
        inputs = [(y * g.width + x) * g.channels * lanes for y in ys for x in xs]
        steps = [(y, x, i * g.kernel_x + j) for y, i in down for x, j in across]
        deltas = [((y * g.columns + x) * g.filters + f) * lanes for y, x, _ in steps for f in range(width)]
        right = [(entry * g.filters + f) * depth for _, _, entry in steps for f in range(width)]
        where = lists.add(slots(places)), len(places), lists.add(slots(inputs))
        starts = *where, lists.add(deltas), lists.add(right), len(deltas)
        for group in range(g.groups):
            shift = group * width
            lists.jobs.append((*starts, depth, shift * lanes, shift * depth, group * depth * lanes, 0, 0))


def gradient_jobs(lists: Lists, g: Geometry, lanes: int, biased: bool) -> None:
    """Add the jobs of dw = sum over places of a delta, for each lane by itself; the bias is a row of its own.

    All sums take some rows of places before they go on with the next ones: these stay in the nearest caches.
    """
    rows, columns = axes_of(g)
    depth, width = g.channels // g.groups, g.filters // g.groups
    together, pitch = _rows_together(g), pitch_of(g.filters, lanes)
    sets = list(_sets(alike(g.kernel_y, rows.meets), alike(g.kernel_x, columns.meets)))
    known = [
        (lists.add(inputs), len(inputs), lists.add(weights))
        for inputs, weights in (_entries(g, i_s, j_s, lanes, pitch) for i_s, _, j_s, _ in sets)
    ]
    for first in range(0, g.rows, together):
        for (_, down, _, across), own in zip(sets, known, strict=True):
            some = [(r, y) for r, y in down if first <= y < first + together]
            left = [(r * g.width + q) * g.channels * lanes for r, _ in some for q, _ in across]
            right = [(y * g.columns + x) * g.filters * lanes for _, y in some for _, x in across]
            if not left and first > 0:
                continue
            starts = *own, lists.add(left), lists.add(right), len(left)
            for group in range(g.groups):
                shift = group * width * lanes
                lists.jobs.append((*starts, width, group * depth * lanes, shift, shift, 0, first > 0))
        if biased:
            places = range(first * g.columns, min(first + together, g.rows) * g.columns)
            zeros, deltas = lists.add([0] * len(places)), lists.add([p * g.filters * lanes for p in places])
            row = lists.add([g.entries * pitch * lanes])
            lists.jobs.append((zeros, 1, row, zeros, deltas, len(places), g.filters, 0, 0, 0, 1, first > 0))


def _entries(g: Geometry, i_s: list[int], j_s: list[int], lanes: int, pitch: int) -> tuple[list[int], list[int]]:
    """Return where the inputs of some entries are, from entry 0 on, and where their sums are."""
    depth = g.channels // g.groups
    entries = [(i, j, c) for i in i_s for j in j_s for c in range(depth)]
    inputs = [((i * g.dilation_y * g.width + j * g.dilation_x) * g.channels + c) * lanes for i, j, c in entries]
    return inputs, [((i * g.kernel_x + j) * depth + c) * pitch * lanes for i, j, c in entries]


def _rows_together(g: Geometry) -> int:
    """Return how many rows of places a gradient's sums take before they go on."""
    row = g.columns * (g.filters + g.stride_y * g.channels)
    return min(max(PLACES_BYTES // (64 * row), -(-LEAST_PLACES // g.columns)), g.rows)


def pool_windows(lists: Lists, g: Geometry, lanes: int) -> int:
    """Add the windows of a pooling, place by place; return whether no input lies in two of them, or `ALL_LONE`."""
    rows, columns = axes_of(g)
    known: dict[tuple[Pairs, Pairs], tuple[int, int]] = {}
    seen = np.zeros((g.height, g.width), dtype=np.int64)
    for y in range(g.rows):
        for x in range(g.columns):
            down, across = rows.sees(y), columns.sees(x)
            if (down, across) not in known:
                entries = [(r * g.width + q) * g.channels * lanes for r, _ in down for q, _ in across]
                known[down, across] = lists.add(entries), len(entries)
            top, left = y * g.stride_y - g.top, x * g.stride_x - g.left
            for r, _ in down:
                seen[top + r, [left + q for q, _ in across]] += 1
            at = (top * g.width + left) * g.channels * lanes
            lists.windows.append((at, (y * g.columns + x) * g.filters * lanes, *known[down, across]))
    return ALL_LONE if (seen == 1).all() else int(seen.max() <= 1)


@functools.lru_cache(maxsize=64)
def _jobs_of(g: Geometry, lanes: int, stride: int, biased: bool, slots: Slots) -> tuple[Lists, list[int], int]:
    """Return a layer's lists, where its jobs of each direction end, and how a pooling's windows are apart."""
    lists, lone = Lists(), 0
    ends = [0]
    if g.kind == CONV:
        forward_jobs(lists, g, lanes, stride, slots)
        ends.append(len(lists.jobs))
        delta_jobs(lists, g, lanes, slots)
        ends.append(len(lists.jobs))
        gradient_jobs(lists, g, lanes, biased)
        ends.append(len(lists.jobs))
    else:
        lone = pool_windows(lists, g, lanes)
        ends += [0, 0, 0]
    return lists, ends, lone


def make_layers(plan: Plan, lanes: int, threads: int) -> tuple[Layers, list[int]]:
    """Return shapes as the gemm engine has them, and the floats of each level; all panels are the first thread's."""
    nets = geometries(plan)
    weighted = [g.kind == CONV for g in nets]
    fan_in = np.array([g.entries if on else 0 for g, on in zip(nets, weighted, strict=True)])
    units = np.array([g.filters if on else 0 for g, on in zip(nets, weighted, strict=True)])
    strides = -(-units // lanes) * lanes
    biases = np.array(plan.biases, dtype=np.int64)
    levels = [whole(size, lanes) * lanes for size in plan.sizes]
    here = np.cumsum(levels)[:-1]
    turned = [whole(g.entries // max(g.kernel_y * g.kernel_x, 1), lanes) * (g.kernel_y * g.kernel_x * g.filters + lanes)
              if on else 0 for g, on in zip(nets, weighted, strict=True)]  # fmt: skip
    sizes = [fan_in, units, strides, biases, np.array(plan.activations), here, np.cumsum([0, *turned])[:-1]]
    floats = (fan_in + biases) * strides
    starts = np.cumsum(floats) - floats
    n = int(floats.sum())
    bounds = np.repeat(strides[:, None], threads + 1, axis=1)
    bounds[:, 0] = 0
    layers = Layers(
        sizes=np.stack(sizes, axis=1).astype(np.int64).reshape(-1, N_SIZES),
        numbers=np.stack([plan.numbers, plan.l1, plan.l2], axis=1).astype(np.float64),
        bounds=np.ascontiguousarray(bounds, dtype=np.int64),
        panels=np.ascontiguousarray(np.repeat(starts[:, None], threads, axis=1), dtype=np.int64),
        shares=np.array([0] + [n] * threads, dtype=np.int64),
    )
    return layers, [*levels, sum(turned)]


def make_nets(plan: Plan, layers: Layers, levels: list[int], lanes: int, chunk: int) -> tuple[Nets, int, int]:
    """Return where everything is, and the floats of `rows_a` and `rows_d`."""
    nets, everything = geometries(plan), Lists()
    shapes = np.zeros((len(nets), N_SHAPE), dtype=np.int64)
    lane_floats = rows_a = rows_d = 0
    slots = _slots(sum(levels[:-1]), lanes, chunk)
    for k, (g, own) in enumerate(zip(nets, plan.geometries, strict=True)):
        stride, biased = int(layers.sizes[k, 2]), int(layers.sizes[k, 3])
        lists, ends, lone = _jobs_of(g, lanes, stride, bool(biased), slots)
        at, job, window = everything.add(lists.numbers), len(everything.jobs), len(everything.windows)
        everything.jobs += [(p + at, n, o + at, a + at, w + at, *rest) for p, n, o, a, w, *rest in lists.jobs]
        everything.windows += [(i, o, e + at, n) for i, o, e, n in lists.windows]
        kind = DENSE if own is None else WINDOWS if g.kind == CONV else POOL
        row_a = whole(plan.sizes[k], lanes)
        shapes[k] = (
            kind, g.kind == AVG_POOL, sum(levels[:k]), levels[k], levels[k + 1],
            _slopes(plan.activations[k]), *(job + e for e in (ends[0], ends[1], ends[1], ends[2], ends[2], ends[3])),
            window, len(everything.windows), lone, lane_floats, rows_a, row_a, rows_d,
            g.kernel_y * g.kernel_x, g.channels // g.groups, layers.panels[k, 0],
            pitch_of(g.filters, lanes),
        )  # fmt: skip
        if kind == DENSE:
            rows_a, rows_d = rows_a + row_a * chunk, rows_d + stride * chunk
        elif kind == WINDOWS:
            lane_floats += whole((g.entries + biased) * pitch_of(g.filters, lanes), lanes) * lanes
    weighted = [k for k, g in enumerate(nets) if g.kind == CONV]
    net = Nets(
        shapes=shapes,
        jobs=np.array(everything.jobs, dtype=np.int64).reshape(-1, N_JOB),
        windows=np.array(everything.windows, dtype=np.int64).reshape(-1, N_WINDOW),
        places=np.array([*everything.numbers, 0], dtype=np.int32),
        lowest=weighted[0] if weighted else len(nets),
        floats=sum(levels[:-1]),
        lane_floats=lane_floats,
        stored=sum(levels[:-1]) if STORED in shapes[:-1, SLOPES] else 0,
        features=plan.sizes[0],
        inputs=whole(plan.sizes[0], lanes),
        outputs=plan.sizes[-1],
        chunk=chunk,
        together=slots.count,
        plain=_is_plain(plan),
        choices=_choices(),
    )
    return net, rows_a, rows_d


def _slots(floats: int, lanes: int, chunk: int) -> Slots:
    """Let small networks take several groups at a time: a tile that one of them leaves half empty is full then."""
    fit = TOGETHER_BYTES * lanes // (floats * VECTOR_BYTES)
    return Slots(max(min(fit, MOST_TOGETHER, chunk // lanes), 1), floats)


def _slopes(activation: int) -> int:
    return ONE if activation == IDENTITY else FROM_OUTPUT if activation == RELU else STORED


def places_of(plan: Plan, layers: Layers) -> Index:
    """Return where each flat weight stands in theta, (P,)."""
    parts = []
    for k, (weights, biases) in enumerate(plan.arrays):
        if weights:
            rows, units = layers.sizes[k, 0] + (biases > 0), layers.sizes[k, 1]
            stride, start = layers.sizes[k, 2], layers.panels[k, 0]
            parts.append((start + np.arange(rows)[:, None] * stride + np.arange(units)).ravel())
    return np.concatenate(parts).astype(np.intp) if parts else np.zeros(0, dtype=np.intp)


def _is_plain(plan: Plan) -> bool:
    """Whether nothing is done to the gradient."""
    bounded = plan.clip_value or plan.clip_norm or plan.optimizer == ARRAY_NORMALIZED
    return not (any(plan.l1) or any(plan.l2) or bounded)


def _choices() -> Whole:
    """Return the places of the next tile, by its columns and the places that are left."""
    choices = np.ones((max(SHAPES) + 1, FEWER), dtype=np.int64)
    for columns, places in SHAPES.items():
        for left in range(1, FEWER):
            halves = len(places) > 1 and left == places[0] + 1  # rather than a full tile and a single place
            choices[columns, left] = max(p for p in places if p <= left and not (halves and p == places[0]))
    return choices.ravel()
