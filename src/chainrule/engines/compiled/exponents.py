"""The exponent of a float, as bits: powers of two in one shift, and the exponents of a vector's numbers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing import signature

from chainrule.engines.compiled.simd import built_in


def _integer(dtype: Any) -> ir.Type:
    return ir.IntType(32 if dtype == types.float32 else 64)


def _mantissa_bits(dtype: Any) -> int:
    return 23 if dtype == types.float32 else 52


def _bias(dtype: Any) -> int:
    return 127 if dtype == types.float32 else 1023


@built_in
def fold_exponent(typingctx: Any, n: Any) -> Any:
    """Return 2^n for whole n between the exponents of the smallest and the largest normal float."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        llvm = context.get_value_type(n)
        whole = ir.VectorType(_integer(n.dtype), llvm.count)
        biased = builder.add(builder.fptosi(args[0], whole), ir.Constant(whole, [_bias(n.dtype)] * llvm.count))
        shifted = builder.shl(biased, ir.Constant(whole, [_mantissa_bits(n.dtype)] * llvm.count))
        return builder.bitcast(shifted, llvm)

    return signature(n, n), codegen


@built_in
def split_exponent(typingctx: Any, v: Any) -> Any:
    """Return the exponent n (as floats) of normal positive v = 2^n m, with m in [1, 2)."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        llvm = context.get_value_type(v)
        whole = ir.VectorType(_integer(v.dtype), llvm.count)
        bits = builder.lshr(builder.bitcast(args[0], whole), ir.Constant(whole, [_mantissa_bits(v.dtype)] * llvm.count))
        return builder.sitofp(builder.sub(bits, ir.Constant(whole, [_bias(v.dtype)] * llvm.count)), llvm)

    return signature(v, v), codegen
