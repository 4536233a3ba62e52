"""A block of the gemm engine: one member, trained by one thread or by several."""

from __future__ import annotations

import numpy as np

from chainrule.engines.compiled.block import Course, Part
from chainrule.engines.compiled.codes import FADE, MEMORIES, N_HYPER
from chainrule.engines.compiled.plan import Plan
from chainrule.engines.compiled.simd import width_tag
from chainrule.engines.compiled.tracking import Tracking
from chainrule.engines.gemm.fields import make_table
from chainrule.engines.gemm.gradient_kernel import LENGTHS
from chainrule.engines.gemm.kernel import train_member
from chainrule.engines.gemm.layout import make_layers, places_of, room_for, useful_threads
from chainrule.engines.gemm.member_block import FIRST_PATIENCE, LANES, MemberBlock, make_setting
from chainrule.engines.gemm.narrow_layout import (
    can_be_narrow,
    make_narrow_layers,
    narrow_data,
    narrow_pays,
    narrow_places_of,
    narrow_room,
    put_ones,
)
from chainrule.engines.gemm.narrow_steps import with_steps
from chainrule.engines.gemm.records import CHUNK, FOUR, N_DECISIONS, N_SUMS, Buffers, Watched
from chainrule.engines.gemm.samples import make_data, no_data
from chainrule.engines.gemm.threads import GATE_SIZE
from chainrule.engines.lanes.block import aligned
from chainrule.nn import Array


class GemmBlock(MemberBlock):
    """One member whose units are the lanes of vectors.

    Parameters
    ----------
    plan, place, theta, rate
        The member's plan, its place in the session, its flat weights (P,), its base learning rate.
    course : Course
        How it is trained.
    train, validation : Part
        Its samples; `validation` may be None.
    tracking : Tracking
        For one member.
    threads : int
        How many threads may train it; narrow networks take one. The result has the same bits.
    sparse : bool, optional
        Whether inputs are read from lists of those that are not zero; None lets their zeros decide.
    narrow : bool, optional
        Whether samples are the lanes, where that is possible; None lets the shapes decide. The result has the same
        bits.
    """

    kernel = staticmethod(train_member)

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
        sparse: bool | None = None,
        narrow: bool | None = None,
    ) -> None:
        self.plans, self.places, self.course, self.tracking = [plan], [place], course, tracking
        self.epoch = 0
        self.dtype = train.X.dtype
        self.width = width_tag(LANES[self.dtype.itemsize])
        self.data = make_data(train, False if course.augmented else sparse)  # steps have no lists of other inputs
        self.validation = no_data(self.data) if validation is None else make_data(validation, sparse)
        inputs = len(self.data.inputs) // train.n if self.data.sparse else plan.sizes[0]
        self.threads = useful_threads(plan, len(self.width), threads, course.batch, inputs)
        self.alone_until, self.patience = 0.0, FIRST_PATIENCE
        chunk = min(CHUNK, max(train.n, self.validation.n))
        self.setting = make_setting(plan, course, self.threads, chunk)
        self.rows = -(-chunk // FOUR) * FOUR
        if self._is_narrow(plan, narrow):
            self._lay_out_narrow(plan)
        else:
            self.layers = make_layers(plan, len(self.width), self.threads, self.rows)
            self.index = places_of(plan, self.layers)
        self.buffers = self._make_buffers(plan)
        if self.setting.narrow:
            put_ones(self.layers, self.buffers.A, self.buffers.turned)
            self.data = with_steps(self.data, self.setting, self.layers, self.buffers)
            self.validation = with_steps(self.validation, self.setting, self.layers, self.buffers)
        self.own_order = np.arange(max(self.data.n, self.validation.n), dtype=np.int32)
        watched = Watched(*tracking, 1, len(plan.rules))
        self.table = make_table(self.setting, self.layers, self.buffers, self.data, self.validation, watched)
        self.buffers.theta[self.index] = theta
        if plan.keeps_best:
            self.buffers.best[:] = self.buffers.theta

    def _is_narrow(self, plan: Plan, wanted: bool | None) -> bool:
        """Whether samples are the lanes."""
        sparse = self.data.sparse or self.validation.sparse
        if self.threads > 1 or not self.course.judges_steps or sparse or not can_be_narrow(plan):
            return False
        return narrow_pays(plan, len(self.width), self.setting.chunk) if wanted is None else wanted

    def _lay_out_narrow(self, plan: Plan) -> None:
        """Let samples be the lanes; see `narrow_kernel`."""
        L = len(self.width)
        self.setting = self.setting._replace(narrow=True)
        self.layers = make_narrow_layers(plan, L)
        self.index = narrow_places_of(self.layers)
        self.data = narrow_data(self.data, L, plan.biases[0])
        if self.validation.n > 0:
            self.validation = narrow_data(self.validation, L, plan.biases[0])

    def _make_buffers(self, plan: Plan) -> Buffers:
        L, dtype, layers, setting = len(self.width), self.dtype, self.layers, self.setting
        d, chunk = plan.sizes[0], setting.chunk
        room = narrow_room(plan, L) if setting.narrow else room_for(plan, L, self.rows)
        n_theta = int(layers.shares[-1])
        memories = MEMORIES[plan.optimizer]
        lists = d * chunk if self.data.sparse or self.validation.sparse else 0
        hyper = aligned(N_HYPER * L, dtype).reshape(N_HYPER, L)
        hyper[FADE : FADE + 6] = np.array(plan.hyper)[:, None]

        def floats(count: int) -> Array:
            return aligned(max(count, L), dtype)

        ones, zeros = floats(L), floats(room.widest)
        ones[:] = 1
        return Buffers(
            theta=floats(n_theta),
            grad=floats(0 if setting.fused else n_theta),
            one=floats(n_theta if memories > 0 else 0),
            two=floats(n_theta if memories > 1 else 0),
            best=floats(n_theta if plan.keeps_best else 0),
            A=floats(room.activations),
            S=floats(room.activations),
            X=floats(chunk * d + L),
            turned=floats(room.turned),
            hyper=hyper.ravel(),
            down=floats(L),
            share=floats(L),
            ones=ones,
            zeros=zeros,
            minus_zeros=np.negative(zeros, out=floats(room.widest)),
            side_a=floats(room.outputs),
            side_d=floats(room.outputs),
            side_y=floats(room.outputs),
            side_w=floats(FOUR),
            apart=np.asarray(aligned(max(chunk + L, FOUR), np.float64), dtype=np.float64),
            spare=floats((1 + setting.threads) * L),
            scales=floats((LENGTHS + 2 * setting.layers) * L),
            base=np.array([[plan.hyper[0]], [plan.hyper[2]], [plan.hyper[4]], [0.0]]),
            powers=np.ones((2, 1)),
            sums=np.zeros(N_SUMS),
            decisions=np.zeros(N_DECISIONS, dtype=np.int64),
            gate=np.zeros(GATE_SIZE, dtype=np.int64),
            finite=np.ones(1, dtype=np.int64),
            losses=np.zeros(1),
            listed=np.zeros(d + 2 if lists else 1, dtype=np.int32),
            listed_samples=np.zeros(max(lists, 1), dtype=np.int32),
            listed_values=floats(lists),
        )
