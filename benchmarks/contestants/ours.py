"""chainrule itself: one call of `train_members`, all of it timed."""

from __future__ import annotations

from collections import Counter

import numpy as np

from benchmarks.contestants._base import Contestant, Losses
from benchmarks.work import Array, Work
from chainrule import Runs, train_members


class Chainrule(Contestant):
    """The whole call: checks, grouping, initial weights, batch orders, training, evaluation, the table of runs."""

    name = "chainrule"
    compiles = True
    engine = "auto"

    def __init__(self, work: Work) -> None:
        super().__init__(work.with_config(log_every=max(work.epochs, 1)))
        self.more = self.work.with_config(epochs=2 * work.epochs, log_every=max(2 * work.epochs, 1))
        self.runs: Runs | None = None

    def train(self) -> None:
        """Train, with a history row at the start and one at the end."""
        self.runs = train_members(self.work.members, self.work.dataset, engine=self.engine)

    def twice(self) -> bool:
        """Make the same call for twice the epochs: what it takes longer is training and nothing else."""
        train_members(self.more.members, self.more.dataset, engine=self.engine)
        return True

    def evaluate(self, trained: bool) -> Losses:
        """Return the losses that the call handed back: they are in its time."""
        if self.runs is None:
            return np.empty(0)
        return np.array([run.final["loss"] if trained else run.history["loss"][0] for run in self.runs])

    def weights(self) -> list[Array]:
        """Return the trained weights."""
        assert self.runs is not None, "weights are asked for after training"
        return [np.asarray(run.theta) for run in self.runs]

    def about(self) -> str:
        """Say which engines trained how many members."""
        assert self.runs is not None, "asked for after training"
        count = Counter(run.engine for run in self.runs)
        return ", ".join(f"engine {name}: {n}" for name, n in count.items())


class Reference(Chainrule):
    """The judge: the reference engine in float64; never timed."""

    name = "reference"
    engine = "reference"

    def __init__(self, work: Work) -> None:
        super().__init__(work.with_config(dtype="float64"))
