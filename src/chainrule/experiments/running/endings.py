"""How chunks end: which tasks have a run, and saving them although somebody presses Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

from chainrule.errors import ChainruleError
from chainrule.experiments.running.tasks import Task
from chainrule.population import Member
from chainrule.runs import Run, Runs


def without_arrays(run: Run) -> Run:
    """Return a run without its weights, its history and its windows."""
    return replace(run, theta=run.theta[:0].copy(), history={}, windows={})


def ended(tasks: Sequence[Task], runs: Runs) -> list[tuple[Task, Run]]:
    """Pair tasks with their finished runs.

    After Ctrl-C members that had not begun are lacking, and those that had not ended are no results.
    """
    if not runs.interrupted:
        return list(zip(tasks, runs, strict=True))
    pairs = []
    waiting = iter(tasks)
    for run in runs:
        task = next(task for task in waiting if _trained_by(task.member, run.member))
        if run.stop_reason != "interrupted":
            pairs.append((task, run))
    return pairs


def _trained_by(asked: Member, trained: Member) -> bool:
    """Return whether a trained member is the one asked for, whose network was not yet bound to data."""
    if asked.seed != trained.seed or asked.config != trained.config:
        return False
    network = trained.network
    try:
        return (
            asked.network.bind(network.shapes[0], network.output_shape[-1], network.output_activation.name) == network
        )
    except ChainruleError:
        return False


@contextmanager
def no_interrupt() -> Iterator[None]:
    """Let a Ctrl-C wait until the block has ended: half a save would cost the whole chunk."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    heard: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if heard:
            before(*heard[0])
