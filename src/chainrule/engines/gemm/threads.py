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

ARRIVED, MEETINGS = 0, 8
GATE_SIZE = 16
"""Entries of a gate (int64): how many have arrived, and how many meetings there have been, a cache line each."""
PATIENT_LOOKS = 500
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


@called
def meet(gate: Pointer, threads: int) -> None:
    """Wait until all threads have come here; then each sees what the others have written."""
    if threads == 1:
        return
    meetings = look_at(gate, MEETINGS)
    if add_atomically(gate, ARRIVED, 1) == threads - 1:
        publish(gate, ARRIVED, 0)
        publish(gate, MEETINGS, meetings + 1)
        return
    looks = 0
    while look_at(gate, MEETINGS) == meetings:
        looks += 1
        if looks < PATIENT_LOOKS:
            rest()
        else:
            step_aside()
