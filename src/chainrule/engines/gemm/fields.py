"""Tuples of arrays and numbers for kernels, as tables in memory of which a kernel reads what it needs.

Numba passes on a named tuple field by field, copies it into every variable that holds it, and counts references to
its arrays: slow to compile for dozens of fields, and slow to call. Here the host writes one table of 64-bit entries,
the addresses of arrays and the numbers themselves; in a kernel ``fields_at(table, 0, Buffers, like)`` is one pointer
to it, and ``b.theta`` reads an entry: a `simd.Pointer` for an array, else the number.

What a field is, its annotation says: `AnyFloats`, floats of the training dtype; `Floats`, float64; `Integers`, int64;
`Indices`, int32; ``int``, ``float`` and ``bool``; and `One`, which kernels take for 1 without looking.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import signature
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, lower_getattr_generic, models, register_model

from chainrule.engines.compiled.simd import PointerType, built_in

Table = np.ndarray[Any, np.dtype[np.int64]]
LONG = ir.IntType(64)
POINTS_TO = {"Floats": types.float64, "Integers": types.int64, "Indices": types.int32}
NUMBERS = {"int": types.int64, "float": types.float64, "bool": types.boolean, "One": types.int64}


def make_table(*tuples: tuple[Any, ...]) -> Table:
    """Return the table of several tuples, one after the other; their arrays must outlive it."""
    return np.array([_entry(value) for values in tuples for value in values], dtype=np.int64)


def _entry(value: Any) -> int:
    """Return an address, a whole number, or the bits of a float."""
    if isinstance(value, np.ndarray):
        assert value.flags.c_contiguous, "kernels know no strides"
        return int(value.ctypes.data)
    return struct.unpack("q", struct.pack("d", value))[0] if isinstance(value, float) else int(value)


class FieldsType(types.Type):
    """A tuple in a table: its class, and a pointer type for floats of the training dtype."""

    def __init__(self, cls: Any, like: PointerType) -> None:
        self.cls, self.like = cls, like
        super().__init__(name=f"fields({cls.__module__}.{cls.__name__}, {like})")

    def word(self, field: str) -> Any:
        """Return the annotation of a field."""
        word = self.cls.__annotations__[field]
        return getattr(word, "__forward_arg__", getattr(word, "__name__", word))

    def kind(self, field: str) -> Any:
        """Return the type of a field."""
        word = self.word(field)
        if word in NUMBERS:
            return NUMBERS[word]
        return PointerType(POINTS_TO[word], self.like.lanes) if word in POINTS_TO else self.like


@register_model(FieldsType)
class _FieldsModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: FieldsType) -> None:
        super().__init__(dmm, fe_type, LONG.as_pointer())


@infer_getattr
class _FieldsAttributes(AttributeTemplate):
    key = FieldsType

    def generic_resolve(self, fields: FieldsType, attr: str) -> Any:
        return fields.kind(attr) if attr in fields.cls._fields else None


def _read(context: Any, builder: Any, fields: FieldsType, value: Any, attr: str) -> Any:
    place = ir.Constant(LONG, fields.cls._fields.index(attr))
    entry = builder.load(builder.gep(value, [place]), align=8)
    entry.set_metadata("invariant.load", builder.module.add_metadata([]))  # a kernel never changes the table
    kind = fields.kind(attr)
    if fields.word(attr) == "One":
        return ir.Constant(LONG, 1)
    if kind == types.boolean:
        return builder.icmp_signed("!=", entry, ir.Constant(LONG, 0))
    if kind == types.float64:
        return builder.bitcast(entry, ir.DoubleType())
    return entry if kind == types.int64 else builder.inttoptr(entry, context.get_value_type(kind))


lower_getattr_generic(FieldsType)(_read)


@built_in
def fields_at(typingctx: Any, table: Any, place: Any, cls: Any, like: Any) -> Any:
    """Return the tuple of class `cls` whose entries start at table[place]; `like` points to floats as it has them."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        start = cgutils.create_struct_proxy(table)(context, builder, value=args[0]).data
        return builder.gep(start, [args[1]])

    return signature(FieldsType(cls.instance_class, like), table, types.intp, cls, like), codegen
