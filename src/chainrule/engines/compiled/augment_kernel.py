"""Moving and turning images in compiled code: the bits of `chainrule.data.augment`, which says what is computed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.engines.compiled.cache import kernel


@kernel
def shift_samples(
    source: Any, taken: Any, height: int, width: int, channels: int, moves: Any, out: Any, places: Any
) -> None:
    """Write the images ``source[taken[i]]``, moved by ``moves[i]`` pixels down and right, to ``out[places[i]]``."""
    row, outside = width * channels, out.dtype.type(0)
    for i in range(len(taken)):
        image, to = source[taken[i]], out[places[i]]
        down, aside = moves[i, 0], moves[i, 1] * channels
        for y in range(height):
            comes_in = not 0 <= y - down < height
            here, there = y * row, (y - down) * row - aside
            for x in range(row):
                value = outside
                if not comes_in and 0 <= x - aside < row:
                    value = image[np.uint64(there + x)]
                to[np.uint64(here + x)] = value


@kernel
def rotate_samples(
    source: Any, taken: Any, height: int, width: int, channels: int, cosines: Any, sines: Any, out: Any, places: Any
) -> None:
    """Write the images ``source[taken[i]]``, turned by the angle of a cosine and a sine, to ``out[places[i]]``."""
    row, middle_y, middle_x = width * channels, (height - 1) / 2, (width - 1) / 2
    below, beside, one = np.uint64(row), np.uint64(channels), np.uint64(1)  # no number below 0: no look for one
    for i in range(len(taken)):
        image, to, cosine, sine = source[taken[i]], out[places[i]], cosines[i], sines[i]
        here = np.uint64(0)
        for v in range(height):
            down = v - middle_y
            for h in range(width):
                right = h - middle_x
                y, x = down * cosine + right * sine + middle_y, right * cosine - down * sine + middle_x
                top, left = math.floor(y), math.floor(x)
                upper, lower, near, far = top + 1 - y, y - top, left + 1 - x, x - left
                place = np.uint64(top * row + left * channels)
                is_top, is_bottom = 0 <= top < height, 0 <= top + 1 < height
                is_left, is_right = 0 <= left < width, 0 <= left + 1 < width
                for _ in range(channels):
                    total = 0.0
                    if is_top and is_left:
                        total += upper * near * image[place]
                    if is_top and is_right:
                        total += upper * far * image[place + beside]
                    if is_bottom and is_left:
                        total += lower * near * image[place + below]
                    if is_bottom and is_right:
                        total += lower * far * image[place + below + beside]
                    to[here] = total
                    place, here = place + one, here + one
