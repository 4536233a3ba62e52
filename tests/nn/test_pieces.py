"""Predictions of many images are made in pieces: the same numbers, in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from chainrule.nn import _pieces, parse_layers
from chainrule.nn._pieces import PIECE


@pytest.mark.parametrize("members", [None, 3])
@pytest.mark.parametrize("own_samples", [False, True])
def test_pieces_give_what_the_whole_gives(
    members: int | None, own_samples: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = parse_layers("conv 3 3, norm relu, pool 2, dense 5 tanh").bind((6, 7, 2), 4, "softmax")
    rng = np.random.default_rng(0)
    lead = (members,) if members else ()
    params = network.unpack(np.abs(rng.normal(size=(*lead, network.n_parameters))))
    X = rng.normal(size=(*(lead if own_samples else ()), 11, 6, 7, 2))
    whole = network.forward(params, X).A
    monkeypatch.setattr(_pieces, "PIECE", 2 * 6 * 7 * 3)  # three samples of the largest layer, the input
    np.testing.assert_allclose(network.predict(params, X), whole, rtol=1e-13, atol=1e-15)
    assert network.predict(params, X).shape == (*lead, 11, 4)
    np.testing.assert_array_equal(network.predict(params, X.reshape(*X.shape[:-3], 84)), network.predict(params, X))


def test_many_images_fit_into_memory() -> None:
    """The maps of all 1,000 images are 69 million numbers, and a forward pass keeps two of them and the patches."""
    network = parse_layers("conv 30 5").bind((52, 52, 1), 2, "softmax")
    params = network.init(np.random.default_rng(0))
    X = np.zeros((1000, 52, 52, 1))
    tracemalloc.start()
    network.predict(params, X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * 8 * PIECE < 1000 * 48 * 48 * 30 * 8
