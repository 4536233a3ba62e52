"""Connections and transactions: SQLite in write-ahead mode, or PostgreSQL; one writer at a time in both."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Select, create_engine, event, text

from chainrule.errors import StoreError
from chainrule.experiments.store.place import Place
from chainrule.experiments.store.sqlite_files import Connector, check_file, has_bytes, make_folder, sqlite_engine
from chainrule.experiments.store.trouble import guard

TIMEOUT = 30.0
"""Seconds to wait for another writer."""

LOCK = 0x63687275
"""The advisory lock that makes PostgreSQL's writers wait for each other, as SQLite's do."""

SCHEMA_NAME = "chainrule"
"""Our tables' own schema in a PostgreSQL database, which may hold other things."""

WAYS = ("rw", "ro", "immutable", "copy")
"""How a file may be opened to read only: the first leaves nothing behind, the last works in any folder."""


class Database:
    """A store's connections.

    Parameters
    ----------
    place : Place
        Where it lies.
    create : bool
        Make an SQLite file that is not there.
    read_only : bool
        Never write.
    timeout : float
        Seconds to wait for another writer.
    """

    def __init__(self, place: Place, create: bool, read_only: bool, timeout: float = TIMEOUT) -> None:
        self.place, self.read_only, self.timeout = place, read_only, timeout
        self.is_new = False
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self.engine = self._open_file(place.path, create) if place.path is not None else self._connect()

    @property
    def is_sqlite(self) -> bool:
        """Whether the store is a file."""
        return self.place.path is not None

    # -- transactions ------------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the store; whatever cannot be understood in it is damage."""
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with (
            guard(self.place, reading=True),
            self.engine.connect() as connection,
            connection.execution_options(**options).begin(),
        ):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that keeps other writers out; all of it is kept, or nothing."""
        if self.read_only:
            raise StoreError(f"the store {self.place.shown} was opened to read only")
        options = {"chainrule_begin": "BEGIN IMMEDIATE"}
        with (
            guard(self.place, reading=True),
            self.engine.connect() as connection,
            connection.execution_options(**options).begin(),
        ):
            if not self.is_sqlite:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            yield connection

    def now(self, connection: Connection) -> float:
        """Return the time (seconds): the server's, because hosts that share one may disagree; else this host's."""
        if self.is_sqlite:
            return time.time()
        return float(connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0.0)

    def vacuum(self) -> None:
        """Give unused space back, and let the planner count anew."""
        with guard(self.place), self.engine.connect() as connection:
            plain = connection.execution_options(isolation_level="AUTOCOMMIT", chainrule_begin="")
            for command in ("VACUUM", "ANALYZE", *(["PRAGMA wal_checkpoint(TRUNCATE)"] if self.is_sqlite else [])):
                plain.exec_driver_sql(command)

    def close(self) -> None:
        """End all connections."""
        with contextlib.suppress(Exception):  # a connection that is lost cannot be closed in good order
            self.engine.dispose()
        self.close_copy()

    def close_copy(self) -> None:
        """Remove the copy that was read in place of a file that cannot be opened where it lies."""
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    # -- SQLite ------------------------------------------------------------------------------------

    def _open_file(self, path: Path, create: bool) -> Engine:
        with guard(self.place):
            self.is_new = check_file(self.place, path, create and not self.read_only)
            if not self.read_only:
                make_folder(self.place, path)
                return sqlite_engine(self._connector(path, "rwc"))
        for way in WAYS:
            engine = sqlite_engine(self._connector(path, way))
            try:
                with engine.connect() as connection:
                    connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
                return engine
            except Exception as error:
                engine.dispose()
                last = error
        self.close_copy()
        with guard(self.place, reading=True):
            raise last
        raise AssertionError("the guard has raised")

    def _connector(self, path: Path, way: str) -> Connector:
        """Return what connects to the file, in one of the `WAYS`, or to write (``rwc``).

        A store that was left in a folder that cannot be written lacks the shared memory that readers need: without
        a log beside it, it cannot change either; with one, a copy is read.
        """
        log = path.with_name(f"{path.name}-wal")
        if way == "copy":
            self._copy = self._copy or tempfile.TemporaryDirectory(prefix="chainrule-store-")
            copy = Path(self._copy.name) / path.name
            for file in (path, log):
                if file.exists():
                    shutil.copyfile(file, copy.with_name(file.name))
            return Connector(f"file:{quote(str(copy))}?mode=rw", self.timeout, True)
        immutable = way == "immutable" and not has_bytes(log)
        mode = way if way in ("rwc", "rw") else "ro"
        uri = f"file:{quote(str(path.absolute()))}?mode={mode}{'&immutable=1' if immutable else ''}"
        return Connector(uri, self.timeout, way != "rwc")

    # -- PostgreSQL --------------------------------------------------------------------------------

    def _connect(self) -> Engine:
        url = self.place.url
        assert url is not None, "a place has a path or a URL"
        try:
            import psycopg
        except ImportError:
            raise StoreError("a store in PostgreSQL needs psycopg: pip install 'chainrule[postgres]'") from None
        wait = round(1000 * self.timeout)
        defaults = {
            "connect_timeout": "10",
            "application_name": "chainrule",
            "keepalives_idle": "10",
            "keepalives_interval": "5",
            "keepalives_count": "3",
            "tcp_user_timeout": "30000",
        }
        given = {name: value for name, value in defaults.items() if name not in url.query}
        with guard(self.place):
            engine = create_engine(
                url,
                connect_args={**given, "cursor_factory": _binary_cursor(psycopg.Cursor)},
                pool_pre_ping=True,
                hide_parameters=True,
            )

        @event.listens_for(engine, "connect")
        def _prepare(connection: object, record: object) -> None:
            with connection.cursor() as cursor:  # type: ignore[attr-defined]
                cursor.execute(f"SET search_path TO {SCHEMA_NAME}")
                cursor.execute(f"SET lock_timeout TO {wait}")
            connection.commit()  # type: ignore[attr-defined]

        return engine


def _binary_cursor(cursor: type[Any]) -> type[Any]:
    """Return a kind of cursor that asks for bytes as they are: as text they are twice as long, and slow to read."""

    class BinaryCursor(cursor):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.format = 1  # psycopg.pq.Format.BINARY

    return BinaryCursor


def plain_rows(connection: Connection, statement: Select[Any]) -> list[tuple[Any, ...]]:
    """Return rows as the driver gives them: wrapping a hundred thousand of them would take most of the time."""
    cursor = connection.execute(statement).cursor
    return [] if cursor is None else list(cursor.fetchall())
