"""SQLite files: what is to be opened as a store, how it is opened, and what marks it as one."""

from __future__ import annotations

import sqlite3
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISDIR

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from chainrule.errors import StoreError
from chainrule.experiments.store.place import Place
from chainrule.experiments.store.tables import APPLICATION_ID

MAGIC = b"SQLite format 3\0"
HEAD = 100
"""Bytes of an SQLite file that say what it is."""


def check_file(place: Place, path: Path, create: bool) -> bool:
    """Return whether the file is still to be made.

    Raises
    ------
    StoreError
        If it may not be made, is no SQLite file, was cut off, or may not be read.
    """
    shown = place.shown
    with permitted(f"the store {shown} cannot be read", "the file or its folder is forbidden to you"):
        try:
            there = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            there = None
        if there is not None and S_ISDIR(there.st_mode):
            raise StoreError(f"{shown} is a folder: name a file in it, such as {shown}/chainrule.db")
        if there is None or not there.st_size:
            if not create:
                what = "; 'chainrule sweep --store' makes one" if there is None else ": the file is empty"
                raise StoreError(f"there is no store at {shown}{what}")
            return True
        if not MAGIC.startswith(_head(path)[: len(MAGIC)]):
            raise StoreError(f"{shown} is no SQLite file: name another file for the store")
        if (told := _cut(path)) and (told := _cut(path, wait=0.1)):  # not while another process moves its pages
            raise StoreError(f"the store {shown} is cut off: {told} there; copy it again, or go back to another copy")
    return False


def make_folder(place: Place, path: Path) -> None:
    """Make the folder that a file is to lie in; `StoreError` if it cannot be."""
    with permitted(f"cannot make the folder of the store {place.shown}", "name another place"):
        path.parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def permitted(what: str, hint: str) -> Iterator[None]:
    """Say in a line what the system forbids."""
    try:
        yield
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise StoreError(f"{what} ({error.strerror}): {hint}") from None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _cut(path: Path, wait: float = 0.0) -> str:
    """Return what is left of a file that lacks a part of what its first 100 bytes tell; nothing if it is whole.

    They tell the size of a page and the number of pages, if the number of changes stands twice (the SQLite database
    file format, section 1.3). A log beside the file may hold the rest.
    """
    time.sleep(wait)
    head = _head(path)
    if len(head) < HEAD:
        return "the file's first page is not"
    page, changes, pages, valid_for = struct.unpack(">16xH6xII60xI4x", head)
    whole = (65_536 if page == 1 else page) * pages if changes == valid_for else 0
    if any(has_bytes(path.with_name(path.name + log)) for log in ("-wal", "-journal")):
        return ""
    size = path.stat().st_size
    return f"{size:,} of {whole:,} bytes are" if size < whole else ""


def has_bytes(path: Path) -> bool:
    """Return whether there is a file, and something in it."""
    return path.exists() and path.stat().st_size > 0


class Connector:
    """Opens an SQLite connection with the settings of a store."""

    def __init__(self, uri: str, timeout: float, read_only: bool) -> None:
        self.uri, self.timeout, self.read_only = uri, timeout, read_only

    def __call__(self) -> sqlite3.Connection:
        """Connect."""
        connection = sqlite3.connect(
            self.uri, timeout=self.timeout, isolation_level=None, check_same_thread=False, uri=True
        )
        try:
            for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "cache_size = -65536", "mmap_size = 0"):
                connection.execute(f"PRAGMA {pragma}")
            if self.read_only:
                connection.execute("PRAGMA query_only = ON")
            else:
                self._write_ahead(connection)
                connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _write_ahead(self, connection: sqlite3.Connection) -> None:
        """Switch to write-ahead logging; SQLite does not wait for others here, so we do."""
        end = time.monotonic() + self.timeout
        while True:
            try:
                if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal" and self._may_be_ours(connection):
                    connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(0.02)

    @staticmethod
    def _may_be_ours(connection: sqlite3.Connection) -> bool:
        """Return whether the file is a store, or empty: others are left as they are."""
        if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
            return True
        return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0)


def sqlite_engine(connector: Connector) -> Engine:
    """Return an engine that begins transactions itself: Python's own driver would do so too late for schemas."""
    engine = create_engine("sqlite://", creator=connector, poolclass=QueuePool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        command = connection.get_execution_options().get("chainrule_begin", "BEGIN")
        if command:
            connection.exec_driver_sql(command)

    return engine


def mark(connection: Connection) -> None:
    """Write into a new SQLite file whose it is."""
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")


def is_marked(connection: Connection) -> bool:
    """Return whether an SQLite file is one of ours."""
    return bool(connection.exec_driver_sql("PRAGMA application_id").scalar() == APPLICATION_ID)
