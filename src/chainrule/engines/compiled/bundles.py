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
from chainrule.data import Split
from chainrule.engines.compiled.codes import MEMORIES, N_COLUMNS
from chainrule.engines.compiled.plan import make_plan
from chainrule.metrics import for_task
from chainrule.population import TrainingConfig

Index = np.ndarray[Any, np.dtype[np.intp]]

RUN_BYTES = 4096
"""What a finished run takes beside its weights and its history."""
MOST_SAMPLES = 512
"""A pass through the layers takes at most about so many samples of a member at a time."""
SPATIAL_BYTES, SPATIAL_SAMPLES = 2**23, 16
"""Of networks that know places as many as take so many bytes, or so many if those take more."""
MOST_MEMBERS = 16_384
"""Members of a chunk at most: more in company train no faster."""

_known: WeakKeyDictionary[Cohort, Facts] = WeakKeyDictionary()


class Facts:
    """What is asked about a cohort again and again.

    Attributes
    ----------
    plan : Plan
        Its plan.
    n, batch : int
        Training samples, and samples of a step.
    full : bool
        Whether a step takes all samples.
    same_samples : bool
        Whether all members see the same samples; `source` then tells them from others.
    extras : list of str
        Metrics that kernels do not compute, in the order in which they are recorded.
    key : tuple
        What has to be equal for members of two cohorts to share a block.
    own_bytes, data_bytes : int
        Estimates of what a member takes in training and as a run, and of the samples that it sees.
    """

    def __init__(self, cohort: Cohort) -> None:
        config, parts = cohort.config, cohort.splits[0]
        self.plan = make_plan(cohort)
        self.n = parts.train.n
        size = config.batch_size
        self.batch = self.n if isinstance(size, str) else min(int(size), self.n)
        self.full = self.batch >= self.n
        self.same_samples, self.source = len(set(cohort.draws)) == 1, id(parts.train)
        own = for_task(parts.train.task)
        self.extras = [spec for spec in dict.fromkeys(config.metrics) if spec not in own]
        self.key = self._key(config, parts)
        self.own_bytes = self._own_bytes(config)
        self.data_bytes = _data_bytes(config, parts)

    def _key(self, config: TrainingConfig, parts: Split) -> tuple[Any, ...]:
        plan = self.plan
        rules = tuple((rule.kind, rule.column, rule.higher, rule.strict) for rule in plan.rules)
        weighted = config.class_weight is not None or parts.train.sample_weight is not None
        held_out = parts.validation and (parts.validation.n, parts.validation.sample_weight is not None)
        return (
            *(len(plan.sizes), plan.sizes[0], plan.sizes[-1], plan.activations, plan.numbers, plan.biases),
            *(plan.loss, plan.loss_number, plan.averaged, plan.metric, plan.optimizer, plan.clip_norm, plan.clip_value),
            *(any(plan.l1) or any(plan.l2), rules, plan.ratio),
            *(plan.geometries, plan.sizes if plan.spatial else ()),  # only dense layers can be padded
            *(config.dtype, config.epochs, config.log_every, self.batch, config.shuffle, config.window),
            *(self.n, weighted, held_out, bool(self.extras), bool(config.augment)),
        )

    def _own_bytes(self, config: TrainingConfig) -> int:
        plan, itemsize = self.plan, np.dtype(config.dtype).itemsize
        copies = 4 + MEMORIES[plan.optimizer] + plan.keeps_best  # in training, gradient, first and final weights
        values = plan.n_parameters * copies + self._samples_at_a_time(itemsize) * 3 * sum(plan.sizes)
        rows = (config.epochs // config.log_every + 2) * (N_COLUMNS + 2 * len(self.extras))
        windows = config.epochs * -(-self.n // self.batch) // config.window + 1 if config.window else 0
        orders = 0 if self.full or not config.shuffle else 8 * self.n
        fresh = self.n * plan.sizes[0] * itemsize if config.augment else 0
        return values * itemsize + (rows + 2 * windows) * 8 + orders + fresh + RUN_BYTES

    def _samples_at_a_time(self, itemsize: int) -> int:
        most = min(self.batch, MOST_SAMPLES)
        if not self.plan.spatial:
            return most
        return min(max(SPATIAL_BYTES // (3 * sum(self.plan.sizes) * itemsize), SPATIAL_SAMPLES), most)


def _data_bytes(config: TrainingConfig, parts: Split) -> int:
    """Estimate the bytes of samples as they were drawn, in the training dtype, and in a block."""
    numbers = sum(part.X.size + part.Y.size for part in (parts.train, parts.validation) if part is not None)
    return numbers * (8 + 2 * np.dtype(config.dtype).itemsize)


def facts(cohort: Cohort) -> Facts:
    """Return what there is to know about a cohort that compiled engines can train; found out once."""
    found = _known.get(cohort)
    if found is None:
        found = _known[cohort] = Facts(cohort)
    return found


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
        groups.setdefault(facts(cohort).key, []).append(number)
    return [_make_bundle(cohorts, numbers) for numbers in groups.values()]


def _make_bundle(cohorts: Sequence[Cohort], numbers: list[int]) -> Bundle:
    known = [facts(cohorts[number]) for number in numbers]
    counts = [len(cohorts[number]) for number in numbers]
    cohort = np.repeat(np.array(numbers, dtype=np.intp), counts)
    member = np.concatenate([np.arange(count, dtype=np.intp) for count in counts])
    ranks = {sizes: rank for rank, sizes in enumerate(sorted({one.plan.sizes for one in known}))}
    augmented = any(cohorts[number].config.augment for number in numbers)
    own_samples = augmented or any(not (one.full and one.same_samples) for one in known)
    if len(ranks) == 1 and not own_samples:
        return Bundle(cohort, member)
    rank = np.repeat(np.array([ranks[one.plan.sizes] for one in known]), counts)
    seeds = np.array([seed for number in numbers for seed in cohorts[number].seeds]) if own_samples else rank
    order = np.lexsort((seeds, rank))
    return Bundle(cohort[order], member[order])


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
        self.own = 0
        self.shared: dict[int, int] = {}
        for number in np.unique(bundle.cohort).tolist():
            one = facts(cohorts[number])
            if one.same_samples:
                self.shared[one.source] = one.data_bytes
            self.own = max(self.own, one.own_bytes + (0 if one.same_samples else one.data_bytes))


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
