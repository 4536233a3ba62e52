"""Bundles: the members, of one cohort or of several, that can share blocks; and chunks of them of bounded memory.

Nothing here imports Numba, so that an engine can be chosen without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from chainrule.cohorts import Cohort
from chainrule.data import Dataset
from chainrule.engines.compiled.codes import MEMORIES, N_COLUMNS
from chainrule.engines.compiled.plan import Plan, make_plan
from chainrule.metrics import for_task

Index = np.ndarray[Any, np.dtype[np.intp]]

RUN_BYTES = 4096
"""What a finished run takes beside its weights and its history."""
KEPT_TWICE = 2
"""Histories are collected by block and then put together by member: for a moment there are two of them."""
MOST_SAMPLES = 512
"""A pass through the layers takes at most about so many samples of a member at a time."""
MOST_MEMBERS = 16_384
"""Members of a chunk at most: more in company train no faster."""

_plans: WeakKeyDictionary[Cohort, Plan] = WeakKeyDictionary()


def plan_of(cohort: Cohort) -> Plan:
    """Return the plan of a cohort, made once."""
    plan = _plans.get(cohort)
    if plan is None:
        plan = _plans[cohort] = make_plan(cohort)
    return plan


def extra_metrics(cohort: Cohort) -> list[str]:
    """Return the metrics that kernels do not compute, in the order in which they are recorded."""
    own = for_task(cohort.splits[0].train.task)
    return [spec for spec in dict.fromkeys(cohort.config.metrics) if spec not in own]


def steps_of(cohort: Cohort) -> tuple[int, bool]:
    """Return the samples of a step, and whether that is all of them."""
    n, size = cohort.splits[0].train.n, cohort.config.batch_size
    batch = n if isinstance(size, str) else min(int(size), n)
    return batch, batch >= n


def block_key(cohort: Cohort) -> tuple[Any, ...]:
    """Return what has to be equal for members of two cohorts to share a block."""
    plan, config, parts = plan_of(cohort), cohort.config, cohort.splits[0]
    rules = tuple((rule.kind, rule.column, rule.higher, rule.strict) for rule in plan.rules)
    weighted = config.class_weight is not None or parts.train.sample_weight is not None
    return (
        *(len(plan.sizes), plan.sizes[0], plan.sizes[-1], plan.activations, plan.numbers, plan.biases),
        *(plan.loss, plan.loss_number, plan.averaged, plan.metric, plan.optimizer, plan.clip_norm, plan.clip_value),
        *(any(plan.l1) or any(plan.l2), rules, plan.ratio),
        *(config.dtype, config.epochs, config.log_every, steps_of(cohort), config.shuffle, config.window),
        *(parts.train.n, weighted, _held_out(parts.validation), bool(extra_metrics(cohort))),
    )


def _held_out(part: Dataset | None) -> tuple[int, bool] | None:
    return None if part is None else (part.n, part.sample_weight is not None)


@dataclass(frozen=True)
class Bundle:
    """Members that can share blocks, in the order in which they fill them.

    Attributes
    ----------
    cohort, member : ndarray (m,)
        Number of each member's cohort among those trained together, and its number in that cohort.
    """

    cohort: Index
    member: Index

    def __len__(self) -> int:
        return len(self.cohort)

    def part(self, start: int, stop: int) -> Bundle:
        """Return some of the members."""
        return Bundle(self.cohort[start:stop], self.member[start:stop])


def make_bundles(cohorts: Sequence[Cohort]) -> list[Bundle]:
    """Group the members of cohorts that compiled engines can train.

    Members of like widths become neighbours, so that blocks need little padding; among them, where it matters, those
    that see the same samples in the same order.
    """
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, cohort in enumerate(cohorts):
        groups.setdefault(block_key(cohort), []).append(number)
    return [_make_bundle(cohorts, numbers) for numbers in groups.values()]


def _make_bundle(cohorts: Sequence[Cohort], numbers: list[int]) -> Bundle:
    sizes = sorted({plan_of(cohorts[number]).sizes for number in numbers})
    ranks = {shape: rank for rank, shape in enumerate(sizes)}
    counts = [len(cohorts[number]) for number in numbers]
    cohort = np.repeat(np.array(numbers, dtype=np.intp), counts)
    member = np.concatenate([np.arange(count, dtype=np.intp) for count in counts])
    rank = np.repeat(np.array([ranks[plan_of(cohorts[number]).sizes] for number in numbers]), counts)
    own_samples = any(not steps_of(cohorts[k])[1] or len(set(cohorts[k].draws)) > 1 for k in numbers)
    if len(sizes) == 1 and not own_samples:
        return Bundle(cohort, member)
    seeds = np.array([seed for number in numbers for seed in cohorts[number].seeds]) if own_samples else rank
    order = np.lexsort((seeds, rank))
    return Bundle(cohort[order], member[order])


# -- memory ------------------------------------------------------------------------------------------------


def own_bytes(cohort: Cohort) -> int:
    """Estimate the bytes of one member in training and of its run, without the samples."""
    plan, config, n = plan_of(cohort), cohort.config, cohort.splits[0].train.n
    batch, full = steps_of(cohort)
    copies = 4 + MEMORIES[plan.optimizer] + plan.keeps_best  # weights in training, gradient, first and final weights
    values = plan.n_parameters * copies + min(batch, MOST_SAMPLES) * 3 * sum(plan.sizes)
    rows = config.epochs // config.log_every + 2
    windows = config.epochs * -(-n // batch) // config.window + 1 if config.window else 0
    names = N_COLUMNS + 2 * len(extra_metrics(cohort))
    kept = (rows * names + 2 * windows) * 8 * KEPT_TWICE
    orders = 0 if full or not config.shuffle else 8 * n
    return values * np.dtype(config.dtype).itemsize + kept + orders + RUN_BYTES


def data_bytes(cohort: Cohort) -> int:
    """Estimate the bytes of the samples that one member sees: as they were drawn, in its dtype, and in its block."""
    parts = cohort.splits[0]
    numbers = sum(part.X.size + part.Y.size for part in (parts.train, parts.validation) if part is not None)
    return numbers * (8 + 2 * np.dtype(cohort.config.dtype).itemsize)


def cut(bundles: Sequence[Bundle], cohorts: Sequence[Cohort], memory: int, block: int) -> Iterator[list[Bundle]]:
    """Yield chunks of bounded memory: parts of one bundle or of several.

    Parameters
    ----------
    bundles, cohorts : sequence
        What is to be trained.
    memory : int
        Bytes that a chunk may take; if a single member takes more, it is a chunk by itself.
    block : int
        Members of a block: cuts are made between blocks where that is possible.
    """
    chunk = _Chunk(memory)
    for bundle in bundles:
        cost = _Cost(bundle, cohorts)
        start = 0
        while start < len(bundle):
            wanted = len(bundle) - start
            fits = chunk.room(cost)
            if fits < wanted:
                fits = fits // block * block or (0 if chunk.parts else max(fits, 1))
            fits = min(fits, wanted)
            if fits:
                chunk.add(bundle.part(start, start + fits), cost)
                start += fits
            else:
                yield chunk.parts
                chunk = _Chunk(memory)
    if chunk.parts:
        yield chunk.parts


class _Cost:
    """What the members of a bundle take: each by itself, and samples that they share, by the data set's identity."""

    def __init__(self, bundle: Bundle, cohorts: Sequence[Cohort]) -> None:
        self.own, self.shared = 0, {}
        for number in np.unique(bundle.cohort).tolist():
            cohort = cohorts[number]
            own, data = own_bytes(cohort), data_bytes(cohort)
            if len(set(cohort.draws)) == 1:
                self.shared[id(cohort.splits[0].train)] = data
            else:
                own += data
            self.own = max(self.own, own)


class _Chunk:
    """Parts of bundles that are trained at the same time."""

    def __init__(self, memory: int) -> None:
        self.parts: list[Bundle] = []
        self.left, self.places = memory, MOST_MEMBERS
        self.shared: set[int] = set()

    def _samples(self, cost: _Cost) -> int:
        return sum(size for key, size in cost.shared.items() if key not in self.shared)

    def room(self, cost: _Cost) -> int:
        """Return how many members of a bundle still fit in."""
        return max(min((self.left - self._samples(cost)) // cost.own, self.places), 0)

    def add(self, bundle: Bundle, cost: _Cost) -> None:
        """Take members in."""
        self.parts.append(bundle)
        self.left -= self._samples(cost) + len(bundle) * cost.own
        self.places -= len(bundle)
        self.shared |= cost.shared.keys()
