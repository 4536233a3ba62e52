"""Numbers too small to be normal: kernels set them to zero, because many processors compute with them in microcode.

On x86 the bits FTZ (results) and DAZ (operands) of the MXCSR register say so, for the calling thread; elsewhere the
functions here do nothing. They are set before a kernel is called and put back after it, each in a call of its own, so
that no compiler moves arithmetic across.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import signature

from chainrule.engines.compiled.cache import kernel
from chainrule.engines.compiled.simd import built_in

FLUSH_TO_ZERO_AND_DENORMALS_ARE_ZERO = 0x8040
IS_X86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")


def _access(builder: Any, name: str, slot: Any) -> None:
    """Store the register to memory, or load it from there."""
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{name}")
    builder.call(function, [builder.bitcast(slot, ir.IntType(8).as_pointer())])


@built_in
def flush_denormals(typingctx: Any) -> Any:
    """Set small numbers to zero from now on in this thread; return what `restore_denormals` needs."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        slot = cgutils.alloca_once_value(builder, ir.Constant(ir.IntType(32), 0))
        if IS_X86:
            _access(builder, "stmxcsr", slot)
            before = builder.load(slot)
            builder.store(builder.or_(before, ir.Constant(ir.IntType(32), FLUSH_TO_ZERO_AND_DENORMALS_ARE_ZERO)), slot)
            _access(builder, "ldmxcsr", slot)
            return before
        return builder.load(slot)

    return signature(types.int32), codegen


@built_in
def restore_denormals(typingctx: Any, before: Any) -> Any:
    """Put back what `flush_denormals` returned."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if IS_X86:
            slot = cgutils.alloca_once_value(builder, args[0])
            _access(builder, "ldmxcsr", slot)
        return context.get_dummy_value()

    return signature(types.void, types.int32), codegen


@kernel
def _flush() -> int:
    """Compiled `flush_denormals`."""
    before: int = flush_denormals()
    return before


@kernel
def _restore(before: int) -> None:
    """Compiled `restore_denormals`."""
    restore_denormals(before)


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Set small numbers to zero in this thread while the block runs: around kernels, never around Python code."""
    before = np.int32(_flush())
    try:
        yield
    finally:
        _restore(before)
