"""Counting what a command used of a store, over everything it asks for on the way."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.experiments.running.records import RunKeeper
from chainrule.experiments.running.tasks import Task
from chainrule.runs import Run


class CountingKeeper:
    """A `RunKeeper` that counts each run once: as trained, or as found, however often it is asked for.

    The parts of a command (cells, fresh seeds, questions) read what earlier parts have trained; that is not found.

    Parameters
    ----------
    keeper : RunKeeper
        Does the work.
    """

    def __init__(self, keeper: RunKeeper) -> None:
        self.keeper = keeper
        self._trained: set[bytes] = set()
        self._found: set[bytes] = set()

    @property
    def trained(self) -> int:
        """Runs that were saved."""
        return len(self._trained)

    @property
    def found(self) -> int:
        """Runs that were there, or came from another process."""
        return len(self._found)

    def claim(self, tasks: Sequence[Task]) -> list[Task]:
        """Claim tasks; see `RunKeeper`."""
        return self.keeper.claim(tasks)

    def release(self, tasks: Sequence[Task]) -> None:
        """Release tasks; see `RunKeeper`."""
        self.keeper.release(tasks)

    def save(self, runs: Sequence[tuple[Task, Run]]) -> None:
        """Save runs, and count them as trained."""
        self.keeper.save(runs)
        self._trained.update(task.key for task, _ in runs)

    def load(self, tasks: Sequence[Task], arrays: bool = True) -> dict[Task, Run]:
        """Load runs, and count those as found that were not trained through this keeper."""
        runs = self.keeper.load(tasks, arrays)
        self._found.update(key for task in runs if (key := task.key) not in self._trained)
        return runs
