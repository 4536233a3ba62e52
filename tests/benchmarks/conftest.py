"""Small works that every contestant can do."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.cases import convolutions, mixed, xor
from benchmarks.work import Work
from chainrule import Member, TrainingConfig, load, mlp


@pytest.fixture
def population() -> Work:
    return xor(5, 40)


@pytest.fixture
def mixture() -> Work:
    return mixed(24, 8)


@pytest.fixture
def minibatches() -> Work:
    config = TrainingConfig(epochs=2, learning_rate=0.1, batch_size=20, dtype="float32", loss="softmax_cross_entropy")
    network = mlp([8], "sigmoid")
    return Work.of([Member(network, config, seed) for seed in (3, 4)], load("digits").draw(0).take(np.arange(200)))


@pytest.fixture
def images() -> Work:
    """Batches of 64 and a last one of 22; channels, rows and columns that no layout can mix up."""
    return convolutions("conv 4 3x2, pool 2x1, conv 3 2, dense 7", "digits", 150, 3, 0.05, 2)


@pytest.fixture
def environment() -> Iterator[None]:
    """Put the environment back: the command takes out of it what steers libraries."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
