"""Images in a data set: all of one size, one row of pixels each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import train
from chainrule.data import Dataset
from chainrule.errors import ShapeError
from chainrule.nn import Conv1D, Conv2D, Dense, Flatten, Network

LABELS = [0, 1] * 4
PIXELS = np.random.default_rng(0).random((8, 192))


def test_images_of_mixed_sizes_say_which() -> None:
    images: Any = [np.zeros((8, 8))] * 3 + [np.zeros((9, 7))] * 5
    with pytest.raises(
        ShapeError, match=r"samples differ in shape, such as \(8, 8\) and \(9, 7\): bring them to one"
    ) as e:
        Dataset.from_arrays(images, LABELS, name="faces")
    assert "\n" not in str(e.value)
    rows: Any = [np.zeros(64)] * 3 + [np.zeros(63)] * 5
    with pytest.raises(ShapeError, match=r"'faces': samples differ in shape, such as \(63,\) and \(64,\)"):
        Dataset.from_arrays(rows, LABELS, name="faces")


def test_rows_that_are_ragged_in_themselves() -> None:
    ragged: Any = [[[1.0, 2.0], [3.0]]] * 8
    with pytest.raises(ShapeError, match="data set 'arrays': X is no array"):
        Dataset.from_arrays(ragged, LABELS)


@pytest.mark.parametrize("shape", [(5, 5), (0, 8), (8,), (8.0, 8), (True, "8"), (13, 13)])
def test_rows_that_are_no_images_of_the_shape(shape: Any) -> None:
    with pytest.raises(
        ShapeError, match=r"rows of 192 pixels are no images of shape \(.*\): bring all images to one size"
    ):
        Dataset.from_arrays(PIXELS, LABELS, image_shape=shape)


def test_several_channels_are_the_last_axis() -> None:
    network = Network((Conv2D(2, 3), Flatten(), Dense(None, None)))
    data = Dataset.from_arrays(PIXELS, LABELS, image_shape=(8, 8))
    run = train(network, data, seeds=1, epochs=1)[0]
    assert run.member.network.input_shape == (8, 8, 3)
    images = PIXELS.reshape(8, 8, 8, 3)
    np.testing.assert_array_equal(run.predict(images), run.predict(PIXELS))
    with pytest.raises(ShapeError, match=r"samples of shape \(n, 8, 8, 3\) or \(n, 192\), got \(8, 191\)"):
        run.predict(PIXELS[:, 1:])


def test_sequences_of_several_channels_are_written_into_the_network() -> None:
    """Rows are (length, channels) if the network says so; a line of one channel if it says nothing."""
    layers = (Conv1D(2, 3), Flatten(), Dense(None, None))
    data = Dataset.from_arrays(PIXELS, LABELS)
    run = train(Network(layers, (24, 8)), data, seeds=1, epochs=2)[0]
    assert run.member.network.shapes[:2] == ((24, 8), (22, 2))
    np.testing.assert_array_equal(run.predict(PIXELS.reshape(8, 24, 8)), run.predict(PIXELS))
    assert train(Network(layers), data, seeds=1, epochs=1)[0].member.network.input_shape == (192, 1)
    with pytest.raises(ShapeError, match=r"takes inputs of shape \(24, 7\), the data have \(192, 1\)"):
        train(Network(layers, (24, 7)), data, seeds=1, epochs=1)
