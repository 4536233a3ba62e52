"""The tables of a store, schema version 2.

Every text that repeats (a setting's parts, an engine's name, a list of metric names) is one row of `words`, found by
its hash. A *series* is a setting on certain data in a certain arithmetic; its runs differ in their seed only, and are
kept side by side. What a query over very many runs needs lies in `columns`: for each final value and each save one row
that holds the values of all those runs as raw bytes, so that a million of them are read in some thousand rows. Each of
these rows names all columns of its save, so that one that a damaged page hides is missed.

Whatever the file system or the disk may do to the bytes, no row is believed unseen: `words` carry their hash, `runs`
a checksum over all their fields, arrays and columns a checksum of their bytes, the others a tag of their numbers.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine

SCHEMA = 3
APPLICATION_ID = 0x63687275
"""Marks an SQLite file as ours: the letters ``chru``."""

metadata = MetaData()


def _filled(kind: type[Any] | TypeEngine[Any], *names: str) -> list[Column[Any]]:
    """Return columns of one kind in which every row has a value."""
    return [Column(name, kind, nullable=False) for name in names]


def _number() -> Column[int]:
    """Return the number of a row, which the database gives."""
    return Column("id", Integer, primary_key=True)


def _hash(name: str) -> Column[bytes]:
    """Return a hash (16 bytes) by which a row is found."""
    return Column(name, LargeBinary(16), nullable=False, unique=True)


PLACE = ("series_id", "seed")
"""What tells a run from others in the order in which they lie."""

meta = Table("meta", metadata, Column("name", Text, primary_key=True), *_filled(Text, "value"))

words = Table("words", metadata, _number(), _hash("hash"), *_filled(Text, "text"))

series = Table(
    "series",
    metadata,
    _number(),
    _hash("key"),
    *_filled(Integer, "source_id", "network_id", "training_id", "data_id", "numerics_id", "tag"),
)

axis_values = Table(
    "axis_values",
    metadata,
    *_filled(Integer, "axis_id", "word_id", "value_id", "tag"),
    PrimaryKeyConstraint("axis_id", "word_id"),
    sqlite_with_rowid=False,
)

batches = Table(
    "batches", metadata, _number(), *_filled(BigInteger, "saved"), *_filled(Integer, "machine_id", "n", "tag")
)

runs = Table(
    "runs",
    metadata,
    *_filled(Integer, "series_id"),
    *_filled(BigInteger, "seed"),
    _hash("key"),
    *_filled(Integer, "batch_id", "stop_id"),
    *_filled(SmallInteger, "converged"),
    *_filled(Integer, "epochs"),
    *_filled(Float(53), "seconds"),
    *_filled(Integer, "engine_id", "reason_id", "fingerprint_id", "network_id", "training_id", "names_id"),
    Column("divergence_id", Integer),
    Column("preprocessing_id", Integer),
    *_filled(SmallInteger, "kept"),
    *_filled(LargeBinary, "final"),
    *_filled(LargeBinary(8), "digest"),
    *_filled(BigInteger, "checksum"),
    PrimaryKeyConstraint(*PLACE),
    sqlite_with_rowid=False,
)

arrays = Table(
    "arrays",
    metadata,
    *_filled(Integer, "series_id"),
    *_filled(BigInteger, "seed"),
    Column("weights", LargeBinary),
    Column("curves", LargeBinary),
    PrimaryKeyConstraint(*PLACE),
)

columns = Table(
    "columns",
    metadata,
    *_filled(Integer, "name_id", "batch_id", "names_id"),
    *_filled(BigInteger, "checksum"),
    *_filled(LargeBinary, "data"),
    PrimaryKeyConstraint("name_id", "batch_id"),
    sqlite_with_rowid=False,
)

owners = Table(
    "owners",
    metadata,
    _number(),
    Column("token", Text, nullable=False, unique=True),
    *_filled(Text, "host"),
    *_filled(BigInteger, "pid"),
    *_filled(Text, "started"),
    *_filled(Float(53), "beat", "lifetime"),
)

leases = Table(
    "leases",
    metadata,
    Column("key", LargeBinary(16), primary_key=True),
    *_filled(Integer, "owner_id"),
    sqlite_with_rowid=False,
)
