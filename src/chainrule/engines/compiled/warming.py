"""Tiny members whose training compiles every kernel, for `chainrule doctor --warm`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from chainrule.cohorts import make_cohorts
from chainrule.data import Dataset, FixedSource
from chainrule.engines._base import Engine
from chainrule.engines.gemm.engine import GemmEngine
from chainrule.engines.lanes.engine import LanesEngine
from chainrule.nn import mlp
from chainrule.population import DTYPES, Member, TrainingConfig
from chainrule.resources import Resources


def train_a_little(engine: type[Engine], dtype: str) -> None:
    """Train two members for an epoch of minibatches, on inputs that are mostly zeros: those have code of their own."""
    X = np.zeros((8, 64))
    X[np.arange(8), np.arange(8)] = 1.0
    source = FixedSource(Dataset.from_arrays(X, np.arange(8) % 2))
    config = TrainingConfig(epochs=1, batch_size=4, dtype=dtype, loss="binary_cross_entropy")
    ((_, cohort),) = make_cohorts([Member(mlp([64], "sigmoid"), config, seed) for seed in range(2)], source)
    engine(Resources(threads=1, memory=2**28)).train(cohort)


SAMPLES: dict[str, Callable[[], None]] = {
    f"{engine.name}, {dtype}": functools.partial(train_a_little, engine, dtype)
    for engine in (LanesEngine, GemmEngine)
    for dtype in DTYPES
}
