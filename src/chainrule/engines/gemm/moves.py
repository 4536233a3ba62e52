"""Moving floats: transposed squares, columns gathered into vectors, copies, and cache lines asked for ahead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import signature

from chainrule.engines.compiled.simd import PointerType, VectorType, built_in
from chainrule.engines.gemm.tiles import LONG, Writer


@built_in
def transpose_square(typingctx: Any, a: Any, a_row: Any, out: Any, out_row: Any) -> Any:
    """Write the transpose of a square of as many rows and columns as a vector has lanes."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        writer = Writer(context, builder, a)
        source, source_row, target, target_row = args
        rows = [writer.load(writer.at(source, writer.times(r, source_row))) for r in range(a.lanes)]
        for r, row in enumerate(_transposed(builder, rows)):
            writer.store(writer.at(target, writer.times(r, target_row)), row)
        return context.get_dummy_value()

    return signature(types.void, a, types.intp, out, types.intp), codegen


@built_in
def add_columns(typingctx: Any, held: Any, p: Any) -> Any:
    """Return a vector plus the columns of the square at `p`, one after the other; the square never leaves registers."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        writer = Writer(context, builder, p)
        rows = [writer.load(writer.at(args[1], r * p.lanes)) for r in range(p.lanes)]
        total = args[0]
        for one in _transposed(builder, rows):
            total = builder.fadd(total, one)
        return total

    return signature(held, held, p), codegen


@built_in
def store_rows(typingctx: Any, v: Any, pitch: Any, p: Any, rows: Any) -> Any:
    """Write the parts of a vector, `pitch` lanes each, to the beginnings of up to `rows` vectors; zeros come after.

    `pitch` is a power of two.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        writer, lanes = Writer(context, builder, p), p.lanes
        zero = ir.Constant(writer.vector, None)

        def write(size: int) -> None:
            for r in range(lanes // size):
                with builder.if_then(builder.icmp_signed(">", args[3], ir.Constant(LONG, r))):
                    part = _mixed(builder, args[0], zero, [r * size + k if k < size else lanes for k in range(lanes)])
                    writer.store(writer.at(args[2], r * lanes), part)

        sizes = [2**k for k in range(lanes.bit_length())]
        writer.choose(args[1], {size: partial(write, size) for size in sizes})
        return context.get_dummy_value()

    return signature(types.void, v, types.intp, p, types.intp), codegen


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Exchange blocks off the diagonal, of half the size in each round (Eklundh 1972)."""
    lanes, distance = len(rows), len(rows) // 2
    while distance:
        for r in (r for r in range(lanes) if not r & distance):
            s = r + distance
            # lane k of the first vector is number k, lane k of the second is number lanes + k
            upper = [k if not k & distance else lanes + k - distance for k in range(lanes)]
            lower = [k + distance if not k & distance else lanes + k for k in range(lanes)]
            rows[r], rows[s] = (_mixed(builder, rows[r], rows[s], pattern) for pattern in (upper, lower))
        distance //= 2
    return rows


def _mixed(builder: Any, one: Any, other: Any, pattern: Sequence[int]) -> Any:
    kind = ir.VectorType(ir.IntType(32), len(pattern))
    return builder.shuffle_vector(one, other, ir.Constant(kind, list(pattern)))


@built_in
def column(typingctx: Any, p: Any, row: Any) -> Any:
    """Return a vector of p[0], p[row], p[2 * row] and so on.

    Put together in a register: a vector that is loaded from where single floats have just been stored has to wait.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        writer = Writer(context, builder, p)
        return writer.gathered([writer.at(args[0], writer.times(k, args[1])) for k in range(p.lanes)])

    return signature(VectorType(p.dtype, p.lanes), p, types.intp), codegen


@built_in
def column_in_order(typingctx: Any, p: Any, row: Any, order: Any, rows: Any) -> Any:
    """Return a vector of p[order[0] * row], p[order[1] * row] and so on; past `rows` the last of them again."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        writer, places = Writer(context, builder, p), []
        last = builder.sub(args[3], ir.Constant(LONG, 1))
        for k in (ir.Constant(LONG, k) for k in range(p.lanes)):
            number = builder.select(builder.icmp_signed("<", k, last), k, last)
            index = builder.sext(builder.load(builder.gep(args[2], [number])), LONG)
            places.append(writer.at(args[0], writer.times(index, args[1])))
        return writer.gathered(places)

    return signature(VectorType(p.dtype, p.lanes), p, types.intp, order, types.intp), codegen


@built_in
def first_lanes(typingctx: Any, like: Any, p: Any, row: Any, k: Any) -> Any:
    """Return a vector as `like` has them of p[0], p[row] and p[2 * row] as far as k goes, at most 3, and zeros."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        writer, zero = Writer(context, builder, like), ir.Constant(context.get_value_type(p.dtype), 0.0)
        args, vector = args[1:], ir.Constant(writer.vector, [zero.constant] * like.lanes)
        for j in range(3):
            exists = builder.icmp_signed(">", args[2], ir.Constant(LONG, j))
            place = builder.select(exists, writer.at(args[0], writer.times(j, args[1])), args[0])
            value = builder.select(exists, builder.load(place), zero)
            vector = builder.insert_element(vector, value, ir.Constant(ir.IntType(32), j))
        return vector

    return signature(VectorType(p.dtype, like.lanes), like, p, types.intp, types.intp), codegen


@built_in
def copy_floats(typingctx: Any, p: Any, to: Any, floats: Any) -> Any:
    """Copy floats; they must not overlap."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        cgutils.raw_memcpy(builder, args[1], args[0], args[2], 4 if p.dtype == types.float32 else 8)
        return context.get_dummy_value()

    return signature(types.void, p, to, types.intp), codegen


def _with_lanes(lanes: int) -> Callable[..., Any]:
    """Return an intrinsic that makes a pointer one to vectors of so many lanes."""

    def made(typingctx: Any, p: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return args[0]

        return signature(PointerType(p.dtype, lanes), p), codegen

    return built_in(made)


single = _with_lanes(1)
"""The pointer as one to single floats: vectors of one lane."""
in_fours = _with_lanes(4)
"""The pointer as one to vectors of four lanes."""


@built_in
def fetch_ahead(typingctx: Any, p: Any, i: Any) -> Any:
    """Ask for the cache line of p[i], which will be read a little later."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        number, address = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [address, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        place = builder.bitcast(builder.gep(args[0], [args[1]]), address)
        read, second_level, data = (ir.Constant(number, value) for value in (0, 2, 1))
        builder.call(function, [place, read, second_level, data])
        return context.get_dummy_value()

    return signature(types.void, p, types.intp), codegen


@built_in
def all_lanes(typingctx: Any, mask: Any) -> Any:
    """Whether a mask holds in all lanes."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = ir.IntType(mask.lanes)
        return builder.icmp_signed("==", builder.bitcast(args[0], bits), ir.Constant(bits, -1))

    return signature(types.boolean, mask), codegen
