"""What two settings share when they are trained from the same seed, and what they do not.

A seed fixes data, split, initial weights, batch order and dropout by streams of their own, so two runs of one seed
share whatever both draw in the same way. What they share cancels in the difference; the rest adds to its spread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule.cohorts import bind_to_data
from chainrule.data import DataSource, Split, split
from chainrule.errors import ChainruleError, ConfigError
from chainrule.experiments.recipes.grid import Setting
from chainrule.experiments.running.tasks import source_of
from chainrule.nn import Network
from chainrule.population import TrainingConfig
from chainrule.random import stream


@dataclass(frozen=True)
class Pairing:
    """What runs of one seed share.

    Attributes
    ----------
    same : tuple of str
        What is the same on both sides.
    different : tuple of str
        What is not, with the reason.
    """

    same: tuple[str, ...] = ()
    different: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Both in words."""
        shared = f"Paired by seed: same {', '.join(self.same)}" if self.same else "Runs of one seed share nothing"
        return f"{shared}. Not shared: {'; '.join(self.different)}." if self.different else f"{shared}."


def check_same_data(a: Setting, b: Setting) -> None:
    """Refuse to compare settings on different data.

    Raises
    ------
    ConfigError
        One line that names both.
    """
    if a.source != b.source:
        raise ConfigError(
            f"the two sides are trained on different data, {a.source} and {b.source}: their difference would be one of "
            "data; select the same data on both sides"
        )


def pairing_of(a: Setting, b: Setting, data_dir: str | None = None) -> Pairing:
    """Say what runs of two settings share when their seeds are equal.

    Parameters
    ----------
    a, b : Setting
        Settings on the same data.
    data_dir : str, optional
        Where to look for data files first.
    """
    source = source_of(a.source, data_dir)
    same = ["data, drawn anew from each seed" if source.varies else "data"]
    different: list[str] = []
    for check in (_split, _weights, _order):
        shared, words = check(a, b, source)
        if words:
            (same if shared else different).append(words)
    return Pairing(tuple(same), tuple(different))


Told = tuple[bool, str]
Check = Callable[[Setting, Setting, DataSource], Told]


def _split(a: Setting, b: Setting, source: DataSource) -> Told:
    """Whether both train on the same rows."""
    parts = [(c.validation, c.test, c.stratify and bool(c.validation or c.test)) for c in (a.config, b.config)]
    if parts[0] != parts[1]:
        return False, "the split (other shares are held out)"
    return True, "split" if parts[0][0] or parts[0][1] else ""


def _weights(a: Setting, b: Setting, source: DataSource) -> Told:
    """Whether both begin with the same weights, by drawing them once."""
    try:
        first, second = (_bound(setting, source) for setting in (a, b))
    except ChainruleError:
        return False, "initial weights (one of the networks does not fit the data)"
    if first.shapes != second.shapes or [s.shape for s in first.slots] != [s.shape for s in second.slots]:
        return False, "initial weights (the shapes differ)"
    one, other = (network.pack(network.init(stream(0, "init"))) for network in (first, second))
    if np.array_equal(one, other):
        return True, "initial weights"
    return False, "initial weights (equal shapes, drawn in different ways)"


def _bound(setting: Setting, source: DataSource) -> Network:
    return bind_to_data(setting.net, parts_of(setting.config, source), setting.config)


def _order(a: Setting, b: Setting, source: DataSource) -> Told:
    """Whether both see the samples in the same order."""
    drawn = [draws_order(setting.config, source) for setting in (a, b)]
    if not any(drawn):
        return True, ""
    if not all(drawn):
        return False, "batch order (only one side draws any)"
    if a.config.batch_size != b.config.batch_size:
        return True, "order of the samples (cut into batches of different sizes)"
    return True, "batch order"


def draws_order(config: TrainingConfig, source: DataSource) -> bool:
    """Return whether training draws an order of the samples: with a batch of them all, or unshuffled, it does not."""
    if not config.shuffle or config.batch_size == "full":
        return False
    return int(config.batch_size) < parts_of(config, source).train.n


def parts_of(config: TrainingConfig, source: DataSource, seed: int = 0) -> Split:
    """Return the data of one seed as a configuration splits them."""
    return split(source.draw(seed), seed, config.validation, config.test, config.stratify)
