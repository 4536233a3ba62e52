"""Where a store lies: the path of an SQLite file, or the URL of a PostgreSQL database whose secrets are never shown."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote

from chainrule.errors import StoreError, one_line

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

DEFAULT = "chainrule.db"
VARIABLE = "CHAINRULE_STORE"
HIDDEN = "***"
FORMS = "a store is the path of a file such as runs.db, or postgresql://USER@HOST/DATABASE"
UNREADABLE = (
    "the store's URL cannot be read (it is not shown, because it may hold a password); write "
    "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with @ : / in a password as %40 %3A %2F"
)
UNLIKE = (
    "the store's place cannot be read (it is not shown, because it may hold a password): a URL begins with "
    "postgresql://, and the path of a file whose name holds @ and : with ./ or /"
)
_SECRET = re.compile(r"pass|secret|token|key$", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """A store's place.

    Attributes
    ----------
    shown : str
        The path, or the URL without its secrets: the only form that is ever printed or written.
    path : Path or None
        Of an SQLite file.
    url : sqlalchemy.URL or None
        Of a PostgreSQL database.
    secrets : tuple of str
        What must be cut out of every text that comes from a driver.
    """

    shown: str
    path: Path | None = None
    url: URL | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def redact(self, text: str) -> str:
        """Return a text without the place's secrets, however they are spelled in it."""
        for secret in self.secrets:
            for spelled in {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}:
                text = text.replace(spelled, HIDDEN)
        return text


def place_of(where: str | Path | None = None) -> Place:
    """Read where a store lies.

    Parameters
    ----------
    where : str or Path, optional
        A path, ``sqlite:///PATH`` or ``postgresql://...``; by default ``$CHAINRULE_STORE``, else ``chainrule.db``.

    Raises
    ------
    StoreError
        If it is neither; what was given is not repeated where it may hold a password.
    """
    if where is None:
        where = os.environ.get(VARIABLE) or DEFAULT
    text = os.fspath(where)
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise StoreError(f"'{one_line(text)}' is no place of a store: {FORMS}")
    if isinstance(where, Path):
        return _file(text)
    if re.match(r"\s*postgres\w*(\+\w+)?:(?!//)", text, re.IGNORECASE):
        raise StoreError(UNREADABLE)  # a slash is missing: no path, and not to be shown either
    scheme, found, rest = text.partition("://")
    if scheme == "sqlite" and found:
        text, found = rest.removeprefix("/"), ""
    if not found:
        if _may_be_url(text):
            raise StoreError(UNLIKE)
        return _file(text)
    if not re.fullmatch(r"postgres(ql)?(\+psycopg)?", scheme):
        told = f" that begins with '{scheme}://'" if re.fullmatch(r"[A-Za-z][\w+.-]{,20}", scheme) else ""
        raise StoreError(f"no store can be at a URL{told}: {FORMS}")
    return _postgres(rest)


def _may_be_url(text: str) -> bool:
    """Return whether a path may be a URL that lacks its scheme, ``me:password@host/runs``."""
    if re.match(r"\.{0,2}/(?!/)", text) or (os.name == "nt" and re.match(r"[A-Za-z]:[\\/]", text)):
        return False
    return ("@" in text and ":" in text) or re.search(r"[?&][^=]*(pass|secret|token)[^=]*=", text) is not None


def _file(text: str) -> Place:
    path = Path(text)
    return Place(one_line(path, 200), path)


def _postgres(rest: str) -> Place:
    """Read the URL of a database, and gather every secret in it."""
    from sqlalchemy.engine import make_url

    try:
        url = make_url(f"postgresql+psycopg://{rest}")
    except Exception:  # the message would repeat the URL, and with it the password
        raise StoreError(UNREADABLE) from None
    if url.password is not None and rest.count("@") > 1:  # a bare @ in the password: its rest would pass for the host
        raise StoreError(UNREADABLE)
    secrets = {str(url.password or ""), os.environ.get("PGPASSWORD", "")}
    query: dict[str, str | tuple[str, ...]] = dict(url.query)
    for name, value in url.query.items():
        if _SECRET.search(name):
            secrets |= {value} if isinstance(value, str) else set(value)
            query[name] = HIDDEN
    typed = rest.rpartition("@")[0].partition(":")[2]  # as it was typed, whatever escapes it had
    secrets |= {typed, unquote(typed)}
    shown = url.set(drivername="postgresql", query=query).render_as_string(hide_password=True)
    longest_first = tuple(sorted(secrets - {""}, key=len, reverse=True))
    return Place(one_line(shown.replace("%2A%2A%2A", HIDDEN), 200), None, url, longest_first)
