"""Who computes what: leases on runs, and whether the process that holds one is still there.

A lease is a run's key and its owner, one open store in one process. An owner on this host is asked for by its process
number and starting time: a process that has died, even by ``kill -9``, loses its leases at once, and one that lives
keeps them however busy it is. Of an owner elsewhere only its heartbeat is known: without one for its lifetime its
leases have expired.
"""

from __future__ import annotations

import functools
import os
import platform
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, delete, insert, select, update

from chainrule.errors import ChainruleError
from chainrule.experiments.store.tables import leases, owners, runs

LIFETIME = 120.0
"""Seconds without a heartbeat after which an owner on another host counts as dead."""

BEATS = 6
"""Heartbeats in a lifetime."""

PART = 500
"""Keys in one statement."""

T = TypeVar("T")


def parts_of(items: Sequence[T], size: int = PART) -> Iterator[Sequence[T]]:
    """Cut a list into parts that one statement can name."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


@functools.cache
def this_host() -> str:
    """Return what tells this host from others: its name, its boot and its namespace of process numbers."""
    facts = [platform.node()]
    with suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        facts.append(os.readlink("/proc/self/ns/pid"))
    if len(facts) == 1:
        facts.append(f"{uuid.getnode():x}")
    return " ".join(facts)


def start_of(pid: int) -> str | None:
    """Return when a process of this host started, in the system's own count; None if it is there no more.

    Where the system does not say, the answer is empty for every living process.
    """
    if Path("/proc/self/stat").exists():
        try:
            # the name, in brackets, may hold anything; the third field is the state, the 22nd the start
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:  # it is there, and somebody else's
        pass
    return ""


def is_alive(owner: Row[Any], now: float) -> bool:
    """Return whether an owner still holds its leases."""
    if owner.host == this_host():
        return bool(start_of(owner.pid) == owner.started)
    return bool(now - owner.beat < owner.lifetime)


class Owner:
    """The holder of leases that this process is, with a thread that keeps them alive.

    Parameters
    ----------
    lifetime : float
        Seconds after which others may take its leases if they hear nothing.
    """

    def __init__(self, lifetime: float = LIFETIME) -> None:
        self.token, self.pid, self.lifetime = uuid.uuid4().hex, os.getpid(), lifetime
        self.started = start_of(self.pid) or ""
        self.registered = False
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def register(self, connection: Connection, now: float) -> int:
        """Return this owner's number, writing it down first if need be: somebody may have taken it for dead."""
        self.registered = True
        found = connection.scalar(select(owners.c.id).where(owners.c.token == self.token))
        if found is not None:
            return int(found)
        row = {"token": self.token, "host": this_host(), "pid": self.pid, "started": self.started}
        made = connection.execute(insert(owners).values(**row, beat=now, lifetime=self.lifetime))
        key = made.inserted_primary_key
        assert key is not None, "a single row was inserted"
        return int(key[0])

    def beat(self, connection: Connection, now: float) -> None:
        """Say that this owner lives."""
        connection.execute(update(owners).where(owners.c.token == self.token).values(beat=now))

    def keep_beating(self, beat: Callable[[], None]) -> None:
        """Start the thread that calls `beat` now and then, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(beat,), name="store heartbeat", daemon=True)
            self._thread.start()

    def _run(self, beat: Callable[[], None]) -> None:
        while not self._end.wait(self.lifetime / BEATS):
            with suppress(ChainruleError):  # the store is away for the moment; the next beat tries again
                beat()

    def stop(self) -> None:
        """End the thread."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def leave(self, connection: Connection) -> None:
        """Give back every lease."""
        drop_owners(connection, connection.scalars(select(owners.c.id).where(owners.c.token == self.token)).all())


def drop_owners(connection: Connection, ids: Iterable[int]) -> int:
    """Forget owners and their leases; return how many leases that freed."""
    freed = 0
    for number in ids:
        freed += connection.execute(delete(leases).where(leases.c.owner_id == number)).rowcount
        connection.execute(delete(owners).where(owners.c.id == number))
    return freed


def drop_dead(connection: Connection, now: float) -> int:
    """Forget every owner that is there no more; return how many leases that freed."""
    dead = [owner.id for owner in connection.execute(select(owners)) if not is_alive(owner, now)]
    freed = drop_owners(connection, dead)
    known = select(owners.c.id)
    return freed + connection.execute(delete(leases).where(leases.c.owner_id.not_in(known))).rowcount


def take(connection: Connection, keys: Sequence[bytes], owner: int) -> set[bytes]:
    """Lease those of some runs that are neither stored nor leased to others; return their keys.

    The caller's transaction keeps other writers out meanwhile.
    """
    ours: set[bytes] = set()
    for part in parts_of(keys):
        stored = set(connection.scalars(select(runs.c.key).where(runs.c.key.in_(part))))
        held = dict(connection.execute(select(leases.c.key, leases.c.owner_id).where(leases.c.key.in_(part))).all())
        free = [key for key in part if key not in stored and key not in held]
        if free:
            connection.execute(insert(leases), [{"key": key, "owner_id": owner} for key in free])
        ours.update(free)
        ours.update(key for key in part if held.get(key) == owner and key not in stored)
    return ours


def give_back(connection: Connection, keys: Sequence[bytes], owner: int | None = None) -> None:
    """End leases on some runs: those of one owner, or whoever holds them."""
    for part in parts_of(keys):
        statement = delete(leases).where(leases.c.key.in_(part))
        connection.execute(statement if owner is None else statement.where(leases.c.owner_id == owner))
