"""What blocks of one member do alike, whatever the lanes are: its threads, and how long one of them is left alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from chainrule.engines.compiled.block import Block, Course, Stretch
from chainrule.engines.compiled.codes import BCE_LOGITS, SGD, SOFTMAX_CE
from chainrule.engines.compiled.denormals import denormals_flushed
from chainrule.engines.compiled.plan import Plan
from chainrule.engines.gemm.fields import Table, make_table
from chainrule.engines.gemm.layout import Index
from chainrule.engines.gemm.records import ALONE, Data, Setting, Stage
from chainrule.nn import Array

LANES = {4: 16, 8: 8}
"""Floats of a vector by their bytes: one register of 512 bits."""
FIRST_PATIENCE, LONGEST_PATIENCE = 0.25, 8.0
"""Seconds that one thread trains alone after several were held up by other work on the machine."""


class MemberBlock(Block):
    """One member.

    Attributes
    ----------
    kernel : callable
        What trains it: see `kernel.train_member`.
    threads : int
        How many threads run that side by side.
    alone_until, patience : float
        Until when one of them trains alone, and for how long the next time.
    width : tuple of int
        The tag of the vectors.
    data : Data
        The training part.
    table, buffers
        What the kernel works on.
    index : ndarray (P,)
        Where the flat weights stand in ``buffers.theta``.
    own_order : ndarray
        0, 1, 2, ... for the longest part.
    """

    kernel: ClassVar[Callable[..., int]]
    threads: int
    alone_until: float
    patience: float
    width: tuple[int, ...]
    data: Data
    table: Table
    buffers: Any
    index: Index
    own_order: np.ndarray[Any, np.dtype[np.int32]]

    def advance(self, stretch: Stretch, cancel: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Train a stretch; see `Block.advance`."""
        orders = self.own_order if stretch.orders is None else np.ascontiguousarray(stretch.orders[:, 0])
        inputs, floats = self.data.X, 0
        if stretch.fresh is not None:
            inputs = stretch.fresh.X[0, stretch.fresh.own[0]]
            floats = stretch.fresh.X[0].size
        stage = Stage(
            orders=orders,
            in_order=stretch.orders is None,
            ascending=self.own_order,
            rates=np.ascontiguousarray(stretch.rates),
            n_rates=len(stretch.rates),
            cancel=cancel,
            inputs=inputs,
            floats=floats,
        )
        table, like = np.concatenate([self.table, make_table(stage)]), self.buffers.zeros
        epochs = [0] * self.threads

        def work(thread: int) -> None:
            with denormals_flushed():
                epochs[thread] = self.kernel(table, like, stretch.first, stretch.stop, thread, self.width)

        alone = self.threads == 1 or time.monotonic() < self.alone_until
        self.buffers.decisions[ALONE] = alone
        if alone:
            work(0)
        else:
            self.buffers.gate[:] = 0
            side_by_side(work, self.threads, cancel)
            self._be_patient()
        self.epoch = epochs[0]

    def _be_patient(self) -> None:
        """Let one thread do it for a while, the longer the oftener threads were held up."""
        if self.buffers.decisions[ALONE]:
            self.alone_until = time.monotonic() + self.patience
            self.patience = min(2 * self.patience, LONGEST_PATIENCE)
        else:
            self.patience = FIRST_PATIENCE

    def theta(self, k: int) -> Array:
        """Return the member's flat weights."""
        taken: Array = self.buffers.theta[self.index]
        return taken

    def best(self, k: int) -> Array:
        """Return the member's weights at its best epoch."""
        taken: Array = self.buffers.best[self.index]
        return taken


def side_by_side(work: Any, threads: int, cancel: np.ndarray[Any, np.dtype[np.int64]]) -> None:
    """Call ``work(0)`` to ``work(threads - 1)`` at the same time, all or none, and wait for their end."""
    begin, called_off = threading.Event(), False
    errors: list[BaseException] = []

    def run(thread: int) -> None:
        begin.wait()
        if not called_off:
            try:
                work(thread)
            except BaseException as error:
                errors.append(error)

    workers = [threading.Thread(target=run, args=(k,), daemon=True) for k in range(threads)]
    started = []
    try:
        for worker in workers:
            worker.start()
            started.append(worker)
    except BaseException:
        called_off = True
        raise
    finally:
        begin.set()
        _wait_for(started, cancel)
    if errors:
        raise errors[0]


def _wait_for(workers: list[threading.Thread], cancel: np.ndarray[Any, np.dtype[np.int64]]) -> None:
    """Wait for all to end; an interrupt asks them to end at the next step, and is handed on."""
    interrupt = None
    for worker in workers:
        while worker.is_alive():
            try:
                worker.join()
            except KeyboardInterrupt as error:
                cancel[0], interrupt = 1, error
    if interrupt is not None:
        raise interrupt


def make_setting(plan: Plan, course: Course, threads: int, chunk: int) -> Setting:
    """Return a setting in numbers; see `records.Setting`."""
    penalised = any(plan.l1) or any(plan.l2)
    plain = plan.optimizer == SGD and not penalised and not plan.clip_value and not plan.clip_norm
    return Setting(
        layers=len(plan.activations),
        threads=threads,
        loss=plan.loss,
        loss_number=plan.loss_number,
        averaged=plan.averaged,
        metric=plan.metric,
        optimizer=plan.optimizer,
        paired=plan.loss in (BCE_LOGITS, SOFTMAX_CE),
        fused=plain and course.batch <= chunk,
        penalised=penalised,
        clip_value=plan.clip_value,
        clip_norm=plan.clip_norm,
        keeps_best=plan.keeps_best,
        epochs=course.epochs,
        log_every=course.log_every,
        batch=course.batch,
        chunk=chunk,
        full=course.judges_steps,
        narrow=False,
    )
