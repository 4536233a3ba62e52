"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from chainrule.errors import RunError, one_line


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a temporary file beside `path`, then rename it: all or nothing.

    Parameters
    ----------
    path : Path
        The file that is to appear; its folder is made if need be.
    write : callable
        Gets the temporary path, which keeps the suffix of `path`.

    Raises
    ------
    RunError
        If the folder cannot be made or written to; nothing is left behind.
    """
    temporary: Path | None = None
    try:
        temporary = _reserve(path)
        temporary.chmod(0o666 & ~_umask())
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise RunError(f"cannot write {one_line(path, 200)}: {one_line(error.strerror or error)}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return path


def _reserve(path: Path) -> Path:
    """Make the folder, and an empty file of a name of its own in it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Only the start of the name: one that is just short enough must not become too long.
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:40]}-", suffix=path.suffix, dir=path.parent)
    except ValueError as error:  # a zero byte, or a character that the file system cannot write
        raise OSError(f"no file can have this name ({error})") from None
    os.close(handle)
    return Path(name)


def write_text(path: Path, text: str) -> Path:
    """Write a UTF-8 text file whole."""
    return write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written, before any work is done; leaves no trace.

    Raises
    ------
    RunError
        If it is a file, or the system forbids writing there.
    """
    missing: list[Path] = []
    place = folder
    try:
        while not place.exists():
            missing.append(place)
            place = place.parent
        if not place.is_dir():
            raise RunError(f"'{one_line(place)}' is a file, not a folder; name another")
        for path in reversed(missing):
            path.mkdir()
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"cannot write to '{one_line(folder)}': {reason}") from None
    finally:
        for path in missing:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def _umask() -> int:
    """Return the process's file mode mask (a temporary file is private; the result should not be)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
