"""The contract of a contestant: the same work in, trained weights out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from benchmarks.work import Array, Work

Losses = npt.NDArray[np.floating]


class Contestant(ABC):
    """Trains a `Work`.

    What is timed is `train` and the two calls of `evaluate`, because a chainrule call hands back the loss before and
    after; making the contestant (which copies the inputs into its own arrays) and `weights` are not. Both timed
    methods return only when the work is done. `train` starts from the initial weights every time.

    Attributes
    ----------
    name : str
        As it is called in tables.
    compiles : bool
        Whether its first call compiles for the shapes at hand.
    """

    name: ClassVar[str]
    compiles: ClassVar[bool] = False

    def __init__(self, work: Work) -> None:
        self.work = work

    @abstractmethod
    def train(self) -> None:
        """Train every member from its initial weights to its last epoch."""

    def evaluate(self, trained: bool) -> Losses:
        """Return the loss (m,) over all samples of the initial or of the trained weights.

        Empty where a formulation has none of its own: beside thousands of epochs it would not show in the time.
        """
        return np.empty(0)

    @abstractmethod
    def weights(self) -> list[Array]:
        """Return every member's trained weights, flat, in the order of `Work.theta`."""

    def twice(self) -> bool:
        """Train for twice the epochs, where `train` does more than training; return whether it was done."""
        return False

    def about(self) -> str:
        """Say what there is to know about how it was run; nothing by default."""
        return ""
