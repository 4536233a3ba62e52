"""Cohorts: the members that an engine trains together, and the data that each of them sees.

The members of a cohort share everything but their learning rate and their seed, so that their weights stack
into one array with a leading member axis.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload
from weakref import WeakValueDictionary

import numpy as np

from chainrule.data import Dataset, DataSource, Split, augmentation, class_weights, sample_shape, split
from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.metrics import metric
from chainrule.nn import Network, loss
from chainrule.optim import stopping_rule
from chainrule.population import Member, TrainingConfig
from chainrule.random import data_seed
from chainrule.spec import require


@dataclass(frozen=True, eq=False)
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
    draws : tuple of int
        One per member; members with equal draws see equal data.
    splits : sequence of Split
        The data of each member, drawn when asked for: hold on to what is used twice.
    """

    network: Network
    config: TrainingConfig
    seeds: tuple[int, ...]
    learning_rates: np.ndarray[Any, np.dtype[np.float64]]
    draws: tuple[int, ...]
    splits: Sequence[Split]

    def __len__(self) -> int:
        return len(self.seeds)

    def members(self) -> list[Member]:
        """Return the members, each with its own learning rate in its configuration."""
        rates = self.learning_rates.tolist()
        configs = {rate: self.config.at_rate(rate) for rate in dict.fromkeys(rates)}
        return [Member(self.network, configs[rate], seed) for rate, seed in zip(rates, self.seeds, strict=True)]

    def take(self, index: Sequence[int]) -> Cohort:
        """Return the cohort of some of the members, in the order given, with their data in memory."""
        data: dict[int, Split] = {}
        for k in index:
            if self.draws[k] not in data:
                data[self.draws[k]] = self.splits[k]
        return dataclasses.replace(
            self,
            seeds=tuple(self.seeds[k] for k in index),
            learning_rates=self.learning_rates[list(index)],
            draws=tuple(self.draws[k] for k in index),
            splits=tuple(data[self.draws[k]] for k in index),
        )


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
    groups: dict[tuple[Network, TrainingConfig], list[int]] = {}
    shared: dict[TrainingConfig, TrainingConfig] = {}  # a configuration without its own learning rate
    for k, member in enumerate(members):
        if member.config not in shared:
            shared[member.config] = member.config.at_rate(1.0)
        groups.setdefault((member.network, shared[member.config]), []).append(k)
    drawer = _Drawer(source)
    cohorts = []
    for (network, config), index in groups.items():
        seeds = tuple(members[k].seed for k in index)
        splits = _Splits(drawer, config, tuple(drawer.number(config, seed) for seed in seeds))
        first = splits.check()
        rates = np.array([members[k].config.learning_rate for k in index], dtype=np.float64)
        cohorts.append(
            (index, Cohort(bind_to_data(network, first, config), config, seeds, rates, splits.draws, splits))
        )
    return cohorts


class _Drawer:
    """Draws the data of seeds, and remembers them as long as they are small in sum.

    Splits of a large data set are copies of most of it, one per seed: beyond `KEEP_BYTES` a split lives only as
    long as somebody holds it, and is drawn again when it is needed again.
    """

    KEEP_BYTES = 128 * 2**20

    def __init__(self, source: DataSource) -> None:
        self.source = source
        self.kept: list[Split] = []
        self.bytes = 0
        self.alive: WeakValueDictionary[tuple[float, float, bool, int], Split] = WeakValueDictionary()

    def number(self, config: TrainingConfig, seed: int) -> int:
        """Return the seed that draws the data: a fixed data set that is not split is the same for every seed."""
        return data_seed(seed) if self.source.varies or config.validation or config.test else 0

    def draw(self, config: TrainingConfig, number: int) -> Split:
        """Return the data of one seed."""
        key = (config.validation, config.test, config.stratify, number)
        parts = self.alive.get(key)
        if parts is None:
            parts = split(self.source.draw(number), number, config.validation, config.test, config.stratify)
            self.alive[key] = parts
            size = sum(part.X.nbytes for part in (parts.train, parts.validation, parts.test) if part is not None)
            if not self.kept or self.bytes + size <= self.KEEP_BYTES:
                self.kept.append(parts)
                self.bytes += size
        return parts


class _Splits(Sequence[Split]):
    """The data of a cohort's members, drawn when asked for."""

    def __init__(self, drawer: _Drawer, config: TrainingConfig, draws: tuple[int, ...]) -> None:
        self.drawer, self.config, self.draws = drawer, config, draws

    def __len__(self) -> int:
        return len(self.draws)

    @overload
    def __getitem__(self, index: int) -> Split: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Split, ...]: ...
    def __getitem__(self, index: int | slice) -> Split | tuple[Split, ...]:
        if isinstance(index, slice):
            return tuple(self.drawer.draw(self.config, number) for number in self.draws[index])
        return self.drawer.draw(self.config, self.draws[index])

    def check(self) -> Split:
        """Draw every seed's data once, so that what cannot work shows before any training; return the first.

        Raises
        ------
        ShapeError
            If the data of two seeds differ in shape: their members could not be stacked.
        DataError
            If a number is too large for float32, and that is what is asked for.
        """
        first = self[0]
        for number in dict.fromkeys(self.draws):
            drawn = self.drawer.draw(self.config, number)
            for name in ("train", "validation", "test"):
                one, other = _shapes(first, name), _shapes(drawn, name)
                if one != other:
                    raise ShapeError(
                        f"the {name} parts of seeds {self.draws[0]} and {number} have shapes {one}, {other}"
                    )
                if self.config.dtype == "float32":
                    _check_float32(getattr(drawn, name))
        return first


def _shapes(parts: Split, name: str) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of one part's X and Y; nothing for a part that there is not."""
    part: Dataset | None = getattr(parts, name)
    return () if part is None else (part.X.shape, part.Y.shape)


def _check_float32(part: Dataset | None) -> None:
    """Refuse numbers that are finite in float64 only."""
    if part is None:
        return
    for name, array in (("X", part.X), ("y", part.Y), ("sample_weight", part.sample_weight)):
        if array is not None and max(array.max(), -array.min()) > np.finfo(np.float32).max:  # no copy of the array
            raise DataError(f"data set '{part.name}': {name} has numbers too large for float32; use dtype float64")


def bind_to_data(network: Network, data: Split, config: TrainingConfig) -> Network:
    """Fit a network's input and output to the data, and check that loss, metrics and rules suit them.

    Raises
    ------
    ConfigError, ShapeError
        If they do not.
    """
    train = data.train
    bound = network.bind(train.feature_shape, train.n_outputs, train.output_activation)
    require(bound.n_parameters > 0, "the network has no weights to train: give it at least one dense layer")
    loss(config.loss).check_output(bound.output_activation)
    if config.class_weight is not None:
        if train.task == "regression":
            raise ConfigError(f"class_weight needs classes, but data set '{train.name}' is a regression")
        class_weights(train, config.class_weight)  # refuses a label that is no class
    sample_shape(
        train, [augmentation(spec) for spec in config.augment]
    )  # refuses what needs images where there are none
    watched = [name for spec in config.stopping for name in stopping_rule(spec).needs]
    for name in watched:
        if name.startswith("validation_") and data.validation is None:
            raise ConfigError(
                f"stopping watches '{name}', but there is no validation part: set validation, e.g. to 0.2"
            )
    for name in [*config.metrics, *(name.removeprefix("validation_") for name in watched)]:
        if name != "loss" and train.task not in metric(name).tasks:
            raise ConfigError(f"metric '{name}' makes no sense for the {train.task} data set '{train.name}'")
    return bound
