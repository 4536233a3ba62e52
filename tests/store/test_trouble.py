"""Locked, full, read-only: one line, and everything saved before stays readable."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainrule.errors import StoreError
from chainrule.experiments.store import Store
from tests.store.conftest import Open, Pairs
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
    done = run_python(READ, str(path), str(forbidden / "new.db"), str(forbidden / "deep" / "new.db"))
    assert done.stderr == ""
    read, *refused = done.stdout.splitlines()
    assert read == "30 []"
    first, second, third = refused
    assert "cannot be written" in first or "cannot open the store" in first
    assert "cannot open the store" in second
    assert "cannot make the folder of the store" in third
    assert {file.name: file.read_bytes() for file in forbidden.iterdir()} == before


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


LOOK = """
import os, sys
from chainrule.errors import StoreError
from chainrule.experiments.store import Store
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for place in sys.argv[1:]:
    for read_only in (True, False):
        try:
            Store.open(place, read_only=read_only)
        except StoreError as error:
            print(error)
"""


def test_what_may_not_even_be_read_is_named(forbidden: Path) -> None:
    path = forbidden / "runs.db"
    Store.open(path).close()
    path.chmod(0o200)
    inside = forbidden / "secret" / "runs.db"
    inside.parent.mkdir()
    inside.parent.chmod(0o200)
    forbidden.chmod(0o755)
    done = run_python(LOOK, str(path), str(inside))
    inside.parent.chmod(0o700)
    assert done.stderr == ""
    told = done.stdout.splitlines()
    why = "(Permission denied): the file or its folder is forbidden to you"
    assert told == [f"the store {place} cannot be read {why}" for place in (path, path, inside, inside)]
