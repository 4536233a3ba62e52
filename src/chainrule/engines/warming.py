"""Tiny members whose training compiles every kernel, for `chainrule doctor --warm`."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import numpy as np

from chainrule.cohorts import make_cohorts
from chainrule.data import Dataset, FixedSource
from chainrule.engines.gemm.engine import GemmEngine
from chainrule.engines.lanes.engine import LanesEngine
from chainrule.nn import Network, mlp, parse_layers
from chainrule.population import DTYPES, Member, TrainingConfig
from chainrule.resources import Resources


def train_a_little(engine: type[LanesEngine | GemmEngine], network: Network, dtype: str) -> None:
    """Train two members for an epoch of minibatches, on inputs that are mostly zeros: those have code of their own.

    Members over images see augmented ones.
    """
    X = np.zeros((8, 64))
    X[np.arange(8), np.arange(8)] = 1.0
    source = FixedSource(Dataset.from_arrays(X, np.arange(8) % 2, image_shape=(8, 8)))
    augment = ("shift(1)", "rotate(10)") if network is _PLACES else ()
    config = TrainingConfig(epochs=1, batch_size=4, dtype=dtype, loss="binary_cross_entropy", augment=augment)
    ((_, cohort),) = make_cohorts([Member(network, config, seed) for seed in range(2)], source)
    engine(Resources(threads=1, memory=2**28)).train(cohort)


_DENSE, _PLACES = mlp([64], "sigmoid"), parse_layers("conv 2 3, pool 2")
_PARTS: dict[str, tuple[type[LanesEngine | GemmEngine], Network]] = {
    "lanes": (LanesEngine, _DENSE),
    "lanes with places": (LanesEngine, _PLACES),
    "gemm": (GemmEngine, _DENSE),
    "gemm with places": (GemmEngine, _PLACES),
}
SAMPLES: dict[str, Callable[[], None]] = {
    f"{name}, {dtype}": functools.partial(train_a_little, engine, network, dtype)
    for name, (engine, network) in _PARTS.items()
    for dtype in DTYPES
}


def warm(report: Callable[[str], None] | None = None) -> dict[str, float]:
    """Compile every kernel for float32 and float64 into the cache by training tiny members; return seconds by name."""
    seconds = {}
    for name, train in SAMPLES.items():
        if report is not None:
            report(name)
        begun = time.perf_counter()
        train()
        seconds[name] = time.perf_counter() - begun
    return seconds
