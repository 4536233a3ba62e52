"""Learning-rate schedules: every member has its own rate, in a state of arrays with the member axis first.

An engine calls `on_epoch` before each epoch (the epochs of a population count in lock-step from 0) and, for
schedules with `needs_step_loss`, `on_step` after each step; it reads the rates from ``state["lr"]``, always
float64. All calls are pure: they return a new state.
"""

from __future__ import annotations

import math
from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from chainrule.optim._base import MOST, Array, State
from chainrule.spec import build, require


@dataclass(frozen=True)
class Schedule(ABC):
    """How the learning rate changes while training goes on."""

    name: ClassVar[str]

    @property
    def needs_step_loss(self) -> bool:
        """Whether `on_step` must be called after each step."""
        return False

    def init(self, base: Array) -> State:
        """Return the state before the first epoch.

        Parameters
        ----------
        base : (m,) array
            The learning rate that each member was given.

        Returns
        -------
        dict of arrays
            At least ``"lr"`` and ``"base"``, both (m,) float64.
        """
        base = np.array(base, dtype=np.float64)
        return {"lr": base.copy(), "base": base}

    def share(self, epoch: int, n_epochs: int) -> float | None:
        """Return what the base rate is multiplied by in an epoch; None where the rate is not simply such a product."""
        return None

    def on_epoch(self, state: State, epoch: int, n_epochs: int) -> State:
        """Return the state for epoch `epoch` (from 0) of at most `n_epochs`."""
        share = self.share(epoch, n_epochs)
        assert share is not None, "a schedule either says its share or has an on_epoch of its own"
        return {**state, "lr": state["base"] * share}

    def on_step(self, state: State, loss: Array) -> State:
        """Return the state after a step whose batch loss was `loss` (m,)."""
        return state


@dataclass(frozen=True)
class Constant(Schedule):
    """The learning rate stays as it was given."""

    name: ClassVar[str] = "constant"

    def share(self, epoch: int, n_epochs: int) -> float:
        """Return 1."""
        return 1.0

    def on_epoch(self, state: State, epoch: int, n_epochs: int) -> State:
        """Return the state unchanged."""
        return state


@dataclass(frozen=True)
class StepDecay(Schedule):
    """Multiply the rate by `factor` after every `every` epochs: ``base * factor^floor(epoch / every)``."""

    name: ClassVar[str] = "step"
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _check_count("step", "every", self.every)
        require(0.0 < self.factor <= 1e6, f"step: factor must be above 0, got {self.factor}")

    def share(self, epoch: int, n_epochs: int) -> float:
        """Return the height of this step of the stairs."""
        return _power(self.factor, epoch // self.every)


@dataclass(frozen=True)
class Exponential(Schedule):
    """Multiply the rate by `decay` after every epoch: ``base * decay^epoch``."""

    name: ClassVar[str] = "exponential"
    decay: float

    def __post_init__(self) -> None:
        require(0.0 < self.decay <= 1e6, f"exponential: decay must be above 0, got {self.decay}")

    def share(self, epoch: int, n_epochs: int) -> float:
        """Return ``decay^epoch``."""
        return _power(self.decay, epoch)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from the base rate towards ``final * base`` (Loshchilov and Hutter 2017, without restarts).

    ``lr = base (final + (1 - final) (1 + cos(pi epoch / n_epochs)) / 2)``; the end of the cosine is the end of the
    last epoch, so epoch ``n_epochs - 1`` still trains a little above the final rate.
    """

    name: ClassVar[str] = "cosine"
    final: float = 0.0

    def __post_init__(self) -> None:
        require(0.0 <= self.final <= 1.0, f"cosine: final must be from 0 to 1 (a share of the rate), got {self.final}")

    def share(self, epoch: int, n_epochs: int) -> float:
        """Return the cosine at this epoch."""
        progress = min(epoch / max(n_epochs, 1), 1.0)
        return self.final + (1.0 - self.final) * 0.5 * (1.0 + math.cos(math.pi * progress))


@dataclass(frozen=True)
class SelfMultiplying(Schedule):
    """Report A's schedule: every `every` epochs ``lr <- lr * lr``.

    A rate below 1 falls ever faster (0.8, 0.64, 0.4096, 0.168, ...); 1 stays; a rate above 1 explodes.
    """

    name: ClassVar[str] = "self_multiplying"
    every: int

    def __post_init__(self) -> None:
        _check_count("self_multiplying", "every", self.every)

    def on_epoch(self, state: State, epoch: int, n_epochs: int) -> State:
        """Square the rate at epochs every, 2 every, 3 every, ..."""
        if epoch == 0 or epoch % self.every:
            return state
        with np.errstate(over="ignore", under="ignore"):
            return {**state, "lr": state["lr"] * state["lr"]}


@dataclass(frozen=True)
class LossRatio(Schedule):
    """Report E's adaptive rate: after each window of steps, multiply by the ratio of mean losses.

    ``lr <- lr * mean(loss in this window) / mean(loss in the previous window)``. The first window only measures.
    Where the ratio is not a number above 0 (a mean of zero, a diverging member) the rate stays.
    """

    name: ClassVar[str] = "loss_ratio"
    window: int

    def __post_init__(self) -> None:
        _check_count("loss_ratio", "window", self.window)

    @property
    def needs_step_loss(self) -> bool:
        """Every step's loss counts."""
        return True

    def init(self, base: Array) -> State:
        """Return the base rates, an empty window and no previous mean (NaN)."""
        zeros = np.zeros(len(base))
        return {**super().init(base), "window_sum": zeros, "window_steps": zeros, "previous_mean": zeros + np.nan}

    def on_epoch(self, state: State, epoch: int, n_epochs: int) -> State:
        """Return the state unchanged: windows run across epochs."""
        return state

    def on_step(self, state: State, loss: Array) -> State:
        """Add the step to the window; close the window when it is full."""
        with np.errstate(all="ignore"):
            total = state["window_sum"] + loss
            steps = state["window_steps"] + 1
            full = steps >= self.window
            mean = total / self.window
            ratio = mean / state["previous_mean"]
            lr = state["lr"] * np.where(full & (ratio > 0) & np.isfinite(ratio), ratio, 1.0)
        return {
            **state,
            "lr": lr,
            "window_sum": np.where(full, 0.0, total),
            "window_steps": np.where(full, 0.0, steps),
            "previous_mean": np.where(full, mean, state["previous_mean"]),
        }


@dataclass(frozen=True)
class Warmup(Schedule):
    """Linear warm-up, then another schedule (Goyal et al. 2017).

    Epoch e < epochs trains at ``base (e + 1) / epochs``, so the last warm-up epoch has the full rate. The schedule
    named by `then` starts after that and counts its own epochs from 0: ``warmup(5, then="cosine")``.
    """

    name: ClassVar[str] = "warmup"
    epochs: int
    then: str = "constant"

    def __post_init__(self) -> None:
        _check_count("warmup", "epochs", self.epochs)
        require(not isinstance(schedule(self.then), Warmup), "warmup: 'then' must be a schedule without warm-up")

    @property
    def needs_step_loss(self) -> bool:
        """Whether the schedule that follows needs it."""
        return schedule(self.then).needs_step_loss

    def init(self, base: Array) -> State:
        """Return the following schedule's state, marked as warming up."""
        return {**schedule(self.then).init(base), "warming": np.ones(len(base), dtype=bool)}

    def share(self, epoch: int, n_epochs: int) -> float | None:
        """Return the share of the warm-up, or that of the following schedule."""
        if schedule(self.then).share(0, 1) is None:
            return None
        if epoch < self.epochs:
            return (epoch + 1) / self.epochs
        return schedule(self.then).share(epoch - self.epochs, max(n_epochs - self.epochs, 1))

    def on_epoch(self, state: State, epoch: int, n_epochs: int) -> State:
        """Return the warm-up rate, or what the following schedule says."""
        if epoch < self.epochs:
            return {**state, "lr": state["base"] * ((epoch + 1) / self.epochs)}
        if epoch == self.epochs:
            state = {**state, "lr": state["base"].copy(), "warming": np.zeros_like(state["warming"])}
        return schedule(self.then).on_epoch(state, epoch - self.epochs, max(n_epochs - self.epochs, 1))

    def on_step(self, state: State, loss: Array) -> State:
        """Let the following schedule see the step once the warm-up is over."""
        after = schedule(self.then).on_step(state, loss)
        return {key: np.where(state["warming"], state[key], after[key]) for key in after}


def _check_count(name: str, key: str, value: int) -> None:
    """Refuse a count below 1 (or so large that it must be a slip)."""
    require(1 <= value <= MOST, f"{name}: {key} must be a whole number from 1 to {MOST}, got {value}")


def _power(factor: float, exponent: int) -> float:
    """Return factor^exponent, infinite where it overflows (and so found by the divergence guard)."""
    try:
        return math.pow(factor, exponent)
    except OverflowError:
        return math.inf


SCHEDULES: dict[str, type[Schedule]] = {
    cls.name: cls for cls in (Constant, StepDecay, Exponential, Cosine, SelfMultiplying, LossRatio, Warmup)
}


def schedule(spec: str | Schedule) -> Schedule:
    """Return the schedule that a spec such as ``"step(500, 0.5)"`` names; a built schedule passes through.

    Raises
    ------
    ConfigError
        For an unknown name or values out of range.
    """
    return spec if isinstance(spec, Schedule) else build(SCHEDULES, spec, "schedule")
