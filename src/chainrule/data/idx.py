"""Reader of the IDX files in which MNIST is published, plain or gzipped.

An IDX file is two zero bytes, a type code (0x08: unsigned bytes), the number of dimensions, each dimension as a
big-endian 32-bit number, and the values, row by row (Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database").
"""

from __future__ import annotations

import contextlib
import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, one_line

UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 1 << 20


def read_idx(path: str | Path, ndim: int) -> npt.NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes.

    Parameters
    ----------
    path : path
        The file; gzip is recognised by its first two bytes, not by the name.
    ndim : int
        The number of dimensions that it must have: 1 for labels, 3 for images.

    Returns
    -------
    array of uint8
        The values, with `ndim` dimensions.

    Raises
    ------
    DataError
        If the file cannot be read, is no such IDX file, or is shorter or longer than its header announces.
    """
    path = Path(path)
    try:
        with open_plain_or_gzip(path) as file:
            shape = _read_header(file, ndim, path)
            size = math.prod(shape)
            content = _read_at_most(file, size + 1)
    except (OSError, EOFError, zlib.error) as error:  # BadGzipFile is an OSError
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"cannot read IDX file '{one_line(path, 200)}': {one_line(reason)}") from None
    if len(content) != size:
        found = f"only {len(content):,}" if len(content) < size else "more"
        dims = " x ".join(str(d) for d in shape)
        raise DataError(f"IDX file '{one_line(path, 200)}' announces {dims} = {size:,} bytes of values, found {found}")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


@contextlib.contextmanager
def open_plain_or_gzip(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading its content, decompressed if it begins as gzip does."""
    with open(path, "rb") as file:
        zipped = file.read(2) == GZIP_MAGIC
        file.seek(0)
        if zipped:
            with gzip.GzipFile(fileobj=file) as content:
                yield cast("IO[bytes]", content)
        else:
            yield file


def _read_header(file: IO[bytes], ndim: int, path: Path) -> tuple[int, ...]:
    """Check the magic number and return the dimensions."""
    where = f"IDX file '{one_line(path, 200)}'"
    magic = file.read(4)
    if len(magic) < 4:
        raise DataError(f"{where} is truncated: a header of {4 + 4 * ndim} bytes expected, found {len(magic)}")
    if magic[:2] != b"\0\0" or magic[2] != UNSIGNED_BYTE:
        raise DataError(f"{where} has a wrong magic number: 0x0000080{ndim} expected, found 0x{magic.hex()}")
    if magic[3] != ndim:
        raise DataError(f"{where} has a wrong number of dimensions: {ndim} expected, found {magic[3]}")
    sizes = file.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise DataError(f"{where} is truncated: a header of {4 + 4 * ndim} bytes expected, found {4 + len(sizes)}")
    shape = tuple(int(d) for d in np.frombuffer(sizes, dtype=">u4"))
    if 0 in shape:
        raise DataError(f"{where} holds no values: dimensions of at least 1 expected, found {shape}")
    return shape


def _read_at_most(file: IO[bytes], limit: int) -> bytearray:
    """Read up to `limit` bytes in chunks: a corrupt header may announce more than any memory holds."""
    content = bytearray()
    while len(content) < limit and (chunk := file.read(min(CHUNK, limit - len(content)))):
        content += chunk
    return content
