"""A cohort's setting in the numbers that kernels understand, or the reason why they cannot train it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.cohorts import Cohort
from chainrule.engines.compiled.codes import (
    ABSOLUTE_ERROR,
    ACCURACY,
    ACTIVATIONS,
    COUNTING,
    LOSSES,
    OPTIMIZERS,
    PATIENCE,
)
from chainrule.engines.compiled.geometry import SPATIAL, Geometry, geometry_of
from chainrule.metrics import for_task
from chainrule.nn import Dense, Flatten, Layer, Network, loss
from chainrule.optim import LossBelow, LossRatio, Patience, Target, optimizer, schedule, stopping_rule


@dataclass(frozen=True)
class Rule:
    """A stopping rule in numbers; the names are those of `tracking.Tracking`."""

    kind: int
    column: int
    higher: bool
    strict: bool
    threshold: float
    times: int


@dataclass(frozen=True)
class Plan:
    """What a kernel needs to know of a setting, without learning rate and seed.

    Attributes
    ----------
    sizes : tuple of int
        Features, units of each layer; those of an image are all its numbers. Layers that only rename places are none.
    geometries : tuple of Geometry or None
        Of each layer that knows places; None for a dense one.
    activations, numbers : tuple of int, tuple of float
        Code of each layer's activation, and its own number (slope of leaky_relu, alpha of elu; else 0).
    biases : tuple of bool
        Which layers have a bias.
    l1, l2 : tuple of float
        Penalties of each layer.
    loss, loss_number, averaged : int, float, bool
        Code of the loss, its own number (delta, scale, label smoothing, eps), and whether samples are averaged.
    metric : int
        ACCURACY or ABSOLUTE_ERROR.
    optimizer, hyper : int, tuple of float
        Code of the step rule, and its rows FADE to DECAY of `hyper` (see `optimizer_kernel`).
    clip_norm, clip_value : float
        Bounds on the gradient; 0 for none.
    rules : tuple of Rule
        Stopping rules in order; `keeps_best` says whether one of them is patience.
    ratio : int
        Window of the loss_ratio schedule; 0 for any other schedule.
    """

    sizes: tuple[int, ...]
    geometries: tuple[Geometry | None, ...]
    activations: tuple[int, ...]
    numbers: tuple[float, ...]
    biases: tuple[bool, ...]
    l1: tuple[float, ...]
    l2: tuple[float, ...]
    loss: int
    loss_number: float
    averaged: bool
    metric: int
    optimizer: int
    hyper: tuple[float, ...]
    clip_norm: float
    clip_value: float
    rules: tuple[Rule, ...]
    ratio: int

    @property
    def keeps_best(self) -> bool:
        """Whether the best weights so far are kept."""
        return any(rule.kind == PATIENCE for rule in self.rules)

    @property
    def n_parameters(self) -> int:
        """Number of weights of one member."""
        return sum(weights + biases for weights, biases in self.arrays)

    @property
    def arrays(self) -> tuple[tuple[int, int], ...]:
        """Weights and biases of each layer, as they follow each other in a member's flat weights."""
        layers = zip(self.sizes[:-1], self.sizes[1:], self.geometries, self.biases, strict=True)
        return tuple(
            (i * o, o if bias else 0) if one is None else (one.n_weights, one.filters if bias else 0)
            for i, o, one, bias in layers
        )

    @property
    def spatial(self) -> bool:
        """Whether some layers know places."""
        return any(one is not None for one in self.geometries)


def why_not(cohort: Cohort) -> str | None:
    """Return why compiled engines cannot train the cohort, or None if they can."""
    network, config = cohort.network, cohort.config
    for layer in network.layers:
        if not isinstance(layer, (Dense, *SPATIAL)):
            return f"layer '{layer.name}' is computed by the reference engine only"
        if layer.act.name not in ACTIVATIONS:
            return f"activation '{layer.act.name}' is computed by the reference engine only"
        if layer.act.name == "softmax" and layer is not network.layers[-1]:
            return "softmax in a hidden layer is computed by the reference engine only"
    if network.n_parameters == 0:
        return "a network without weights is computed by the reference engine only"
    output, wanted = network.output_activation.name, loss(config.loss)
    if wanted.name not in LOSSES:
        return f"loss '{wanted.name}' is computed by the reference engine only"
    if optimizer(config.optimizer).name not in OPTIMIZERS:
        return f"optimizer '{config.optimizer}' is computed by the reference engine only"
    if wanted.name in ("binary_cross_entropy", "softmax_cross_entropy") and output != wanted.pairs_with:
        return f"loss '{wanted.name}' after '{output}' is computed by the reference engine only"
    if output == "softmax" and wanted.name != "softmax_cross_entropy":
        return f"loss '{wanted.name}' after 'softmax' is computed by the reference engine only"
    rate = schedule(config.schedule)
    if rate.needs_step_loss and not isinstance(rate, LossRatio):
        return f"schedule '{config.schedule}' is computed by the reference engine only"
    own = {"loss", *for_task(cohort.splits[0].train.task)}
    for spec in config.stopping:
        for name in stopping_rule(spec).needs:
            if name.removeprefix("validation_") not in own:
                return f"stopping rules that watch '{name}' are computed by the reference engine only"
    return None


def make_plan(cohort: Cohort) -> Plan:
    """Return the plan of a cohort that compiled engines can train (see `why_not`)."""
    network, config = cohort.network, cohort.config
    task = cohort.splits[0].train.task
    layers = _planned(network)
    of = loss(config.loss)
    rate = schedule(config.schedule)
    return Plan(
        sizes=(math.prod(network.shapes[0]), *(math.prod(layer.output_shape(shape)) for layer, shape in layers)),
        geometries=tuple(None if isinstance(layer, Dense) else geometry_of(layer, shape) for layer, shape in layers),
        activations=tuple(ACTIVATIONS[layer.act.name] for layer, _ in layers),
        numbers=tuple(float(getattr(layer.act, "slope", getattr(layer.act, "alpha", 0.0))) for layer, _ in layers),
        biases=tuple(bool(getattr(layer, "bias", False)) for layer, _ in layers),
        l1=tuple(float(getattr(layer, "l1", 0.0)) for layer, _ in layers),
        l2=tuple(float(getattr(layer, "l2", 0.0)) for layer, _ in layers),
        loss=LOSSES[of.name],
        loss_number=_first(of, "delta", "scale", "label_smoothing", "eps"),
        averaged=of.reduction == "mean",
        metric=ABSOLUTE_ERROR if task == "regression" else ACCURACY,
        optimizer=OPTIMIZERS[optimizer(config.optimizer).name],
        hyper=_hyper(config.optimizer),
        clip_norm=config.clip_norm or 0.0,
        clip_value=config.clip_value or 0.0,
        rules=tuple(_rule(spec, task) for spec in config.stopping),
        ratio=rate.window if isinstance(rate, LossRatio) else 0,
    )


def _planned(network: Network) -> list[tuple[Layer, tuple[int, ...]]]:
    """Return the layers that compute something, each with the shape of its input."""
    pairs = zip(network.layers, network.shapes[:-1], strict=True)
    return [(layer, shape) for layer, shape in pairs if not isinstance(layer, Flatten)]


def _first(part: Any, *names: str) -> float:
    """Return the first of these numbers that a part has, or 0."""
    return next((float(getattr(part, name)) for name in names if hasattr(part, name)), 0.0)


def _hyper(spec: str) -> tuple[float, ...]:
    """Return beta, 1 - beta, beta2, 1 - beta2, eps and weight decay of a step rule."""
    rule = optimizer(spec)
    fade, squares = _first(rule, "beta", "rho", "beta1"), _first(rule, "beta2")
    return fade, 1.0 - fade, squares, 1.0 - squares, _first(rule, "eps"), _first(rule, "weight_decay")


def _rule(spec: str, task: str) -> Rule:
    """Return a stopping rule in numbers."""
    rule = stopping_rule(spec)
    watched = rule.needs[0]
    column = 2 * watched.startswith("validation_") + (watched.removeprefix("validation_") != "loss")
    higher = column % 2 == 1 and task != "regression"
    if isinstance(rule, Patience):
        return Rule(PATIENCE, column, higher, True, rule.min_delta, rule.epochs)
    if isinstance(rule, LossBelow):
        return Rule(COUNTING, column, False, True, rule.threshold, rule.times)
    assert isinstance(rule, Target), "every stopping rule has a form in numbers"
    return Rule(COUNTING, column, higher, False, rule.value, rule.times)


def initial_best(rule: Rule) -> float:
    """Return the worst value there is, the best of a member that has not been looked at yet."""
    return -math.inf if rule.higher else math.inf


def float_type(dtype: str) -> np.dtype[Any]:
    """Return the NumPy type of a configuration's dtype."""
    return np.dtype(dtype)
