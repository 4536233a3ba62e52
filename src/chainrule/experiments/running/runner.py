"""The runner: trains every distinct setting once, in this process or in several, and survives interruption.

The unit of work is a `chainrule.experiments.running.jobs.Job`; several processes share the threads and the memory.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field

from chainrule.errors import ChainruleError, ConfigError, one_line
from chainrule.experiments.recipes.grid import Cell
from chainrule.experiments.running.jobs import Job
from chainrule.experiments.running.tasks import source_of
from chainrule.population import Member
from chainrule.resources import Resources, resources_from
from chainrule.runs import Run, Runs
from chainrule.training import train_members

BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
SECONDS_BETWEEN_EVENTS = 0.25


@dataclass(frozen=True)
class Means:
    """What every job of one process is run with.

    Attributes
    ----------
    data_dir : str or None
        Where to look for data files first.
    engine : str
        ``"auto"`` or the name of an engine.
    resources : Resources or None
        Threads and memory of the process; None takes the defaults.
    """

    data_dir: str | None = None
    engine: str = "auto"
    resources: Resources | None = None


@dataclass(frozen=True)
class RunnerEvent:
    """What the runner tells after each job, and a few times a second in between.

    Attributes
    ----------
    done, total : int
        Jobs finished (in any way), and all jobs.
    fraction : float
        Share of the estimated cost that is done, 0 to 1.
    seconds : float
        Since the start.
    job : Job or None
        The one that has just ended; None for an event in between.
    failed : str or None
        Why it gave no result.
    """

    done: int
    total: int
    fraction: float
    seconds: float
    job: Job | None = None
    failed: str | None = None


@dataclass
class Results:
    """What the runner brings back: runs by setting, and what is missing.

    Attributes
    ----------
    runs : dict of str to Runs
        By `Setting.key`; in the order of seeds.
    missing : dict of str to str
        Settings (by key) of which some seeds gave no result, and why.
    interrupted : bool
        Whether Ctrl-C ended it early.
    seconds : float
        Wall time.
    job_seconds : dict of str to float
        Time spent on each setting's members, summed over jobs.
    """

    runs: dict[str, Runs] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False
    seconds: float = 0.0
    job_seconds: dict[str, float] = field(default_factory=dict)

    def of(self, cell: Cell, seeds: Iterable[int] | None = None) -> Runs | None:
        """Return the runs of a cell (of the seeds named), or None if it has none."""
        runs = self.runs.get(cell.setting.key)
        if runs is None or seeds is None:
            return runs
        wanted = set(seeds)
        chosen = runs.where(lambda run: run.seed in wanted)
        return chosen if len(chosen) else None


def run_jobs(
    jobs: Sequence[Job],
    workers: int = 1,
    progress: Callable[[RunnerEvent], None] | None = None,
    data_dir: str | None = None,
    engine: str = "auto",
    resources: Resources | None = None,
) -> Results:
    """Run jobs and gather their runs.

    Parameters
    ----------
    jobs : sequence of Job
        From `make_jobs`.
    workers : int
        Processes; 1 runs in this one.
    progress : callable, optional
        Gets a `RunnerEvent` at the start, after each job, and a few times a second.
    data_dir : str, optional
        Where to look for data files first.
    engine : str
        ``"auto"`` or the name of an engine.
    resources : Resources, optional
        Threads and memory of all processes together; by default those of `resources_from`.

    Returns
    -------
    Results
        After Ctrl-C or the death of a worker: what had finished, with the rest in ``missing``. A job whose data
        cannot be read is missing too, with the reason; the others go on.

    Raises
    ------
    ConfigError
        If `workers` is less than 1.
    """
    if not isinstance(workers, int) or workers < 1:
        raise ConfigError(f"workers must be a whole number of at least 1, got {one_line(repr(workers))}")
    processes = max(min(workers, len(jobs)), 1)
    means = Means(data_dir, engine, (resources or resources_from()).share(processes))
    gather = _Gather(jobs, progress)
    gather.tell()
    if processes > 1:
        _run_in_processes(jobs, processes, gather, means)
    else:
        _run_here(jobs, gather, means)
    return gather.finish()


class _Gather:
    """Collects finished jobs, whatever their order, and remembers what is outstanding."""

    def __init__(self, jobs: Sequence[Job], progress: Callable[[RunnerEvent], None] | None) -> None:
        self.progress = progress
        self.outstanding = dict.fromkeys(jobs)
        self.total, self.cost = len(jobs), sum(job.cost for job in jobs) or 1.0
        self.spent = 0.0
        self.shares: dict[Job, float] = {}
        self.last = 0.0
        self.found: dict[str, list[tuple[str, Run]]] = {}
        self.results = Results()
        self.started = time.perf_counter()

    def tell(self, job: Job | None = None, failed: str | None = None) -> None:
        """Tell the progress."""
        if self.progress is not None:
            done = self.total - len(self.outstanding)
            self.last = time.perf_counter()
            under_way = sum(one.cost * share for one, share in self.shares.items() if one in self.outstanding)
            fraction = min((self.spent + under_way) / self.cost, 1.0)
            self.progress(RunnerEvent(done, self.total, fraction, self.last - self.started, job, failed))

    def hear(self, job: Job, share: float) -> None:
        """Take note of how far a job is; tell it unless that was done just now."""
        self.shares[job] = share
        if time.perf_counter() - self.last > SECONDS_BETWEEN_EVENTS:
            self.tell()

    def take(self, job: Job, outcome: Outcome) -> None:
        """Keep a job's runs, or the reason why there are none."""
        for key, runs in outcome.runs.items():
            self.found.setdefault(key, []).extend((runs.source, run) for run in runs)
            share = outcome.seconds / len(outcome.runs)
            self.results.job_seconds[key] = self.results.job_seconds.get(key, 0.0) + share
        if outcome.failed is not None:
            self.miss(job, outcome.failed)
        self.outstanding.pop(job, None)
        self.spent += job.cost
        self.tell(job, outcome.failed)

    def miss(self, job: Job, why: str) -> None:
        """Say why a job's settings lack runs."""
        for setting in job.settings:
            self.results.missing.setdefault(setting.key, why)

    def give_up(self, why: str, interrupted: bool) -> None:
        """Mark everything outstanding as missing."""
        for job in self.outstanding:
            self.miss(job, why)
        self.results.interrupted |= interrupted

    def finish(self) -> Results:
        """Put each setting's runs in the order of their seeds."""
        for key, found in self.found.items():
            ordered = sorted(found, key=lambda pair: pair[1].seed)
            self.results.runs[key] = Runs(tuple(run for _, run in ordered), ordered[0][0])
        self.results.seconds = time.perf_counter() - self.started
        return self.results


@dataclass(frozen=True)
class Outcome:
    """What one job gave: finished runs by setting, or why there are none."""

    runs: Mapping[str, Runs]
    seconds: float = 0.0
    failed: str | None = None
    interrupted: bool = False


def run_job(job: Job, means: Means = Means(), hear: Callable[[float], None] | None = None) -> Outcome:
    """Run one job; settings that turn out impossible and data that cannot be read become the outcome's reason.

    `hear` is told the share of the job that is done.
    """
    started = time.perf_counter()
    try:
        source = source_of(job.settings[0].source, means.data_dir)
        members = [Member(setting.net, setting.config, seed) for setting in job.settings for seed in job.seeds]
        taken = means.resources or resources_from()
        runs = train_members(
            members,
            source,
            engine=means.engine,
            threads=taken.threads,
            memory=taken.memory,
            progress=None if hear is None else lambda event: hear(event.fraction),
        )
    except ChainruleError as error:
        return Outcome({}, time.perf_counter() - started, str(error))
    if runs.interrupted:
        return Outcome({}, time.perf_counter() - started, "interrupted", interrupted=True)
    size = len(job.seeds)
    parts = {setting.key: runs[k * size : (k + 1) * size] for k, setting in enumerate(job.settings)}
    return Outcome(parts, time.perf_counter() - started)


def _run_here(jobs: Sequence[Job], gather: _Gather, means: Means) -> None:
    """Run all jobs in this process, one BLAS thread (small matrices only lose by more)."""
    from threadpoolctl import threadpool_limits

    try:
        with threadpool_limits(1):
            for job in jobs:
                outcome = run_job(job, means, functools.partial(gather.hear, job))
                if outcome.interrupted:  # the engine turns Ctrl-C into unfinished runs; those are no results
                    raise KeyboardInterrupt
                gather.take(job, outcome)
    except KeyboardInterrupt:
        gather.give_up("interrupted", interrupted=True)


def _run_in_processes(jobs: Sequence[Job], workers: int, gather: _Gather, means: Means) -> None:
    """Run jobs in spawned processes. Ctrl-C goes to this process only: it ends the workers."""
    strangers = {child.pid for child in multiprocessing.active_children()}
    context = multiprocessing.get_context("spawn")
    shares = context.RawArray("d", len(jobs))  # each worker writes how far its job is, in a place of its own
    with _one_blas_thread():
        pool = ProcessPoolExecutor(workers, context, _start_worker, (shares,))
        try:
            futures = {pool.submit(_run_and_tell, k, job, means): job for k, job in enumerate(jobs)}
            waiting = set(futures)
            while waiting:
                done, waiting = wait(waiting, SECONDS_BETWEEN_EVENTS, FIRST_COMPLETED)
                gather.shares = dict(zip(jobs, shares, strict=True))
                for future in done:
                    gather.take(futures[future], future.result())
                if not done:
                    gather.tell()
        except KeyboardInterrupt:
            gather.give_up("interrupted", interrupted=True)
        except BrokenProcessPool:
            gather.give_up("a worker process died (killed, or out of memory)", interrupted=False)
        finally:
            pool.shutdown(wait=not gather.outstanding, cancel_futures=True)
            if gather.outstanding:
                _end_children(strangers)


def _end_children(strangers: set[int | None]) -> None:
    """End the workers of a pool that is given up, and none of the caller's other processes."""
    for child in multiprocessing.active_children():
        if child.pid not in strangers:
            child.terminate()
            child.join(5)


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Let processes started meanwhile use one BLAS thread each: as many workers as cores must not fight for them."""
    before = {name: os.environ.get(name) for name in BLAS_VARIABLES}
    os.environ.update(dict.fromkeys(BLAS_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_shares: MutableSequence[float] = []
"""In a worker: the array shared with the parent."""


def _start_worker(shares: MutableSequence[float]) -> None:
    """Prepare a worker: Ctrl-C is the parent's to handle, and BLAS keeps to one thread."""
    from threadpoolctl import threadpool_limits

    global _shares
    _shares = shares
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)


def _run_and_tell(place: int, job: Job, means: Means) -> Outcome:
    """Run a job in a worker and let the parent see how far it is."""
    return run_job(job, means, functools.partial(_shares.__setitem__, place))
