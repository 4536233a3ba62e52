"""A block of the lanes engine: as many members as a vector has lanes, or fewer, trained together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.engines.compiled.block import Block, Course, Part, Stretch, take_tracking
from chainrule.engines.compiled.codes import FADE, MEMORIES, N_HYPER, TRAINING
from chainrule.engines.compiled.denormals import denormals_flushed
from chainrule.engines.compiled.plan import Plan
from chainrule.engines.compiled.simd import width_tag
from chainrule.engines.compiled.tracking import Tracking
from chainrule.engines.lanes.kernel import train_block
from chainrule.engines.lanes.layout import make_shape, make_table, places_of, spare_vectors, valid_units
from chainrule.engines.lanes.records import Buffers, Data, Setting
from chainrule.nn import Array

LANES = {4: 32, 8: 16}
"""Members of a block, by the bytes of their floats: two registers of 512 bits, so that sums hide their latency."""
SPATIAL_LANES = {4: 16, 8: 8}
"""The same for networks that know places: tiles of their products have sums enough, and caches hold twice as much."""


def lanes_for(dtype: np.dtype[Any], spatial: bool) -> int:
    """Return the most members of a block."""
    return (SPATIAL_LANES if spatial else LANES)[dtype.itemsize]


class LanesBlock(Block):
    """Members of equal depth and step rule, their weights interleaved; hidden widths may differ.

    Parameters
    ----------
    plans, places, thetas, rates : sequence
        One per member: its plan, its place in the session, its flat weights (P,), its base learning rate.
    course : Course
        How they are trained.
    train, validation : Part
        Their samples; `validation` may be None.
    tracking : Tracking
        For as many members as there are plans.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        places: Sequence[int],
        thetas: Sequence[Array],
        rates: Sequence[float],
        course: Course,
        train: Part,
        validation: Part | None,
        tracking: Tracking,
    ) -> None:
        self.plans, self.places, self.course, self.tracking = list(plans), list(places), course, tracking
        self.epoch = 0
        self.dtype = train.X.dtype
        self.width = width_tag(lanes_for(self.dtype, plans[0].spatial))
        most = max(min(course.batch, train.n), train.n if course.log_every <= course.epochs else 1)
        self.shape = make_shape(plans, len(self.width), self.dtype.itemsize, most)
        one_of_each = {plan.sizes: plan for plan in plans}
        found = {sizes: places_of(plan, self.shape) for sizes, plan in one_of_each.items()}
        self.index = [found[plan.sizes] for plan in plans]
        self.table = make_table(plans[0])
        self.buffers = self._make_buffers()
        self.setting = _make_setting(plans[0], course, len(plans))
        for lane, theta in enumerate(thetas):
            self._put(self.buffers.theta, lane, theta)
        if plans[0].keeps_best:
            self.buffers.best[:] = self.buffers.theta
        resident = course.judges_steps and train.n <= self.shape.chunk and validation is None
        self.train_part, self.validation_part = train, validation
        self.data = _make_data(train, len(plans), resident)
        self.validation = _no_data(self.data) if validation is None else _make_data(validation, len(plans), False)
        if resident:
            self._fill(train)

    def advance(self, stretch: Stretch, cancel: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Train a stretch; see `Block.advance`."""
        none = np.zeros((0, 0), dtype=np.int32)
        orders = np.zeros((0, 0, 0), dtype=np.int32) if stretch.orders is None else stretch.orders
        inputs, own = np.zeros((0, 0, 0, 0), dtype=self.dtype), self.data.own
        if stretch.fresh is not None:
            inputs, own = stretch.fresh.X, np.asarray(stretch.fresh.own, dtype=np.int64)
        with denormals_flushed():
            self.epoch = train_block(
                self.shape, self.setting, self.buffers, self.data, self.validation, self.tracking, stretch.rates,
                orders, none, _read_only(inputs), own, self.table, stretch.first, stretch.stop, cancel, self.width,
            )  # fmt: skip

    def theta(self, k: int) -> Array:
        """Return member `k`'s flat weights."""
        return self._take(self.buffers.theta, k)

    def best(self, k: int) -> Array:
        """Return member `k`'s weights at its best epoch."""
        return self._take(self.buffers.best, k)

    @classmethod
    def compact(cls, blocks: Sequence[LanesBlock]) -> list[LanesBlock]:
        """Pack the members still in training into as few blocks as they fill.

        Parameters
        ----------
        blocks : sequence of LanesBlock
            Of one kind (their members could have shared a block from the start), at the same epoch, and with nothing
            left in their trackings that the session has not fetched.

        Returns
        -------
        list of LanesBlock
            The members go on as if nothing had happened: no operation of a kernel mixes lanes.
        """
        going = [(b, k) for b in blocks for k in range(len(b.plans)) if b.tracking.status[k] == TRAINING]
        size = len(blocks[0].width)
        return [cls._of_members(going[start : start + size]) for start in range(0, len(going), size)]

    @classmethod
    def _of_members(cls, members: Sequence[tuple[LanesBlock, int]]) -> LanesBlock:
        """Return a block of members taken from others, with all that their step rules remember."""
        first = members[0][0]
        made = cls(
            [b.plans[k] for b, k in members],
            [b.places[k] for b, k in members],
            [b.theta(k) for b, k in members],
            [float(b.tracking.rate[k]) for b, k in members],
            first.course,
            _join([(b.train_part, k) for b, k in members]),
            None if first.validation_part is None else _join([(b.validation_part, k) for b, k in members]),
            take_tracking([(b.tracking, k) for b, k in members]),
        )
        made.epoch = first.epoch
        memories = ("one", "two")[: MEMORIES[made.plans[0].optimizer]] + (("best",) if made.plans[0].keeps_best else ())
        for lane, (b, k) in enumerate(members):
            for name in memories:
                made._put(getattr(made.buffers, name), lane, b._take(getattr(b.buffers, name), k))
            made.buffers.powers[:, lane] = b.buffers.powers[:, k]
        return made

    # -- lanes in and out ------------------------------------------------------------------------------------

    def _take(self, buffer: Array, lane: int) -> Array:
        taken: Array = buffer.reshape(-1, len(self.width))[self.index[lane], lane]
        return taken

    def _put(self, buffer: Array, lane: int, values: Array) -> None:
        buffer.reshape(-1, len(self.width))[self.index[lane], lane] = values

    def _make_buffers(self) -> Buffers:
        plans, shape, L, dtype = self.plans, self.shape, len(self.width), self.dtype
        V, layers = len(plans), len(shape.weights)
        memories = MEMORIES[plans[0].optimizer]

        def vectors(count: int, kind: Any = dtype) -> Any:
            return aligned(count * L, kind)

        def per_lane(rows: Sequence[Sequence[float]]) -> Array:
            table = np.zeros((len(rows[0]), L), dtype=dtype)
            table[:, :V] = np.array(rows).T
            return table.ravel()

        hyper = vectors(N_HYPER).reshape(N_HYPER, L)
        hyper[FADE : FADE + 6, :V] = np.array([plan.hyper for plan in plans]).T
        penalties = [[x for pair in zip(plan.l1, plan.l2, strict=True) for x in pair] for plan in plans]
        base = np.array([[plan.hyper[0], plan.hyper[2], plan.hyper[4], 0.0] for plan in plans]).T.copy()
        return Buffers(
            theta=vectors(shape.n_theta),
            grad=vectors(shape.n_theta),
            one=vectors(shape.n_theta if memories > 0 else 1),
            two=vectors(shape.n_theta if memories > 1 else 1),
            best=vectors(shape.n_theta if plans[0].keeps_best else 1),
            A=vectors(int(shape.sizes.sum()) * shape.chunk),
            D=vectors(int(shape.sizes[1:].sum()) * shape.chunk),
            Y=vectors(int(shape.sizes[-1]) * shape.chunk),
            w=vectors(shape.chunk),
            hyper=hyper.ravel(),
            base=base,
            powers=np.ones((2, V)),
            penalty=per_lane(penalties) if layers else vectors(1),
            clip=per_lane([[plan.clip_value, plan.clip_norm] for plan in plans]),
            valid=valid_units(plans, shape, L, dtype),
            mask=vectors(1),
            check=vectors(1),
            share=vectors(1),
            sums=vectors(1, np.float64),
            counts=vectors(1, np.float64),
            losses=np.zeros(V),
            finite=np.ones(V, dtype=np.int64),
            spare=vectors(spare_vectors(plans[0])),
        )

    def _fill(self, part: Part) -> None:
        """Bring all samples into the lanes, once."""
        L, V = len(self.width), len(self.plans)
        for buffer, array in ((self.buffers.A, part.X), (self.buffers.Y, part.Y), (self.buffers.w, part.weight)):
            if array is not None:
                each = np.broadcast_to(array, (V, *array.shape)) if part.shared else array
                table = each.reshape(V, -1)
                buffer[: table.shape[1] * L].reshape(-1, L)[:, :V] = table.T


def _make_setting(plan: Plan, course: Course, members: int) -> Setting:
    return Setting(
        activations=np.array(plan.activations, dtype=np.int64),
        numbers=np.array(plan.numbers, dtype=np.float64),
        layers=len(plan.activations),
        members=members,
        loss=plan.loss,
        loss_number=plan.loss_number,
        averaged=plan.averaged,
        metric=plan.metric,
        optimizer=plan.optimizer,
        penalised=any(plan.l1) or any(plan.l2),
        clips_value=plan.clip_value > 0,
        clips_norm=plan.clip_norm > 0,
        keeps_best=plan.keeps_best,
        epochs=course.epochs,
        log_every=course.log_every,
        batch=course.batch,
        full=course.judges_steps,
    )


def _join(sources: Sequence[tuple[Part | None, int]]) -> Part:
    """Return the samples of members taken from several blocks."""
    parts = [part for part, _ in sources if part is not None]
    first = parts[0]
    if all(part.shared and part.X is first.X and part.Y is first.Y for part in parts):
        return first

    def stack(name: str) -> Array:
        arrays = [(getattr(part, name), k, part.shared) for part, (_, k) in zip(parts, sources, strict=True)]
        return np.stack([array if shared else array[k] for array, k, shared in arrays])

    return Part(stack("X"), stack("Y"), None if first.weight is None else stack("weight"), shared=False)


def _make_data(part: Part, members: int, resident: bool) -> Data:
    shared = part.shared
    weight = np.zeros((1, 0), dtype=part.X.dtype) if part.weight is None else part.weight
    arrays = (part.X, part.Y, weight if part.weight is None or not shared else weight[None])
    X, Y, w = arrays if not shared else (part.X[None], part.Y[None], arrays[2])
    own = np.zeros(members, dtype=np.int64) if shared else np.arange(members)
    return Data(_read_only(X), _read_only(Y), _read_only(w), own, members == 1 or shared, part.n, resident)


def _no_data(like: Data) -> Data:
    X, Y, w = _read_only(like.X[:, :0]), _read_only(like.Y[:, :0]), _read_only(like.w[:, :0])
    return Data(X, Y, w, like.own, like.alike, 0, False)


def _read_only(array: Array) -> Array:
    """Return a contiguous view that cannot be written to: samples of all sources then have one type in Numba."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def aligned(count: int, dtype: Any) -> Array:
    """Return zeros that begin at a multiple of 64 bytes, so that no vector lies across two cache lines."""
    itemsize = np.dtype(dtype).itemsize
    raw = np.zeros(count + 64 // itemsize, dtype=dtype)
    start = -raw.ctypes.data % 64 // itemsize
    return raw[start : start + count]
