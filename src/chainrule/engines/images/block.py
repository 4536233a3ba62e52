"""A block of the gemm engine for a network that knows places: one member, trained by one thread or by several."""

from __future__ import annotations

import numpy as np

from chainrule.engines.compiled.block import Course, Part
from chainrule.engines.compiled.codes import FADE, MEMORIES, N_HYPER
from chainrule.engines.compiled.plan import Plan
from chainrule.engines.compiled.simd import width_tag
from chainrule.engines.compiled.tracking import Tracking
from chainrule.engines.gemm.fields import make_table
from chainrule.engines.gemm.gradient_kernel import LENGTHS
from chainrule.engines.gemm.member_block import FIRST_PATIENCE, LANES, MemberBlock, make_setting
from chainrule.engines.gemm.records import N_DECISIONS, N_SUMS, Watched
from chainrule.engines.gemm.samples import make_data, no_data
from chainrule.engines.gemm.threads import GATE_SIZE
from chainrule.engines.images.kernel import train_images
from chainrule.engines.images.records import Buffers
from chainrule.engines.images.tables import make_layers, make_nets, places_of, whole
from chainrule.engines.lanes.block import aligned
from chainrule.nn import Array

CHUNK_BYTES = 2**23
"""The lanes' sums of the groups between two meetings take about so many bytes at most."""
MOST_GROUPS = 16
"""Groups between two meetings, at most."""
LEAST_PRODUCTS = 4000
"""With fewer products of vectors in a batch's forward pass threads would wait longer for each other than they save."""


class ImagesBlock(MemberBlock):
    """One member whose samples are the lanes of vectors; parameters as of `gemm.block.GemmBlock`."""

    kernel = staticmethod(train_images)

    def __init__(
        self,
        plan: Plan,
        place: int,
        theta: Array,
        rate: float,
        course: Course,
        train: Part,
        validation: Part | None,
        tracking: Tracking,
        threads: int = 1,
    ) -> None:
        self.plans, self.places, self.course, self.tracking = [plan], [place], course, tracking
        self.epoch = 0
        self.dtype = train.X.dtype
        L = LANES[self.dtype.itemsize]
        self.width = width_tag(L)
        self.data = make_data(train, sparse=False)
        self.validation = no_data(self.data) if validation is None else make_data(validation, sparse=False)
        self.threads = _useful_threads(plan, L, threads, course.batch)
        self.alone_until, self.patience = 0.0, FIRST_PATIENCE
        self.layers, levels = make_layers(plan, L, self.threads)
        chunk = self._chunk(plan, L)
        self.net, *rows = make_nets(plan, self.layers, levels, L, chunk)
        self.setting = make_setting(plan, course, self.threads, chunk)._replace(fused=False)
        self.index = places_of(plan, self.layers)
        self.buffers = self._make_buffers(plan, levels, rows)
        self.own_order = np.arange(max(self.data.n, self.validation.n), dtype=np.int32)
        watched = Watched(*tracking, 1, len(plan.rules))
        self.table = make_table(self.setting, self.layers, self.net, self.buffers, self.data, self.validation, watched)
        self.buffers.theta[self.index] = theta
        if plan.keeps_best:
            self.buffers.best[:] = self.buffers.theta

    def _chunk(self, plan: Plan, L: int) -> int:
        """Return how many samples pass between two meetings, whole groups."""
        floats = int(self.layers.shares[-1]) * L
        groups = max(min(CHUNK_BYTES // (floats * self.dtype.itemsize + 1), MOST_GROUPS), self.threads)
        return min(groups, -(-max(self.data.n, self.validation.n) // L)) * L

    def _make_buffers(self, plan: Plan, levels: list[int], rows: list[int]) -> Buffers:
        L, dtype, layers, net, threads = len(self.width), self.dtype, self.layers, self.net, self.threads
        n_theta = int(layers.shares[-1])
        memories = MEMORIES[plan.optimizer]
        hyper = aligned(N_HYPER * L, dtype).reshape(N_HYPER, L)
        hyper[FADE : FADE + 6] = np.array(plan.hyper)[:, None]

        def floats(count: int) -> Array:
            return aligned(max(count, L), dtype)

        ones = floats(L)
        ones[:] = 1
        return Buffers(
            theta=floats(n_theta),
            grad=floats(n_theta),
            one=floats(n_theta if memories > 0 else 0),
            two=floats(n_theta if memories > 1 else 0),
            best=floats(n_theta if plan.keeps_best else 0),
            A=floats(threads * net.together * net.floats),
            D=floats(threads * net.together * net.floats),
            S=floats(threads * net.together * net.stored),
            lanes=floats(net.lane_floats * (net.chunk // L)),
            packed=floats(net.lane_floats // L),
            rows_a=floats(rows[0]),
            rows_d=floats(rows[1]),
            fresh=floats(threads * net.inputs * L),
            turned=floats(levels[-1]),
            side_y=floats(threads * levels[-2]),
            side_w=floats(threads * L),
            apart=np.zeros(2 * net.chunk),
            square=floats(threads * L * L),
            hyper=hyper.ravel(),
            down=floats(L),
            share=floats(L),
            ones=ones,
            zeros=floats(max(whole(size, L) for size in (*plan.sizes, *layers.sizes[:, 2].tolist()))),
            spare=floats((1 + threads) * L),
            scales=floats((LENGTHS + 2 * self.setting.layers) * L),
            base=np.array([[plan.hyper[0]], [plan.hyper[2]], [plan.hyper[4]], [0.0]]),
            powers=np.ones((2, 1)),
            sums=np.zeros(N_SUMS),
            decisions=np.zeros(N_DECISIONS, dtype=np.int64),
            gate=np.zeros(GATE_SIZE, dtype=np.int64),
            finite=np.ones(1, dtype=np.int64),
            losses=np.zeros(1),
        )


def _useful_threads(plan: Plan, lanes: int, threads: int, batch: int) -> int:
    """Return how many threads a member is worth: no more than a batch has groups."""
    products = 0
    for g, i, o in zip(plan.geometries, plan.sizes[:-1], plan.sizes[1:], strict=True):
        products += i * o if g is None else g.entries * o
    groups = -(-batch // lanes)
    return max(min(threads, groups), 1) if groups * products >= LEAST_PRODUCTS else 1
