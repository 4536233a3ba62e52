"""The progress of a chunk: which history rows are told, and how far the whole is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.engines._base import ProgressEvent
from chainrule.engines.compiled.bundle_training import BundleTraining, Fetched
from chainrule.nn import Array

Index = np.ndarray[Any, np.dtype[np.intp]]
MOST_TOLD = 300
"""About as many history rows of a chunk are told at most (a curve on a screen has no more points): a row takes some
40 microseconds, which belong to training."""
NEVER = np.iinfo(np.int64).max


class Teller:
    """What is told of one bundle.

    Parameters
    ----------
    training : BundleTraining
        The bundle.
    places : ndarray (m,)
        Each member's number in the chunk.
    bundles : int
        How many bundles the chunk has.

    Attributes
    ----------
    state : ndarray (4,)
        Members that have converged, diverged, and ended in any way; members' worth of work that is done.
    """

    def __init__(self, training: BundleTraining, places: Index, bundles: int) -> None:
        self.training, self.places = training, places
        course, m = training.course, len(places)
        rows = course.epochs // course.log_every + 1
        self.every = course.log_every * -(-rows * bundles // MOST_TOLD)
        self.ended, self.ends = np.full(m, NEVER), 0
        self.kinds = np.zeros((3, m), dtype=bool)
        self.state, self.counted = np.zeros(4), np.zeros(4)
        self.names = list(training.members.columns)

    def note(self) -> None:
        """Take note of the members that have left."""
        for member, one in self.training.newly_left:
            self.ended[member] = one.epochs
            self.kinds[:, member] = one.converged, one.reason == "diverged", True

    def rows(self, fetched: Sequence[Fetched]) -> Iterator[tuple[int, dict[str, Array], Index]]:
        """Yield epoch, record and members of each row that is told, with the counts as they were then."""
        epochs, members, table = self._chosen(fetched)
        for epoch, values in zip(epochs.tolist(), table, strict=True):
            here = self.ended[members] >= epoch
            record: dict[str, Array] = {"epoch": np.full(int(here.sum()), epoch)}
            record |= dict(zip(self.names, values[:, here], strict=True))
            self.count(epoch, self.ended < epoch)
            yield epoch, record, self.places[members[here]]

    def _chosen(self, fetched: Sequence[Fetched]) -> tuple[Any, Index, Array]:
        """Return the epochs that are told, the members of all blocks, and the rows (epochs, columns, members)."""
        moments = max((one.moments for one in fetched), key=len)
        told = (moments % self.every == 0) | (moments == self.training.course.epochs)
        ends = np.isin(moments, self.ended) & ~told  # so that a member's last row is told, too
        self.ends += int(ends.sum())
        chosen = np.flatnonzero(told | ends if self.ends <= MOST_TOLD else told)
        members = np.concatenate([np.array(one.members, dtype=np.intp) for one in fetched])
        # Blocks go in step: one that has ended early has the first of these rows.
        rows = [one.table[:, :, chosen[chosen < len(one.moments)]].transpose(2, 1, 0) for one in fetched]
        full = [np.pad(part, ((0, len(chosen) - len(part)), (0, 0), (0, 0)), constant_values=np.nan) for part in rows]
        return moments[chosen], members, np.concatenate(full, axis=2)

    def count(self, epoch: int, ended: np.ndarray[Any, np.dtype[np.bool_]] | None = None) -> None:
        """Count who has ended, and the work done at an epoch."""
        over = self.ended < NEVER if ended is None else ended
        self.state[:3] = self.kinds[:, over].sum(axis=1)
        left = len(over) - self.state[2]
        self.state[3] = len(over) - left * (1.0 - epoch / max(self.training.course.epochs, 1))


class Telling:
    """Puts together the events of a chunk.

    Parameters
    ----------
    trainings : sequence of BundleTraining
        Its bundles.
    """

    def __init__(self, trainings: Sequence[BundleTraining]) -> None:
        starts = np.cumsum([0, *(len(training.members) for training in trainings)])
        numbers = [np.arange(start, stop) for start, stop in pairwise(starts)]
        self.tellers = [Teller(training, own, len(trainings)) for training, own in zip(trainings, numbers, strict=True)]
        self.m, self.total, self.fraction = int(starts[-1]), np.zeros(4), 0.0

    def event(
        self, teller: Teller, epoch: int, record: dict[str, Array] | None = None, places: Index | None = None
    ) -> ProgressEvent:
        """Return an event about one bundle, with the counts of all."""
        self.total += teller.state - teller.counted
        teller.counted[:] = teller.state
        converged, diverged, finished, done = self.total.tolist()
        self.fraction = 1.0 if finished == self.m else max(self.fraction, min(done / self.m, 1.0))
        return ProgressEvent(
            epoch=epoch,
            epochs=teller.training.course.epochs,
            members=self.m,
            converged=int(converged),
            diverged=int(diverged),
            finished=int(finished),
            fraction=self.fraction,
            record=record,
            places=() if places is None else tuple(places.tolist()),
        )

    def start(self) -> ProgressEvent:
        """Return the event before the first epoch."""
        return self.event(self.tellers[0], 0)

    def after_stretch(self) -> list[ProgressEvent]:
        """Return the events after all bundles in training have gone through a stretch."""
        events = []
        for teller in self.tellers:
            training = teller.training
            if training.fetched:
                teller.note()
                events += [self.event(teller, *row) for row in teller.rows(training.fetched)]
                training.fetched = []
                teller.count(min(training.stop, training.course.epochs))
                events.append(self.event(teller, min(training.stop, training.course.epochs)))
        return [event for event in events[:-1] if event.record is not None] + events[-1:]

    def glance(self) -> ProgressEvent | None:
        """Return an event in the middle of a stretch, if that is a single long epoch; nothing must change meanwhile."""
        leader = max(self.tellers, key=lambda one: one.training.going)
        done = self.total[3]
        for teller in self.tellers:
            training = teller.training
            if training.stop - training.first == 1 and training.seats:
                part = np.mean([seat.share_done(training.course.steps(training.members.n)) for seat in training.seats])
                done += training.going * part / max(training.course.epochs, 1)
        fraction = min(done / self.m, 1.0)
        if fraction <= self.fraction:
            return None
        self.fraction = fraction
        return self.event(leader, leader.training.first)
