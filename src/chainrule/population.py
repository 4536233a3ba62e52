"""What is to be trained: settings, members, and the cohorts an engine trains together.

A *member* is one network in training: a setting and a seed. A *population* is any list of members. An
engine trains a *cohort*: members that share everything but their learning rate and their seed, so that
their weights stack into one array with a leading member axis.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data import DataSource, Split, split
from chainrule.errors import ConfigError, one_line, unknown_name
from chainrule.metrics import metric
from chainrule.nn import Network, loss
from chainrule.optim import optimizer, schedule, stopping_rule
from chainrule.random import check_seed
from chainrule.spec import require, spec_of

DTYPES = ("float64", "float32")


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
        Stopping rules; the first that holds ends the member.
    clip_norm, clip_value : float or None
        Bounds on the gradient's norm per member, or on each of its entries.
    validation, test : float
        Shares of the data held out, drawn from the seed; 0 keeps the data set's own held-out part, if any.
    stratify : bool
        Keep class shares equal in the parts.
    metrics : tuple of str
        Metrics beside the loss; empty means the usual ones of the task.
    log_every : int
        Epochs between two rows of the history. The first and the last epoch are always kept.
    dtype : str
        ``float64`` or ``float32``.
    class_weight : str or None
        ``"balanced"`` weighs samples inversely to the frequency of their class.
    shuffle : bool
        Draw a new order of the samples each epoch (only matters below full batch).
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

    def __post_init__(self) -> None:
        for name, lookup in (("loss", loss), ("optimizer", optimizer), ("schedule", schedule)):
            object.__setattr__(self, name, spec_of(lookup(getattr(self, name))))
        for name, rule in (("stopping", stopping_rule), ("metrics", metric)):
            given = getattr(self, name)
            parts = (given,) if isinstance(given, str) else tuple(given)
            object.__setattr__(self, name, tuple(spec_of(rule(part)) for part in parts))
        _check_number("learning_rate", self.learning_rate, 0.0, math.inf, open_low=True, open_high=True)
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                _check_number(name, getattr(self, name), 0.0, math.inf, open_low=True)
        for name in ("validation", "test"):
            _check_number(name, getattr(self, name), 0.0, 1.0, open_high=True)
        require(
            self.validation + self.test < 1.0,
            f"validation + test must stay below 1, got {self.validation:g} + {self.test:g}",
        )
        _check_count("epochs", self.epochs, 0)
        _check_count("log_every", self.log_every, 1)
        _check_count("window", self.window, 0)
        if self.batch_size != "full":
            _check_count("batch_size", self.batch_size, 1, or_else=" or 'full'")
        for name in ("stratify", "shuffle"):
            require(isinstance(getattr(self, name), bool), f"{name} must be true or false")
        require(self.dtype in DTYPES, unknown_name("dtype", str(self.dtype), DTYPES))
        require(
            self.class_weight in (None, "balanced"),
            f"class_weight must be 'balanced' or nothing, got '{one_line(self.class_weight)}'",
        )

    def replace(self, **changes: Any) -> TrainingConfig:
        """Return a copy with some fields changed; an unknown field raises `ConfigError`."""
        known = [f.name for f in dataclasses.fields(self)]
        for name in changes:
            require(name in known, unknown_name("training setting", name, known))
        return dataclasses.replace(self, **changes)

    def describe(self) -> dict[str, Any]:
        """Return the configuration as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> TrainingConfig:
        """Rebuild what `describe` returned."""
        return cls().replace(**description)


def _check_number(
    name: str, value: object, low: float, high: float, *, open_low: bool = False, open_high: bool = False
) -> None:
    """Refuse anything but a real number inside the range, naming the range."""
    inside = (
        isinstance(value, int | float | np.number)
        and not isinstance(value, bool)
        and (low < value if open_low else low <= value)
        and (value < high if open_high else value <= high)
    )
    shown = f"{'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"
    require(bool(inside), f"{name} must be a number in {shown}, got {one_line(repr(value))}")


def _check_count(name: str, value: object, low: int, or_else: str = "") -> None:
    """Refuse anything but a whole number of at least `low`."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= low
    require(bool(whole), f"{name} must be a whole number of at least {low}{or_else}, got {one_line(repr(value))}")


@dataclass(frozen=True)
class Member:
    """One network in training: its setting (network and configuration) and its seed."""

    network: Network
    config: TrainingConfig
    seed: int


@dataclass(frozen=True)
class Cohort:
    """Members that share everything but learning rate and seed, with the data each of them sees.

    Attributes
    ----------
    network : Network
        Bound: its input and output fit the data.
    config : TrainingConfig
        Shared by all members, except for ``learning_rate``, which is in `learning_rates`.
    seeds : tuple of int
        One per member.
    learning_rates : ndarray (m,)
        One per member.
    splits : tuple of Split
        The data of each member; members that see equal data hold the same object.
    """

    network: Network
    config: TrainingConfig
    seeds: tuple[int, ...]
    learning_rates: np.ndarray[Any, np.dtype[np.float64]]
    splits: tuple[Split, ...]

    def __len__(self) -> int:
        return len(self.seeds)

    def member(self, k: int) -> Member:
        """Return member `k` with its own learning rate in its configuration."""
        return Member(self.network, self.config.replace(learning_rate=float(self.learning_rates[k])), self.seeds[k])

    def take(self, index: Sequence[int]) -> Cohort:
        """Return the cohort of some of the members, in the order given."""
        return dataclasses.replace(
            self,
            seeds=tuple(self.seeds[k] for k in index),
            learning_rates=self.learning_rates[list(index)],
            splits=tuple(self.splits[k] for k in index),
        )


def parse_seeds(seeds: int | Iterable[int]) -> tuple[int, ...]:
    """Return the seeds asked for: a count n means 0 to n-1.

    Raises
    ------
    ConfigError
        For no seeds at all, a seed given twice, or anything that is not a whole number of at least 0.
    """
    if isinstance(seeds, int | np.integer) and not isinstance(seeds, bool):
        require(seeds >= 1, f"seeds must be at least 1, got {seeds}")
        return tuple(range(int(seeds)))
    try:
        listed = tuple(check_seed(seed) for seed in seeds)  # type: ignore[union-attr]
    except TypeError:
        raise ConfigError(f"seeds must be a count or a list of whole numbers, got {one_line(repr(seeds))}") from None
    require(len(listed) > 0, "seeds is empty: give at least one")
    require(len(set(listed)) == len(listed), "a seed is given twice: the two runs would be the same run")
    return listed


def make_cohorts(members: Sequence[Member], source: DataSource) -> list[tuple[list[int], Cohort]]:
    """Group members into cohorts, keeping each member's place in the list.

    Parameters
    ----------
    members : sequence of Member
        In any order; networks may be unbound (their input and output are inferred from the data).
    source : DataSource
        Where each member's seed draws its data.

    Returns
    -------
    list of (places, Cohort)
        `places` are the members' indices in `members`.
    """
    places: dict[tuple[Network, TrainingConfig], list[int]] = {}
    for k, member in enumerate(members):
        places.setdefault((member.network, member.config.replace(learning_rate=1.0)), []).append(k)
    splits = _Splits(source)
    cohorts = []
    for (network, config), index in places.items():
        group = tuple(splits.of(config, members[k].seed) for k in index)
        bound = bind_to_data(network, group[0], config)
        rates = np.array([members[k].config.learning_rate for k in index], dtype=np.float64)
        cohort = Cohort(bound, config, tuple(members[k].seed for k in index), rates, group)
        cohorts.append((index, cohort))
    return cohorts


class _Splits:
    """The splits already made, so that members which see equal data share it.

    A fixed data set that is not split looks the same to every seed; otherwise equal seeds share.
    """

    def __init__(self, source: DataSource) -> None:
        self.source = source
        self.made: dict[tuple[float, float, bool, int], Split] = {}

    def of(self, config: TrainingConfig, seed: int) -> Split:
        same_for_all = not self.source.varies and config.validation == 0.0 and config.test == 0.0
        key = (config.validation, config.test, config.stratify, 0 if same_for_all else seed)
        if key not in self.made:
            parts = {"validation": config.validation, "test": config.test, "stratify": config.stratify}
            self.made[key] = split(self.source.draw(key[-1]), key[-1], **parts)  # type: ignore[arg-type]
        return self.made[key]


def bind_to_data(network: Network, data: Split, config: TrainingConfig) -> Network:
    """Fit a network's input and output to the data, and check that its output suits the loss."""
    train = data.train
    bound = network.bind(train.n_features, train.n_outputs, train.output_activation)
    loss(config.loss).check_output(bound.output_activation)
    return bound
