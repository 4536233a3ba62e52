"""The training of one bundle: its blocks go through stretches of epochs, and whoever ends is noted down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.engines.compiled import leaving
from chainrule.engines.compiled.augmenting import Augmented
from chainrule.engines.compiled.block import Stretch
from chainrule.engines.compiled.codes import N_COLUMNS, TRAINING
from chainrule.engines.compiled.extras import Extras
from chainrule.engines.compiled.history import Collected
from chainrule.engines.compiled.leaving import Leaving
from chainrule.engines.compiled.making import Maker
from chainrule.engines.compiled.orders import Clock, Shuffles
from chainrule.engines.compiled.samples import SampleStore
from chainrule.engines.compiled.seats import Members, Seat, WeightStore, make_seats
from chainrule.nn import Array

Index = np.ndarray[Any, np.dtype[np.int64]]
Task = Callable[[], None]
Flag = np.ndarray[Any, np.dtype[np.int64]]
STRETCH_BYTES = 32 * 2**20
"""Rates, orders, rows and augmented samples of a stretch take about this much at most, unless a single epoch's do."""


@dataclass(frozen=True)
class Fetched:
    """History rows of a block: its members, the rows' epochs (T,), and the rows (V, columns, T)."""

    members: list[int]
    moments: Index
    table: Array


class BundleTraining:
    """Members of a bundle in training.

    Parameters
    ----------
    members : Members
        Who.
    maker : Maker
        Makes the blocks.
    samples, weights : SampleStore, WeightStore
        Of the whole chunk.
    threads : int
        Threads that each block may use by itself.

    Attributes
    ----------
    first : int
        Epochs completed by the members still in training.
    seats : list of Seat
        The blocks that have such members.
    left : dict of int to Leaving
        The others; `newly_left` those of them that left in the latest stretch.
    fetched : list of Fetched
        The rows of the latest stretch, block by block.
    """

    def __init__(
        self, members: Members, maker: Maker, samples: SampleStore, weights: WeightStore, threads: int
    ) -> None:
        self.members, self.maker, self.course = members, maker, members.course
        config = members.config
        self.clock = Clock(members.schedules(), members.base, config.epochs)
        shuffled = config.shuffle and not self.course.full
        self.shuffles = Shuffles(members.seeds, members.n) if shuffled else None
        self.augmented = Augmented(members, samples) if self.course.augmented else None
        self.extras = [Extras(share) for share in members.shares] if members.has_extras else []
        self.longest = self._longest_stretch()
        self.first = self.stop = 0
        self.left: dict[int, Leaving] = {}
        self.newly_left: list[tuple[int, Leaving]] = []
        self.fetched: list[Fetched] = []
        self.history, self.windows = Collected(len(members), len(members.columns)), Collected(len(members), 2)
        self.seats = make_seats(members, maker, samples, weights, self.longest, threads)

    def _longest_stretch(self) -> int:
        """Return how many epochs a stretch may have."""
        course, m, n = self.course, len(self.members), self.members.n
        per_epoch = m * N_COLUMNS * 8 / course.log_every
        if course.window:
            per_epoch += m * 16 * course.steps(n) / course.window
        if not self.clock.constant:
            per_epoch += m * 8
        if self.shuffles is not None:
            per_epoch += len(set(self.members.seeds)) * n * 4
        if self.augmented is not None:
            per_epoch += self.augmented.epoch_bytes
        return min(max(int(STRETCH_BYTES / per_epoch), 1), course.epochs + 1)

    @property
    def going(self) -> int:
        """How many members are in training."""
        return len(self.members) - len(self.left)

    # -- before a stretch ------------------------------------------------------------------------------------

    def prepare(self, epochs: int, threads: int) -> list[Task]:
        """Get ready for the next stretch, of `epochs` epochs or less; return what is to be done first."""
        self.stop = min(self.first + min(epochs, self.longest), self.course.epochs + 1)
        if self.extras:
            self._measure_extras()
            self.stop = min(self.stop, self._next_kept())
        self.clock.stretch(self.first, self.stop)
        if self.shuffles is None:
            return []
        return self.shuffles.draw(list(self._in_training()), self._trained, threads)

    def samples(self, threads: int, cancel: Flag) -> list[Task]:
        """Return what is to be done after `prepare` and before `tasks`: the making of augmented samples."""
        if self.augmented is None:
            return []
        return self.augmented.draw(list(self._in_training()), self._trained, self.shuffles, threads, cancel)

    @property
    def _trained(self) -> int:
        """How many epochs of the stretch are trained, and not only judged."""
        return min(self.stop, self.course.epochs) - self.first

    def tasks(self, cancel: Flag) -> Iterator[Task]:
        """Yield what is to be done for each block."""
        for seat in self.seats:
            seat.state = 0
            seat.block.tracking.steps[0] = 0
            yield self._advancing(seat, cancel)

    def _in_training(self) -> Iterator[int]:
        """Yield the members of the blocks in training."""
        for seat in self.seats:
            yield from seat.block.places

    def _next_kept(self) -> int:
        """Return the first epoch after `first` that is kept; the one after the last, if there is none."""
        every, last = self.course.log_every, self.course.epochs
        return last + 1 if self.first == last else min((self.first // every + 1) * every, last)

    def _measure_extras(self) -> None:
        """Measure the additional metrics of the weights at a kept epoch."""
        if self.first % self.course.log_every and self.first != self.course.epochs:
            return
        for number, extras in enumerate(self.extras):
            who = [
                (int(self.members.own[k]), seat.block.theta(lane))
                for seat in self.seats
                for lane, k in enumerate(seat.block.places)
                if seat.open[lane] and self.members.share_of[k] == number
            ]
            extras.measure(self.first, [own for own, _ in who], [theta for _, theta in who])

    def _advancing(self, seat: Seat, cancel: Flag) -> Task:
        """Return what trains a block through the stretch, in any thread."""

        def advance() -> None:
            seat.state = 1
            seat.block.advance(self._stretch_of(seat), cancel)
            seat.fetch()
            seat.state = 2

        return advance

    def _stretch_of(self, seat: Seat) -> Stretch:
        places = seat.block.places
        rates = seat.rates
        if rates is None:
            rates = np.ascontiguousarray(self.clock.table[:, places])
            if self.clock.constant:
                seat.rates = rates
        orders = None if self.shuffles is None else self.shuffles.of(places)
        fresh = None if self.augmented is None or not self._trained else self.augmented.of(places)
        return Stretch(self.first, self.stop, rates, orders, fresh)

    # -- after it --------------------------------------------------------------------------------------------

    def collect(self, cancelled: bool) -> None:
        """Fetch what the stretch left: rows, windows, and who ended."""
        self.newly_left, self.fetched = [], []
        for seat in self.seats:
            self.fetched.append(Fetched(seat.block.places, *seat.rows.latest()))
            self._note_ended(seat)
            if cancelled:
                self._note_interrupted(seat)
            if not seat.open.any():
                self._seal(seat)
        if self.course.window:
            self.n_windows = (
                min(self.stop, self.course.epochs) * self.course.steps(self.members.n) // self.course.window
            )
        self.seats = [seat for seat in self.seats if seat.open.any()]
        self.first = self.stop
        self._compact()

    def _note_ended(self, seat: Seat) -> None:
        """Note down whom the kernel has ended, and who has come to the last epoch."""
        block, status = seat.block, seat.block.tracking.status
        for lane in np.flatnonzero(seat.open & (status != TRAINING)).tolist():
            place = block.places[lane]
            epochs = int(block.tracking.ended[lane])
            rate = float(block.tracking.rate[lane]) if block.plans[lane].ratio else self.clock.at(epochs, place)
            one = leaving.ended(block, lane, self.members.share(place).cohort.config.stopping, rate)
            self._leave(seat, lane, one)
            if self.extras and one.row is not None:
                extras = self.extras[self.members.share_of[place]]
                extras.measure(epochs, [int(self.members.own[place])], [block.theta(lane)])
        if seat.rows.stop and seat.rows.moments[seat.rows.stop - 1] == self.course.epochs:
            for lane in np.flatnonzero(seat.open).tolist():
                self._leave(seat, lane, leaving.finished(block, lane))

    def _note_interrupted(self, seat: Seat) -> None:
        for lane in np.flatnonzero(seat.open).tolist():
            self._leave(seat, lane, leaving.interrupted(seat.block, lane))

    def _leave(self, seat: Seat, lane: int, one: Leaving) -> None:
        self.left[seat.block.places[lane]] = one
        self.newly_left.append((seat.block.places[lane], one))
        seat.open[lane] = False

    def _seal(self, seat: Seat) -> None:
        self.history.add(seat.rows.seal(seat.block.places))
        self.windows.add(seat.windows.seal(seat.block.places))

    def _compact(self) -> None:
        """Put the members still in training into fewer blocks once half of the places are idle."""
        taken = sum(len(seat.block.places) for seat in self.seats)
        going = sum(int(seat.open.sum()) for seat in self.seats)
        most = self.maker.most(self.members.config.dtype, self.members.spatial)
        if 2 * going > taken or -(-going // most) >= len(self.seats):
            return
        blocks = self.maker.compact([seat.block for seat in self.seats])
        for seat in self.seats:
            self._seal(seat)
        self.seats = [Seat(block, self.members.n, list(self.members.columns.values())) for block in blocks]
