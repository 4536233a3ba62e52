"""Windows: which inputs meet a kernel at each place, and the way back.

An array of shape (..., *axes, channels) has one spatial axis (a sequence) or two (an image). A kernel of k entries
with stride s, dilation d and p zeros padded before the axis meets, at output place y and kernel entry i, the input

    x = y s + i d - p,                                                                                    (1)

and there are  floor((n + p_before + p_after - d (k - 1) - 1) / s) + 1  places (Dumoulin and Visin, "A guide to
convolution arithmetic for deep learning", arXiv 1603.07285, relation 15).

`Windows.patches` collects the inputs of (1) for every place and entry. It copies and never changes a number, so it is
linear, and what the chain rule needs is its transpose: `Windows.fold` adds to each input what all its copies ask for.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ConfigError, ShapeError, one_line
from chainrule.nn._base import whole_number
from chainrule.nn._types import Array

Numbers = tuple[int, ...]
Padding = str | tuple[tuple[int, int], ...]
PADDINGS = ("valid", "same")


@dataclass(frozen=True)
class Windows:
    """A kernel's way over one or two axes.

    Parameters
    ----------
    kernel, stride, dilation : tuple of int
        One number an axis, each at least 1.
    padding : str or tuple of (before, after)
        ``"valid"``: none; ``"same"``: as many as give ceil(n / stride) places, the odd one after; or one pair an axis.
    what : str
        Whose windows they are, for messages.
    """

    kernel: Numbers
    stride: Numbers
    dilation: Numbers
    padding: Padding
    what: str

    @property
    def spans(self) -> Numbers:
        """Inputs from the first to the last that a kernel touches, along each axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def pads(self, axes: Numbers) -> tuple[tuple[int, int], ...]:
        """Return how many entries are padded before and after each axis."""
        if self.padding == "valid":
            return tuple((0, 0) for _ in axes)
        if not isinstance(self.padding, str):
            return self.padding
        return tuple(
            (total // 2, total - total // 2)
            for n, span, s in zip(axes, self.spans, self.stride, strict=True)
            for total in [max((-(-n // s) - 1) * s + span - n, 0)]
        )

    def places(self, axes: Numbers) -> Numbers:
        """Return the number of output places along each axis.

        Raises
        ------
        ShapeError
            If the kernel does not fit; with the shapes.
        """
        counts = []
        for n, (before, after), span, s in zip(axes, self.pads(axes), self.spans, self.stride, strict=True):
            padded = n + before + after
            if span > padded:
                word = "window" if "pool" in self.what else "kernel"
                kernel, given = _by(self.kernel), _by(axes)
                reach = f" (it reaches over {_by(self.spans)} with dilation {_by(self.dilation)})"
                pad = f" padded to {_by(tuple(m + sum(p) for m, p in zip(axes, self.pads(axes), strict=True)))}"
                raise ShapeError(
                    f"{self.what}: a {word} of {kernel}{reach if max(self.dilation) > 1 else ''} does not fit into "
                    f"inputs of {given}{pad if any(map(sum, self.pads(axes))) else ''}: use a smaller {word}, "
                    "padding 'same', or fewer strides and poolings below"
                )
            counts.append((padded - span) // s + 1)
        return tuple(counts)

    def patches(self, A: Array, fill: float = 0.0) -> Array:
        """Return the inputs of every window: (..., *axes, c) becomes (..., *places, *kernel, c), read-only.

        `fill` is what is padded: 0 for sums, minus infinity for maxima.
        """
        rank = len(self.kernel)
        self.places(A.shape[-1 - rank : -1])
        A = self.padded(A, fill)
        where = tuple(range(A.ndim - rank - 1, A.ndim - 1))
        view: Array = np.lib.stride_tricks.sliding_window_view(A, self.spans, axis=where)
        steps = tuple(slice(None, None, s) for s in self.stride)
        inner = tuple(slice(None, None, d) for d in self.dilation)
        taken: Any = (..., *steps, slice(None), *inner)
        return np.moveaxis(view[taken], -1 - rank, -1)

    def padded(self, A: Array, fill: float = 0.0) -> Array:
        """Return (..., *axes, c) with what is padded around it."""
        rank = len(self.kernel)
        pads = self.pads(A.shape[-1 - rank : -1])
        if not any(map(any, pads)):
            return A
        return np.pad(A, [(0, 0)] * (A.ndim - rank - 1) + list(pads) + [(0, 0)], constant_values=fill)

    def views(self, A: Array, fill: float = 0.0) -> Iterator[Array]:
        """Yield `patches` entry by entry, in the kernel's order: the inputs that it meets, (..., *places, c)."""
        padded = self.padded(A, fill)
        for _, inputs in self.entries(self.places(A.shape[-1 - len(self.kernel) : -1])):
            met: Any = (..., *inputs, slice(None))
            yield padded[met]

    def fold(self, dP: Array, axes: Numbers) -> Array:
        """Return the transpose of `patches`: (..., *places, *kernel, c) added up into (..., *axes, c)."""
        entries: Any = ((..., *entry, slice(None)) for entry in np.ndindex(*self.kernel))
        return self.fold_views((dP[copies] for copies in entries), axes)

    def fold_views(self, parts: Iterable[Array], axes: Numbers) -> Array:
        """Return the transpose of `views`: what comes for each entry, (..., *places, c), added up into (..., *axes, c).

        By (1) input x is met by entry i at the places y with y s = x - i d + p: for one entry these inputs lie s apart,
        so each entry is one strided sum.
        """
        rank, pads = len(self.kernel), self.pads(axes)
        sizes = tuple(n + before + after for n, (before, after) in zip(axes, pads, strict=True))
        total: Array | None = None
        for (_, inputs), part in zip(self.entries(self.places(axes)), parts, strict=True):
            if total is None:
                total = np.zeros((*part.shape[: -rank - 1], *sizes, part.shape[-1]), dtype=part.dtype)
            met: Any = (..., *inputs, slice(None))
            total[met] += part
        assert total is not None, "a kernel has at least one entry"
        inner = (slice(before, before + n) for n, (before, _) in zip(axes, pads, strict=True))
        inside: Any = (..., *inner, slice(None))
        result: Array = total[inside]
        return result

    def entries(self, places: Numbers) -> Iterator[tuple[Numbers, tuple[slice, ...]]]:
        """Yield each kernel entry with the padded inputs that it meets at all places, in the kernel's order."""
        for entry in np.ndindex(*self.kernel):
            starts = [i * d for i, d in zip(entry, self.dilation, strict=True)]
            yield (
                entry,
                tuple(
                    slice(start, start + (n - 1) * s + 1, s)
                    for start, n, s in zip(starts, places, self.stride, strict=True)
                ),
            )


def per_axis(value: object, rank: int, what: str) -> Numbers:
    """Return one whole number of at least 1 for each axis, from a number for all or a list of them."""
    if isinstance(value, list | tuple):
        if len(value) != rank:
            numbers = "1 number" if rank == 1 else f"{rank} numbers"
            raise ConfigError(f"{what} must be a whole number or a list of {numbers}, got {one_line(repr(value))}")
        return tuple(whole_number(one, what) for one in value)
    return (whole_number(value, what),) * rank


def as_padding(value: object, rank: int, what: str) -> Padding:
    """Return a padding in its canonical form: a word, or a pair of numbers for each axis.

    A number pads every axis on both sides, a list of numbers each axis on both sides, a list of pairs before and after.
    """
    if isinstance(value, str):
        if value not in PADDINGS:
            raise ConfigError(f"{what}: padding must be 'valid', 'same' or numbers, got {one_line(repr(value))}")
        return value
    sides = value if isinstance(value, list | tuple) else (value,) * rank
    pairs = tuple(tuple(one) if isinstance(one, list | tuple) else (one, one) for one in sides)
    if len(pairs) != rank or not all(len(pair) == 2 and all(map(_is_count, pair)) for pair in pairs):
        shown = one_line(repr(value))
        raise ConfigError(
            f"{what}: padding must be 'valid', 'same', a whole number of at least 0, or one pair (before, after) for "
            f"each axis, got {shown}"
        )
    return tuple((operator.index(before), operator.index(after)) for before, after in pairs)


def _is_count(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and operator.index(value) >= 0
    except TypeError:
        return False


def _by(numbers: Numbers) -> str:
    return " x ".join(map(str, numbers))
