"""Register tiles: small sums of products whose accumulators stay in registers, written as LLVM code.

Every accumulator is one chain of fused multiply-adds in ascending order, so that a sum has the same bits whatever the
tile it is computed in. The shapes that suit the registers of this processor are compiled; which of them is taken is
decided when the tile is called.

What becomes of the sums is the caller's choice: `STORE` writes them, `DESCEND` moves weights against them
(w <- w + down * sum, one rounding), `TIMES` multiplies what is there by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import signature

from chainrule.engines.compiled.simd import PointerType, VectorType, built_in

STORE, DESCEND, TIMES = range(3)
HAS_32_WIDE_REGISTERS = "avx512f" in {name for name, on in llvmlite.binding.get_host_cpu_features().items() if on}
ROW_CHOICES = (8, 4, 2, 1) if HAS_32_WIDE_REGISTERS else (4, 2, 1)
MOST_ROWS = ROW_CHOICES[0]
MOST_VECTORS = 3 if HAS_32_WIDE_REGISTERS else 1
MOST_GATHERED = 10 if HAS_32_WIDE_REGISTERS else 4
"""Rows and vectors of a dense tile, and vectors of a row of gathered sums, at most."""

Values = Sequence[Any]
LONG = ir.IntType(64)


class Writer:
    """Writes the loads, stores and sums of a tile.

    Parameters
    ----------
    context, builder : Any
        What Numba hands to a function that writes code.
    p : PointerType
        Floats of the tile's type.
    """

    def __init__(self, context: Any, builder: Any, p: PointerType) -> None:
        self.builder, self.lanes = builder, p.lanes
        self.bytes = 4 if p.dtype == types.float32 else 8
        self.vector = context.get_value_type(VectorType(p.dtype, p.lanes))
        lanes = ir.VectorType(ir.IntType(32), p.lanes)
        self.first_lane = ir.Constant(lanes, [0] * p.lanes)
        kind = f"v{p.lanes}f{8 * self.bytes}"
        form = ir.FunctionType(self.vector, [self.vector] * 3)
        self.fma = cgutils.get_or_insert_function(builder.module, form, f"llvm.fma.{kind}")

    def at(self, p: Any, *parts: Any) -> Any:
        """Return the address `p` moved on by the sum of `parts` floats."""
        for part in parts:
            p = self.builder.gep(p, [ir.Constant(LONG, part) if isinstance(part, int) else part])
        return p

    def times(self, a: Any, b: Any) -> Any:
        """Return the product of two whole numbers, of which one may be known already."""
        known = [ir.Constant(LONG, x) if isinstance(x, int) else x for x in (a, b)]
        return self.builder.mul(*known)

    def load(self, p: Any) -> Any:
        """Load a vector."""
        return self.builder.load(self.builder.bitcast(p, self.vector.as_pointer()), align=self.bytes)

    def store(self, p: Any, value: Any) -> None:
        """Store a vector."""
        self.builder.store(value, self.builder.bitcast(p, self.vector.as_pointer()), align=self.bytes)

    def spread(self, p: Any) -> Any:
        """Load a float into all lanes."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        one = self.builder.insert_element(undefined, self.builder.load(p), ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(one, undefined, self.first_lane)

    def gathered(self, places: Sequence[Any]) -> Any:
        """Load a float from each place into a lane of its own."""
        vector = ir.Constant(self.vector, ir.Undefined)
        for k, place in enumerate(places):
            vector = self.builder.insert_element(vector, self.builder.load(place), ir.Constant(ir.IntType(32), k))
        return vector

    def add_product(self, a: Any, b: Any, to: Any) -> None:
        """Add a * b to an accumulator, rounded once."""
        self.builder.store(self.builder.call(self.fma, [a, b, self.builder.load(to)]), to)

    def accumulator(self, start: Any) -> Any:
        """Return a new accumulator that holds the vector at `start`; LLVM keeps it in a register."""
        made = cgutils.alloca_once(self.builder, self.vector)
        self.builder.store(self.load(start), made)
        return made

    def finish(self, how: Any, down: Any, sums: Sequence[tuple[Any, Any]]) -> None:
        """Do with (accumulator, address) pairs what `how` says."""
        with self.builder.if_else(self.builder.icmp_signed("==", how, ir.Constant(LONG, STORE))) as (plain, other):
            with plain:
                for held, p in sums:
                    self.store(p, self.builder.load(held))
            with other:
                descends = self.builder.icmp_signed("==", how, ir.Constant(LONG, DESCEND))
                with self.builder.if_else(descends) as (descend, multiply):
                    with descend:
                        factor = self.load(down)
                        for held, p in sums:
                            moved = self.builder.call(self.fma, [factor, self.builder.load(held), self.load(p)])
                            self.store(p, moved)
                    with multiply:
                        for held, p in sums:
                            self.store(p, self.builder.fmul(self.builder.load(held), self.load(p)))

    @contextmanager
    def each(self, first: Any, last: Any) -> Iterator[Any]:
        """Write a loop over whole numbers from `first` up to `last`, the only one there is for them.

        LLVM would do several rounds at once and then the rest: with a few rounds that is a jump more to foresee.
        """
        before = self.builder.block
        test, body, after = (self.builder.append_basic_block(name) for name in ("test", "body", "after"))
        self.builder.branch(test)
        self.builder.position_at_end(test)
        number = self.builder.phi(LONG)
        number.add_incoming(first, before)
        self.builder.cbranch(self.builder.icmp_signed("<", number, last), body, after)
        self.builder.position_at_end(body)
        yield number
        number.add_incoming(self.builder.add(number, ir.Constant(LONG, 1)), self.builder.block)
        self.builder.branch(test).set_metadata("llvm.loop", self._once())
        self.builder.position_at_end(after)

    def _once(self) -> Any:
        """Return the property of a loop whose rounds are not to be written out; such a node names itself first."""
        module = self.builder.module
        off = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
        node = ir.MDValue(module, [off], name=str(len(module.metadata)))
        node.operands = (node, off)
        return node

    def choose(self, which: Any, cases: Mapping[int, Callable[[], None]]) -> None:
        """Write all cases and a jump to the one whose number is `which`."""
        end = self.builder.append_basic_block("chosen")
        switch = self.builder.switch(which, end)
        for number, write in cases.items():
            block = self.builder.append_basic_block(f"case_{number}")
            switch.add_case(ir.Constant(LONG, number), block)
            self.builder.position_at_end(block)
            write()
            self.builder.branch(end)
        self.builder.position_at_end(end)


@built_in
def dense_tile(
    typingctx: Any, rows: Any, vectors: Any, a: Any, a_row: Any, a_step: Any, steps: Any, b: Any, b_step: Any,
    start: Any, start_row: Any, out: Any, out_row: Any, how: Any, down: Any,
) -> Any:  # fmt: skip
    """Compute sum_k a[r, k] b[k, :] for some rows r and a few vectors of columns, from start[r, :] on.

    ``a[r, k]`` stands at ``a + r * a_row + k * a_step``, ``b[k, :]`` at ``b + k * b_step``, ``start[r, :]`` at
    ``start + r * start_row`` and the result at ``out + r * out_row``. `rows` is one of `ROW_CHOICES`, `vectors` at most
    `MOST_VECTORS`.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        writer = Writer(context, builder, a)
        which = builder.add(writer.times(args[0], MOST_VECTORS + 1), args[1])
        cases = {
            (MOST_VECTORS + 1) * r + c: partial(_write_dense, writer, r, c, args[2:])
            for r in ROW_CHOICES
            for c in range(1, MOST_VECTORS + 1)
        }
        writer.choose(which, cases)
        return context.get_dummy_value()

    n = types.intp
    return signature(types.void, n, n, a, n, n, n, b, n, start, n, out, n, n, down), codegen


def _write_dense(writer: Writer, rows: int, vectors: int, args: Values) -> None:
    a, a_row, a_step, steps, b, b_step, start, start_row, out, out_row, how, down = args
    columns = [c * writer.lanes for c in range(vectors)]
    begun = [writer.at(start, writer.times(r, start_row)) for r in range(rows)]
    held = [[writer.accumulator(writer.at(begun[r], c)) for c in columns] for r in range(rows)]
    a_rows = [writer.at(a, writer.times(r, a_row)) for r in range(rows)]
    with writer.each(ir.Constant(LONG, 0), steps) as step:
        row_of_b = writer.at(b, writer.times(step, b_step))
        right = [writer.load(writer.at(row_of_b, c)) for c in columns]
        place = writer.times(step, a_step)
        for r in range(rows):
            left = writer.spread(writer.at(a_rows[r], place))
            for c in range(vectors):
                writer.add_product(left, right[c], held[r][c])
    sums = []
    for r in range(rows):
        row = writer.at(out, writer.times(r, out_row))
        sums += [(held[r][c], writer.at(row, columns[c])) for c in range(vectors)]
    writer.finish(how, down, sums)


@built_in
def gathered_row(
    typingctx: Any, vectors: Any, values: Any, indices: Any, first: Any, last: Any, b: Any, b_step: Any, start: Any,
    out: Any, how: Any, down: Any,
) -> Any:  # fmt: skip
    """Compute sum_p values[p] b[indices[p], :] for p from `first` up to `last`, from start[:] on.

    The row ``b[i, :]`` stands at ``b + i * b_step``; `vectors` is at most `MOST_GATHERED`.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        writer = Writer(context, builder, b)
        cases = {c: partial(_write_gathered, writer, c, args[1:]) for c in range(1, MOST_GATHERED + 1)}
        writer.choose(args[0], cases)
        return context.get_dummy_value()

    n = types.intp
    return signature(types.void, n, values, indices, n, n, b, n, start, out, n, down), codegen


def _write_gathered(writer: Writer, vectors: int, args: Values) -> None:
    values, indices, first, last, b, b_step, start, out, how, down = args
    columns = [c * writer.lanes for c in range(vectors)]
    held = [writer.accumulator(writer.at(start, c)) for c in columns]
    with writer.each(first, last) as p:
        index = writer.builder.sext(writer.builder.load(writer.at(indices, p)), LONG)
        row = writer.at(b, writer.times(index, b_step))
        left = writer.spread(writer.at(values, p))
        for c in range(vectors):
            writer.add_product(left, writer.load(writer.at(row, columns[c])), held[c])
    writer.finish(how, down, [(held[c], writer.at(out, columns[c])) for c in range(vectors)])


@built_in
def descend_rows(
    typingctx: Any, vectors: Any, values: Any, indices: Any, first: Any, last: Any, delta: Any, out: Any, out_row: Any,
    down: Any,
) -> Any:  # fmt: skip
    """Move the weights of one sample's inputs: out[indices[p], :] += down * (values[p] * delta[:]), p as before."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        writer = Writer(context, builder, out)
        cases = {c: partial(_write_descent, writer, c, args[1:]) for c in range(1, MOST_GATHERED + 1)}
        writer.choose(args[0], cases)
        return context.get_dummy_value()

    n = types.intp
    return signature(types.void, n, values, indices, n, n, delta, out, n, down), codegen


def _write_descent(writer: Writer, vectors: int, args: Values) -> None:
    values, indices, first, last, delta, out, out_row, down = args
    columns = [c * writer.lanes for c in range(vectors)]
    held, factor = [writer.load(writer.at(delta, c)) for c in columns], writer.load(down)
    with writer.each(first, last) as p:
        index = writer.builder.sext(writer.builder.load(writer.at(indices, p)), LONG)
        row = writer.at(out, writer.times(index, out_row))
        left = writer.spread(writer.at(values, p))
        for c in range(vectors):
            place = writer.at(row, columns[c])
            step = writer.builder.fmul(left, held[c])
            writer.store(place, writer.builder.call(writer.fma, [factor, step, writer.load(place)]))
