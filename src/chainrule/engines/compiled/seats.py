"""From a bundle to its blocks: who sits where, with which weights and samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.cohorts import Cohort
from chainrule.engines.compiled.block import Block, Course, Part, make_tracking
from chainrule.engines.compiled.bundles import Bundle, facts
from chainrule.engines.compiled.codes import TRAINING
from chainrule.engines.compiled.columns import kept_columns
from chainrule.engines.compiled.history import Sheet
from chainrule.engines.compiled.making import Crew, Maker
from chainrule.engines.compiled.plan import Plan
from chainrule.engines.compiled.samples import SampleStore
from chainrule.nn import Array
from chainrule.random import stream

Index = np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True)
class Share:
    """A cohort's members in a bundle.

    Attributes
    ----------
    number : int
        The cohort's number among those trained together.
    cohort : Cohort
        These members, with their data in memory.
    members, original : ndarray
        Their numbers in the bundle, and in the whole cohort.
    plan : Plan
        The cohort's plan.
    """

    number: int
    cohort: Cohort
    members: Index
    original: Index
    plan: Plan


class Seat:
    """A block, and what the host keeps about it.

    Parameters
    ----------
    block : Block
        Members that have not been trained, or have just been put together.
    n : int
        Training samples.
    columns : list of int
        The columns of the block's history rows that are kept.

    Attributes
    ----------
    open : ndarray (V,)
        Which members were in training when the host last looked.
    rates : ndarray (1, V) or None
        Their learning rates, if those never change.
    rows, windows : Sheet
        What has been fetched.
    state : int
        0 before a stretch, 1 while it is trained, 2 after it.
    """

    def __init__(self, block: Block, n: int, columns: list[int]) -> None:
        course, m = block.course, len(block.places)
        self.block, self.open, self.columns = block, block.tracking.status == TRAINING, columns
        self.rates: np.ndarray[Any, np.dtype[np.float64]] | None = None
        left, steps = course.epochs - block.epoch, course.steps(n)
        kept = course.epochs // course.log_every - (block.epoch - 1) // course.log_every
        self.rows = Sheet(m, len(columns), kept + (course.epochs % course.log_every > 0))
        self.windows = Sheet(m, 2, left * steps // course.window + 1 if course.window else 0)
        self.n_windows = block.epoch * steps // course.window if course.window else 0
        self.state = 0

    def fetch(self) -> None:
        """Fetch the rows and windows that the block has kept since it was last asked."""
        t = self.block.tracking
        rows, windows = int(t.n_rows[0]), int(t.n_windows[0])
        self.rows.add(t.row_epochs[:rows], t.rows[:rows, self.columns])
        self.windows.add(self.n_windows + np.arange(windows), t.window_rows[:windows])
        self.n_windows += windows
        t.n_rows[0] = t.n_windows[0] = 0

    def share_done(self, steps: int) -> float:
        """Return the share of an epoch of so many steps that the block has gone through in this stretch."""
        return float(self.block.tracking.steps[0] / steps) if self.state == 1 else float(self.state > 1)


class Members:
    """The members of a bundle: their cohorts, plans and seeds.

    Attributes
    ----------
    shares : list of Share
        Cohort by cohort.
    share_of, own : ndarray (m,)
        Each member's share, and its number there.
    seeds : list of int
        Each member's seed.
    base : ndarray (m,)
        Base learning rates.
    columns : dict of str to int
        The columns of history rows that are kept, by name.
    """

    def __init__(self, bundle: Bundle, cohorts: Sequence[Cohort]) -> None:
        self.m = len(bundle)
        self.shares: list[Share] = []
        self.share_of, self.own = np.zeros(self.m, dtype=np.intp), np.zeros(self.m, dtype=np.intp)
        self.base, seeds = np.zeros(self.m), np.zeros(self.m, dtype=np.int64)
        numbers, starts = np.unique(bundle.cohort, return_inverse=True)
        order = np.argsort(starts, kind="stable")
        pieces = np.split(order, np.cumsum(np.bincount(starts))[:-1])
        for number, members in zip(numbers.tolist(), pieces, strict=True):
            original = bundle.member[members]
            cohort = cohorts[number].take(original.tolist())
            self.share_of[members], self.own[members] = len(self.shares), np.arange(len(members))
            self.base[members], seeds[members] = cohort.learning_rates, cohort.seeds
            self.shares.append(Share(number, cohort, members, original, facts(cohorts[number]).plan))
        self.seeds: list[int] = seeds.tolist()
        first = self.shares[0].cohort
        self.config, self.parts = first.config, first.splits[0]
        known = facts(cohorts[self.shares[0].number])
        augmented = bool(self.config.augment)
        self.course = Course(
            self.config.epochs, self.config.log_every, known.batch, known.full, self.config.window, augmented
        )
        self.columns = kept_columns(self.parts)
        self.n, self.has_extras, self.spatial = known.n, bool(known.extras), known.plan.spatial

    def __len__(self) -> int:
        return self.m

    def share(self, member: int) -> Share:
        """Return the share of a member."""
        return self.shares[int(self.share_of[member])]

    def schedules(self) -> list[str]:
        """Return each member's schedule."""
        specs = [share.cohort.config.schedule for share in self.shares]
        return [specs[number] for number in self.share_of.tolist()]


def make_seats(
    members: Members, maker: Maker, samples: SampleStore, weights: WeightStore, longest: int, threads: int
) -> list[Seat]:
    """Return blocks of all members, in their order.

    Parameters
    ----------
    members : Members
        Who.
    maker : Maker
        Makes the blocks.
    samples, weights : SampleStore, WeightStore
        Of the whole chunk.
    longest : int
        Epochs of the longest stretch.
    threads : int
        Threads that each block may use by itself.
    """
    most = maker.most(members.config.dtype, members.spatial)
    thetas = weights.of(members)
    seats = []
    for start in range(0, len(members), most):
        places = list(range(start, min(start + most, len(members))))
        plans = [members.share(k).plan for k in places]
        rates = members.base[places].tolist()
        tracking = make_tracking(plans, rates, members.course, longest, members.n)
        train, validation = _parts(members, places, samples)
        crew = Crew(
            plans, places, [thetas[k] for k in places], rates, members.course, train, validation, tracking, threads
        )
        seats.append(Seat(maker.make(crew), members.n, list(members.columns.values())))
    return seats


def _parts(members: Members, places: list[int], samples: SampleStore) -> tuple[Part, Part | None]:
    """Return the samples of a block's members."""
    shares = [members.share(k) for k in places]
    splits = [share.cohort.splits[own] for share, own in zip(shares, members.own[places].tolist(), strict=True)]
    dtype = members.config.dtype
    train = samples.part([s.train for s in splits], [share.cohort.config.class_weight for share in shares], dtype)
    held_out = [s.validation for s in splits if s.validation is not None]
    return train, samples.part(held_out, [None] * len(places), dtype) if held_out else None


class WeightStore:
    """The initial weights of a chunk, drawn once for each network, dtype and seed."""

    def __init__(self) -> None:
        self._drawn: dict[Any, dict[int, Array]] = {}

    def of(self, members: Members) -> list[Array]:
        """Return each member's flat initial weights; members of equal seeds share an array."""
        thetas: list[Array] = [np.zeros(0)] * len(members)
        for share in members.shares:
            network, dtype = share.cohort.network, share.cohort.config.dtype
            drawn = self._drawn.setdefault((network, dtype), {})
            for member, seed in zip(share.members.tolist(), share.cohort.seeds, strict=True):
                if seed not in drawn:
                    params = network.init(stream(seed, "init"))
                    drawn[seed] = theta = np.empty(network.n_parameters, dtype=dtype)
                    for slot in network.slots:
                        theta[slot.slice] = params[slot.layer][slot.key].ravel()
                thetas[member] = drawn[seed]
        return thetas
