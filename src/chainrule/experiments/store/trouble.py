"""What can go wrong with a store, each in one line: what, where, what to do."""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from chainrule.errors import ChainruleError, StoreError, one_line
from chainrule.experiments.store.place import Place

DAMAGE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, struct.error, zlib.error)
"""What reading damaged bytes can lead to."""

BROKEN = ("malformed", "corrupt", "decode to utf-8", "no such table", "no such column")
"""What SQLite says of damaged files."""

SAVED = "everything saved before stays readable"
_SQLITE = (
    (("is not a database", "file is encrypted"), "{place} is no SQLite file: name another file for the store"),
    (("locked", "busy"), "the store {place} is locked by another program: end it, or wait and try again"),
    (
        ("readonly", "read-only", "permission"),
        "the store {place} cannot be written ({reason}); " + SAVED + ", as by 'chainrule store list'",
    ),
    (
        ("is full", "no space", "disk i/o error", "file too large"),
        "cannot write to the store {place} ({reason}): make room on the disk; " + SAVED,
    ),
    (("unable to open",), "cannot open the store {place}: its folder is missing, or forbids reading or writing"),
)
_POSTGRES = (
    (("password authentication", "no password supplied", "does not exist", "permission denied", "not permitted"), ""),
    (("lock timeout", "lock_not_available"), "the store {place} is locked by another program: wait and try again"),
    (("disk full", "no space left", "could not extend"), "no room on the disk of the store {place}; " + SAVED),
)


class DamagedStoreError(StoreError):
    """Stored bytes that make no sense."""

    def __init__(self, place: Place, what: object) -> None:
        self.start = (
            f"the store {place.shown} is damaged ({place.redact(one_line(what, 120)) or type(what).__name__}): "
        )
        super().__init__(self.start + "'chainrule store check' says where; take a copy of it")


@contextmanager
def opening() -> Iterator[None]:
    """Say of a store that is too damaged to be opened that its copy is needed: `check` could not open it either."""
    try:
        yield
    except DamagedStoreError as error:
        raise StoreError(error.start + "nothing can be read; go back to a copy of it") from None


@contextmanager
def guard(place: Place, reading: bool = False) -> Iterator[None]:
    """Turn whatever a database, a driver or the system raises into one line without secrets.

    Parameters
    ----------
    place : Place
        Of the store.
    reading : bool
        Stored bytes are being understood: whatever cannot be is damage.
    """
    try:
        yield
    except ChainruleError:
        raise
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise explain(place, error) from None
    except DAMAGE as error:
        if not reading:
            raise
        raise DamagedStoreError(place, error) from None


def explain(place: Place, error: BaseException) -> StoreError:
    """Say in one line what an error of a driver means for the store."""
    cause: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig
    elif isinstance(error, OSError) and error.strerror:
        cause = OSError(error.strerror)
    reason = one_line(place.redact(" ".join(str(cause).split())), 160) or type(cause).__name__
    if isinstance(cause, UnicodeDecodeError):
        return DamagedStoreError(place, "text that is no UTF-8")
    if place.url is None and any(word in reason.lower() for word in BROKEN):
        return DamagedStoreError(place, reason)
    rules = _SQLITE if place.url is None else _POSTGRES
    for words, message in rules:
        if any(word in reason.lower() for word in words):
            if message:
                return StoreError(message.format(place=place.shown, reason=reason))
            return StoreError(f"the store {place.shown} refuses: {reason}")
    kinds = {kind.__name__ for kind in type(cause).__mro__}
    if place.url is not None and kinds & {"OperationalError", "InterfaceError", "OSError"}:
        return StoreError(f"no connection to the store {place.shown}, or it was lost ({reason}); {SAVED}: try again")
    return StoreError(f"the store {place.shown} cannot be used ({reason})")
