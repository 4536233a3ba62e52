"""`Store`: runs kept under their keys, in an SQLite file or a PostgreSQL database."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, func, select

from chainrule.errors import StoreError
from chainrule.experiments.running.tasks import Task
from chainrule.experiments.store import queries
from chainrule.experiments.store.axes import layers_of
from chainrule.experiments.store.checking import CheckReport, check
from chainrule.experiments.store.columns import Frame
from chainrule.experiments.store.compacting import CompactReport, compact, size_of
from chainrule.experiments.store.database import TIMEOUT, Database
from chainrule.experiments.store.exporting import export
from chainrule.experiments.store.machines import MachineInfo, machines
from chainrule.experiments.store.merging import MergeReport, merge
from chainrule.experiments.store.owners import LIFETIME, Owner, drop_dead, give_back, take
from chainrule.experiments.store.place import place_of
from chainrule.experiments.store.queries import CONVERGED, Group, Rule, SeriesInfo
from chainrule.experiments.store.reading import Reader
from chainrule.experiments.store.records import Record, machine_text, record_of, row_of, run_of
from chainrule.experiments.store.schema import prepare
from chainrule.experiments.store.tables import series
from chainrule.experiments.store.trouble import guard, opening
from chainrule.experiments.store.words import Words
from chainrule.experiments.store.writing import Origin, put_records, stored_digests
from chainrule.runs import Run


class Store:
    """Finished runs under their keys; `Store.open` opens or makes one.

    A store may be used by any number of processes at once, each of which opens it for itself; one `Store` belongs to
    one thread. Whatever has been saved is complete: a process may be killed at any moment.

    Attributes
    ----------
    redacted : str
        Where it lies, without secrets.
    read_only : bool
        Whether it refuses to write.
    """

    def __init__(
        self, database: Database, *, keep_weights: bool = True, keep_histories: bool = True, lifetime: float = LIFETIME
    ) -> None:
        self.database = database
        self.redacted, self.read_only = database.place.shown, database.read_only
        self.keep_weights, self.keep_histories = keep_weights, keep_histories
        self.known = Words()
        self._owner = Owner(lifetime)
        self._machine = ""

    @classmethod
    def open(
        cls,
        where: str | Path | None = None,
        *,
        create: bool = True,
        read_only: bool = False,
        keep_weights: bool = True,
        keep_histories: bool = True,
        timeout: float = TIMEOUT,
        lifetime: float = LIFETIME,
    ) -> Store:
        """Open a store; one of an older schema is brought up to date.

        Parameters
        ----------
        where : str or Path, optional
            The path of an SQLite file, or ``postgresql://USER@HOST/DATABASE``; by default ``$CHAINRULE_STORE``, else
            ``chainrule.db``.
        create : bool
            Make it if it is not there.
        read_only : bool
            Never write: works in folders that cannot be written, and beside any number of writers.
        keep_weights, keep_histories : bool
            Whether runs are saved with their weights, and with their histories and windows.
        timeout : float
            Seconds to wait while another process writes.
        lifetime : float
            Seconds without a sign of life after which processes elsewhere lose their reservations.

        Raises
        ------
        StoreError
            If there is none, it cannot be reached, read or written, is damaged, or comes from a later chainrule.
        """
        with opening():
            database = Database(place_of(where), create, read_only, timeout)
        store = cls(database, keep_weights=keep_weights, keep_histories=keep_histories, lifetime=lifetime)
        try:
            with opening():
                prepare(database, store.known, create)
        except BaseException:
            database.close()
            raise
        return store

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.redacted!r})"

    def close(self) -> None:
        """Give back what is reserved, and end all connections."""
        self._owner.stop()
        if self._owner.registered and self._owner.pid == os.getpid():
            try:
                with self.database.write() as connection:
                    self._owner.leave(connection)
            except StoreError:  # it cannot be reached; the reservations expire
                pass
            self._owner.registered = False
        self.database.close()

    # -- what `obtain` needs -----------------------------------------------------------------------

    def claim(self, tasks: Sequence[Task]) -> list[Task]:
        """Reserve tasks for this process.

        Returns
        -------
        list of Task
            Those that are neither stored nor reserved by another living process, in the order given. Each stays
            reserved until it is saved or released, the store is closed, or this process dies.
        """
        if not tasks:
            return []
        keys = list(dict.fromkeys(task.key for task in tasks))
        with self._write() as connection:
            now = self.database.now(connection)
            drop_dead(connection, now)
            ours = take(connection, keys, self._owner.register(connection, now))
        self._owner.keep_beating(self._beat)
        return [task for task in dict.fromkeys(tasks) if task.key in ours]

    def release(self, tasks: Iterable[Task]) -> None:
        """Give back reservations without a run."""
        keys = [task.key for task in tasks]
        if keys and self._owner.registered:
            with self._write() as connection:
                give_back(connection, keys, self._owner.register(connection, self.database.now(connection)))

    def save(self, runs: Sequence[tuple[Task, Run]]) -> None:
        """Keep finished runs, all or none, and end their reservations.

        A run that is there already, with the same numbers, stays as it is.

        Raises
        ------
        StoreError
            If they cannot be written, or one of the keys is stored with other numbers.
        """
        records = list({t.key: record_of(t, run, self.keep_weights, self.keep_histories) for t, run in runs}.values())
        if not records:
            return
        origin = Origin(int(time.time()), self._machine_text())
        keys = [record.task.key for record in records]
        with self._write() as connection:
            stored = stored_digests(connection, keys)
            for record in records:
                if stored.get(record.task.key, record.digest) != record.digest:
                    raise StoreError(self._conflict(record))
            put_records(connection, self.known, [r for r in records if r.task.key not in stored], origin)
            give_back(connection, keys)

    def load(self, tasks: Sequence[Task], arrays: bool = True) -> dict[Task, Run]:
        """Return the stored runs of tasks, exactly as they were saved.

        Parameters
        ----------
        tasks : sequence of Task
            What is wanted; tasks without a stored run are left out of the result.
        arrays : bool
            Without them, weights, histories and windows are empty, and reading takes a fraction of the time.
        """
        by_key = {task.key: task for task in tasks}
        found: dict[Task, Run] = {}
        with self._read() as connection:
            for record in Reader(connection, self.known).by_keys(list(by_key), arrays):
                found[by_key[record.task.key]] = run_of(record, arrays)
        return found

    def count(self) -> int:
        """Return how many runs are stored."""
        with self._read() as connection:
            return Frame(connection, self.known).total

    # -- questions about all runs ------------------------------------------------------------------

    def aggregate(
        self,
        by: str | Sequence[str] = (),
        metric: str = "loss",
        success: str | Rule = CONVERGED,
        where: Mapping[str, Any] | None = None,
    ) -> list[Group]:
        """Return how runs ended along some axes, whatever else differs between them.

        Parameters
        ----------
        by : str or sequence of str
            Dotted axes such as ``training.learning_rate``, ``network.hidden``, ``network.activation``,
            ``data.source``, ``data.fingerprint`` or ``numerics``; none for all runs together.
        metric : str
            A final value such as ``loss`` or ``validation_accuracy``, or ``epochs``, ``seconds``, ``converged``,
            ``diverged``.
        success : str or Rule
            ``converged`` (by the run's own stopping rules), or a rule such as ``accuracy>=0.99``.
        where : mapping, optional
            Keep runs with these values on these axes; a set means any of its members.

        Returns
        -------
        list of Group
            In the order of the values; groups without a run are left out.

        Raises
        ------
        ConfigError
            For an axis or a final value that no run has.
        """
        with self._read() as connection:
            return queries.aggregate(Frame(connection, self.known), by, metric, success, where)

    def settings(self, limit: int | None = None) -> list[SeriesInfo]:
        """Return what has been trained, with the number of runs, in the order in which it was first saved."""
        with self._read() as connection:
            return queries.settings(Frame(connection, self.known), limit)

    def count_settings(self) -> int:
        """Return how many settings have been trained (on certain data, in a certain arithmetic)."""
        with self._read() as connection:
            return int(connection.scalar(select(func.count()).select_from(series)) or 0)

    def machines(self) -> list[MachineInfo]:
        """Return which machines and versions made the runs, the one with the most runs first."""
        with self._read() as connection:
            return machines(connection, self.known)

    def axes(self) -> dict[str, int]:
        """Return the axes on which the settings differ, and how many values each has."""
        with self._read() as connection:
            return Frame(connection, self.known).varying()

    def axis_names(self) -> list[str]:
        """Return the names of all axes that can be grouped and filtered by; none if nothing is stored."""
        with self._read() as connection:
            return Frame(connection, self.known).axis_names()

    def axis_values(self, name: str) -> list[Any]:
        """Return the different values on an axis; `ConfigError` lists the axes there are."""
        with self._read() as connection:
            return Frame(connection, self.known).axis(name).values

    def metrics(self) -> list[str]:
        """Return the names of all values that runs can be aggregated and filtered by."""
        with self._read() as connection:
            return Frame(connection, self.known).value_names()

    def rows(
        self, where: Mapping[str, Any] | None = None, having: Sequence[str | Rule] = (), limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return runs as flat rows (`Run.to_row`, with ``source``, ``layers``, ``data``, ``numerics`` and ``key``).

        Parameters
        ----------
        where : mapping, optional
            As for `aggregate`.
        having : sequence of str
            Rules such as ``accuracy>=0.9`` that all must hold.
        limit : int, optional
            So many at most, the first in the order of setting and seed.
        """
        with self._read() as connection:
            chosen = queries.places(Frame(connection, self.known), where, having, limit)
            records = Reader(connection, self.known).by_places(chosen, False)
            return [row_of(record) | {"layers": layers_of(record.task.setting.network)} for record in records]

    # -- the whole store ---------------------------------------------------------------------------

    def check(self, progress: Callable[[int, int], None] | None = None) -> CheckReport:
        """Return whether every byte is what was written, and what is wrong if not."""
        self._check_process()
        return check(self.database, progress)

    def compact(self) -> CompactReport:
        """Free what dead processes had reserved, put small rows together, and give unused space back."""
        self._check_process()
        return compact(self.database)

    def merge(self, other: Store, progress: Callable[[int], None] | None = None) -> MergeReport:
        """Take over the runs of another store, by key; doing it twice changes nothing.

        Runs that are here with other numbers stay as they are and are reported.
        """
        self._check_process()
        return merge(self.database, self.known, other.database, progress)

    def export(
        self, path: str | Path, where: Mapping[str, Any] | None = None, having: Sequence[str | Rule] = ()
    ) -> int:
        """Write runs as a table, CSV, Parquet or JSON by the ending of `path`; return how many.

        `where` and `having` choose as for `rows`.
        """

        def choose(connection: Connection) -> list[tuple[int, int]]:
            return queries.places(Frame(connection, self.known), where, having)

        return export(self._read, self.known, Path(path), choose if where or having else None)

    @property
    def size(self) -> int:
        """Bytes that the store takes."""
        return size_of(self.database)

    # -- inside ------------------------------------------------------------------------------------

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        self._check_process()
        try:
            with self.database.write() as connection:
                yield connection
        except BaseException:
            self.known.forget()  # numbers of texts that were rolled back
            raise

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        self._check_process()
        with self.database.read() as connection:
            yield connection

    def _check_process(self) -> None:
        """Refuse to share connections with the process that this one was forked from."""
        if os.getpid() != self._owner.pid:
            raise StoreError(f"the store {self.redacted} was opened by another process: open it in this one too")

    def _beat(self) -> None:
        with self.database.write() as connection:
            self._owner.beat(connection, self.database.now(connection))

    def _machine_text(self) -> str:
        if not self._machine:
            with guard(self.database.place):
                self._machine = machine_text()
        return self._machine

    def _conflict(self, record: Record) -> str:
        setting = record.task.setting
        return (
            f"the store {self.redacted} has other numbers for seed {record.task.seed} of setting {setting.key[:8]} on "
            f"{setting.source}: the same run gave different results; keep both stores and compare the machines"
        )
