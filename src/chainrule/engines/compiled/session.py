"""The host side of the compiled engines: chunk after chunk, stretch after stretch, in several threads.

All blocks of a chunk go through stretches of epochs together. In between the host fetches what was kept, tells the
progress, and puts the members still in training into fewer blocks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from chainrule.cohorts import Cohort
from chainrule.engines._base import Progress, ProgressEvent, Trained, WholeProgress
from chainrule.engines.compiled.bundle_runs import runs_of
from chainrule.engines.compiled.bundle_training import BundleTraining
from chainrule.engines.compiled.bundles import Bundle, cut, make_bundles
from chainrule.engines.compiled.making import Maker
from chainrule.engines.compiled.relay import Flag, Relay
from chainrule.engines.compiled.samples import SampleStore
from chainrule.engines.compiled.seats import Members, WeightStore
from chainrule.engines.compiled.telling import Telling
from chainrule.resources import Resources
from chainrule.runs import Run

Task = Callable[[], None]


class Session:
    """Trains cohorts with the blocks of one engine.

    Parameters
    ----------
    engine : str
        Its name.
    maker : Maker
        Makes its blocks.
    resources : Resources
        Threads and memory.
    cohorts : sequence of Cohort
        What is to be trained.
    reasons : sequence of str
        For each cohort why this engine trains it.
    progress : callable or None
        Hears of all of it.
    """

    def __init__(
        self,
        engine: str,
        maker: Maker,
        resources: Resources,
        cohorts: Sequence[Cohort],
        reasons: Sequence[str],
        progress: Progress | None,
    ) -> None:
        self.engine, self.maker, self.resources, self.cohorts = engine, maker, resources, cohorts
        self.reasons = list(reasons) or [""] * len(cohorts)
        self.starts = np.cumsum([0, *map(len, cohorts)])
        self.whole = None if progress is None else WholeProgress(progress, int(self.starts[-1]))
        self.runs: dict[int, Run] = {}
        self.relay = Relay()

    def train(self) -> Trained:
        """Train all members to their end, or to a Ctrl-C; those that had started come back."""
        interrupted = self.relay.run(self._lead)
        return Trained(dict(self.runs), interrupted)

    def _lead(self) -> None:
        """Train chunk after chunk; called in a thread of its own."""
        block = self.maker.most(self.cohorts[0].config.dtype, spatial=False)
        chunks = cut(make_bundles(self.cohorts), self.cohorts, self.resources.memory, block)
        # Overflow is what the divergence guard looks for; it reports in its own words.
        with (
            Workers(self.resources.threads, self.relay.cancel) as workers,
            np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"),
        ):
            for chunk in chunks:
                if self.relay.cancelled:
                    return
                _Chunk(self, chunk, workers).train()


class _Chunk:
    """Bundles, or parts of them, that are trained at the same time."""

    def __init__(self, session: Session, bundles: Sequence[Bundle], workers: Workers) -> None:
        self.session, self.workers, self.relay = session, workers, session.relay
        self.started = time.perf_counter()
        samples, weights = SampleStore(), WeightStore()
        self.m = sum(len(bundle) for bundle in bundles)
        threads = max(session.resources.threads // self.m, 1)
        self.trainings = [
            BundleTraining(Members(bundle, session.cohorts), session.maker, samples, weights, threads)
            for bundle in bundles
        ]
        self.telling: Telling | None = None
        self.progress: Progress | None = None
        if session.whole is not None:
            places = [session.starts[bundle.cohort] + bundle.member for bundle in bundles]
            self.telling = Telling(self.trainings)
            self.progress = session.whole.part(np.concatenate(places).tolist())

    def train(self) -> None:
        """Train all members to their end, and make their runs."""
        if self.telling is not None:
            self._tell([self.telling.start()])
        pace = Pace(self.trainings, self.workers.threads)
        while going := [training for training in self.trainings if training.seats]:
            before = time.perf_counter()
            threads = self.workers.threads
            self.workers.run([task for training in going for task in training.prepare(pace.epochs, threads)])
            epochs = max(training.stop - training.first for training in going)
            ready = time.perf_counter()
            self.workers.run([task for training in going for task in training.samples(threads, self.relay.cancel)])
            self._work([task for training in going for task in training.tasks(self.relay.cancel)])
            done = time.perf_counter()
            cancelled = self.relay.cancelled
            for training in going:
                training.collect(cancelled)
            if self.telling is not None:
                self._tell(self.telling.after_stretch())
            pace.measured(epochs, done - ready, ready - before + time.perf_counter() - done)
        self._finish()

    def _work(self, tasks: list[Task]) -> None:
        if self.telling is None:
            self.workers.run(tasks)
            return
        self.relay.watch(self._glance)
        try:
            self.workers.run(tasks)
        finally:
            self.relay.watch(None)

    def _glance(self) -> None:
        """Tell how far a long epoch is; called in the caller's thread while the workers are at it."""
        if self.telling is not None and self.progress is not None:
            event = self.telling.glance()
            if event is not None:
                self.progress(event)

    def _tell(self, events: Sequence[ProgressEvent]) -> None:
        progress = self.progress
        if progress is not None:
            self.relay.call(lambda: [progress(event) for event in events])

    def _finish(self) -> None:
        """Make the runs."""
        if self.relay.abandoned:
            return
        session = self.session
        seconds = (time.perf_counter() - self.started) / self.m
        for training in self.trainings:
            for number, member, run in runs_of(training, seconds, session.engine, session.reasons):
                session.runs[int(session.starts[number]) + member] = run


TARGET_SECONDS = 0.075
"""A stretch takes about so long: progress and Ctrl-C wait for its end, and whoever has ended still takes a place."""
HOST_SHARE = 0.02
"""Stretches become longer if the host would otherwise take a larger share of the time than this."""
LONGEST_SECONDS = 1.0
FIRST_SPEED = 1e9
"""Multiplications a second of one thread, before anything has been measured; too low rather than too high."""


class Pace:
    """How many epochs a stretch should have."""

    def __init__(self, trainings: Sequence[BundleTraining], threads: int) -> None:
        work = sum(
            share.plan.n_parameters * len(share.cohort) * training.members.n * 3.0
            for training in trainings
            for share in training.members.shares
        )
        self.epochs = max(int(TARGET_SECONDS * FIRST_SPEED * threads / work), 1)

    def measured(self, epochs: int, seconds: float, host: float) -> None:
        """Take note of a stretch: its epochs, its seconds, and those that the host took before and after it."""
        target = min(max(TARGET_SECONDS, host / HOST_SHARE), LONGEST_SECONDS)
        wanted = epochs * target / max(seconds, 1e-6)
        self.epochs = max(int(min(max(wanted, epochs / 8), 8 * epochs)), 1)


class Workers:
    """Threads that train blocks; the leading thread is one of them.

    Parameters
    ----------
    threads : int
        How many.
    cancel : ndarray (1,)
        Where a 1 says that no further block is to be begun.
    """

    def __init__(self, threads: int, cancel: Flag) -> None:
        self.threads, self.cancel = threads, cancel
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def run(self, tasks: Sequence[Task]) -> None:
        """Do all tasks, each thread the next one that is left."""
        queue = iter(tasks)
        others = min(self.threads, len(tasks)) - 1
        if others < 1:
            self._work(queue)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads - 1, "chainrule")
        waiting = [self._pool.submit(self._work, queue) for _ in range(others)]
        try:
            self._work(queue)
        finally:
            for future in waiting:
                future.result()

    def _work(self, queue: Iterator[Task]) -> None:
        for task in queue:
            if self.cancel[0]:
                return
            task()
