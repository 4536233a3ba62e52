"""Fetches gzipped files (MNIST's) into a folder: resumable, checked, and never half a file under its final name.

The bytes arrive in ``NAME.gz.part``. An interrupted download is continued with an HTTP range request; when the file is
complete, the MD5 sum of its decompressed content is compared, and only then pooch moves it to ``NAME.gz``.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chainrule.data.idx import CHUNK, open_plain_or_gzip
from chainrule.errors import DataError, one_line

ATTEMPTS = 3  # per mirror; each continues where the one before stopped
TIMEOUT = 30.0  # seconds without an answer

Progress = Callable[[str, int, int | None], None]


def fetch(
    folder: str | Path, checksums: Mapping[str, str], mirrors: Sequence[str], progress: Progress | None = None
) -> Path:
    """Make sure that a folder holds gzipped files of known content, downloading what it lacks.

    Parameters
    ----------
    folder : path
        Where the files go; made if it does not exist.
    checksums : mapping
        File name (without ``.gz``) to the MD5 of its decompressed content: gzip wrappers differ between mirrors.
    mirrors : sequence of str
        Base addresses, tried in this order.
    progress : callable, optional
        Called as ``progress(file name, bytes so far, bytes in all or None)``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DataError
        If the folder cannot be written to, or a file cannot be had from any mirror.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / "download.lock"):
            for name, md5 in checksums.items():
                if not has_md5(folder / f"{name}.gz", md5):
                    _fetch_file(folder, f"{name}.gz", md5, mirrors, progress)
    except OSError as error:
        raise DataError(f"cannot write to '{one_line(folder, 200)}': {error.strerror or error}") from None
    return folder


def _fetch_file(folder: Path, name: str, md5: str, mirrors: Sequence[str], progress: Progress | None) -> None:
    """Download one file from the first mirror that has it whole."""
    import pooch

    (folder / name).unlink(missing_ok=True)  # it is there with a wrong checksum
    failures: list[str] = []
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        for mirror in mirrors:
            resume = _ResumingDownloader(folder / f"{name}.part", md5, progress)
            try:
                pooch.retrieve(mirror + name, known_hash=None, fname=name, path=folder, downloader=resume)
                return
            except _DownloadError as error:
                failures.append(f"{mirror}{name}: {one_line(error)}")
    finally:
        logger.setLevel(level)
    raise DataError(f"cannot download {name} ({'; '.join(failures) or 'no mirror is given'})")


class _DownloadError(Exception):
    """A download that ended early, was refused or arrived damaged."""


class _RangeError(_DownloadError):
    """What the part file holds is no beginning of the mirror's file."""


class _ResumingDownloader:
    """A pooch downloader that continues a ``.part`` file and checks the content before it hands the file over."""

    def __init__(self, part: Path, md5: str, progress: Progress | None) -> None:
        self.part, self.md5, self.progress = part, md5, progress

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        """Download `url` to `output_file`, a temporary file that pooch renames afterwards."""
        # A second time from the beginning: the part that was continued may have come from another mirror.
        for _ in range(2 if self._size() else 1):
            if not has_md5(self.part, self.md5):
                self._complete(url)
            if has_md5(self.part, self.md5):
                shutil.copyfile(self.part, output_file)
                self.part.unlink()
                return
            self.part.unlink(missing_ok=True)
        raise _DownloadError("the content has a wrong checksum")

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _complete(self, url: str) -> None:
        """Fetch until the part file is complete, continuing where an attempt stopped."""
        for attempt in range(ATTEMPTS):
            try:
                return self._fetch(url)
            except _RangeError:
                self.part.unlink(missing_ok=True)
            except _DownloadError:
                if attempt == ATTEMPTS - 1:
                    raise
        return None

    def _fetch(self, url: str) -> None:
        """Ask for the missing rest of the file and append it."""
        have = self._size()
        with _open(url, have) as response:
            if response.status == 206 and _range_start(response) != have:
                raise _RangeError("the server sent another range than asked for")
            have = have if response.status == 206 else 0
            length = response.headers.get("Content-Length", "")
            total = have + int(length) if length.isdigit() else None
            with open(self.part, "ab" if have else "wb") as file:
                for chunk in _chunks(response):
                    file.write(chunk)
                    have += len(chunk)
                    if self.progress is not None:
                        self.progress(self.part.name.removesuffix(".part"), have, total)
        if total is not None and have < total:
            raise _DownloadError(f"the connection ended after {have:,} of {total:,} bytes")


def _open(url: str, start: int) -> http.client.HTTPResponse:
    """Request `url` from byte `start` on; every network error becomes `_DownloadError`."""
    # `identity`: a server that compresses on the way would make byte ranges meaningless.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT
        )
        return response
    except urllib.error.HTTPError as error:
        error.close()
        kind = _RangeError if error.code == 416 else _DownloadError
        raise kind(f"HTTP status {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        raise _DownloadError(str(getattr(error, "reason", error))) from None


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the answer's bytes; reading errors are network errors, unlike those of writing to the disk."""
    while True:
        try:
            chunk = response.read(1 << 16)
        except (OSError, http.client.HTTPException) as error:
            raise _DownloadError(str(error)) from None
        if not chunk:
            return
        yield chunk


def _range_start(response: Any) -> int | None:
    """Return the first byte's number of ``Content-Range: bytes 100-199/200``."""
    start = str(response.headers.get("Content-Range", "")).removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdigit() else None


def has_md5(path: Path, md5: str) -> bool:
    """Tell whether a file is there and its content, decompressed, has this MD5 sum."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with open_plain_or_gzip(path) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except (OSError, EOFError, zlib.error):
        return False
    return digest.hexdigest() == md5


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two processes never write to one part file."""
    try:
        import fcntl
    except ImportError:  # no such locks on this system: the checksum still guards the result
        yield
        return
    with open(path, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
