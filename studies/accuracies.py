"""How well networks recognise digits: the accuracy of many seeds on images that training never saw.

python -m studies.accuracies [--only digits mnist mlp] [--threads 2]

The settings were chosen on seeds 0 to 9; those judged here are others, with other initial weights, orders and, for the
digits, other parts held out. Accuracies are those of the last epoch, not of the best one.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule import mlp, parse_layers, train
from chainrule.nn import Network
from chainrule.resources import resources_from
from chainrule.stats import median_interval
from studies._table import Table

FIRST_SEED = 100


@dataclass(frozen=True)
class Judged:
    """A network and how it is trained.

    Attributes
    ----------
    data : str
        The data source.
    words : str
        The network, in the words of the layer language.
    network : Network
        The network.
    metric : str
        The final value that is the accuracy on unseen images.
    seeds : int
        How many.
    training : mapping
        What differs from `TRAINING`.
    """

    data: str
    words: str
    network: Network
    metric: str
    seeds: int
    training: Mapping[str, Any] = field(default_factory=dict)


TRAINING = {"loss": "softmax_cross_entropy", "optimizer": "adam", "schedule": "cosine", "dtype": "float32"}

SMALL = "conv 32 3 same, pool 2, conv 64 3 same, pool 2, dense 128"
LENET = "conv 16 5, pool 2, conv 32 5, pool 2, dense 128"

CASES = {
    "digits": Judged(
        "digits",
        SMALL,
        parse_layers(SMALL),
        "test_accuracy",
        11,
        {
            "loss": "softmax_cross_entropy(label_smoothing=0.1)",
            "learning_rate": 0.003,
            "batch_size": 32,
            "epochs": 40,
            "test": 0.2,
            "stratify": True,
        },
    ),
    "mnist": Judged(
        "mnist",
        LENET,
        parse_layers(LENET),
        "validation_accuracy",
        7,
        {"learning_rate": 0.002, "batch_size": 64, "epochs": 10},
    ),
    "mlp": Judged(
        "mnist",
        "dense 300",
        mlp([300], "relu"),
        "validation_accuracy",
        7,
        {"learning_rate": 0.002, "batch_size": 64, "epochs": 15},
    ),
}


def judge(case: Judged, threads: int | None) -> tuple[str, ...]:
    """Train a case and return its row."""
    training = TRAINING | dict(case.training)
    seeds = range(FIRST_SEED, FIRST_SEED + case.seeds)
    runs = train(case.network, case.data, seeds=seeds, log_every=training["epochs"], threads=threads, **training)
    found = 100 * np.sort(runs.column(case.metric))
    interval = median_interval(found)
    median = f"{np.median(found):.2f} % ({interval.low:.2f} to {interval.high:.2f})"
    told = (case.data, case.words, f"{runs[0].theta.size:,}", str(training["epochs"]), str(case.seeds), median)
    return (*told, f"{found[0]:.2f} to {found[-1]:.2f} %")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--threads", type=int, default=resources_from().threads)
    chosen = parser.parse_args()
    columns = ("data", "network", "weights", "epochs", "seeds", "median accuracy (95 % interval)", "all seeds")
    table = Table("Accuracy on images that training never saw", columns)
    for name in chosen.only:
        table.row(*judge(CASES[name], chosen.threads))
    table.end()


if __name__ == "__main__":
    main()
