"""How long a training step on images takes one thread, and at which rate it then computes.

Networks are trained for some epochs and for three times as many; the difference, of processor time, is what so much
training costs by itself. Of both the least of many times counts, as other work on the machine only adds to it.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from chainrule import Dataset, load, train
from chainrule.data import FixedSource
from chainrule.nn import parse_layers
from studies._table import Table

BATCH, EPOCHS = 64, 40
CASES = (
    ("digits", 1797, 36_864, "conv 8 3, conv 8 3, pool 2, dense 32"),
    ("mnist", 1000, 3_118_848, "conv 16 5, pool 2, conv 32 5, pool 2, dense 128"),
)
"""Data set, its first samples, multiply-adds of a sample there and back, layers."""


def seconds_of(layers: str, source: FixedSource, epochs: int) -> float:
    """Return the processor time of a training call."""
    begun = time.process_time()
    train(
        parse_layers(layers), source, epochs=epochs, batch_size=BATCH, learning_rate=0.05, dtype="float32",
        loss="softmax_cross_entropy", engine="gemm", threads=1, log_every=epochs,
    )  # fmt: skip
    return time.process_time() - begun


def main() -> None:
    """Time each case."""
    parser = argparse.ArgumentParser(description="Time training steps on images, one thread.")
    parser.add_argument("--pairs", type=int, default=30, help="pairs of trainings (30)")
    pairs = parser.parse_args().pairs
    table = Table("One thread, batches of 64, float32", ("layers", "data", "a step", "GFLOP/s"))
    for name, samples, products, layers in CASES:
        full = load(name).draw(0)
        part: Dataset = full.take(np.arange(samples))
        source, epochs = FixedSource(part), max(EPOCHS * 1797 // (samples * (1 + products // 100_000)), 1)
        steps = 2 * epochs * -(-samples // BATCH)
        seconds_of(layers, source, 1)
        measured = [[seconds_of(layers, source, k * epochs) for k in (1, 3)] for _ in range(max(pairs, 1))]
        short, long = np.min(measured, axis=0)
        least = float(long - short)
        rate = 2e-9 * products * samples * 2 * epochs / least
        table.row(layers, f"{samples:,} of {name}", f"{1e6 * least / steps:,.1f} us", f"{rate:.0f}")
    table.end()


if __name__ == "__main__":
    main()
