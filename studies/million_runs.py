"""A store of a million runs: how large it is, and how long listing, filtering and aggregating take.

    python -m studies.million_runs [--settings 1000] [--seeds 1000] [--store FILE|URL] [--keep]

The runs are made up (values drawn at random), but written by the same code that saves real ones, a thousand at a time.
Every question is asked by a store that has just been opened; the best and the worst of three times are told.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.experiments.recipes.grid import Setting, make_setting
from chainrule.experiments.running.tasks import Task
from chainrule.experiments.store import Store
from chainrule.experiments.store.packing import pack
from chainrule.experiments.store.records import Record, machine_text
from chainrule.experiments.store.writing import Origin, put_records
from chainrule.nn import mlp
from chainrule.population import TrainingConfig

NAMES = ("loss", "accuracy", "mse", "validation_loss", "validation_accuracy", "validation_mse")
SAVE = 1000
"""Runs in one transaction."""

REPEATS = 3
HIDDEN: tuple[tuple[int, ...], ...] = ((2,), (4,), (8,), (4, 4), (8, 8))
ACTIVATIONS = ("tanh", "sigmoid", "relu", "leaky_relu(0.1)")


def settings_of(count: int) -> Iterator[Setting]:
    """Return so many settings: 5 widths x 4 activations x 2 data sets x 5 optimizers, then learning rates."""
    places = list(
        itertools.product(
            HIDDEN, ACTIVATIONS, ("xor", "moons"), ("sgd", "adam", "momentum(0.9)", "rmsprop", "nesterov(0.9)")
        )
    )
    rates = np.geomspace(1e-4, 10, max(-(-count // len(places)), 1)).tolist()
    configs = {
        (optimizer, rate): TrainingConfig(optimizer=optimizer, learning_rate=rate)
        for optimizer in {place[3] for place in places}
        for rate in rates
    }
    networks = {(hidden, activation): mlp(hidden, activation) for hidden in HIDDEN for activation in ACTIVATIONS}
    for rate, (hidden, activation, source, optimizer) in itertools.islice(itertools.product(rates, places), count):
        yield make_setting(source, networks[hidden, activation], configs[optimizer, rate])


def records_of(settings: Iterator[Setting], seeds: int, weights: bool) -> Iterator[Record]:
    """Make runs up."""
    random = np.random.default_rng(1)
    names = json.dumps(list(NAMES))
    reason = "auto: 256 networks of at most 64 units share SIMD lanes"
    for setting in settings:
        values = random.random((seeds, len(NAMES)))
        values[random.random(values.shape) < 0.01] = np.nan
        epochs, seconds = random.integers(10, 1000, seeds).tolist(), random.random(seeds).tolist()
        converged = (random.random(seeds) < 0.7).tolist()
        bound = setting.network.replace('"input_shape": null', '"input_shape": [2]')
        theta = random.normal(size=(seeds, 37))
        for seed in range(seeds):
            yield Record(
                task=Task(setting, seed, f"{setting.source:0<32}", "compiled-1"),
                network=bound,
                training=setting.training,
                stop_reason="loss_below" if converged[seed] else "epochs",
                converged=converged[seed],
                epochs=epochs[seed],
                seconds=seconds[seed],
                engine="lanes",
                engine_reason=reason,
                fingerprint=f"{seed:032x}",
                names=names,
                final=values[seed].tobytes(),
                divergence=None,
                preprocessing=None,
                weights=pack({"theta": theta[seed]}) if weights else None,
                curves=None,
                digest=random.bytes(8),
            )


def fill(where: str, count: int, seeds: int, weights: bool) -> float:
    """Write the runs; return the seconds it took."""
    started, done = time.perf_counter(), 0
    origin = Origin(int(time.time()), machine_text())
    records = records_of(settings_of(count), seeds, weights)
    with Store.open(where) as store:
        while some := list(itertools.islice(records, SAVE)):
            with store._write() as connection:
                put_records(connection, store.known, some, origin)
            done += len(some)
            if done % 100_000 == 0:
                print(f"  {done:,} runs after {time.perf_counter() - started:.0f} s", flush=True)  # noqa: T201
    return time.perf_counter() - started


QUESTIONS: dict[str, Callable[[Store], Any]] = {
    "count": lambda store: store.count(),
    "list all settings": lambda store: store.settings(),
    "list the first 20 settings": lambda store: store.settings(20),
    "list what varies": lambda store: store.axes(),
    "mean, median, success rate: all runs": lambda store: store.aggregate(success="accuracy>=0.5"),
    "... by data.source": lambda store: store.aggregate("data.source"),
    "... by network.hidden": lambda store: store.aggregate("network.hidden", success="accuracy>=0.5"),
    "... by network.activation": lambda store: store.aggregate("network.activation"),
    "... by training.optimizer": lambda store: store.aggregate("training.optimizer", metric="validation_loss"),
    "... by training.learning_rate": lambda store: store.aggregate("training.learning_rate", success="loss<=0.1"),
    "... by learning_rate and hidden": lambda store: store.aggregate(
        ("training.learning_rate", "network.hidden"), success="loss<=0.1"
    ),
    "... by optimizer, of one data set": lambda store: store.aggregate(
        "training.optimizer", where={"data.source": "xor"}
    ),
    "filter: 100 rows at 3 axes and 2 rules": lambda store: store.rows(
        {"training.optimizer": "adam", "network.hidden": (4, 4), "data.source": "moons"},
        ["loss<=0.01", "accuracy>=0.9"],
        limit=100,
    ),
    "filter: 1,000 rows by a rule": lambda store: store.rows(having=["loss<=0.001"], limit=1000),
}


def server_of(store: Store) -> int | None:
    """Return the number of the process that serves a store in PostgreSQL, on the same host."""
    if store.database.is_sqlite:
        return None
    with store.database.read() as connection:  # the questions that follow use the same connection
        return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() or 0)


def seconds_of(process: int | None) -> float:
    """Return the processor's time that another process has used (Linux)."""
    return 0.0 if process is None else int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


def ask(where: str) -> None:
    """Tell the seconds that each question takes, and the processor's time alone: other programs slow the first."""
    times: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    for name, question in QUESTIONS.items():
        for _ in range(REPEATS):
            with Store.open(where, read_only=True) as store:
                server = server_of(store)
                started, busy = time.perf_counter(), time.process_time() + seconds_of(server)
                question(store)
                times.setdefault(name, []).append(time.perf_counter() - started)
                cpu.setdefault(name, []).append(time.process_time() + seconds_of(server) - busy)
        shown = f"{min(times[name]):6.2f} s to {max(times[name]):6.2f} s"
        print(f"{name:42} {shown}, processor {min(cpu[name]):5.2f} s", flush=True)  # noqa: T201


def main() -> None:
    """Fill a store and ask."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--settings", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--store", default=None)
    parser.add_argument("--weights", action="store_true")
    parser.add_argument("--keep", action="store_true", help="ask a store that was filled before")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        where = options.store or str(Path(folder) / "million.db")
        n = options.settings * options.seeds
        print(f"load {os.getloadavg()[0]:.1f}; {options.settings:,} settings x {options.seeds:,} seeds")  # noqa: T201
        if not options.keep:
            seconds = fill(where, options.settings, options.seeds, options.weights)
            print(f"written in {seconds:.0f} s ({n / seconds:,.0f} runs a second)")  # noqa: T201
        with Store.open(where, read_only=True) as store:
            print(f"{store.count():,} runs, {store.size / n:.0f} bytes a run")  # noqa: T201
        ask(where)
        print(f"load {os.getloadavg()[0]:.1f}")  # noqa: T201


if __name__ == "__main__":
    main()
