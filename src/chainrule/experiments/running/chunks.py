"""Chunks: which runs are trained together in one call, so that lanes are full and little is lost when it is killed.

A chunk is what a store saves in one piece. It should take a few seconds: shorter ones pay for being claimed and saved,
longer ones are lost with the process. How long runs take is not known beforehand, so `Pace` starts from a rough
estimate, takes a small first chunk, and corrects itself by what each chunk took.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from chainrule.experiments.recipes.grid import Setting
from chainrule.experiments.running.jobs import Job, job_cost
from chainrule.experiments.running.tasks import Task
from chainrule.nn import Dense, Dropout, Standardize

TARGET_SECONDS = 2.5
"""What a chunk should take."""
FIRST_SECONDS = 0.4
"""What the first chunk of a kind should take; its estimate may be wrong by a factor of ten either way."""
LEAST_SECONDS = 0.05
"""No chunk is made smaller than this for a deadline's sake: it would not be worth its claim."""
FIRST_RUNS = 8
"""Runs of a kind that the first chunk with it has at most; one, if its work cannot be estimated from its widths."""
MOST_GROWTH = 8
"""A chunk holds at most so many times as many runs of a kind as have been measured."""
MOST_RUNS = 4096
"""Runs a chunk has at most: more in company train no faster, and all of them wait for the last."""
MOST_BYTES = 256 * 2**20
"""Histories a chunk has at most, in bytes: they are held until it is saved."""
SEED_BLOCK = 16
"""Every setting gets so many seeds before any gets more: a sweep cut short is balanced, and lanes are full."""
SPEED = 0.1
"""Seconds per second of `job_cost`, before anything is measured: that was fitted to the reference engine."""


@dataclass(frozen=True)
class Kind:
    """What can share lanes, or nearly so: data, everything but learning rate and widths.

    Attributes
    ----------
    source, training, layers : str
        The setting without what may differ.
    estimated : bool
        Whether `work_of` knows all layers with weights: those that are dense.
    """

    source: str
    training: str
    layers: str
    estimated: bool = True


@lru_cache(maxsize=16_384)
def kind_of(setting: Setting) -> Kind:
    """Return the kind of a setting."""
    training = json.loads(setting.training) | {"learning_rate": None, "schedule": None}
    layers = json.dumps(_without_units(json.loads(setting.network)), sort_keys=True)
    estimated = all(isinstance(layer, Dense | Dropout | Standardize) for layer in setting.net.layers)
    return Kind(setting.source, json.dumps(training, sort_keys=True), layers, estimated)


def _without_units(description: object) -> object:
    """Leave the widths out of a network's description."""
    if isinstance(description, dict):
        return {key: _without_units(value) for key, value in description.items() if key != "units"}
    return [_without_units(part) for part in description] if isinstance(description, list) else description


@lru_cache(maxsize=16_384)
def work_of(setting: Setting) -> float:
    """Return the rough work of one run of a setting among many, in seconds of an imagined machine."""
    return job_cost(Job((setting,), (0, 1))) - job_cost(Job((setting,), (0,)))


@lru_cache(maxsize=16_384)
def bytes_of(setting: Setting) -> int:
    """Return the rough size of a run's history: ten numbers a kept epoch."""
    config = setting.config
    return 80 * (config.epochs // config.log_every + 2)


class Pace:
    """How long runs take, by what earlier chunks took.

    The first estimate of a kind that has not been seen yet is the mean speed of those that have.
    """

    def __init__(self) -> None:
        self._speed: dict[Kind, float] = {}
        self._most: dict[Kind, int] = {}
        self._overall = SPEED

    def seconds(self, setting: Setting) -> float:
        """Return what one run of a setting is expected to take in company."""
        return work_of(setting) * self._speed.get(kind_of(setting), self._overall)

    def knows(self, kind: Kind) -> bool:
        """Return whether a kind has been measured."""
        return kind in self._speed

    def most(self, kind: Kind) -> int:
        """Return how many runs of a kind the next chunk may hold."""
        if kind in self._most:
            return MOST_GROWTH * self._most[kind]
        return FIRST_RUNS if kind.estimated else 1

    def measured(self, tasks: Sequence[Task], seconds: float) -> None:
        """Learn from a chunk that took so many seconds."""
        expected = sum(self.seconds(task.setting) for task in tasks)
        work = sum(work_of(task.setting) for task in tasks)
        if expected <= 0 or work <= 0:
            return
        ratio = max(seconds, 1e-6) / expected
        counts: dict[Kind, int] = {}
        for task in tasks:
            kind = kind_of(task.setting)
            counts[kind] = counts.get(kind, 0) + 1
        for kind, count in counts.items():
            self._speed[kind] = self._speed.get(kind, self._overall) * ratio
            self._most[kind] = max(self._most.get(kind, 0), count)
        self._overall = seconds / work


class Queue:
    """Tasks in the order in which they are to be trained, handed out in chunks of one data source.

    Parameters
    ----------
    tasks : iterable of Task
        In any order; those of one setting in the order of their seeds.
    pace : Pace
        How long they take.
    """

    def __init__(self, tasks: Iterable[Task], pace: Pace) -> None:
        self.pace = pace
        self._waiting = _in_order(tasks)
        self._left: dict[Setting, int] = {}
        for line in self._waiting.values():
            for _, task in line:
                self._left[task.setting] = self._left.get(task.setting, 0) + 1

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    @property
    def seconds(self) -> float:
        """What is left is expected to take so long."""
        return sum(count * self.pace.seconds(setting) for setting, count in self._left.items() if count)

    def take(self, limit: float = TARGET_SECONDS) -> list[Task]:
        """Return the next chunk, which should take at most `limit` seconds; none if nothing is left.

        It holds at least one task, however long that takes.
        """
        lines = [line for line in self._waiting.values() if line]
        if not lines:
            return []
        line = min(lines, key=lambda line: line[0][0])  # the source whose seeds are least far
        chunk: list[Task] = []
        counts: dict[Kind, int] = {}
        spent, size = 0.0, 0
        while line and len(chunk) < MOST_RUNS:
            setting = line[0][1].setting
            kind = kind_of(setting)
            spent, size = spent + self.pace.seconds(setting), size + bytes_of(setting)
            allowed = limit if self.pace.knows(kind) else min(limit, FIRST_SECONDS)
            full = spent > allowed or size > MOST_BYTES or counts.get(kind, 0) >= self.pace.most(kind)
            if chunk and full:
                break
            chunk.append(line.popleft()[1])
            counts[kind] = counts.get(kind, 0) + 1
            self._left[setting] -= 1
        return chunk


Line = deque[tuple[int, Task]]
"""Tasks of one data source, each with the number of its block of seeds."""


def _in_order(tasks: Iterable[Task]) -> dict[str, Line]:
    """Put tasks in order by data source: block of seeds, then kind, then setting."""
    groups: dict[Setting, list[Task]] = {}
    for task in tasks:
        groups.setdefault(task.setting, []).append(task)
    kinds: dict[Kind, list[list[Task]]] = {}
    for setting, group in groups.items():
        kinds.setdefault(kind_of(setting), []).append(group)
    lines: dict[str, Line] = {}
    blocks = range(-(-max(map(len, groups.values()), default=0) // SEED_BLOCK))
    for block in blocks:
        for kind, members in kinds.items():
            line = lines.setdefault(kind.source, deque())
            for group in members:
                line.extend((block, task) for task in group[block * SEED_BLOCK : (block + 1) * SEED_BLOCK])
    return lines
