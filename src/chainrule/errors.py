"""Every exception a user may catch.

All of them derive from `ChainruleError`: one line that says what was wrong, where, and what to do.
The command line prints that line and exits with status 2; a traceback is always a bug in chainrule.

    ChainruleError
    |-- ConfigError        a setting, name or combination that cannot work
    |-- ShapeError         arrays that do not fit together
    |-- DataError          a file, table or data set that cannot be read or used
    |-- RunError           a saved run that cannot be read or written
    |-- StoreError         a store of runs that cannot be reached, read or written
    `-- RecipeError        a recipe that does not validate
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable


class ChainruleError(Exception):
    """Base of all errors that are the input's fault, not chainrule's."""


class ConfigError(ChainruleError, ValueError):
    """A setting, a name or a combination of settings that cannot work."""


class ShapeError(ChainruleError, ValueError):
    """Arrays whose shapes do not fit together; the message names both shapes.

    Attributes
    ----------
    layer : int or None
        For a layer that cannot take what the one below gives: its index in the network.
    """

    layer: int | None = None


class DataError(ChainruleError, ValueError):
    """A file, a table or a data set that cannot be read or used."""


class RunError(ChainruleError):
    """A saved run that cannot be read or written."""


class StoreError(ChainruleError):
    """A store of runs that cannot be reached, read or written; the message never holds a password."""


class RecipeError(ChainruleError, ValueError):
    """A recipe that does not validate; the message names the key's path."""


def unknown_name(kind: str, name: str, allowed: Iterable[str]) -> str:
    """Say that `name` is no `kind`, suggest the nearest allowed name, and list them all.

    Parameters
    ----------
    kind : str
        What the name should have been, e.g. ``"activation"``.
    name : str
        What was given.
    allowed : iterable of str
        The names that exist.

    Returns
    -------
    str
        One line, ready to be an error message.
    """
    names = sorted(allowed)
    near = difflib.get_close_matches(one_line(name).lower(), names, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown {kind} '{one_line(name)}'{hint} (known: {', '.join(names)})"


def one_line(value: object, limit: int = 80) -> str:
    """Show a user's value in an error message: on one line, printable and not endless."""
    return _flat(str, value, limit)


def show(value: object, limit: int = 80) -> str:
    """Show a user's value as Python writes it, on one line: ``'text'`` and ``1.0`` stay told apart."""
    return _flat(repr, value, limit)


_PASSWORD = re.compile(r"(postgres\w*(?:\+\w+)?:/{0,2}[^:@/\s]*):(?!PASSWORD@)(?:\S*@|[^@']*@)", re.IGNORECASE)
_SECRET = re.compile(r"([?&][^=&\s]*(?:pass|secret|token|key)[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE)


LONGEST_URL = 4000


def hide_secrets(text: str) -> str:
    """Return a text without the passwords of URLs of stores, wherever somebody may have typed one."""
    if "postgres" not in text.lower():
        return text
    return _SECRET.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))


def _flat(write: Callable[[object], str], value: object, limit: int) -> str:
    try:
        text = write(value)
    except Exception:  # whole numbers of more than 4,300 digits, and objects that cannot write themselves
        text = f"<{type(value).__name__}>"
    text = hide_secrets(text[: limit + LONGEST_URL])[: limit + 1]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= limit else text[: limit - 3] + "..."
