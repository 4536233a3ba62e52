"""Obtaining runs: those that a store has are read, the others are trained, in chunks that are saved as they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chainrule.errors import ChainruleError
from chainrule.experiments.grid import Setting
from chainrule.experiments.tasks import Task, make_tasks, source_of
from chainrule.resources import Resources, resources_from
from chainrule.runs import Run, Runs
from chainrule.training import train_members

CHUNK = 256
"""Members a chunk has at most."""


class RunKeeper(Protocol):
    """What `obtain` needs of a store."""

    def claim(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the tasks that are neither stored nor in work elsewhere, reserved for this process."""

    def save(self, runs: Sequence[tuple[Task, Run]]) -> None:
        """Keep finished runs, all or none, and give back their reservation."""

    def load(self, tasks: Sequence[Task]) -> dict[Task, Run]:
        """Return the stored runs of tasks."""


@dataclass(frozen=True)
class ObtainEvent:
    """What is told after each chunk: the runs it gave, and how far the whole is."""

    runs: Sequence[tuple[Task, Run]]
    done: int
    total: int
    seconds: float


@dataclass
class Obtained:
    """Runs by setting, in the order of the seeds, and how they came about."""

    runs: dict[str, Runs] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    computed: int = 0
    reused: int = 0
    interrupted: bool = False
    seconds: float = 0.0


def obtain(
    work: Iterable[tuple[Setting, Sequence[int]]],
    *,
    store: RunKeeper | None = None,
    engine: str = "auto",
    resources: Resources | None = None,
    data_dir: str | None = None,
    progress: Callable[[ObtainEvent], None] | None = None,
) -> Obtained:
    """Return the runs of settings and seeds: from the store where it has them, else trained and saved."""
    started = time.perf_counter()
    tasks = make_tasks(work, engine, data_dir)
    had = store.load(tasks) if store is not None else {}
    found = dict(had)
    obtained = Obtained(reused=len(had))
    taken = resources or resources_from()
    try:
        for chunk in _chunks([task for task in tasks if task not in had]):
            claimed = chunk if store is None else store.claim(chunk)
            try:
                runs = train_members(
                    [task.member for task in claimed],
                    source_of(claimed[0].setting.source, data_dir),
                    engine=engine,
                    threads=taken.threads,
                    memory=taken.memory,
                )
            except ChainruleError as error:
                obtained.missing |= {task.setting.key: str(error) for task in claimed}
                continue
            ended = [(task, run) for task, run in zip(claimed, runs, strict=True) if run.stop_reason != "interrupted"]
            if store is not None:
                store.save(ended)
            found.update(ended)
            obtained.computed += len(ended)
            if progress is not None:
                progress(ObtainEvent(ended, len(found), len(tasks), time.perf_counter() - started))
            if runs.interrupted:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        obtained.interrupted = True
    groups: dict[str, list[tuple[Task, Run]]] = {}
    for task in tasks:
        if task in found:
            groups.setdefault(task.setting.key, []).append((task, found[task]))
    for key, pairs in groups.items():
        obtained.runs[key] = Runs(tuple(run for _, run in pairs), pairs[0][0].setting.source)
    obtained.seconds = time.perf_counter() - started
    return obtained


def _chunks(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Cut tasks into chunks of one data source."""
    by_source: dict[str, list[Task]] = {}
    for task in tasks:
        by_source.setdefault(task.setting.source, []).append(task)
    for group in by_source.values():
        for start in range(0, len(group), CHUNK):
            yield group[start : start + CHUNK]
