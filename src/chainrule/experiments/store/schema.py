"""Making a store's tables, telling a store from other files, and bringing old ones up to date."""

from __future__ import annotations

from sqlalchemy import Connection, insert, inspect, select, text, update

from chainrule.errors import StoreError, one_line
from chainrule.experiments.store.database import SCHEMA_NAME, Database
from chainrule.experiments.store.migrations import MIGRATIONS
from chainrule.experiments.store.sqlite_files import is_marked, mark
from chainrule.experiments.store.tables import SCHEMA, meta, metadata
from chainrule.experiments.store.words import Words


def prepare(database: Database, known: Words, create: bool) -> None:
    """See to it that the store has the tables of this version.

    Raises
    ------
    StoreError
        If it has none and may not get any, is no store, or is of a later version.
    """
    version = _version(database)
    if version == SCHEMA:
        return
    if version is not None and version > SCHEMA:
        raise StoreError(
            f"the store {database.place.shown} was written by a later chainrule (schema {version}, this one reads up "
            f"to {SCHEMA}): update chainrule"
        )
    if version is None and (not create or database.read_only):
        raise StoreError(f"there is no store at {database.place.shown}")
    if database.read_only:
        raise StoreError(
            f"the store {database.place.shown} is of schema {version}, this chainrule reads {SCHEMA}: bring it up to "
            "date with 'chainrule store compact'"
        )
    try:
        _bring_up_to_date(database, known)
    except BaseException:
        known.forget()
        raise


def _bring_up_to_date(database: Database, known: Words) -> None:
    """Make the tables, or migrate old ones, in one transaction."""
    with database.write() as connection:
        version = _version_in(database, connection)  # another process may have been first
        if version is None:
            _create(database, connection)
            return
        while version < SCHEMA:
            version = MIGRATIONS[version](connection, known)
        connection.execute(update(meta).where(meta.c.name == "schema").values(value=str(SCHEMA)))


def _version(database: Database) -> int | None:
    with database.read() as connection:
        return _version_in(database, connection)


def _version_in(database: Database, connection: Connection) -> int | None:
    """Return the store's schema version; None where nothing is yet."""
    if database.is_sqlite:
        if not is_marked(connection):
            if connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar():
                raise StoreError(f"{database.place.shown} is an SQLite file, but no store: name another file")
            return None
    elif not inspect(connection).has_table("meta", schema=SCHEMA_NAME):
        return None
    value = connection.scalar(select(meta.c.value).where(meta.c.name == "schema"))
    if value is None or not str(value).isdecimal():
        raise ValueError(f"schema version {one_line(value)}")
    if int(value) < 1:
        raise ValueError(f"schema version {value}")
    return int(value)


def _create(database: Database, connection: Connection) -> None:
    """Make all tables."""
    if database.is_sqlite:
        mark(connection)
    else:
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA_NAME}"))
    metadata.create_all(connection)
    connection.execute(insert(meta).values(name="schema", value=str(SCHEMA)))
