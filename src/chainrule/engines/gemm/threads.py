"""How the threads that train one member wait for each other.

All run the same kernel on their own columns. At a few places in a step each needs what the others have computed; there
they meet. Steps take microseconds, so a thread that waits watches a counter instead of going to sleep; when that takes
long, because the machine is busy with other work, it offers its processor to others.
"""

from __future__ import annotations

import os
import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import signature

from chainrule.engines.compiled.cache import called
from chainrule.engines.compiled.simd import Pointer, built_in

ARRIVED, MEETINGS, WAITED, SINCE = 0, 8, 16, 17
GATE_SIZE = 24
"""Entries of a gate (int64): how many have arrived, and how many meetings there have been, a cache line each; how long
the first thread has waited, and since when that is counted."""
PATIENT_LOOKS = 500
WHILE = 40_000_000
"""Ticks after which waiting is judged: some hundredths of a second."""
LONG = ir.IntType(64)


@built_in
def add_atomically(typingctx: Any, p: Any, i: Any, value: Any) -> Any:
    """Add to the integer p[i] and return what it was; nothing moves across in either direction."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", builder.gep(args[0], [args[1]]), args[2], "seq_cst")

    return signature(types.int64, p, types.intp, types.int64), codegen


@built_in
def look_at(typingctx: Any, p: Any, i: Any) -> Any:
    """Return the integer p[i] as another thread may just have published it, with all that it wrote before."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load_atomic(builder.gep(args[0], [args[1]]), "acquire", 8)

    return signature(types.int64, p, types.intp), codegen


@built_in
def publish(typingctx: Any, p: Any, i: Any, value: Any) -> Any:
    """Write the integer p[i] after everything that this thread wrote before."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store_atomic(args[2], builder.gep(args[0], [args[1]]), "release", 8)
        return context.get_dummy_value()

    return signature(types.void, p, types.intp, types.int64), codegen


@built_in
def rest(typingctx: Any) -> Any:
    """Tell the processor that this thread only waits."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if platform.machine().lower() in ("x86_64", "amd64"):
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return signature(types.void), codegen


@built_in
def step_aside(typingctx: Any) -> Any:
    """Offer the processor to other threads."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if os.name == "posix":
            kind = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return signature(types.void), codegen


@built_in
def ticks(typingctx: Any) -> Any:
    """Return a clock's count, of cycles or the like; 0 where there is none."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = ir.FunctionType(LONG, [])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.readcyclecounter"), [])

    return signature(types.int64), codegen


@called
def meet(gate: Pointer, threads: int, mine: int, upto: int) -> None:
    """Wait until all threads have come here; then each sees what the others have written.

    A thread says which panels are its own, from `mine` up to `upto`; one that has all of them waits for nobody.
    """
    if upto - mine == threads:
        return
    meetings = look_at(gate, MEETINGS)
    if add_atomically(gate, ARRIVED, 1) == threads - 1:
        publish(gate, ARRIVED, 0)
        publish(gate, MEETINGS, meetings + 1)
        return
    begun, looks = ticks(), 0
    while look_at(gate, MEETINGS) == meetings:
        looks += 1
        if looks < PATIENT_LOOKS:
            rest()
        else:
            step_aside()
    if mine == 0:
        gate[WAITED] = gate[WAITED] + (ticks() - begun)


@called
def is_held_up(gate: Pointer) -> bool:
    """Whether the first thread, which asks now and then, has spent most of the last while waiting for the others.

    On a busy machine each meeting waits until every thread has got a processor again; one thread alone is faster then.
    """
    now = ticks()
    elapsed = now - gate[SINCE]
    if elapsed < WHILE:
        return False
    held_up: bool = 2 * gate[WAITED] > elapsed and gate[SINCE] != 0
    gate[SINCE], gate[WAITED] = now, 0
    return held_up
