"""What windows see along rows and along columns; which numbers see the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chainrule.engines.compiled.geometry import Geometry

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Axis:
    """What a window sees along one axis.

    Parameters
    ----------
    inputs, places : int
        Inputs and places along the axis.
    kernel, stride, dilation, before : int
        As in `Geometry`.
    """

    inputs: int
    places: int
    kernel: int
    stride: int
    dilation: int
    before: int

    def sees(self, place: int) -> Pairs:
        """Return (input relative to the window's start, entry) of a place, ascending."""
        start = place * self.stride - self.before
        pairs = ((i * self.dilation, i) for i in range(self.kernel))
        return tuple((r, i) for r, i in pairs if 0 <= start + r < self.inputs)

    def seen_by(self, number: int) -> Pairs:
        """Return (place relative to the last one that could see an input, entry) of the places that do, ascending."""
        top = (number + self.before) // self.stride
        pairs = ((y, number + self.before - y * self.stride) for y in range(max(top + 1 - self._reach, 0), top + 1))
        fits = ((y, r // self.dilation) for y, r in pairs if r % self.dilation == 0 and y < self.places)
        return tuple((y - top, i) for y, i in fits if i < self.kernel)

    @property
    def _reach(self) -> int:
        return self.kernel * self.dilation // self.stride + 1

    def meets(self, entry: int) -> Pairs:
        """Return (input of entry 0, place) of the places where an entry meets an input, ascending."""
        starts = ((y * self.stride - self.before, y) for y in range(self.places))
        return tuple((r, y) for r, y in starts if 0 <= r + entry * self.dilation < self.inputs)


def axes_of(g: Geometry) -> tuple[Axis, Axis]:
    """Return rows and columns of a geometry."""
    return (
        Axis(g.height, g.rows, g.kernel_y, g.stride_y, g.dilation_y, g.top),
        Axis(g.width, g.columns, g.kernel_x, g.stride_x, g.dilation_x, g.left),
    )


def alike(count: int, of: Callable[[int], Pairs]) -> list[tuple[list[int], Pairs]]:
    """Return numbers below `count` in sets of equal pairs."""
    sets: dict[Pairs, list[int]] = {}
    for number in range(count):
        sets.setdefault(of(number), []).append(number)
    return [(numbers, pairs) for pairs, numbers in sets.items()]
