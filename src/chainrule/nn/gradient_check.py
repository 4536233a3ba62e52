"""The one gradient-check table: every derivative against central differences, in float64.

A case is a small network with a loss. Its hand-derived gradient by all weights and by the input is compared
with (L(p + h) - L(p - h)) / 2h for each coordinate p, whose error is of order h^2. The two 2 Q evaluations
for Q coordinates are the members of one population, so the table also checks that members do not mix.

The derivatives of relu, leaky_relu, elu, mae, huber and the l1 penalty jump at kinks, where differences say
nothing. Points are drawn until every pre-activation, residual and penalised weight keeps a margin from them
far larger than h, so kinks are avoided by construction and not by a looser tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.nn._base import Layer, LayerRecord
from chainrule.nn._types import Array
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.dense import Dense
from chainrule.nn.dropout import Dropout
from chainrule.nn.losses import loss, loss_value, output_delta
from chainrule.nn.network import Network
from chainrule.nn.normalize import Standardize
from chainrule.random import stream

TOLERANCE = 1e-6
STEP = 1e-5
MARGIN = 1e-3

LAYER_KINDS = ("dense", "dense without bias", "dense with l1 and l2", "dropout", "standardize")


@dataclass(frozen=True)
class GradientCase:
    """One row of the table.

    Attributes
    ----------
    hidden, output, loss : str
        Specs of the hidden activation, the output activation and the loss.
    layer : str
        One of `LAYER_KINDS`.
    n_samples : int
        Samples in the batch.
    members : int or None
        Size of the member axis; None for none.
    seed : int
        Where the point is drawn from.
    weighted : bool
        Whether the samples carry weights.
    classes : bool
        Whether the targets are class numbers instead of rows.
    shared : bool
        Whether the members share samples, targets and weights.
    """

    hidden: str
    output: str
    loss: str
    layer: str
    n_samples: int
    members: int | None
    seed: int = 0
    weighted: bool = False
    classes: bool = False
    shared: bool = False

    @property
    def name(self) -> str:
        """Say what is checked, in words."""
        extras = [word for word in ("weighted", "classes", "shared") if getattr(self, word)]
        axis = "no member axis" if self.members is None else f"{self.members} members"
        samples = "1 sample" if self.n_samples == 1 else f"{self.n_samples} samples"
        return ", ".join([f"{self.hidden} -> {self.output} + {self.loss}", self.layer, samples, axis, *extras])

    @property
    def network(self) -> Network:
        """The network of the row: 2 features, 3 hidden units of the row's layer kind, 2 or 3 outputs."""
        return Network(tuple(_layers(self)), (2,))


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


def cases() -> list[GradientCase]:
    """Return every row: activation x valid loss pairing x layer x {1, many samples} x {member axis or not}.

    Each activation is checked as hidden activation before every loss, and as output activation under every loss
    that takes any output. Extra rows follow for the parts' own numbers, reductions, weights and class targets.
    """
    rows = [
        GradientCase(hidden, output, loss_spec, layer, n, members)
        for hidden, output, loss_spec in _pairings()
        for layer in LAYER_KINDS
        for n in (1, 5)
        for members in (None, 2)
    ]
    return rows + list(_extra_rows())


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


# -- rows --------------------------------------------------------------------------------------------


def _pairings() -> Iterator[tuple[str, str, str]]:
    """Pair activations with losses: (hidden, output, loss)."""
    for name in ACTIVATIONS:
        for loss_spec in ("mse", "half_mse", "mae", "huber"):
            yield name, name, loss_spec
        yield name, "sigmoid", "binary_cross_entropy"
        yield name, "softmax", "softmax_cross_entropy"
        yield name, "sigmoid", "bce_eps_in_divisions"
    yield "tanh", "softmax", "binary_cross_entropy"
    yield "tanh", "softmax", "bce_eps_in_divisions"


def _extra_rows() -> Iterator[GradientCase]:
    """Rows for what the product leaves out."""
    both: tuple[int | None, ...] = (None, 2)
    for members in both:
        for spec in ("leaky_relu(slope=0.3)", "elu(alpha=0.7)"):
            yield GradientCase(spec, spec, "mse", "dense", 5, members)
        for output, name, values in (
            ("tanh", "mse", ""),
            ("tanh", "half_mse", ""),
            ("tanh", "mae", ""),
            ("tanh", "huber", "delta=0.3, "),
            ("sigmoid", "binary_cross_entropy", "scale=2, "),
            ("sigmoid", "bce_eps_in_divisions", ""),
            ("softmax", "softmax_cross_entropy", "label_smoothing=0.1, "),
        ):
            mean, total = (f"{name}({values}reduction={reduction})" for reduction in ("mean", "sum"))
            for n in (1, 5):
                yield GradientCase("tanh", output, total, "dense", n, members)
                yield GradientCase("tanh", output, total, "dense", n, members, weighted=True)
                yield GradientCase("tanh", output, mean, "dense", n, members, weighted=True)
        for layer in LAYER_KINDS:
            yield GradientCase("tanh", "softmax", "softmax_cross_entropy", layer, 5, members, classes=True)
            yield GradientCase("silu", "sigmoid", "mse", layer, 5, members, weighted=True, shared=True)


def _layers(case: GradientCase) -> Iterator[Layer]:
    """Yield the layers of a row's network."""
    k = 3 if case.output == "softmax" else 2
    if case.layer == "dense without bias":
        yield Dense(3, case.hidden, bias=False)
        yield Dense(k, case.output, bias=False)
    elif case.layer == "dense with l1 and l2":
        yield Dense(3, case.hidden, l1=0.03, l2=0.05)
        yield Dense(k, case.output, l1=0.02, l2=0.04)
    elif case.layer == "standardize":
        yield Dense(3, "identity")
        yield Standardize(case.hidden)
        yield Dense(k, case.output)
    else:
        yield Dense(3, case.hidden)
        if case.layer == "dropout":
            yield Dropout(0.4)
        yield Dense(k, case.output)


# -- points ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Point:
    """Weights theta (..., P), samples X (..., n, d), targets and sample weights of one check."""

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
    X = rng.normal(0, 1, (*batch, 2))
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
    forward = network.forward(params, point.X, _dropout(case, 1))
    for layer, weights, record in zip(network.layers, params, forward.records, strict=True):
        if isinstance(layer, Dense) and layer.l1 > 0 and np.min(np.abs(weights["W"])) < MARGIN:
            return False
        if any(np.min(np.abs(record.Z - kink)) < MARGIN for kink in layer.act.kinks) and _moves(layer, record):
            return False
    if part.name == "bce_eps_in_divisions" and not np.all(np.abs(forward.A - 0.5) < 0.4):
        return False  # its gradient is that of its value only away from saturation
    residuals = forward.A - np.asarray(point.Y, dtype=np.float64) if part.kinks else forward.A
    return all(np.min(np.abs(residuals - kink)) >= MARGIN for kink in part.kinks)


def _moves(layer: Layer, record: LayerRecord) -> bool:
    """Whether Z depends on the layer below: a batch of one sample standardises to 0 whatever it was."""
    return not (isinstance(layer, Standardize) and record.Z.shape[-2] == 1)


# -- the two gradients -------------------------------------------------------------------------------


def _gradient(case: GradientCase, point: _Point) -> Array:
    """Return the hand-derived gradient by weights and input, (..., P + n d)."""
    network, part = case.network, loss(case.loss)
    params = network.unpack(point.theta)
    _, grads, forward = network.loss_and_gradients(
        params, point.X, point.Y, part, point.weight, dropout=_dropout(case, 1)
    )
    delta = output_delta(part, network.output_activation, forward.Z, forward.A, point.Y, point.weight)
    dX = network.input_gradient(params, forward, delta)
    return np.concatenate([network.pack(grads), dX.reshape(*point.theta.shape[:-1], -1)], axis=-1)


def _central_differences(case: GradientCase, point: _Point) -> Array:
    """Return the numeric gradient by weights and input, (..., P + n d), from one population of neighbours."""
    members = 1 if case.members is None else case.members
    P, batch = point.theta.shape[-1], point.X.shape[-2:]
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
    forward = network.forward(params, X, _dropout(case, copies, population=True))
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
    if case.layer != "dropout":
        return None
    if case.members is None and not population:
        return stream(case.seed, "dropout")
    members = range(case.members or 1)
    return [stream(case.seed + member, "dropout") for member in members for _ in range(copies)]
