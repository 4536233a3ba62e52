"""The IDX reader: round trips, gzip by content, and one line for every kind of damage."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.data.idx import read_idx
from chainrule.errors import DataError

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def idx_bytes(values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    """Write the format as its authors describe it: magic number, big-endian sizes, bytes."""
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", ["images-idx3-ubyte", "images-idx3-ubyte.gz"])
def test_round_trip_whatever_the_name(tmp_path: Path, zipped: bool, name: str) -> None:
    content = idx_bytes(IMAGES)
    (tmp_path / name).write_bytes(gzip.compress(content) if zipped else content)
    np.testing.assert_array_equal(read_idx(tmp_path / name, 3), IMAGES)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip_of_any_shape(tmp_path: Path, shape: list[int], first: int) -> None:
    values = (np.arange(np.prod(shape)) + first).astype(np.uint8).reshape(shape)
    (tmp_path / "values").write_bytes(idx_bytes(values))
    np.testing.assert_array_equal(read_idx(tmp_path / "values", len(shape)), values)


GOOD = idx_bytes(IMAGES)
DAMAGED = [
    (b"", "truncated: a header of 16 bytes expected, found 0"),
    (GOOD[:3], "a header of 16 bytes expected, found 3"),
    (GOOD[:11], "a header of 16 bytes expected, found 11"),
    (GOOD[:-1], "announces 2 x 3 x 4 = 24 bytes of values, found only 23"),
    (GOOD + b"x", "announces 2 x 3 x 4 = 24 bytes of values, found more"),
    (b"\x89PNG" + GOOD, "wrong magic number: 0x00000803 expected, found 0x89504e47"),
    (b"\0\0\x0d\x03" + GOOD[4:], "wrong magic number: 0x00000803 expected, found 0x00000d03"),
    (idx_bytes(IMAGES[0]), "wrong number of dimensions: 3 expected, found 2"),
    (struct.pack(">HBB3I", 0, 8, 3, 0, 28, 28), "holds no values"),
    (struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), "found only 0"),
    (gzip.compress(GOOD)[:-9], "cannot read IDX file"),
    (gzip.compress(GOOD)[:-8] + bytes(8), "cannot read IDX file"),  # wrong CRC
    (b"\x1f\x8b", "cannot read IDX file"),
]


@pytest.mark.parametrize(("content", "told"), DAMAGED)
def test_damage_gives_one_line_with_file_expected_and_found(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(path, 3)
    assert told in str(caught.value)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read IDX file .*: No such file"):
        read_idx(tmp_path / "nothing", 1)
    with pytest.raises(DataError, match="directory"):
        read_idx(tmp_path, 1)


@given(
    st.one_of(
        st.binary(max_size=60),
        st.binary(max_size=30).map(lambda tail: b"\0\0\x08\x03" + tail),
        st.tuples(st.integers(0, len(gzip.compress(GOOD, mtime=0)) - 1), st.integers(0, 255)).map(
            lambda change: bytes(
                change[1] if i == change[0] else byte for i, byte in enumerate(gzip.compress(GOOD, mtime=0))
            )
        ),
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_bytes_give_values_or_our_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fuzz").write_bytes(content)
    try:
        told, ndim = "", read_idx(tmp_path / "fuzz", 3).ndim
    except DataError as error:
        told, ndim = str(error), 3
    assert "\n" not in told
    assert ndim == 3
