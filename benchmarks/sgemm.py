"""The rate of this machine in large single-precision matrix products: what `fraction_of_sgemm` is a fraction of."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

SIZE, SECONDS = 2048, 1.0
LIBRARIES = ("numpy", "torch")


def sgemm_rates(size: int = SIZE, seconds: float = SECONDS) -> dict[str, float]:
    """Return each library's best rate in GFLOP/s, with its own threads and in a process of its own.

    The key ``best`` has the best of them; a library that is not installed has none.
    """
    rates: dict[str, float] = {}
    context = multiprocessing.get_context("spawn")
    for library in LIBRARIES:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            rate = pool.submit(measure, library, size, seconds).result()
        if rate is not None:
            rates[library] = rate
    return rates | {"best": max(rates.values())}


def measure(library: str, size: int, seconds: float) -> float | None:
    """Return the best rate that one library reaches within some seconds."""
    multiply = _product(library, np.random.default_rng(0).random((size, size), dtype=np.float32))
    if multiply is None:
        return None
    multiply()
    best, started = np.inf, time.perf_counter()
    while time.perf_counter() - started < seconds:
        begun = time.perf_counter()
        multiply()
        best = min(best, time.perf_counter() - begun)
    return float(2 * size**3 / best / 1e9)


def _product(library: str, array: np.ndarray[Any, np.dtype[np.float32]]) -> Callable[[], Any] | None:
    if library == "numpy":
        return lambda: array @ array
    try:
        import torch
    except ImportError:
        return None
    tensor = torch.from_numpy(array)
    return lambda: tensor @ tensor
