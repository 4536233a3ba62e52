"""What augmentation adds to an epoch: seconds of processor time with and without it.

    python -m studies.augmented_epochs

A LeNet on MNIST (60,000 images, batches of 64) and 32 small convolutional networks on digits (1,437 images, batches of
64), float32, one thread; the least of several stretches, each the difference of a long and a short training.
"""

from __future__ import annotations

import time
from typing import Any

from chainrule import Dataset, Network, load, train
from chainrule.nn import parse_layers
from studies._table import Table

LENET = "conv 6 5 same, pool 2, conv 16 5, pool 2, dense 120, dense 84"
SMALL = "conv 8 3, conv 8 3, pool 2, dense 32"
CASES: tuple[tuple[str, ...], ...] = ((), ("shift(2)",), ("rotate(10)",), ("shift(2)", "rotate(10)"), ("noise(0.1)",))


def seconds(network: Network, data: Dataset, epochs: int, **settings: Any) -> float:
    """Return the processor seconds of a training."""
    begun = time.process_time()
    train(
        network, data, epochs=epochs, log_every=1000, batch_size=64, loss="softmax_cross_entropy", optimizer="adam",
        learning_rate=0.001, dtype="float32", threads=1, **settings,
    )  # fmt: skip
    return time.process_time() - begun


def per_epoch(network: Network, data: Dataset, epochs: int, rounds: int, **settings: Any) -> float:
    """Return the processor seconds of an epoch, without what comes before the first and after the last."""
    seconds(network, data, 1, **settings)
    short = min(seconds(network, data, 1, **settings) for _ in range(rounds))
    return (min(seconds(network, data, 1 + epochs, **settings) for _ in range(rounds)) - short) / epochs


def main() -> None:
    """Print a row for each case."""
    mnist, digits = load("mnist").draw(0), load("digits").draw(0).take(range(1437))
    table = Table("Seconds of an epoch", ("samples", "LeNet on MNIST", "32 small networks on digits"))
    for augment in CASES:
        lenet = per_epoch(parse_layers(LENET), mnist, 2, 2, seeds=1, augment=augment)
        company = per_epoch(parse_layers(SMALL), digits, 6, 3, seeds=32, augment=augment)
        table.row(" ".join(augment) or "as they are", f"{lenet:.2f}", f"{company:.3f}")
    table.end()


if __name__ == "__main__":
    main()
