"""Augmented samples for a stretch of epochs: made by the host before the kernels read them.

Members with equal seeds and data see equal samples, so these are made once. Each stands where the sample stands that it
comes from: a kernel finds the inputs of a step in another array, and everything else where it always is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from chainrule.data import Augmentation, augmentation, sample_shape
from chainrule.data.augment import Draws, ImageShape, Noise, Rotate, Shift
from chainrule.engines._augmenting import augment_streams
from chainrule.engines.compiled.augment_kernel import rotate_samples, shift_samples
from chainrule.engines.compiled.block import Fresh
from chainrule.engines.compiled.orders import Orders, Shuffles
from chainrule.engines.compiled.samples import SampleStore
from chainrule.engines.compiled.seats import Members
from chainrule.nn import Array

Index = np.ndarray[Any, np.dtype[np.intp]]
Whole = np.ndarray[Any, np.dtype[np.int32]]
Flag = np.ndarray[Any, np.dtype[np.int64]]
Task = Callable[[], None]
CHUNK_FLOATS = 2**16
"""Samples of about so many numbers are changed at a time: what lies between two parts stays in a second-level cache."""


@dataclass(frozen=True)
class Kind:
    """What equal members see: the samples as they are, how they are changed, the generators, and one of the members."""

    X: Array
    shape: ImageShape
    parts: list[Augmentation]
    generators: list[np.random.Generator]
    member: int

    def drawn(self, epochs: int, n: int) -> list[Draws | None]:
        """Return each part's draws for some epochs, (epochs, n, ...); None for noise, which is as large as the samples.

        Noise is drawn when it is needed, one sample after the other in one thread.
        """
        parts = zip(self.parts, self.generators, strict=True)
        found = [None if isinstance(part, Noise) else part.draw(epochs * n, self.shape, rng) for part, rng in parts]
        return [None if draws is None else draws.reshape(epochs, n, *draws.shape[1:]) for draws in found]


class Augmented:
    """The augmented training samples of a bundle's members.

    Parameters
    ----------
    members : Members
        Who.
    samples : SampleStore
        Of the whole chunk.

    Attributes
    ----------
    kind_of : ndarray (m,)
        For each member the number of its kind: members of one kind see equal samples.
    fresh : ndarray (E, kinds in training, n, d)
        The samples of the latest stretch; `place_of` says where those of a kind stand.
    """

    def __init__(self, members: Members, samples: SampleStore) -> None:
        self.n, self.dtype = members.n, np.dtype(members.config.dtype)
        self.kinds: list[Kind] = []
        known: dict[tuple[int, tuple[str, ...], int], int] = {}
        self.kind_of: Index = np.zeros(len(members), dtype=np.intp)
        for k in range(len(members)):
            cohort = members.share(k).cohort
            train = cohort.splits[int(members.own[k])].train
            key = id(train), cohort.config.augment, members.seeds[k]
            if key not in known:
                known[key] = len(self.kinds)
                parts = [augmentation(spec) for spec in cohort.config.augment]
                X = samples.part([train], [cohort.config.class_weight], members.config.dtype).X
                generators = augment_streams(members.seeds[k], len(parts))
                self.kinds.append(Kind(X, sample_shape(train, parts), parts, generators, k))
            self.kind_of[k] = known[key]
        self.features = int(self.kinds[0].X.shape[1])
        self.own_order: Whole = np.arange(self.n, dtype=np.int32)
        self.room: Array = np.zeros(0, dtype=self.dtype)
        self.fresh: Array = np.zeros((0, 0, self.n, self.features), dtype=self.dtype)
        self.place_of: Index = np.zeros(len(self.kinds), dtype=np.intp)

    @property
    def epoch_bytes(self) -> int:
        """What an epoch's samples take."""
        return len(self.kinds) * self.n * self.features * self.dtype.itemsize

    def draw(
        self, members: Sequence[int], epochs: int, shuffles: Shuffles | None, threads: int, cancel: Flag
    ) -> list[Task]:
        """Return what is to be done, in at most about so many threads, to fill `fresh` for some members.

        Parameters
        ----------
        members : sequence of int
            Those in training.
        epochs : int
            Epochs of the stretch.
        shuffles : Shuffles or None
            Holds the orders of this stretch, unless samples keep their own.
        threads : int
            How many there are.
        cancel : ndarray (1,)
            Where a 1 says that all may be left as it is.
        """
        used = np.unique(self.kind_of[members])
        self.place_of[used] = np.arange(len(used))
        self._make_room(epochs, len(used))
        tasks: list[Task] = []
        for place, number in enumerate(used.tolist()):
            kind = self.kinds[number]
            orders = None if shuffles is None else shuffles.tables[shuffles.row[kind.member]]
            drawn = kind.drawn(epochs, self.n)
            pieces = 1 if any(draws is None for draws in drawn) else -(-threads // len(used))
            for piece in range(pieces):
                rows = range(self.n * piece // pieces, self.n * (piece + 1) // pieces)
                tasks.append(partial(self._fill, kind, drawn, orders, place, rows, cancel))
        return tasks

    def _make_room(self, epochs: int, kinds: int) -> None:
        """Let `fresh` have its shape; its memory is kept, as new one costs time."""
        shape = epochs, kinds, self.n, self.features
        size = math.prod(shape)
        if self.room.size < size:
            self.room = np.empty(size, dtype=self.dtype)
        self.fresh = self.room[:size].reshape(shape)

    def of(self, members: Sequence[int]) -> Fresh:
        """Return the samples of a block's members."""
        return Fresh(self.fresh, self.place_of[self.kind_of[members]])

    def _fill(
        self, kind: Kind, drawn: list[Draws | None], orders: Orders | None, place: int, rows: range, cancel: Flag
    ) -> None:
        """Make a kind's samples of all epochs, as many at a time as a cache holds."""
        size = max(CHUNK_FLOATS // self.features, 1)
        # As in training, overflow is what the divergence guard looks for; threads other than the first need to be told.
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for epoch, fresh in enumerate(self.fresh[:, place]):
                order = self.own_order if orders is None else orders[epoch]
                for start in range(rows.start, rows.stop, size):
                    if cancel[0]:
                        return
                    part = slice(start, min(start + size, rows.stop))
                    self._change(kind, [None if d is None else d[epoch, part] for d in drawn], order[part], fresh)

    def _change(self, kind: Kind, drawn: list[Draws | None], which: Whole, fresh: Array) -> None:
        """Make some samples of an epoch, and put them where they belong."""
        source, taken = _read_only(kind.X), which
        for number, (part, draws) in enumerate(zip(kind.parts, drawn, strict=True)):
            out, places = fresh, which
            if number < len(kind.parts) - 1:
                out, places = np.empty((len(which), self.features), self.dtype), self.own_order[: len(which)]
            if isinstance(part, Shift):
                shift_samples(source, taken, *kind.shape, draws, out, places)
            elif isinstance(part, Rotate):
                assert draws is not None, "only noise is drawn later"
                angles = np.deg2rad(draws)
                rotate_samples(source, taken, *kind.shape, np.cos(angles), np.sin(angles), out, places)
            else:
                own, rng = source.take(taken, axis=0), kind.generators[number]
                out[places] = part.apply(own, kind.shape, rng) if draws is None else part.change(own, kind.shape, draws)
            source, taken = _read_only(out), places


def _read_only(array: Array) -> Array:
    """Return a view that cannot be written to: so kernels are compiled for one kind of samples only."""
    view = array.view()
    view.flags.writeable = False
    return view
