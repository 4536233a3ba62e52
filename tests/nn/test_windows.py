"""Windows: which input meets which entry, counted by loops; and folding as the exact transpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ConfigError, ShapeError
from chainrule.nn.windows import Windows, as_padding, per_axis
from tests.nn.windows_by_loops import Way, integers, ways

IMAGE = np.arange(1.0, 10.0).reshape(1, 3, 3, 1)  # 1 2 3 / 4 5 6 / 7 8 9


def windows(way: Way) -> Windows:
    return Windows(way.kernel, way.stride, way.dilation, way.padding, "conv2d")


def test_patches_of_a_3_by_3_image_by_hand() -> None:
    patches = Windows((2, 2), (1, 1), (1, 1), "valid", "conv2d").patches(IMAGE)
    assert patches.shape == (1, 2, 2, 2, 2, 1)
    rows = patches.reshape(4, 4)
    np.testing.assert_array_equal(rows, [[1, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]])


def test_patches_with_stride_dilation_and_padding_by_hand() -> None:
    strided = Windows((1, 1), (2, 2), (1, 1), "valid", "conv2d").patches(IMAGE)
    np.testing.assert_array_equal(strided.ravel(), [1, 3, 7, 9])
    dilated = Windows((2, 2), (1, 1), (2, 2), "valid", "conv2d").patches(IMAGE)
    np.testing.assert_array_equal(dilated.ravel(), [1, 3, 7, 9])
    padded = Windows((2, 2), (2, 2), (1, 1), ((1, 0), (0, 1)), "conv2d").patches(IMAGE, -1.0)
    np.testing.assert_array_equal(padded.reshape(4, 4), [[-1, -1, 1, 2], [-1, -1, 3, -1], [4, 5, 7, 8], [6, -1, 9, -1]])


def test_folding_counts_the_windows_that_hold_each_input() -> None:
    ones = np.ones((1, 2, 2, 2, 2, 1))
    folded = Windows((2, 2), (1, 1), (1, 1), "valid", "conv2d").fold(ones, (3, 3))
    np.testing.assert_array_equal(folded[0, :, :, 0], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])


def test_same_puts_the_odd_entry_after() -> None:
    same = Windows((2,), (1,), (1,), "same", "conv1d")
    assert same.pads((5,)) == ((0, 1),)
    assert Windows((3,), (2,), (1,), "same", "conv1d").pads((5,)) == ((1, 1),)
    assert Windows((3,), (2,), (1,), "same", "conv1d").pads((6,)) == ((0, 1),)
    assert Windows((1,), (3,), (1,), "same", "conv1d").pads((6,)) == ((0, 0),)


@given(ways())
def test_places_and_pads_are_those_counted(way: Way) -> None:
    assert windows(way).pads(way.image) == way.pads
    assert windows(way).places(way.image) == way.places


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_same_gives_a_place_for_every_stride(n: int, k: int, s: int, d: int) -> None:
    assert Windows((k,), (s,), (d,), "same", "conv1d").places((n,)) == (-(-n // s),)


@given(ways(), st.integers(1, 3), st.booleans())
def test_patches_hold_the_inputs_of_the_index_formula(way: Way, channels: int, population: bool) -> None:
    lead = (2, 2) if population else (2,)
    A = integers(np.random.default_rng(0), *lead, *way.image, channels)
    wanted = np.full((*lead, *way.places, *way.kernel, channels), -77.0)
    for y, x, i, j, row, column in way.meetings():
        wanted[..., y, x, i, j, :] = A[..., row, column, :]
    np.testing.assert_array_equal(windows(way).patches(A, -77.0), wanted)
    for entry, view in zip(np.ndindex(*way.kernel), windows(way).views(A, -77.0), strict=True):
        np.testing.assert_array_equal(view, wanted[(..., *entry, slice(None))])


@given(ways(), st.integers(1, 3), st.integers(0, 10**6))
def test_folding_is_the_transpose_to_the_last_bit(way: Way, channels: int, seed: int) -> None:
    """<patches(A), P> = <A, fold(P)> for whole numbers, whose sums are exact."""
    rng = np.random.default_rng(seed)
    A = integers(rng, 2, *way.image, channels)
    patches = windows(way).patches(A)
    P = integers(rng, *patches.shape)
    folded = windows(way).fold(P, way.image)
    assert folded.shape == A.shape
    assert np.vdot(patches, P) == np.vdot(A, folded)


def test_patches_and_folds_keep_the_float_type_and_the_input() -> None:
    padded = Windows((2, 2), (1, 1), (1, 1), "same", "conv2d")
    A = IMAGE.astype(np.float32)
    patches = padded.patches(A, -np.inf)
    assert patches.dtype == padded.fold(np.ones(patches.shape, np.float32), (3, 3)).dtype == np.float32
    assert not patches.flags.writeable
    np.testing.assert_array_equal(A, IMAGE)


@pytest.mark.parametrize(
    ("value", "rank", "wanted"),
    [
        ("same", 2, "same"),
        (1, 2, ((1, 1), (1, 1))),
        ([1, 2], 2, ((1, 1), (2, 2))),
        (((0, 1), [2, 3]), 2, ((0, 1), (2, 3))),
        ([1, (0, 2)], 2, ((1, 1), (0, 2))),
        ([[0, 1]], 1, ((0, 1),)),
        (np.int64(2), 1, ((2, 2),)),
    ],
)
def test_paddings_in_their_canonical_form(value: Any, rank: int, wanted: object) -> None:
    assert as_padding(value, rank, "conv") == wanted
    assert as_padding(as_padding(value, rank, "conv"), rank, "conv") == wanted


@pytest.mark.parametrize(
    "value", [-1, 1.5, True, None, [], [1, 2, 3], [[1, 2], [3]], [[1, 2, 3]] * 2, np.ones(2, int), [True, 1], [[0, -1]]]
)
def test_wrong_paddings(value: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"conv2d: padding must be 'valid', 'same', a whole number of at least 0, or "
    ):
        as_padding(value, 2, "conv2d")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: as_padding("full", 2, "conv2d"), r"padding must be 'valid', 'same' or numbers, got 'full'"),
        (
            lambda: per_axis((3, 3, 3), 2, "conv2d: kernel"),
            r"kernel must be a whole number or a list of 2 numbers, got",
        ),
        (lambda: per_axis([3, 3], 1, "conv1d: kernel"), r"kernel must be a whole number or a list of 1 number, got"),
        (lambda: per_axis(0, 2, "conv2d: stride"), r"conv2d: stride must be a whole number of at least 1, got 0"),
        (lambda: per_axis((1, True), 2, "conv2d: stride"), r"stride must be a whole number of at least 1, got True"),
    ],
)
def test_wrong_numbers(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("way", "message"),
    [
        (Way((4, 4), (5, 5)), r"conv2d: a kernel of 5 x 5 does not fit into inputs of 4 x 4: use a smaller kernel"),
        (Way((4, 4), (3, 3), dilation=(2, 2)), r"a kernel of 3 x 3 \(it reaches over 5 x 5 with dilation 2 x 2\) does"),
        (Way((4, 4), (7, 7), padding=((1, 1), (0, 1))), r"does not fit into inputs of 4 x 4 padded to 6 x 5: use"),
    ],
)
def test_kernels_that_do_not_fit_say_all_sizes(way: Way, message: str) -> None:
    with pytest.raises(ShapeError, match=message) as caught:
        windows(way).patches(np.zeros((1, *way.image, 1)))
    assert "\n" not in str(caught.value)
