"""Obtaining runs: those that a store has are read, the others are trained, in chunks that are saved as they end.

`records` has what goes in and comes out, `session` how the queue is worked off and what may go wrong on the way.
"""

from __future__ import annotations

from chainrule.experiments.running.chunks import Pace
from chainrule.experiments.running.records import Hear, Obtained, RunKeeper, Work
from chainrule.experiments.running.session import Session
from chainrule.resources import Resources, resources_from


def obtain(
    work: Work,
    *,
    store: RunKeeper | None = None,
    engine: str = "auto",
    resources: Resources | None = None,
    data_dir: str | None = None,
    progress: Hear | None = None,
    deadline: float | None = None,
    fail_fast: bool = False,
    pace: Pace | None = None,
    arrays: bool = True,
) -> Obtained:
    """Return the runs of settings and seeds: from the store where it has them, else trained and saved.

    Parameters
    ----------
    work : iterable of (Setting, seeds)
        What is wanted; each run once, however often it is named.
    store : RunKeeper, optional
        Where runs are kept; without one nothing survives the process.
    engine : str
        ``"auto"`` or the name of an engine.
    resources : Resources, optional
        Threads and memory; no result depends on them.
    data_dir : str, optional
        Where to look for data files first.
    progress : callable, optional
        Gets an `ObtainEvent` at the start, after each chunk and a few times a second.
    deadline : float, optional
        On the clock of ``time.monotonic``: no chunk is begun after it, and chunks before it are made small enough
        to end near it. One chunk is trained in any case, or calls with little time would never get on.
    fail_fast : bool
        Raise an error for the first setting that cannot be trained. Otherwise its runs are missing, with the reason,
        and all others are trained.
    pace : Pace, optional
        What earlier calls learned of how long runs take.
    arrays : bool
        Whether the runs that are returned have their weights, histories and windows; a store has them anyway. Without
        them a run takes a fraction of the memory.

    Returns
    -------
    Obtained
        After Ctrl-C or at the deadline: what there is, with the rest in ``missing``.

    Raises
    ------
    StoreError
        If the store cannot be used; what was saved before stays.
    UntrainableError
        With `fail_fast`: the setting, and why it cannot be trained.
    """
    taken = resources or resources_from()
    return Session(store, engine, taken, data_dir, progress, deadline, fail_fast, pace, arrays).run(work)
