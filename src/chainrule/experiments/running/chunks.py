"""Chunks: which runs are trained together in one call, so that lanes are full and little is lost when it is killed.

A chunk is what a store saves in one piece. It should take a few seconds: shorter ones pay for being claimed and saved,
longer ones are lost with the process. How long runs take is not known beforehand, so `Pace` starts from a rough
estimate, takes a small first chunk, and corrects itself by what each chunk took.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter, deque
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
"""Runs of a kind that the first chunk with it has at most, unless its settings are more; one, if its work cannot be
estimated from its widths."""
MOST_GROWTH = 8
"""A chunk holds at most so many times as many runs of a kind as have been measured."""
MOST_RUNS = 4096
"""Runs a chunk has at most: more in company train no faster, and all of them wait for the last."""
MOST_BYTES = 256 * 2**20
"""Histories a chunk has at most, in bytes: they are held until it is saved."""
SEED_BLOCK = 16
"""Every setting gets so many seeds before any gets more: a sweep cut short is balanced, and lanes are full. Where a
deadline may cut it short it gets there by doubling."""
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

    Attributes
    ----------
    begun : bool
        Whether anything was trained.
    """

    def __init__(self) -> None:
        self._speed: dict[Kind, float] = {}
        self._most: dict[Kind, int] = {}
        self._overall = SPEED
        self.begun = False

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
    balanced : bool
        Whether settings should have about as many seeds each wherever the work is cut short, even within the first
        `SEED_BLOCK` seeds; lanes are less full at first.
    """

    def __init__(self, tasks: Iterable[Task], pace: Pace, balanced: bool = False) -> None:
        self.pace = pace
        self._waiting = _in_order(tasks, balanced)
        self._settings = _settings_of_kinds(self._waiting)
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

        It holds at least one task, however long that takes. A kind that was not measured yet gets no second block of
        seeds, so that the first chunk goes through all settings of its source as far as it may be that long.
        """
        lines = [line for line in self._waiting.values() if line]
        if not lines:
            return []
        line = min(lines, key=lambda line: line[0][0])  # the source whose seeds are least far
        chunk: list[Task] = []
        counts: dict[Kind, int] = {}
        spent, size, first = 0.0, 0, line[0][0]
        while line and len(chunk) < MOST_RUNS:
            block, setting = line[0][0], line[0][1].setting
            kind = kind_of(setting)
            spent, size = spent + self.pace.seconds(setting), size + bytes_of(setting)
            known = self.pace.knows(kind)
            full = spent > (limit if known else min(limit, FIRST_SECONDS)) or size > MOST_BYTES
            full |= counts.get(kind, 0) >= self._most(kind) or (block > first and not known)
            if chunk and full:
                break
            chunk.append(line.popleft()[1])
            counts[kind] = counts.get(kind, 0) + 1
            self._left[setting] -= 1
        return chunk

    def _most(self, kind: Kind) -> int:
        """Return how many runs of a kind the next chunk may hold: a first seed of each setting at least."""
        most = self.pace.most(kind)
        return most if self.pace.knows(kind) or not kind.estimated else max(most, self._settings[kind])


Line = deque[tuple[int, Task]]
"""Tasks of one data source, each with the number of its block of seeds."""


def _in_order(tasks: Iterable[Task], balanced: bool) -> dict[str, Line]:
    """Put tasks in order by data source: block of seeds, then kind, then setting; the first block seed by seed."""
    groups: dict[Setting, list[Task]] = {}
    for task in tasks:
        groups.setdefault(task.setting, []).append(task)
    sources: dict[str, dict[Kind, list[list[Task]]]] = {}
    for setting, group in groups.items():
        kind = kind_of(setting)
        sources.setdefault(kind.source, {}).setdefault(kind, []).append(group)
    return {source: _line(list(kinds.values()), balanced) for source, kinds in sources.items()}


def _line(kinds: list[list[list[Task]]], balanced: bool) -> Line:
    """Put the tasks of one source in order; they come by kind and setting."""
    groups = [group for members in kinds for group in members]
    ends = _block_ends(max(map(len, kinds)), max(map(len, groups)), balanced)
    line = Line((0, group[k]) for k in range(ends[0]) for group in groups if k < len(group))
    for block, (start, end) in enumerate(itertools.pairwise(ends), start=1):
        line.extend((block, task) for group in groups for task in group[start:end])
    return line


def _block_ends(settings: int, seeds: int, balanced: bool) -> list[int]:
    """Return where blocks of seeds end: as many first as a first chunk may hold, then `SEED_BLOCK` at a time."""
    ends = [max(FIRST_RUNS // settings, 1)]
    while ends[-1] < seeds:
        whole = (ends[-1] // SEED_BLOCK + 1) * SEED_BLOCK
        ends.append(min(2 * ends[-1], whole) if balanced and ends[-1] < SEED_BLOCK else whole)
    return ends


def _settings_of_kinds(lines: dict[str, Line]) -> Counter[Kind]:
    """Count the settings of each kind."""
    return Counter(kind_of(setting) for setting in {task.setting for line in lines.values() for _, task in line})
