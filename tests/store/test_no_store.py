"""Every command on what is no store, or was cut off: one line that says so, and nothing is made or changed."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from chainrule.experiments.store.tables import SCHEMA
from tests.store.conftest import Cli
from tests.store.schema_1 import ASSETS

COMMANDS = {
    "list": ["list"],
    "runs": ["list", "--runs"],
    "groups": ["list", "--by", "data.source", "--success", "loss<=1"],
    "check": ["check"],
    "compact": ["compact"],
    "export": ["export", "out.csv"],
}
SOUND = ASSETS / f"schema-{SCHEMA}.db"
CUT = "the store runs.db is cut off: {} there; copy it again, or go back to another copy"
KINDS = {
    "missing": "there is no store at runs.db; 'chainrule sweep --store' makes one",
    "folder": "runs.db is a folder: name a file in it, such as runs.db/chainrule.db",
    "empty": "there is no store at runs.db: the file is empty",
    "text": "runs.db is no SQLite file: name another file for the store",
    "byte": "runs.db is no SQLite file: name another file for the store",
    "songs": "runs.db is an SQLite file, but no store: name another file",
    "head": CUT.format("the file's first page is not"),
    "page": CUT.format(f"4,096 of {SOUND.stat().st_size:,} bytes are"),
    "half": CUT.format(f"40,000 of {SOUND.stat().st_size:,} bytes are"),
    "noise": "runs.db is no SQLite file: name another file for the store",
}


def make(kind: str, path: Path) -> None:
    """Make what is no store."""
    contents = {"empty": b"", "text": b"some words, and more of them" * 9, "byte": b"x"}
    lengths = {"head": 50, "page": 4096, "half": 40_000}
    if kind in contents:
        path.write_bytes(contents[kind])
    elif kind in lengths:
        path.write_bytes(SOUND.read_bytes()[: lengths[kind]])
    elif kind == "folder":
        path.mkdir()
    elif kind == "noise":
        path.write_bytes(SOUND.read_bytes()[:16] + bytes(range(256)) * 300)
    elif kind == "songs":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE songs (name TEXT)")
        connection.close()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_command_says_what_is_there_in_place_of_a_store(cli: Cli, kind: str, command: str) -> None:
    path = Path("runs.db")
    make(kind, path)
    before = path.read_bytes() if path.is_file() else b""
    result = cli(*COMMANDS[command], "--store", "runs.db")
    assert (result.status, result.out, result.err) == (2, "", f"error: {KINDS[kind]}\n")
    assert [file.name for file in Path().iterdir()] == ([] if kind == "missing" else ["runs.db"])
    assert not before or path.read_bytes() == before


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_merged_from_what_is_no_store(cli: Cli, kind: str) -> None:
    make(kind, Path("runs.db"))
    shutil.copy(SOUND, "sound.db")
    result = cli("merge", "sound.db", "runs.db", "--store", "new.db")
    assert (result.status, result.out, result.err) == (2, "", f"error: {KINDS[kind]}\n")
    assert not Path("new.db").exists()


def test_a_folder_that_is_a_file_is_named(cli: Cli) -> None:
    Path("runs.db").write_bytes(b"words")
    shutil.copy(SOUND, "sound.db")
    for inside, why in (("new.db", "File exists"), ("deep/new.db", "Not a directory")):
        assert cli("list", "--store", f"runs.db/{inside}").err.startswith("error: there is no store at runs.db/")
        told = cli("merge", "sound.db", "--store", f"runs.db/{inside}").err
        assert told == (f"error: cannot make the folder of the store runs.db/{inside} ({why}): name another place\n")
