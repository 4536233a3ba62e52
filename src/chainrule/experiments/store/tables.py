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

SCHEMA = 2
APPLICATION_ID = 0x63687275
"""Marks an SQLite file as ours: the letters ``chru``."""

metadata = MetaData()

meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

words = Table(
    "words",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("hash", LargeBinary(16), nullable=False, unique=True),
    Column("text", Text, nullable=False),
)

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", LargeBinary(16), nullable=False, unique=True),
    Column("source_id", Integer, nullable=False),
    Column("network_id", Integer, nullable=False),
    Column("training_id", Integer, nullable=False),
    Column("data_id", Integer, nullable=False),
    Column("numerics_id", Integer, nullable=False),
    Column("tag", Integer, nullable=False),
)

axis_values = Table(
    "axis_values",
    metadata,
    Column("axis_id", Integer, nullable=False),
    Column("word_id", Integer, nullable=False),
    Column("value_id", Integer, nullable=False),
    Column("tag", Integer, nullable=False),
    PrimaryKeyConstraint("axis_id", "word_id"),
    sqlite_with_rowid=False,
)

batches = Table(
    "batches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("saved", BigInteger, nullable=False),
    Column("machine_id", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("tag", Integer, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("series_id", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("key", LargeBinary(16), nullable=False, unique=True),
    Column("batch_id", Integer, nullable=False),
    Column("stop_id", Integer, nullable=False),
    Column("converged", SmallInteger, nullable=False),
    Column("epochs", Integer, nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("engine_id", Integer, nullable=False),
    Column("reason_id", Integer, nullable=False),
    Column("fingerprint_id", Integer, nullable=False),
    Column("network_id", Integer, nullable=False),
    Column("training_id", Integer, nullable=False),
    Column("names_id", Integer, nullable=False),
    Column("divergence_id", Integer),
    Column("preprocessing_id", Integer),
    Column("kept", SmallInteger, nullable=False),
    Column("final", LargeBinary, nullable=False),
    Column("digest", LargeBinary(8), nullable=False),
    Column("checksum", BigInteger, nullable=False),
    PrimaryKeyConstraint("series_id", "seed"),
    sqlite_with_rowid=False,
)

arrays = Table(
    "arrays",
    metadata,
    Column("series_id", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("weights", LargeBinary),
    Column("curves", LargeBinary),
    PrimaryKeyConstraint("series_id", "seed"),
)

columns = Table(
    "columns",
    metadata,
    Column("name_id", Integer, nullable=False),
    Column("batch_id", Integer, nullable=False),
    Column("names_id", Integer, nullable=False),
    Column("checksum", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("name_id", "batch_id"),
    sqlite_with_rowid=False,
)

owners = Table(
    "owners",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token", Text, nullable=False, unique=True),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("started", Text, nullable=False),
    Column("beat", Float(53), nullable=False),
    Column("lifetime", Float(53), nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("key", LargeBinary(16), primary_key=True),
    Column("owner_id", Integer, nullable=False),
    sqlite_with_rowid=False,
)
