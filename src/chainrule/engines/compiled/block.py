"""The contract between the session, which leads training, and the blocks that an engine trains in compiled code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.engines.compiled.codes import N_COLUMNS, TRAINING
from chainrule.engines.compiled.plan import Plan, initial_best
from chainrule.engines.compiled.tracking import Tracking
from chainrule.nn import Array

Orders = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True)
class Part:
    """Samples of all members of a block: training or validation part.

    Attributes
    ----------
    X, Y : ndarray
        (n, d) and (n, k) if all members see the same samples, else (V, n, d) and (V, n, k); in the training dtype.
    weight : ndarray or None
        Sample weights (n,) or (V, n).
    shared : bool
        Whether all members see the same samples.
    """

    X: Array
    Y: Array
    weight: Array | None
    shared: bool

    @property
    def n(self) -> int:
        """Number of samples per member."""
        return int(self.X.shape[-2])


@dataclass(frozen=True)
class Course:
    """How members of a block are trained: what they share beside their plan.

    Attributes
    ----------
    epochs, log_every : int
        As in `TrainingConfig`.
    batch : int
        Samples per step.
    full : bool
        Whether a step takes all samples, in their own order.
    window : int
        As in `TrainingConfig`.
    augmented : bool
        Whether steps see other samples than those that are judged.
    """

    epochs: int
    log_every: int
    batch: int
    full: bool
    window: int
    augmented: bool = False

    @property
    def judges_steps(self) -> bool:
        """Whether the pass through the layers that is judged is also that of the step: all samples, as they are."""
        return self.full and not self.augmented

    def steps(self, n: int) -> int:
        """Return the steps per epoch."""
        return -(-n // self.batch)


@dataclass(frozen=True)
class Fresh:
    """Training inputs that change from epoch to epoch.

    Attributes
    ----------
    X : ndarray (E, sets, n, d)
        The inputs, each where the sample stands that it comes from.
    own : ndarray (V,)
        Which set is each member's.
    """

    X: Array
    own: np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True)
class Stretch:
    """The epochs that a block is to train next.

    Attributes
    ----------
    first, stop : int
        Epochs from `first` up to, not including, `stop`. If `stop` is past the last epoch (`Course.epochs` + 1), the
        weights after the last epoch are judged too.
    rates : ndarray (E, V) or (1, V)
        Learning rate of each epoch, float64; one row if it does not change.
    orders : ndarray (E, V or 1, n) of int32, or None
        Order of the samples in each epoch, one for all members or one for each; None for their own order.
    fresh : Fresh or None
        Inputs for the steps, where they are not those of the samples as they are.
    """

    first: int
    stop: int
    rates: np.ndarray[Any, np.dtype[np.float64]]
    orders: Orders | None
    fresh: Fresh | None = None


class Block(ABC):
    """Members that one kernel call trains.

    `epoch` counts the epochs completed: weights are those after `epoch` epochs. A block knows nothing of files,
    progress or runs; the session gives it stretches and reads its arrays in between, never at the same time.
    """

    places: list[int]
    plans: list[Plan]
    course: Course
    tracking: Tracking
    epoch: int

    @abstractmethod
    def advance(self, stretch: Stretch, cancel: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Train a stretch; end early, at the end of a step, when ``cancel[0]`` becomes 1."""

    @abstractmethod
    def theta(self, k: int) -> Array:
        """Return the flat weights (P,) of member `k` of the block, as `Network.pack` orders them; a copy."""

    @abstractmethod
    def best(self, k: int) -> Array:
        """Return member `k`'s weights at its best epoch (see `Plan.keeps_best`); a copy."""

    @property
    def going(self) -> int:
        """How many members are still in training."""
        return int(np.count_nonzero(self.tracking.status == TRAINING))


def make_tracking(
    plans: Sequence[Plan], rates: Sequence[float], course: Course, stretch_epochs: int, n: int
) -> Tracking:
    """Return the tracking of members that have not been trained yet.

    Parameters
    ----------
    plans : sequence of Plan
        One per member; their rules are of the same kinds and columns.
    rates : sequence of float
        Base learning rates.
    course : Course
        What they share.
    stretch_epochs : int
        The longest stretch, which bounds the rows kept between two looks of the host.
    n : int
        Training samples.
    """
    V, rules = len(plans), plans[0].rules
    rows = stretch_epochs // course.log_every + 2
    windows = 0 if course.window == 0 else stretch_epochs * course.steps(n) // course.window + 2

    def whole(*shape: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.zeros(shape, dtype=np.int64)

    def column(name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.array([int(getattr(rule, name)) for rule in rules], dtype=np.int64)

    def table(name: str, dtype: Any) -> np.ndarray[Any, Any]:
        values = [[getattr(plan.rules[r], name) for plan in plans] for r in range(len(rules))]
        return np.array(values, dtype=dtype).reshape(len(rules), V)

    return Tracking(
        status=whole(V),
        ended=whole(V),
        values=np.full((4, V), np.nan),
        rate=np.array(rates, dtype=np.float64),
        running=np.full(V, np.nan),
        total=np.zeros(V),
        sound=np.ones(V, dtype=np.int64),
        steps=whole(1),
        improved=whole(V),
        kind=column("kind"),
        column=column("column"),
        higher=column("higher"),
        strict=column("strict"),
        threshold=table("threshold", np.float64),
        times=table("times", np.int64),
        hits=whole(len(rules), V),
        best=np.array([[initial_best(rule)] * V for rule in rules], dtype=np.float64).reshape(len(rules), V),
        rows=np.zeros((rows, N_COLUMNS, V)),
        row_epochs=whole(rows),
        n_rows=whole(1),
        last_row=np.full((N_COLUMNS, V), np.nan),
        window=np.array([course.window, 0], dtype=np.int64),
        window_sum=np.zeros(V),
        window_rows=np.zeros((windows, 2, V)),
        n_windows=whole(1),
        ratio=np.array([plans[0].ratio, 0], dtype=np.int64),
        ratio_sum=np.zeros(V),
        ratio_previous=np.full(V, np.nan),
    )


def take_tracking(sources: Sequence[tuple[Tracking, int]]) -> Tracking:
    """Return the tracking of members taken from several blocks that are at the same epoch.

    The rows that those blocks kept must have been fetched before: the new tracking has none.
    """
    first = sources[0][0]

    def columns(name: str) -> np.ndarray[Any, Any]:
        return np.ascontiguousarray(np.stack([getattr(t, name)[..., k] for t, k in sources], axis=-1))

    taken = {name: columns(name) for name in PER_MEMBER}
    copied = {name: getattr(first, name).copy() for name in Tracking._fields if name not in PER_MEMBER}
    copied["n_rows"][0] = copied["n_windows"][0] = 0
    return Tracking(**taken, **copied)


PER_MEMBER = (
    "status", "ended", "values", "rate", "running", "total", "sound", "improved", "threshold", "times", "hits", "best",
    "rows", "last_row", "window_sum", "window_rows", "ratio_sum", "ratio_previous",
)  # fmt: skip
"""Fields of a tracking whose last axis is the members of the block."""
