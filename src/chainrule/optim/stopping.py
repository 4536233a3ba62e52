"""Stopping rules: when has a member learned enough, or nothing for too long?

Rules look at the record of the epoch just finished, a mapping from names (``loss``, ``accuracy``,
``validation_loss``, any metric's spec, each also with ``validation_`` before it) to (m,) arrays. A rule's memory
is a dict of (m,) arrays. NaN never counts as success or improvement.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.metrics import higher_is_better, record_key
from chainrule.optim._base import MOST, Array, State
from chainrule.spec import build, require

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class StoppingRule(ABC):
    """When a member stops.

    Class variables: `reason` is what a run reports as its stop reason, `converged` says whether this stop means
    success, and `restore_best` asks the engine to keep the weights of each member's best epoch
    (``state["improved"]`` marks the members whose epoch just finished is their best) and hand those back.
    """

    name: ClassVar[str]
    reason: ClassVar[str]
    converged: ClassVar[bool]
    restore_best: ClassVar[bool] = False

    @property
    @abstractmethod
    def needs(self) -> tuple[str, ...]:
        """The record keys that `update` reads."""

    @abstractmethod
    def init(self, m: int) -> State:
        """Return the state of `m` members before the first epoch."""

    @abstractmethod
    def update(self, state: State, record: Mapping[str, npt.NDArray[Any]]) -> tuple[Mask, State]:
        """Return which members stop now, (m,) bool, and the next state."""


@dataclass(frozen=True)
class LossBelow(StoppingRule):
    """Report A's rule: stop at the `times`-th epoch whose loss is below `threshold`, consecutive or not."""

    name: ClassVar[str] = "loss_below"
    reason: ClassVar[str] = "loss_below"
    converged: ClassVar[bool] = True
    threshold: float
    times: int = 1

    def __post_init__(self) -> None:
        _check_number("loss_below", "threshold", self.threshold)
        _check_count("loss_below", "times", self.times)

    @property
    def needs(self) -> tuple[str, ...]:
        """The training loss."""
        return ("loss",)

    def init(self, m: int) -> State:
        """Return zero hits for every member."""
        return {"hits": np.zeros(m, dtype=np.int64)}

    def update(self, state: State, record: Mapping[str, npt.NDArray[Any]]) -> tuple[Mask, State]:
        """Count the epochs below the threshold."""
        hits = state["hits"] + (record["loss"] < self.threshold)
        return hits >= self.times, {"hits": hits}


@dataclass(frozen=True)
class Patience(StoppingRule):
    """Stop when `monitor` has not improved by more than `min_delta` for `epochs` epochs; the best weights count.

    Early stopping after Prechelt, "Early stopping - but when?" (1998). Better means lower for losses and errors and
    higher for scores such as accuracy.
    """

    name: ClassVar[str] = "patience"
    reason: ClassVar[str] = "patience"
    converged: ClassVar[bool] = False
    restore_best: ClassVar[bool] = True
    epochs: int
    min_delta: float = 0.0
    monitor: str = "validation_loss"

    def __post_init__(self) -> None:
        _check_count("patience", "epochs", self.epochs)
        require(0.0 <= self.min_delta <= 1e300, f"patience: min_delta must be at least 0, got {self.min_delta}")
        record_key(self.monitor)

    @property
    def needs(self) -> tuple[str, ...]:
        """The monitored quantity."""
        return (record_key(self.monitor),)

    def init(self, m: int) -> State:
        """Return no best value yet (the worst there is) and no waiting."""
        worst = -np.inf if higher_is_better(self.monitor) else np.inf
        return {
            "best": np.full(m, worst),
            "waited": np.zeros(m, dtype=np.int64),
            "improved": np.zeros(m, dtype=bool),
        }

    def update(self, state: State, record: Mapping[str, npt.NDArray[Any]]) -> tuple[Mask, State]:
        """Compare with the best epoch so far."""
        value: Array = record[self.needs[0]]
        if higher_is_better(self.monitor):
            improved = value > state["best"] + self.min_delta
        else:
            improved = value < state["best"] - self.min_delta
        waited = np.where(improved, 0, state["waited"] + 1)
        best = np.where(improved, value, state["best"])
        return waited >= self.epochs, {"best": best, "waited": waited, "improved": improved}


@dataclass(frozen=True)
class Target(StoppingRule):
    """Stop at the `times`-th epoch at which `metric` is at least as good as `value`.

    At least `value` for scores where higher is better, at most `value` for losses and errors. `metric` is a metric's
    spec or ``loss``, also with ``validation_`` before it.
    """

    name: ClassVar[str] = "target"
    reason: ClassVar[str] = "target"
    converged: ClassVar[bool] = True
    value: float
    metric: str = "accuracy"
    times: int = 1

    def __post_init__(self) -> None:
        _check_number("target", "value", self.value)
        _check_count("target", "times", self.times)
        record_key(self.metric)

    @property
    def needs(self) -> tuple[str, ...]:
        """The metric."""
        return (record_key(self.metric),)

    def init(self, m: int) -> State:
        """Return zero hits for every member."""
        return {"hits": np.zeros(m, dtype=np.int64)}

    def update(self, state: State, record: Mapping[str, npt.NDArray[Any]]) -> tuple[Mask, State]:
        """Count the epochs at which the target is met."""
        value = record[self.needs[0]]
        met = value >= self.value if higher_is_better(self.metric) else value <= self.value
        hits = state["hits"] + met
        return hits >= self.times, {"hits": hits}


def _check_number(name: str, key: str, value: float) -> None:
    """Refuse NaN and infinities."""
    require(-1e300 <= value <= 1e300, f"{name}: {key} must be a finite number, got {value}")


def _check_count(name: str, key: str, value: int) -> None:
    """Refuse a count below 1 (or so large that it must be a slip)."""
    require(1 <= value <= MOST, f"{name}: {key} must be a whole number from 1 to {MOST}, got {value}")


STOPPING_RULES: dict[str, type[StoppingRule]] = {cls.name: cls for cls in (LossBelow, Patience, Target)}


def stopping_rule(spec: str | StoppingRule) -> StoppingRule:
    """Return the rule that a spec such as ``"loss_below(0.015, times=3)"`` names; a built rule passes through.

    Raises
    ------
    ConfigError
        For an unknown name or values out of range.
    """
    return spec if isinstance(spec, StoppingRule) else build(STOPPING_RULES, spec, "stopping rule")
