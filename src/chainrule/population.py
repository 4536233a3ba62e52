"""What is to be trained: settings and members.

A *member* is one network in training: a setting and a seed. A *population* is any list of members.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data import augmentation, class_weight_text, parse_class_weights
from chainrule.errors import ConfigError, show, unknown_name
from chainrule.metrics import metric
from chainrule.nn import Network, loss
from chainrule.optim import optimizer, schedule, stopping_rule
from chainrule.random import check_seed
from chainrule.spec import require, spec_of

DTYPES = ("float64", "float32")
MOST = 10**9  # the largest count (epochs, steps, samples) that is no slip
MOST_SEEDS = 10**6
LARGEST = 1e300  # numbers of a setting stay below it, so that products with them do not overflow at once


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained: everything of a setting but the network itself.

    Parts are given as specs (``"adam(beta2=0.95)"``) or as the parts themselves and are kept as canonical
    specs, so that equal configurations compare equal and a saved one is plain JSON.

    Parameters
    ----------
    loss : str
        What is minimised, with its reduction over the batch: ``mse``, ``mse(reduction=sum)``, ...
    optimizer, schedule : str
        The step rule and the learning-rate schedule.
    learning_rate : float
        The base rate, larger than 0.
    batch_size : int or "full"
        Samples per step; ``"full"`` makes an epoch one step over the training set.
    epochs : int
        Passes over the training set at most; 0 only evaluates the initial weights.
    stopping : tuple of str
        Stopping rules; the first that holds ends the member. If one of them is ``patience`` (one at most may be),
        a member ends with its best weights, unless a rule that means success ended it.
    clip_norm, clip_value : float or None
        Bounds on the gradient's norm per member, or on each of its entries.
    validation, test : float
        Shares of the data held out, drawn from the seed; 0 keeps the data set's own held-out part, if any.
    stratify : bool
        Keep class shares equal in the parts.
    metrics : tuple of str
        Metrics beside the loss; empty means the usual ones of the task.
    log_every : int
        Epochs between two rows of the history. The first and the last epoch are always kept. Training and
        stopping do not depend on it.
    dtype : str
        ``float64`` or ``float32``.
    class_weight : str or None
        ``"balanced"`` weighs samples inversely to the frequency of their class; ``"0=1,1=3"`` (or a mapping) gives the
        weights by class label, 1 for a class that is not named. They weigh the training samples, in the gradient
        and in the reported training loss; validation and test losses use the data's own sample weights only.
    shuffle : bool
        Draw a new order of the samples each epoch (only matters below full batch).
    augment : tuple of str
        What is done to training samples each time they are used: ``shift(2)``, ``rotate(10)``, ``noise(0.1)``.
    window : int
        Keep the mean step loss and learning rate of every `window` steps; 0 keeps none.
    """

    loss: str = "mse"
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    schedule: str = "constant"
    batch_size: int | str = "full"
    epochs: int = 1000
    stopping: tuple[str, ...] = ()
    clip_norm: float | None = None
    clip_value: float | None = None
    validation: float = 0.0
    test: float = 0.0
    stratify: bool = False
    metrics: tuple[str, ...] = ()
    log_every: int = 1
    dtype: str = "float64"
    class_weight: str | None = None
    shuffle: bool = True
    window: int = 0
    augment: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check every value, and keep specs and numbers in one canonical form."""
        values: dict[str, Any] = {
            "loss": spec_of(loss(self.loss)),
            "optimizer": spec_of(optimizer(self.optimizer)),
            "schedule": spec_of(schedule(self.schedule)),
            "stopping": tuple(spec_of(stopping_rule(part)) for part in _listed(self.stopping)),
            "metrics": tuple(spec_of(metric(part)) for part in _listed(self.metrics)),
            "augment": tuple(spec_of(augmentation(part)) for part in _listed(self.augment)),
            "learning_rate": _number("learning_rate", self.learning_rate, above=0.0),
            "epochs": _count("epochs", self.epochs, 0),
            "log_every": _count("log_every", self.log_every, 1),
            "window": _count("window", self.window, 0),
        }
        if not (isinstance(self.batch_size, str) and self.batch_size == "full"):
            values["batch_size"] = _count("batch_size", self.batch_size, 1, or_else=" or 'full'")
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                values[name] = _number(name, getattr(self, name), above=0.0)
        for name in ("validation", "test"):
            values[name] = _number(name, getattr(self, name), low=0.0, below=1.0)
        if self.class_weight is not None:
            values["class_weight"] = _class_weight(self.class_weight)
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check_words()

    def _check_words(self) -> None:
        """Refuse truth values and words that are none of those allowed, and parts that contradict each other."""
        for name in ("stratify", "shuffle"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} must be true or false, got {show(getattr(self, name))}")
        if not (isinstance(self.dtype, str) and self.dtype in DTYPES):
            raise ConfigError(unknown_name("dtype", str(self.dtype), DTYPES))
        if self.validation + self.test >= 1.0:
            raise ConfigError(f"validation + test must stay below 1, got {self.validation:g} + {self.test:g}")
        if sum(stopping_rule(spec).restore_best for spec in self.stopping) > 1:
            raise ConfigError("stopping: two rules would restore their best weights; keep one patience rule")

    def replace(self, **changes: Any) -> TrainingConfig:
        """Return a copy with some fields changed; an unknown field raises `ConfigError`."""
        known = [f.name for f in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise ConfigError(unknown_name("training setting", name, known))
        return dataclasses.replace(self, **changes)

    def at_rate(self, rate: float) -> TrainingConfig:
        """Return a copy with another learning rate, one that has been checked already."""
        copy = object.__new__(TrainingConfig)
        copy.__dict__.update(self.__dict__, learning_rate=rate)
        return copy

    def describe(self) -> dict[str, Any]:
        """Return the configuration as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> TrainingConfig:
        """Rebuild what `describe` returned."""
        return cls().replace(**description)


def _listed(parts: Any) -> tuple[Any, ...]:
    """Return one part or several as a tuple; whether they are parts is for their lookup to say."""
    return tuple(parts) if isinstance(parts, Iterable) and not isinstance(parts, str) else (parts,)


def _class_weight(value: object) -> str:
    """Return class weights in their canonical text."""
    if isinstance(value, Mapping) and value:
        value = class_weight_text(value)
    if not isinstance(value, str):
        raise ConfigError(f"class_weight must be 'balanced', '0=1,1=3' or nothing, got {show(value)}")
    return value if value == "balanced" else class_weight_text(parse_class_weights(value))


def _number(name: str, value: object, low: float | None = None, above: float = 0.0, below: float = LARGEST) -> float:
    """Return a number as a float: at least `low`, or else greater than `above`, and less than `below`."""
    value = value.item() if isinstance(value, np.integer | np.floating) else value  # float32 compares in float32
    real = isinstance(value, int | float | np.floating) and not isinstance(value, bool)
    inside = real and (above < value if low is None else low <= value) and value < below  # type: ignore[operator]
    if not inside:
        start = f"({above:g}" if low is None else f"[{low:g}"
        raise ConfigError(f"{name} must be a number in {start}, {below:g}), got {show(value)}")
    return float(value)  # type: ignore[arg-type]


def _count(name: str, value: object, low: int, or_else: str = "") -> int:
    """Return a whole number from `low` to `MOST` as an int."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool) and low <= value <= MOST
    if not whole:
        raise ConfigError(f"{name} must be a whole number from {low} to {MOST:,}{or_else}, got {show(value)}")
    return int(value)  # type: ignore[call-overload,no-any-return]


@dataclass(frozen=True)
class Member:
    """One network in training: its setting (network and configuration) and its seed."""

    network: Network
    config: TrainingConfig
    seed: int

    def __post_init__(self) -> None:
        if not isinstance(self.network, Network):
            raise ConfigError(f"network must be a Network such as mlp([4, 4], 'sigmoid'), got {show(self.network)}")
        if not isinstance(self.config, TrainingConfig):
            raise ConfigError(f"config must be a TrainingConfig, got {show(self.config)}")
        object.__setattr__(self, "seed", check_seed(self.seed))


def parse_seeds(seeds: int | Iterable[int]) -> tuple[int, ...]:
    """Return the seeds asked for: a count n means 0 to n-1.

    Raises
    ------
    ConfigError
        For no seeds at all, a seed given twice, or anything that is not a whole number of at least 0.
    """
    if isinstance(seeds, int | np.integer) and not isinstance(seeds, bool):
        require(1 <= seeds <= MOST_SEEDS, f"seeds must be a count from 1 to {MOST_SEEDS:,}, got {show(seeds)}")
        return tuple(range(int(seeds)))
    try:
        listed = tuple(check_seed(seed) for seed in seeds)  # type: ignore[union-attr]
    except TypeError:
        raise ConfigError(f"seeds must be a count or a list of whole numbers, got {show(seeds)}") from None
    require(len(listed) > 0, "seeds is empty: give at least one")
    require(len(set(listed)) == len(listed), "a seed is given twice: the two runs would be the same run")
    return listed
