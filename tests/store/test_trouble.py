"""Locked, full, read-only, forked, killed, cut off: one line, and everything saved before stays readable."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, text, update
from sqlalchemy.engine import make_url

from chainrule.errors import StoreError
from chainrule.experiments.running.tasks import Task
from chainrule.experiments.store import Store
from chainrule.experiments.store.owners import start_of, this_host
from chainrule.experiments.store.tables import leases, owners
from tests.store.conftest import Open, Pairs, assert_same
from tests.store.makers import made_up

ROOT = Path(__file__).parents[2]


def test_a_locked_store_is_waited_for_and_then_named(tmp_path: Path, plain: Pairs) -> None:
    path = tmp_path / "runs.db"
    with Store.open(path, timeout=0.2) as store:
        store.save(plain[:4])
        with sqlite3.connect(path, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with pytest.raises(StoreError, match="is locked by another program: end it, or wait"):
                store.save(plain)
            assert time.monotonic() - began < 5
            assert store.count() == 4  # reading goes on
            other.execute("ROLLBACK")
        other.close()
        store.save(plain)
        assert store.count() == len(plain)


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "HOME": "/nonexistent",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


FILL = """
import resource, sys
from chainrule.errors import StoreError
from chainrule.experiments.store import Store
from tests.store.makers import made_up
with Store.open(sys.argv[1]) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000))  # files cannot grow further, as on a full disk
    for start in range(0, 100_000, 20):
        try:
            store.save(made_up(start, 20))
        except StoreError as error:
            print(start)
            print(error)
            break
"""


def test_a_full_disk_keeps_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    done = run_python(FILL, str(path))
    assert done.stderr == ""
    saved, message = done.stdout.splitlines()
    assert int(saved) > 100
    assert f"cannot write to the store {path}" in message
    assert "everything saved before stays readable" in message
    for read_only in (True, False):
        with Store.open(path, read_only=read_only) as store:
            assert store.count() == int(saved)
            assert store.check().problems == []
    with Store.open(path) as store:  # with room again it goes on
        store.save(made_up(int(saved), 20))
        assert store.count() == int(saved) + 20


READ = """
import os, sys, tempfile
from chainrule.errors import StoreError
from chainrule.experiments.store import Store
from tests.store.makers import made_up
if os.getuid() == 0:  # to whom nothing is forbidden
    with tempfile.TemporaryDirectory() as folder, Store.open(folder + "/runs.db") as store:
        store.save(made_up(0, 1))  # so that all modules are there before their files are out of reach
        assert store.check().is_sound
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
with Store.open(sys.argv[1], read_only=True) as store:
    print(store.count(), store.check().problems)
for place in sys.argv[1:]:
    try:
        with Store.open(place) as store:
            store.claim([])
            store.save(made_up(0, 1))
        print("saved")
    except StoreError as error:
        print(error)
"""


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """A folder that another user may read, but not write."""
    folder = Path(tempfile.mkdtemp(prefix="chainrule-forbidden-"))
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("left_open", [False, True])
def test_a_read_only_folder_is_read(forbidden: Path, left_open: bool) -> None:
    path = forbidden / "runs.db"
    store = Store.open(path)
    store.save(made_up(0, 30))
    if left_open:  # as a process leaves it that was killed: the last runs lie in the log only
        kept = {file.name: file.read_bytes() for file in forbidden.iterdir() if not file.name.endswith("-shm")}
        assert len(kept["runs.db-wal"]) > 10_000
        store.close()
        for name, data in kept.items():
            (forbidden / name).write_bytes(data)
    store.close()
    for file in forbidden.iterdir():
        file.chmod(0o444)
    forbidden.chmod(0o555)
    before = {file.name: file.read_bytes() for file in forbidden.iterdir()}
    done = run_python(READ, str(path), str(forbidden / "new.db"))
    assert done.stderr == ""
    read, *refused = done.stdout.splitlines()
    assert read == "30 []"
    assert len(refused) == 2
    for line in refused:
        assert "cannot be written" in line or "cannot open the store" in line or "cannot be used (Permission" in line, (
            line
        )
    assert {file.name: file.read_bytes() for file in forbidden.iterdir()} == before


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


def test_a_save_is_whole_or_not_at_all(opened: Open, plain: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened()
    store.save(plain[:3])

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chainrule.experiments.store.writing.put_columns", fail)
    with pytest.raises(StoreError, match=r"No space|no room"):
        store.save(plain)
    monkeypatch.undo()
    assert store.count() == 3
    store.save(plain)
    assert store.check().problems == []


@pytest.mark.postgres
@pytest.mark.parametrize("where", ["postgresql"], indirect=True)
class TestLostConnection:
    """A server that goes away."""

    def test_in_the_middle_of_a_save(
        self, where: str, opened: Open, plain: Pairs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = opened()
        store.save(plain[:3])
        from chainrule.experiments.store import writing

        whole = writing.put_columns

        def cut_off(connection: object, *rest: object) -> None:
            end_connections(where)
            whole(connection, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(writing, "put_columns", cut_off)
        with pytest.raises(StoreError) as caught:
            store.save(plain)
        assert "no connection to the store postgresql://chainrule:***@127.0.0.1" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert str(make_url(where).password) not in str(caught.value)
        monkeypatch.undo()
        assert store.count() == 3  # the next call connects again
        store.save(plain)
        found = store.load([task for task, _ in plain])
        for task, run in plain:
            assert_same(found[task], run)
        assert store.check().problems == []

    def test_between_two_calls(self, where: str, opened: Open, plain: Pairs) -> None:
        store = opened()
        store.claim([task for task, _ in plain])
        end_connections(where)
        store.save(plain)
        end_connections(where)
        assert store.count() == len(plain)

    def test_secrets_are_never_told(self, where: str, opened: Open) -> None:
        right = make_url(where)
        password = str(right.password)
        assert password not in repr(opened()) + opened().redacted
        wrong = right.set(password="p@ss/w:rd-" + password)
        for url in (wrong, right.set(database="none"), right.set(port=1), right.set(username="nobody")):
            typed = url.render_as_string(hide_password=False)
            with pytest.raises(StoreError) as caught:
                Store.open(typed)
            told = str(caught.value) + repr(caught.value)
            for secret in (password, "p@ss", "p%40ss", str(url.password)):
                assert secret not in told
            assert "***" in told
            assert caught.value.__cause__ is None

    def test_rows_that_others_lock_are_waited_for(self, where: str, opened: Open, plain: Pairs) -> None:
        store = opened(timeout=0.3)
        store.save(plain[:1])
        server = create_engine(make_url(where).set(drivername="postgresql+psycopg"))
        with server.connect() as other:
            other.execute(text(f"SELECT pg_advisory_lock({0x63687275})"))
            with pytest.raises(StoreError, match="is locked by another program"):
                store.save(plain)
        server.dispose()
        assert store.count() == 1

    def test_a_database_may_hold_other_things(self, where: str, plain: Pairs) -> None:
        server = create_engine(make_url(where).set(drivername="postgresql+psycopg"))
        with server.begin() as other:
            other.execute(text("CREATE TABLE meta (anything TEXT)"))
            other.execute(text("CREATE TABLE runs (anything TEXT)"))
        with Store.open(where) as store:
            store.save(plain)
        with Store.open(where, create=False, read_only=True) as store:
            assert store.count() == len(plain)
        with server.connect() as other:
            assert other.scalar(text("SELECT count(*) FROM public.runs")) == 0
        server.dispose()


def end_connections(where: str) -> None:
    """Let the server end every other connection to a database."""
    url = make_url(where).set(drivername="postgresql+psycopg")
    server = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        asked = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        assert connection.execute(asked, {"name": url.database}).rowcount > 0
    server.dispose()


def test_made_up_runs_differ(plain: Pairs) -> None:
    pairs = made_up(5, 3)
    assert [task.seed for task, _ in pairs] == [5, 6, 7]
    assert len({run.theta.tobytes() for _, run in pairs}) == 3
    assert replace(pairs[0][1], seconds=1.0).final.keys() == plain[0][1].final.keys()
