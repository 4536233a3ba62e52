"""The register tile of the images engine: sums of products along lists of addresses.

    out[p, f] = start[f] + sum_n left[place p, n] * right[n, f]

`left` are vectors of samples. `right` are weights, each spread over the lanes, or vectors of samples too (deltas).
Every sum is one chain of fused multiply-adds in the order of the list, so its bits do not depend on the tile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import signature

from chainrule.engines.compiled.simd import built_in
from chainrule.engines.gemm.tiles import HAS_32_WIDE_REGISTERS, LONG, Values, Writer

SHAPES = (
    {8: (3, 2, 1), 4: (6, 4, 2, 1), 2: (8, 4, 2, 1), 1: (8, 4, 2, 1)}
    if HAS_32_WIDE_REGISTERS
    else {4: (1,), 2: (2, 1), 1: (4, 2, 1)}
)
"""For so many columns the numbers of places that a tile may have: its sums stay in registers."""
MOST_COLUMNS, FEWER = max(SHAPES), 16
WIDEST = {columns: places[0] for columns, places in SHAPES.items()}


@built_in
def place_tile(
    typingctx: Any, spread: Any, places: Any, columns: Any, left: Any, in_places: Any, left_steps: Any, right: Any,
    right_steps: Any, steps: Any, start: Any, goes_on: Any, out: Any, out_places: Any, positive: Any,
) -> Any:  # fmt: skip
    """Compute a tile; `places` and `columns` are one of `SHAPES`.

    ``left[p, n]`` stands at ``left + in_places[p] + left_steps[n]`` and ``right[n, f]`` at ``right + right_steps[n]``
    plus f floats, or f vectors unless `spread`. The sums are written to ``out + out_places[p]`` and vectors after it.
    With `spread` they start from ``start[f]`` in all lanes, and those that are not above 0 become 0 if only `positive`
    ones are wanted; else from 0, or from what is there if the sum `goes_on`.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        writer = Writer(context, builder, left)
        which = builder.add(writer.times(args[1], FEWER), args[2])
        which = builder.select(args[0], which, builder.add(which, ir.Constant(LONG, FEWER * FEWER)))
        cases = {
            FEWER * FEWER * (not spread) + FEWER * p + f: partial(_write, writer, p, f, spread, args[3:])
            for spread in (True, False)
            for f, choices in SHAPES.items()
            for p in choices
        }
        writer.choose(which, cases)
        return context.get_dummy_value()

    n = types.intp
    i = in_places
    form = (types.boolean, n, n, left, i, i, right, i, n, start, types.boolean, out, i, types.boolean)
    return signature(types.void, *form), codegen


def _write(writer: Writer, places: int, columns: int, spread: bool, args: Values) -> None:
    left, in_places, left_steps, right, right_steps, steps, start, goes_on, out, out_places, positive = args
    builder, lanes = writer.builder, writer.lanes

    def number(table: Any, k: Any) -> Any:
        return builder.sext(builder.load(writer.at(table, k)), LONG)

    def accumulator(value: Any) -> Any:
        made = cgutils.alloca_once(builder, writer.vector)
        builder.store(value, made)
        return made

    zero, results = ir.Constant(writer.vector, None), [writer.at(out, number(out_places, p)) for p in range(places)]
    if spread:
        starts = [writer.spread(writer.at(start, f)) for f in range(columns)]
        held = [[accumulator(one) for one in starts] for _ in range(places)]
    else:
        there = [[writer.load(writer.at(row, f * lanes)) for f in range(columns)] for row in results]
        held = [[accumulator(builder.select(goes_on, one, zero)) for one in row] for row in there]
    begun = [writer.at(left, number(in_places, p)) for p in range(places)]
    with writer.each(ir.Constant(LONG, 0), steps) as step:
        here, row = number(left_steps, step), writer.at(right, number(right_steps, step))
        inputs = [writer.load(writer.at(one, here)) for one in begun]
        for f in range(columns):
            factor = writer.spread(writer.at(row, f)) if spread else writer.load(writer.at(row, f * lanes))
            for p in range(places):
                writer.add_product(inputs[p], factor, held[p][f])
    sums = [[builder.load(one) for one in row] for row in held]

    def put(value_of: Callable[[Any], Any]) -> None:
        for result, row in zip(results, sums, strict=True):
            for f, z in enumerate(row):
                writer.store(writer.at(result, f * lanes), value_of(z))

    def relu(z: Any) -> Any:
        """Return z or 0; z - z is as good as 0 z, NaN where z is not finite, but does not keep what multiplies busy."""
        return builder.select(builder.fcmp_ordered(">", z, zero), z, builder.fsub(z, z))

    if not spread:
        put(lambda z: z)
        return
    with builder.if_else(positive) as (above, all_of_them):
        with above:
            put(relu)
        with all_of_them:
            put(lambda z: z)
