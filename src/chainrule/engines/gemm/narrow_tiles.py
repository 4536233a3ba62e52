"""Register tiles where the lanes are samples, written as LLVM code like those of `tiles`.

They do what `tiles.dense_tile` does. With a few units, computing addresses and finding the next tile would take longer
than the sums; so the host has written all that down (see `narrow_steps`), and a tile reads it from a row of numbers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing import signature

from chainrule.engines.compiled.simd import PointerType, built_in
from chainrule.engines.gemm.records import (
    FOUR,
    LEFT,
    LEFT_ROW,
    OUT,
    OUT_ROW,
    PER_SAMPLE,
    RIGHT,
    RIGHT_ROW,
    START,
    STEPS,
    TILE,
)
from chainrule.engines.gemm.tiles import HAS_32_WIDE_REGISTERS, LONG, Writer

FORWARD, BACK, GRADIENT, DESCENT, TURN = range(5)
"""What a tile does: `out = start + left right`; `out *= left' right`; the sum of a gradient, stored or added to what is
there; the step itself, `out += down * sum`; and `out = left'` for four rows."""
ROW_CHOICES = (4, 2, 1)
MOST_ACROSS = 2 if HAS_32_WIDE_REGISTERS else 1
"""Vectors in a row of a tile, at most."""
AT_ONCE = 4
"""Samples that a round of a loop adds to the gradient."""


def tile_number(kind: int, rows: int, across: int) -> int:
    """Return the number of a tile."""
    return (kind * (ROW_CHOICES[0] + 1) + rows) * (MOST_ACROSS + 1) + across


@built_in
def narrow_tile(typingctx: Any, op: Any, begin: Any, fresh: Any, like: Any) -> Any:
    """Compute a tile of the samples from `begin` on, see `records.TILE`; `like` points to minus the learning rate."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        writer = Writer(context, builder, like)
        cases = {}
        for rows in ROW_CHOICES:
            for across in range(1, MOST_ACROSS + 1):
                for kind in (FORWARD, BACK):
                    cases[tile_number(kind, rows, across)] = partial(_write, writer, kind, rows, across, args)
            for kind in (GRADIENT, DESCENT):
                cases[tile_number(kind, rows, 1)] = partial(_write, writer, kind, rows, 1, args)
        cases[tile_number(TURN, FOUR, 1)] = partial(
            _turn, Writer(context, builder, PointerType(like.dtype, FOUR)), args
        )
        writer.choose(_number(writer, args[0], TILE), cases)
        return context.get_dummy_value()

    return signature(types.void, op, types.intp, types.boolean, like), codegen


def _number(writer: Writer, op: Any, field: int) -> Any:
    return writer.builder.load(writer.at(op, field))


def _place(writer: Writer, args: Any, field: int) -> Any:
    """Return the pointer whose address stands in a field."""
    return writer.builder.inttoptr(_number(writer, args[0], field), args[3].type)


def _write(writer: Writer, kind: int, rows: int, across: int, args: Any) -> None:
    """Write a tile of sums; the gradient's long ones take several samples in a round."""
    op, begin, fresh, down = args
    builder, columns, one, zero = writer.builder, [c * writer.lanes for c in range(across)], _long(1), _long(0)
    left_row, steps, right_row, out_row = (_number(writer, op, f) for f in (LEFT_ROW, STEPS, RIGHT_ROW, OUT_ROW))
    right = writer.at(_place(writer, args, RIGHT), writer.times(begin, _number(writer, op, PER_SAMPLE)))
    left, start, out = (_place(writer, args, field) for field in (LEFT, START, OUT))
    (row, step), start_row = ((one, left_row) if kind == BACK else (left_row, one)), zero
    if kind == GRADIENT:
        start, start_row = builder.select(fresh, start, out), builder.select(fresh, start_row, out_row)
    lefts = [writer.at(left, writer.times(r, row)) for r in range(rows)]
    held = [[writer.accumulator(writer.at(start, writer.times(r, start_row))) for _ in columns] for r in range(rows)]

    def add(at: Any, further: int = 0) -> None:
        place = writer.at(right, writer.times(at, right_row), writer.times(further, right_row))
        vectors = [writer.load(writer.at(place, c)) for c in columns]
        for r in range(rows):
            factor = writer.spread(writer.at(lefts[r], writer.times(at, step), writer.times(further, step)))
            for vector, total in zip(vectors, held[r], strict=True):
                writer.add_product(factor, vector, total)

    first = zero
    if kind in (GRADIENT, DESCENT):
        rounds = builder.udiv(steps, _long(AT_ONCE))
        with writer.each(zero, rounds) as number:
            for further in range(AT_ONCE):
                add(writer.times(number, AT_ONCE), further)
        first = writer.times(rounds, AT_ONCE)
    with writer.each(first, steps) as number:
        add(number)
    for r in range(rows):
        for c, total in zip(columns, held[r], strict=True):
            _finish(writer, kind, writer.at(out, writer.times(r, out_row), c), builder.load(total), down)


def _long(number: int) -> Any:
    return ir.Constant(LONG, number)


def _turn(writer: Writer, args: Any) -> None:
    """Transpose four rows, a square at a time: pairs of rows are mixed, and then halves of them."""
    builder, kind = writer.builder, ir.VectorType(ir.IntType(32), FOUR)
    left_row, steps, out_row = (_number(writer, args[0], field) for field in (LEFT_ROW, STEPS, OUT_ROW))
    left, out = _place(writer, args, LEFT), _place(writer, args, OUT)

    def mixed(one: Any, other: Any, lanes: tuple[int, ...]) -> Any:
        return builder.shuffle_vector(one, other, ir.Constant(kind, list(lanes)))

    with writer.each(_long(0), builder.udiv(builder.add(steps, _long(FOUR - 1)), _long(FOUR))) as number:
        s = writer.times(number, FOUR)
        a, b, c, d = (writer.load(writer.at(left, writer.times(r, left_row), s)) for r in range(FOUR))
        rows = []
        for half in ((0, 4, 1, 5), (2, 6, 3, 7)):
            ab, cd = mixed(a, b, half), mixed(c, d, half)
            rows += [mixed(ab, cd, (0, 1, 4, 5)), mixed(ab, cd, (2, 3, 6, 7))]
        for r, row in enumerate(rows):
            writer.store(writer.at(out, writer.times(s, out_row), writer.times(r, out_row)), row)


def _finish(writer: Writer, kind: int, p: Any, total: Any, down: Any) -> None:
    if kind == BACK:
        total = writer.builder.fmul(total, writer.load(p))
    elif kind == DESCENT:
        total = writer.builder.call(writer.fma, [writer.load(down), total, writer.load(p)])
    writer.store(p, total)


@built_in
def floats_at(typingctx: Any, op: Any, field: Any, like: Any) -> Any:
    """Return the pointer whose address is ``op[field]``, of the type of `like`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.inttoptr(builder.load(builder.gep(args[0], [args[1]])), args[2].type)

    return signature(like, op, types.intp, like), codegen
