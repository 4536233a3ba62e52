"""Members of several widths as arrays of one shape: padded with zeros, sorted by activation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.work import Array, Work, join_layers

Layers = list[tuple[Array, Array]]


class Padded:
    """A work's weights padded to the widest member.

    A padded unit starts with weights of zero. Its weights stay zero if its activation is kept at zero, which only a
    sigmoid (1/2 at zero) needs a mask for.

    Attributes
    ----------
    order : ndarray (m,)
        The members in the order of the arrays: sorted by activation.
    groups : list of (activation, slice)
        Which members of the arrays have which hidden activation.
    layers : list of (W (m, fan_in, fan_out), b (m, fan_out))
        The padded initial weights.
    masks : list of (ndarray (m, fan_out) or None)
        1 for a unit that exists, by hidden layer; None if no unit needs a mask.
    """

    def __init__(self, work: Work) -> None:
        self.shapes = work.shapes
        depth = {len(shape.sizes) for shape in self.shapes}
        assert len(depth) == 1, "members of one depth"
        hidden = [shape.activations[0] for shape in self.shapes]
        self.order: npt.NDArray[np.intp] = np.argsort(np.array(hidden), kind="stable")
        names = [hidden[k] for k in self.order]
        self.groups = [
            (name, slice(names.index(name), names.index(name) + names.count(name))) for name in dict.fromkeys(names)
        ]
        widest = np.max([shape.sizes for shape in self.shapes], axis=0)
        self.sizes = tuple(int(size) for size in widest)
        m = len(self.order)
        self.layers: Layers = [
            (np.zeros((m, fan_in, fan_out), np.float32), np.zeros((m, fan_out), np.float32))
            for fan_in, fan_out in zip(self.sizes[:-1], self.sizes[1:], strict=True)
        ]
        for row, k in enumerate(self.order):
            for (W, b), (own_W, own_b) in zip(self.layers, work.layers(k), strict=True):
                W[row, : own_W.shape[0], : own_W.shape[1]] = own_W
                b[row, : len(own_b)] = own_b
        self.masks = [self._mask(level) for level in range(1, len(self.sizes) - 1)]

    def _mask(self, level: int) -> Array | None:
        width = self.sizes[level]
        sizes = np.array([self.shapes[k].sizes[level] for k in self.order])
        sigmoid = np.array([self.shapes[k].activations[0] == "sigmoid" for k in self.order])
        exists = np.arange(width) < sizes[:, None]
        return None if (exists | ~sigmoid[:, None]).all() else exists.astype(np.float32)

    def in_order(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Return values (m,) of the arrays' members in the order of the work."""
        result = np.empty_like(values)
        result[self.order] = values
        return result

    def flat(self, layers: Sequence[tuple[Array, Array]]) -> list[Array]:
        """Return the flat weights of every member, in the order of the work, without the padding."""
        flats: list[Array] = [np.empty(0, np.float32)] * len(self.order)
        for row, k in enumerate(self.order):
            own = [
                (W[row, :fan_in, :fan_out], b[row, :fan_out])
                for (W, b), (fan_in, fan_out) in zip(layers, self.shapes[k].layers, strict=True)
            ]
            flats[k] = join_layers(own)
        return flats
