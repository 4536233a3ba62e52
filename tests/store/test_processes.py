"""Many processes, any of which may be killed or forked: no run is lost, and none is computed twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from chainrule.errors import StoreError
from chainrule.experiments.running.tasks import Task
from chainrule.experiments.store import Store
from chainrule.experiments.store.owners import start_of, this_host
from chainrule.experiments.store.tables import leases, owners
from tests.store.conftest import Open, Pairs
from tests.store.makers import made_up

ROOT = Path(__file__).parents[2]


SAVE = """
import sys
from chainrule.experiments.store import Store
from tests.store.makers import made_up
with Store.open(sys.argv[1]) as store:
    for start in range(int(sys.argv[2]), 10**6, 50):
        pairs = made_up(start, 50)
        claimed = set(store.claim([task for task, _ in pairs]))
        store.save([pair for pair in pairs if pair[0] in claimed])
        print(start + 50, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal on this system")
def test_killed_at_any_moment(tmp_path: Path) -> None:
    path, random, saved = tmp_path / "runs.db", np.random.default_rng(3), 0
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", SAVE, str(path), str(saved)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        saved = int(child.stdout.readline())
        time.sleep(random.uniform(0.0, 0.3))
        child.kill()
        told = child.stdout.read().split("\n")
        child.wait()
        child.stdout.close()
        saved = max([saved, *(int(line) for line in told[:-1])])
        with Store.open(path) as store:
            assert saved <= store.count() <= saved + 50
            assert store.check().problems == []
            saved = store.count()
            tasks = [task for task, _ in made_up(saved, 100)]
            assert store.claim(tasks) == tasks  # what the dead process had reserved is free at once
        assert [file.name for file in tmp_path.iterdir()] == ["runs.db"]


def _compete(where: str, order: int, out: str) -> None:
    """Claim and save every task, a few at a time, in an order of one's own."""
    pairs = made_up(0, 120)
    mixed = [pairs[k] for k in np.random.default_rng(order).permutation(len(pairs))]
    mine: list[int] = []
    with Store.open(where) as store:
        for start in range(0, len(mixed), 12):
            some = mixed[start : start + 12]
            claimed = set(store.claim([task for task, _ in some]))
            mine += [task.seed for task in claimed]
            store.save([pair for pair in some if pair[0] in claimed])
    Path(out).write_text(" ".join(map(str, mine)))


def test_processes_never_compute_the_same_run(where: str, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    outs = [str(tmp_path / f"out-{k}") for k in range(2)]
    processes = [context.Process(target=_compete, args=(where, k, out)) for k, out in enumerate(outs)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    taken = [int(word) for out in outs for word in Path(out).read_text().split()]
    assert sorted(taken) == list(range(120))  # each by one of them, none left out, none twice
    with Store.open(where) as store:
        assert store.count() == 120
        assert store.check().problems == []


def test_who_is_dead_is_known(opened: Open, plain: Pairs) -> None:
    tasks: list[Task] = [task for task, _ in plain]
    one, other = opened(), opened(lifetime=50)
    changes: list[tuple[dict[str, Any], bool]] = [
        ({"pid": 2**22 + 1}, True),  # no such process
        ({"started": "1"}, True),  # its number belongs to another process by now
        ({"beat": 0.0}, False),  # silent, but it lives on this host
        ({"host": "elsewhere"}, False),  # nobody can see, but its heart has just beaten
        ({"host": "elsewhere", "beat": time.time() - 130}, True),
    ]
    for values, is_free in changes:
        assert one.claim(tasks) == tasks
        with other.database.write() as connection:
            connection.execute(update(owners).values(**values))
        assert (other.claim(tasks) == tasks) == is_free, values
        with other.database.write() as connection:
            connection.execute(leases.delete())
            connection.execute(owners.delete())


def test_a_heart_beats_as_long_as_it_lives(opened: Open, plain: Pairs) -> None:
    store = opened(lifetime=0.3)
    store.claim([plain[0][0]])

    def beat() -> float:
        with store.database.read() as connection:
            return float(connection.scalar(owners.select().with_only_columns(owners.c.beat)) or 0)

    first, end = beat(), time.monotonic() + 10
    while beat() == first and time.monotonic() < end:
        time.sleep(0.02)
    assert beat() > first


def test_processes_and_hosts_are_told_apart() -> None:
    assert start_of(os.getpid()) == start_of(os.getpid())
    assert start_of(2**22 + 1) is None
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    while (state := start_of(child.pid)) is not None:  # at the latest when it has ended, though nobody waited for it
        assert state.isdecimal()
        time.sleep(0.01)
    child.wait()
    assert this_host() == this_host()


def test_a_store_stays_in_its_process(tmp_path: Path, plain: Pairs) -> None:
    with Store.open(tmp_path / "runs.db") as store:
        store.save(plain)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                store.count()
            except StoreError as error:
                os.write(writing, str(error).encode())
            os._exit(0)
        os.waitpid(child, 0)
        message = os.read(reading, 1000).decode()
        os.close(reading)
        os.close(writing)
    assert "was opened by another process: open it in this one too" in message
