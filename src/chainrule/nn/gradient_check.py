"""The one gradient-check table: every derivative against central differences, in float64.

A case is a small network with a loss. Its hand-derived gradient by all weights and by the input is compared
with (L(p + h) - L(p - h)) / 2h for each coordinate p, whose error is of order h^2. The two 2 Q evaluations
for Q coordinates are the members of one population, so the table also checks that members do not mix.

The derivatives of relu, leaky_relu, elu, mae, huber and the l1 penalty jump at kinks, and that of a maximum where the
two largest entries of a window are equal; differences say nothing there. Points are drawn until every pre-activation,
residual, penalised weight and window keeps a margin from them far larger than h, so kinks are avoided by construction
and not by a looser tolerance. The rows are in `gradient_cases`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.nn._base import Layer, LayerRecord
from chainrule.nn._types import Array
from chainrule.nn._weights import WeightLayer
from chainrule.nn.gradient_cases import IMAGE_KINDS, LAYER_KINDS, GradientCase, cases
from chainrule.nn.losses import loss, loss_value, output_delta
from chainrule.nn.normalize import Standardize
from chainrule.nn.pooling import MaxPool1D, MaxPool2D
from chainrule.nn.reshape import GlobalMaxPool
from chainrule.random import stream

__all__ = ["IMAGE_KINDS", "LAYER_KINDS", "TOLERANCE", "GradientCase", "GradientResult", "cases", "check", "run_table"]

TOLERANCE = 1e-6
STEP = 1e-5
MARGIN = 1e-3


@dataclass(frozen=True)
class GradientResult:
    """What a row came to: the relative error |g - g'| / max(|g| + |g'|, tiny), and whether it is below 1e-6."""

    case: GradientCase
    relative_error: float

    @property
    def name(self) -> str:
        """The row's name."""
        return self.case.name

    @property
    def passed(self) -> bool:
        """Whether the error is below the tolerance; NaN is not."""
        return self.relative_error < TOLERANCE


def run_table() -> list[GradientResult]:
    """Check every row."""
    return [check(case) for case in cases()]


def check(case: GradientCase) -> GradientResult:
    """Compare the row's hand-derived gradient with central differences at a point away from kinks."""
    point = _draw_point(case)
    exact = _gradient(case, point)
    numeric = _central_differences(case, point)
    size = float(np.linalg.norm(exact) + np.linalg.norm(numeric))
    error = float(np.linalg.norm(exact - numeric)) / max(size, np.finfo(np.float64).tiny)
    return GradientResult(case, error)


# -- points ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Point:
    """Weights theta (..., P), samples X (..., n, *features), targets and sample weights of one check."""

    theta: Array
    X: Array
    Y: npt.NDArray[np.generic]
    weight: Array | None


def _draw_point(case: GradientCase) -> _Point:
    """Draw points until one keeps its margin from every kink and has a gradient worth comparing."""
    for attempt in range(1000):
        point = _draw(case, stream(1000 * case.seed + attempt, "noise"))
        if _is_smooth(case, point) and np.linalg.norm(_gradient(case, point)) > 0.01:
            return point
    raise AssertionError(f"no point away from kinks for {case.name}")


def _draw(case: GradientCase, rng: np.random.Generator) -> _Point:
    """Draw weights, samples, targets and sample weights."""
    network = case.network
    members = () if case.members is None else (case.members,)
    batch = (() if case.shared else members) + (case.n_samples,)
    (k,) = network.output_shape
    theta = rng.normal(0, 0.8, (*members, network.n_parameters))
    X = rng.normal(0, 1, (*batch, *network.shapes[0]))
    labels = rng.integers(0, k, batch)
    Y: npt.NDArray[np.generic]
    if case.loss.startswith("softmax"):
        Y = labels if case.classes else np.eye(k)[labels]
    elif loss(case.loss).outputs or case.loss.startswith("bce"):
        Y = rng.integers(0, 2, (*batch, k)).astype(np.float64)
    else:
        Y = rng.normal(0, 1, (*batch, k))
    return _Point(theta, X, Y, rng.uniform(0.5, 2, batch) if case.weighted else None)


def _is_smooth(case: GradientCase, point: _Point) -> bool:
    """Whether the point keeps its margin from the kinks of activations, penalties and loss."""
    network, part = case.network, loss(case.loss)
    params = network.unpack(point.theta)
    forward = network.forward(params, point.X, _dropout(case, 1), training=True)
    for layer, weights, record in zip(network.layers, params, forward.records, strict=True):
        if isinstance(layer, WeightLayer) and layer.l1 > 0 and np.min(np.abs(weights["W"])) < MARGIN:
            return False
        if _gap(layer, record) < MARGIN:
            return False
        if any(np.min(np.abs(record.Z - kink)) < MARGIN for kink in layer.act.kinks) and _moves(layer, record):
            return False
    if part.name == "bce_eps_in_divisions" and not np.all(np.abs(forward.A - 0.5) < 0.4):
        return False  # its gradient is that of its value only away from saturation
    residuals = forward.A - np.asarray(point.Y, dtype=np.float64) if part.kinks else forward.A
    return all(np.min(np.abs(residuals - kink)) >= MARGIN for kink in part.kinks)


def _gap(layer: Layer, record: LayerRecord) -> float:
    """Return the least distance between the two largest entries of a window, infinite for layers without maxima."""
    A = record.A_in
    if isinstance(layer, MaxPool1D | MaxPool2D):
        patches = layer.windows.patches(A, -math.inf)
        entries = patches.reshape(*patches.shape[: -layer.axes - 1], -1, patches.shape[-1])
    elif isinstance(layer, GlobalMaxPool):
        entries = A.reshape(*A.shape[: -layer.known_axes - 1], -1, A.shape[-1])
    else:
        return math.inf
    second, first = np.moveaxis(np.partition(entries, -2, axis=-2)[..., -2:, :], -2, 0)
    return float(np.min(first - second))


def _moves(layer: Layer, record: LayerRecord) -> bool:
    """Whether Z depends on the layer below: a batch of one sample standardises to 0 whatever it was."""
    return not (isinstance(layer, Standardize) and record.Z.shape[-2] == 1)


# -- the two gradients -------------------------------------------------------------------------------


def _gradient(case: GradientCase, point: _Point) -> Array:
    """Return the hand-derived gradient by weights and input, (..., P + all numbers of X)."""
    network, part = case.network, loss(case.loss)
    params = network.unpack(point.theta)
    _, grads, forward = network.loss_and_gradients(
        params, point.X, point.Y, part, point.weight, dropout=_dropout(case, 1)
    )
    delta = output_delta(part, network.output_activation, forward.Z, forward.A, point.Y, point.weight)
    dX = network.input_gradient(params, forward, delta)
    return np.concatenate([network.pack(grads), dX.reshape(*point.theta.shape[:-1], -1)], axis=-1)


def _central_differences(case: GradientCase, point: _Point) -> Array:
    """Return the numeric gradient by weights and input, in the order of `_gradient`, from one population."""
    members = 1 if case.members is None else case.members
    P, batch = point.theta.shape[-1], (case.n_samples, *case.network.shapes[0])
    theta = point.theta.reshape(members, P)
    X = np.broadcast_to(point.X, (members, *batch)).reshape(members, -1)
    centre = np.concatenate([theta, X], axis=1)
    Q = centre.shape[1]
    offsets = np.concatenate([np.eye(Q), -np.eye(Q)]) * STEP
    around = (centre[:, None, :] + offsets).reshape(-1, Q)
    values = _losses(case, point, around[:, :P], around[:, P:].reshape(-1, *batch))
    plus, minus = np.moveaxis(values.reshape(members, 2, Q), 1, 0)
    result: Array = (plus - minus) / (2 * STEP)
    return result.reshape(*point.theta.shape[:-1], Q)


def _losses(case: GradientCase, point: _Point, theta: Array, X: Array) -> Array:
    """Return the loss with penalties of each neighbour, (members * 2 Q,), members first."""
    network, part = case.network, loss(case.loss)
    members = 1 if case.members is None else case.members
    copies = len(theta) // members
    params = network.unpack(theta)
    forward = network.forward(params, X, _dropout(case, copies, population=True), training=True)
    Y = _for_each(point.Y, members, copies, case)
    weight = None if point.weight is None else _for_each(point.weight, members, copies, case)
    total = loss_value(part, network.output_activation, forward.Z, forward.A, Y, weight)
    for layer, weights in zip(network.layers, params, strict=True):
        total = total + layer.penalty(weights)
    return total


def _for_each(array: npt.NDArray[np.generic], members: int, copies: int, case: GradientCase) -> npt.NDArray[np.generic]:
    """Repeat a member's targets or weights for each of its neighbours."""
    own = array if case.members is not None and not case.shared else np.stack([array] * members)
    return np.repeat(own, copies, axis=0)


def _dropout(
    case: GradientCase, copies: int, population: bool = False
) -> np.random.Generator | list[np.random.Generator] | None:
    """Return generators that draw the same masks for every neighbour of a member."""
    if not case.layer.startswith("dropout"):
        return None
    if case.members is None and not population:
        return stream(case.seed, "dropout")
    members = range(case.members or 1)
    return [stream(case.seed + member, "dropout") for member in members for _ in range(copies)]
