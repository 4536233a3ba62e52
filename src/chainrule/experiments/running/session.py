"""One session of obtaining runs: what the store has is read, the rest is worked off in chunks.

What may go wrong, and what then happens:

- Ctrl-C: members that had ended are saved, the others are given up; what is there is returned.
- ``kill -9``: at most the chunk in training is lost; the store gives its claim to whoever asks next.
- A setting that cannot be trained: its chunk is divided until it is found; all others are trained.
- Another process works on the same runs: they are left to it, and read when it has saved them.
- A deadline: no further chunk is begun.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from chainrule.engines import ProgressEvent
from chainrule.errors import ChainruleError
from chainrule.experiments.recipes.grid import Setting
from chainrule.experiments.running.chunks import LEAST_SECONDS, TARGET_SECONDS, Pace, Queue
from chainrule.experiments.running.endings import ended, no_interrupt, without_arrays
from chainrule.experiments.running.records import Hear, Obtained, ObtainEvent, RunKeeper, UntrainableError, Work
from chainrule.experiments.running.tasks import Task, make_tasks, source_of
from chainrule.population import Member
from chainrule.resources import Resources
from chainrule.runs import Run, Runs
from chainrule.training import train_members

SECONDS_BETWEEN_EVENTS = 0.2
WARM_EPOCHS = 50
"""Of so many epochs one may be trained for nothing."""
POLL_SECONDS = (0.05, 1.0)
"""How long to wait for other processes before looking again: at first, and at most."""


class Session:
    """One call of `obtain`."""

    def __init__(
        self,
        store: RunKeeper | None,
        engine: str,
        resources: Resources,
        data_dir: str | None,
        progress: Hear | None,
        deadline: float | None,
        fail_fast: bool,
        pace: Pace | None,
        arrays: bool,
    ) -> None:
        self.store, self.engine, self.resources, self.data_dir = store, engine, resources, data_dir
        self.progress, self.deadline, self.fail_fast = progress, deadline, fail_fast
        self.pace, self.arrays = pace or Pace(), arrays
        self.started = self.last_event = time.monotonic()
        self.tasks: list[Task] = []
        self.found: dict[Task, Run] = {}
        self.elsewhere: dict[Task, None] = {}
        self.failed = self.unmade = 0
        self.works: set[Setting] = set()
        self.queue = Queue((), self.pace)
        self.result = Obtained()

    def run(self, work: Work) -> Obtained:
        """Obtain everything, or what time and the user allow."""
        try:
            self.tasks = self._make_tasks(work)
            self._look_up(self.tasks)
            self._work_off([task for task in self.tasks if task not in self.found])
            self._wait_for_others()
            self._tell(())
        except KeyboardInterrupt:
            self.result.interrupted = True
        return self._finish()

    def _make_tasks(self, work: Work) -> list[Task]:
        """Make the tasks of each setting; data that cannot be read make its runs missing."""
        tasks: dict[Task, None] = {}
        for setting, seeds in work:
            try:
                tasks.update(dict.fromkeys(make_tasks([(setting, seeds)], self.engine, self.data_dir)))
            except ChainruleError as error:
                self._fail(setting, len(seeds), error)
                self.unmade += len(seeds)
        return list(tasks)

    def _fail(self, setting: Setting, runs: int, error: ChainruleError) -> None:
        """Take note that a setting cannot be trained."""
        if self.fail_fast:
            raise UntrainableError(setting, error) from error
        self.result.missing[setting.key] = str(error)
        self.failed += runs

    def _look_up(self, tasks: Sequence[Task]) -> None:
        """Read what the store has, and tell it."""
        had = self.store.load(tasks, self.arrays) if self.store is not None and tasks else {}
        self.found |= had
        self.result.reused += len(had)
        self._tell(list(had.items()), trained=False)

    def _work_off(self, tasks: Sequence[Task]) -> None:
        """Train tasks chunk by chunk, except for those that others have in work."""
        self.queue = Queue(tasks, self.pace, balanced=self.deadline is not None)
        while len(self.queue) and (limit := self._seconds_allowed()) > 0:
            chunk = mine = self._possible(self.queue.take(limit))
            try:
                if self.store is not None and chunk:
                    mine = self.store.claim(chunk)
                    ours = set(mine)
                    self.elsewhere |= dict.fromkeys(task for task in chunk if task not in ours)
                if mine:
                    self._train(mine)
            finally:
                self._release([task for task in mine if task not in self.found])

    def _possible(self, chunk: list[Task]) -> list[Task]:
        """Leave out settings that have failed and never worked."""
        hopeless = {
            task.setting for task in chunk if task.setting.key in self.result.missing and task.setting not in self.works
        }
        left = [task for task in chunk if task.setting not in hopeless] if hopeless else chunk
        self.failed += len(chunk) - len(left)
        return left

    def _seconds_allowed(self) -> float:
        """Return how long the next chunk may take; 0 ends the work."""
        if self.deadline is None:
            return TARGET_SECONDS
        left = self.deadline - time.monotonic()
        if left <= 0 and self.pace.begun:
            self.result.out_of_time = True
            return 0.0
        return min(max(left, LEAST_SECONDS), TARGET_SECONDS)

    def _release(self, tasks: Sequence[Task]) -> None:
        """Give back what was claimed and is not saved, whatever else went wrong."""
        if self.store is not None and tasks:
            with suppress(ChainruleError), no_interrupt():
                self.store.release(tasks)

    def _train(self, tasks: Sequence[Task]) -> None:
        """Train a chunk and save it; if it cannot be trained, divide it until what cannot is found."""
        if self.deadline is not None and not self.pace.begun:
            self._warm_up(tasks)
        self.pace.begun = True
        started = time.monotonic()
        try:
            runs = self._trained([task.member for task in tasks], tasks[0])
        except ChainruleError as error:
            self._divide(tasks, error)
            return
        if not runs.interrupted:
            self.pace.measured(tasks, time.monotonic() - started)
        self._keep(ended(tasks, runs))
        if runs.interrupted:
            raise KeyboardInterrupt

    def _trained(self, members: Sequence[Member], like: Task) -> Runs:
        """Train members on the data of a task."""
        return train_members(
            members,
            source_of(like.setting.source, self.data_dir),
            engine=self.engine,
            threads=self.resources.threads,
            memory=self.resources.memory,
            progress=None if self.progress is None else self._hear,
        )

    def _warm_up(self, tasks: Sequence[Task]) -> None:
        """Train one epoch for nothing, so that loading data and kernels is not taken for the pace of training.

        That takes a second or two, in which a small sweep could end; a budget is divided by the pace.
        """
        members = [task.member for task in tasks]
        if any(member.config.epochs < WARM_EPOCHS for member in members):
            return
        with suppress(ChainruleError):  # what cannot be trained says so when it is to be
            brief = [replace(member, config=member.config.replace(epochs=1)) for member in members]
            if self._trained(brief, tasks[0]).interrupted:
                raise KeyboardInterrupt

    def _divide(self, tasks: Sequence[Task], error: ChainruleError) -> None:
        """Train the halves of a chunk that failed as a whole."""
        settings = list(dict.fromkeys(task.setting for task in tasks))
        if len(settings) > 1:
            first = set(settings[: len(settings) // 2])
            self._train([task for task in tasks if task.setting in first])
            self._train([task for task in tasks if task.setting not in first])
        elif len(tasks) == 1 or settings[0].key in self.result.missing:
            self._fail(settings[0], len(tasks), error)
        else:  # one setting: if its first seed fails too, so will the others
            self._train(tasks[:1])
            if settings[0].key in self.result.missing:
                self._fail(settings[0], len(tasks) - 1, error)
            else:
                middle = 1 + len(tasks) // 2
                for part in (tasks[1:middle], tasks[middle:]):
                    if part:
                        self._train(part)

    def _keep(self, pairs: Sequence[tuple[Task, Run]]) -> None:
        """Save finished runs; a Ctrl-C waits until that is done."""
        with no_interrupt():
            if self.store is not None and pairs:
                self.store.save(pairs)
            pairs = pairs if self.arrays else [(task, without_arrays(run)) for task, run in pairs]
            self.found.update(pairs)
            self.result.computed += len(pairs)
            self.works.update(task.setting for task, _ in pairs)
        self._tell(pairs)

    def _wait_for_others(self) -> None:
        """Read what other processes save, and take over what they give up."""
        pause, most = POLL_SECONDS
        while self.elsewhere and self.store is not None:
            waiting, self.elsewhere = list(self.elsewhere), {}
            self._look_up(waiting)
            before = len(self.found)
            self._work_off([task for task in waiting if task not in self.found])
            if self.result.out_of_time or not self.elsewhere:
                return
            pause = POLL_SECONDS[0] if len(self.found) > before else min(2 * pause, most)
            time.sleep(pause if self.deadline is None else max(min(pause, self.deadline - time.monotonic()), 0.0))

    def _hear(self, event: ProgressEvent) -> None:
        """Hear from the engine; tell now and then that time passes."""
        if time.monotonic() - self.last_event > SECONDS_BETWEEN_EVENTS:
            self._tell(())

    def _tell(self, pairs: Sequence[tuple[Task, Run]], trained: bool = True) -> None:
        """Tell the progress."""
        if self.progress is None:
            return
        self.last_event = time.monotonic()
        left = self.queue.seconds if self.result.computed else None
        if left is not None and self.deadline is not None:
            left = min(left, max(self.deadline - self.last_event, 0.0))
        total = len(self.tasks) + self.unmade
        seconds = self.last_event - self.started
        event = ObtainEvent(pairs, len(self.found), total, seconds, trained, self.failed, len(self.elsewhere), left)
        self.progress(event)

    def _finish(self) -> Obtained:
        """Put each setting's runs in the order of its seeds, and say what is missing."""
        result = self.result
        groups: dict[Setting, list[Run]] = {}
        for task in self.tasks:
            if task in self.found:
                groups.setdefault(task.setting, []).append(self.found[task])
            elif not result.whole:
                why = "interrupted" if result.interrupted else "the time was up"
                result.missing.setdefault(task.setting.key, why)
        result.runs = {setting.key: Runs(tuple(runs), setting.source) for setting, runs in groups.items()}
        result.seconds = time.monotonic() - self.started
        return result
