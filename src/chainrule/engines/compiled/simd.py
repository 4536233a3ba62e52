"""Explicit SIMD for Numba: a vector type of `lanes` floats, and pointers that load and store it.

Numba vectorises plain loops when LLVM sees how; it seldom keeps a tile of accumulators in registers, and how it
orders a sum is its own choice. Here a vector is a type of its own (an LLVM ``<lanes x float>``), so a kernel says
what stays in registers and in which order numbers are added: a result has the same bits whatever the machine's
register width, for LLVM splits or joins vectors without reordering anything.

A kernel gets a `Pointer` from an array and a *width tag*, a tuple of `lanes` zeros whose type carries the number of
lanes, so that one kernel serves every type and width:

    p = pointer(array, width)          # array: 1-D, contiguous, float32 or float64
    v = load(p, 3 * lanes_of(p))       # offsets count floats, not vectors
    store(p, 0, fma(v, splat(v, 2.0), v))

All operations are element by element. ``minimum`` and ``maximum`` hand on NaN, as NumPy's do.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

Vector: TypeAlias = Any
"""A vector of floats, in the signature of a compiled helper."""
Mask: TypeAlias = Any
"""A vector of truth values."""
Pointer: TypeAlias = Any
"""A pointer to floats."""


class VectorType(types.Type):
    """A vector of `lanes` floats of type `dtype`."""

    def __init__(self, dtype: Any, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"simd({dtype} x {lanes})")


class MaskType(types.Type):
    """A vector of `lanes` truth values: what a comparison gives."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"simd_mask({lanes})")


class PointerType(types.Type):
    """An address of floats that are loaded and stored `lanes` at a time."""

    def __init__(self, dtype: Any, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"simd_pointer({dtype} x {lanes})")


def _float(dtype: Any) -> ir.Type:
    if isinstance(dtype, types.Integer):
        return ir.IntType(dtype.bitwidth)
    return ir.FloatType() if dtype == types.float32 else ir.DoubleType()


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: VectorType) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(_float(fe_type.dtype), fe_type.lanes))


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: MaskType) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(ir.IntType(1), fe_type.lanes))


@register_model(PointerType)
class _PointerModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: PointerType) -> None:
        super().__init__(dmm, fe_type, _float(fe_type.dtype).as_pointer())


def width_tag(lanes: int) -> tuple[int, ...]:
    """Return the tag that tells a kernel its number of lanes, a power of two."""
    return (0,) * lanes


def built_in(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that writes LLVM code callable from kernels."""
    made: Callable[..., Any] = intrinsic(function)
    return made


# -- arithmetic operators ----------------------------------------------------------------------------------


def _binary(operation: Any, method: str) -> None:
    """Give two vectors of one type an arithmetic operator."""

    class Typing(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and isinstance(args[0], VectorType) and args[0] == args[1]:
                return signature(args[0], *args)
            return None

    infer_global(operation)(Typing)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, method)(*args)

    lower_builtin(operation, VectorType, VectorType)(lower)


_binary(operator.add, "fadd")
_binary(operator.sub, "fsub")
_binary(operator.mul, "fmul")
_binary(operator.truediv, "fdiv")


# -- pointers ----------------------------------------------------------------------------------------------


@built_in
def pointer(typingctx: Any, array: Any, width: Any) -> Any:
    """Return a pointer to the first float of a contiguous array; the array must outlive it."""
    result = PointerType(array.dtype, len(width))

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0]).data

    return signature(result, array, width), codegen


@built_in
def offset(typingctx: Any, p: Any, i: Any) -> Any:
    """Return the pointer moved on by `i` floats."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return signature(p, p, types.intp), codegen


@built_in
def lanes_of(typingctx: Any, p: Any) -> Any:
    """Return the number of lanes of a pointer or a vector, a constant of its type."""
    lanes = p.lanes

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(ir.IntType(64), lanes)

    return signature(types.intp, p), codegen


def _size(dtype: Any) -> int:
    return 4 if dtype == types.float32 else 8


@built_in
def load(typingctx: Any, p: Any, i: Any) -> Any:
    """Return the vector of the floats from p[i] on."""
    vector = VectorType(p.dtype, p.lanes)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = builder.gep(args[0], [args[1]])
        llvm = context.get_value_type(vector)
        return builder.load(builder.bitcast(address, llvm.as_pointer()), align=_size(p.dtype))

    return signature(vector, p, types.intp), codegen


@built_in
def store(typingctx: Any, p: Any, i: Any, v: Any) -> Any:
    """Write a vector to the floats from p[i] on."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = builder.gep(args[0], [args[1]])
        llvm = context.get_value_type(sig.args[2])
        builder.store(args[2], builder.bitcast(address, llvm.as_pointer()), align=_size(p.dtype))
        return context.get_dummy_value()

    return signature(types.void, p, types.intp, v), codegen


@built_in
def load_scalar(typingctx: Any, p: Any, i: Any) -> Any:
    """Return the float p[i]."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(builder.gep(args[0], [args[1]]))

    return signature(p.dtype, p, types.intp), codegen


@built_in
def store_scalar(typingctx: Any, p: Any, i: Any, value: Any) -> Any:
    """Write the float p[i]; another float type is converted."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], builder.gep(args[0], [args[1]]))
        return context.get_dummy_value()

    return signature(types.void, p, types.intp, p.dtype), codegen


@infer_global(operator.getitem)
class _PointerGet(AbstractTemplate):
    """p[i] is `load_scalar`: small tables of sizes and places read like arrays, but cost no reference counts."""

    def generic(self, args: Any, kws: Any) -> Any:
        if isinstance(args[0], PointerType) and isinstance(args[1], types.Integer):
            return signature(args[0].dtype, args[0], types.intp)
        return None


def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.load(builder.gep(args[0], [args[1]]))


lower_builtin(operator.getitem, PointerType, types.Integer)(_get)


@infer_global(operator.setitem)
class _PointerSet(AbstractTemplate):
    """p[i] = x is `store_scalar`."""

    def generic(self, args: Any, kws: Any) -> Any:
        if isinstance(args[0], PointerType) and isinstance(args[1], types.Integer):
            return signature(types.none, args[0], types.intp, args[0].dtype)
        return None


def _set(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], builder.gep(args[0], [args[1]]))
    return context.get_dummy_value()


lower_builtin(operator.setitem, PointerType, types.Integer, types.Any)(_set)


# -- making vectors ----------------------------------------------------------------------------------------


def _spread(builder: Any, scalar: Any, llvm: ir.VectorType) -> Any:
    """Copy a scalar to all lanes."""
    first = builder.insert_element(ir.Constant(llvm, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    lanes = ir.VectorType(ir.IntType(32), llvm.count)
    return builder.shuffle_vector(first, ir.Constant(llvm, ir.Undefined), ir.Constant(lanes, [0] * llvm.count))


@built_in
def splat(typingctx: Any, like: Any, value: Any) -> Any:
    """Return a vector with `value` in all lanes, of the type of `like` (a vector or a pointer)."""
    vector = VectorType(like.dtype, like.lanes)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _spread(builder, args[1], context.get_value_type(vector))

    return signature(vector, like, like.dtype), codegen


@built_in
def splat_at(typingctx: Any, p: Any, i: Any) -> Any:
    """Return a vector with p[i] in all lanes."""
    vector = VectorType(p.dtype, p.lanes)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        scalar = builder.load(builder.gep(args[0], [args[1]]))
        return _spread(builder, scalar, context.get_value_type(vector))

    return signature(vector, p, types.intp), codegen


@built_in
def lane(typingctx: Any, v: Any, i: Any) -> Any:
    """Return one lane of a vector as a float."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.extract_element(args[0], builder.trunc(args[1], ir.IntType(32)))

    return signature(v.dtype, v, types.intp), codegen


@built_in
def put_lane(typingctx: Any, v: Any, i: Any, value: Any) -> Any:
    """Return the vector with one lane replaced."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.insert_element(args[0], args[2], builder.trunc(args[1], ir.IntType(32)))

    return signature(v, v, types.intp, v.dtype), codegen


# -- element by element ------------------------------------------------------------------------------------


def _elementwise(name: str, arguments: int) -> Callable[..., Any]:
    """Return an intrinsic that LLVM has for vectors under ``llvm.<name>``."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        llvm = context.get_value_type(sig.return_type)
        kind = f"v{llvm.count}f{32 if sig.return_type.dtype == types.float32 else 64}"
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(llvm, [llvm] * arguments), f"llvm.{name}.{kind}"
        )
        return builder.call(function, args)

    def one(typingctx: Any, a: Any) -> Any:
        return signature(a, a), codegen

    def two(typingctx: Any, a: Any, b: Any) -> Any:
        return signature(a, a, a), codegen

    def three(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
        return signature(a, a, a, a), codegen

    choices: dict[int, Callable[..., Any]] = {1: one, 2: two, 3: three}
    return built_in(choices[arguments])


fma = _elementwise("fma", 3)
"""a * b + c, rounded once."""
sqrt = _elementwise("sqrt", 1)
absolute = _elementwise("fabs", 1)
round_even = _elementwise("rint", 1)
copysign = _elementwise("copysign", 2)


def _nan_passing(order: str) -> Callable[..., Any]:
    def generate(typingctx: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            x, y = args
            taken = builder.select(builder.fcmp_ordered(order, x, y), x, y)
            return builder.select(builder.fcmp_unordered("uno", x, x), x, taken)

        return signature(a, a, a), codegen

    return built_in(generate)


minimum = _nan_passing("<")
maximum = _nan_passing(">")


@built_in
def greater(typingctx: Any, a: Any, b: Any) -> Any:
    """Return where a > b; false for NaN."""
    mask = MaskType(a.lanes)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.fcmp_ordered(">", args[0], args[1])

    return signature(mask, a, a), codegen


@built_in
def at_least(typingctx: Any, a: Any, b: Any) -> Any:
    """Return where a >= b; false for NaN."""
    mask = MaskType(a.lanes)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.fcmp_ordered(">=", args[0], args[1])

    return signature(mask, a, a), codegen


@built_in
def select(typingctx: Any, mask: Any, a: Any, b: Any) -> Any:
    """Return a where the mask holds, else b."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(*args)

    return signature(a, mask, a, a), codegen


# -- float64 sums of float32 vectors -----------------------------------------------------------------------


@built_in
def add_to_doubles(typingctx: Any, p: Any, v: Any) -> Any:
    """Add each lane of a vector, as float64, to the float64 numbers from p[0] on."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        wide = ir.VectorType(ir.DoubleType(), v.lanes)
        address = builder.bitcast(args[0], wide.as_pointer())
        value = builder.fpext(args[1], wide) if v.dtype == types.float32 else args[1]
        builder.store(builder.fadd(builder.load(address, align=8), value), address, align=8)
        return context.get_dummy_value()

    return signature(types.void, p, v), codegen
