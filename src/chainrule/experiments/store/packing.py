"""Arrays as bytes: named, typed, checked, compressed where that helps, and never pickled.

A blob is ``checksum (4 bytes), form (1 byte), payload``; the payload holds the length of a JSON list of (name, type,
shape), that list, and the arrays' little-endian bytes one after the other. Form 1 is compressed with zlib. Before that
the bytes of each array are sorted by significance ("shuffled", as HDF5 does): the exponents of a loss curve lie side
by side then, and shrink to almost nothing.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.nn import Array

PLAIN, COMPRESSED = 0, 1
LEVEL = 1
"""Higher levels of zlib take three times as long here and save a few per cent."""

KINDS = "fiub"


def pack(arrays: Mapping[str, Array]) -> bytes:
    """Write named arrays of numbers as one blob."""
    listed, parts = [], []
    for name, array in arrays.items():
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        listed.append([name, little.dtype.str, list(array.shape)])
        parts.append(_shuffled(little))
    header = json.dumps(listed, separators=(",", ":")).encode()
    payload = len(header).to_bytes(4, "little") + header + b"".join(parts)
    small = zlib.compress(payload, LEVEL)
    form, body = (COMPRESSED, small) if len(small) < len(payload) else (PLAIN, payload)
    rest = bytes([form]) + body
    return zlib.crc32(rest).to_bytes(4, "little") + rest


def unpack(blob: bytes) -> dict[str, Array]:
    """Read what `pack` wrote.

    Raises
    ------
    ValueError
        If a byte of it has changed.
    """
    if len(blob) < 9 or zlib.crc32(blob[4:]) != int.from_bytes(blob[:4], "little"):
        raise ValueError("the checksum of an array is wrong")
    payload = zlib.decompress(blob[5:]) if blob[4] == COMPRESSED else blob[5:]
    start = 4 + int.from_bytes(payload[:4], "little")
    arrays: dict[str, Array] = {}
    for name, kind, shape in json.loads(payload[4:start]):
        dtype = np.dtype(kind)
        if dtype.kind not in KINDS:
            raise ValueError(f"an array of type {kind}")
        end = start + dtype.itemsize * math.prod(shape)
        arrays[name] = _unshuffled(payload[start:end], dtype).reshape(shape)
        start = end
    if start != len(payload):
        raise ValueError("an array has the wrong length")
    return arrays


def _shuffled(array: np.ndarray[Any, Any]) -> bytes:
    """Return the bytes of an array, all first bytes first."""
    return array.reshape(-1).view(np.uint8).reshape(-1, array.dtype.itemsize).T.tobytes()


def _unshuffled(data: bytes, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Undo `_shuffled`; the array is a writable one of its own."""
    planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
    flat = np.ascontiguousarray(planes.T).reshape(-1).view(dtype)
    return flat.astype(dtype.newbyteorder("="), copy=False)
