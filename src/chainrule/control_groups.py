"""The limits that Linux control groups (containers, batch systems) put on this process: processor time and memory.

The system's files are read below a root folder, which is ``/`` but for tests. Where there are no control groups
there are no limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
NO_LIMIT = 2**60  # version 1 states "no limit" as a number larger than any memory


def cpu_quota(root: Path = ROOT) -> float | None:
    """Return how many cores' worth of time this process may use, 1.5 for one and a half; None without a limit."""
    shares = []
    for folder in _folders(root, "cpu"):
        quota, _, period = read(folder / "cpu.max").strip().partition(" ")  # version 2: "150000 100000" or "max ..."
        if not quota:
            quota, period = (read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
        if quota.isdigit() and period.isdigit() and int(quota) and int(period):
            shares.append(int(quota) / int(period))
    return min(shares, default=None)


def memory_limit(root: Path = ROOT) -> int | None:
    """Return how many bytes of memory this process may use; None without a limit."""
    return min((limit for _, limit in _memory_limits(root)), default=None)


def memory_left(root: Path = ROOT) -> int | None:
    """Return how many of those bytes are not in use yet (file caches, which the system gives back, count as free)."""
    left = []
    for folder, limit in _memory_limits(root):
        used = read(folder / "memory.current").strip() or read(folder / "memory.usage_in_bytes").strip()
        if used.isdigit():
            left.append(max(limit - int(used) + _file_cache(folder), 0))
    return min(left, default=None)


def _memory_limits(root: Path) -> Iterator[tuple[Path, int]]:
    """Yield the groups that limit memory, with their limits in bytes."""
    for folder in _folders(root, "memory"):
        text = read(folder / "memory.max").strip() or read(folder / "memory.limit_in_bytes").strip()
        if text.isdigit() and 0 < int(text) < NO_LIMIT:
            yield folder, int(text)


def _file_cache(folder: Path) -> int:
    """Return the bytes that only hold copies of files which nobody has used for a while."""
    for line in read(folder / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file") and value.isdigit():
            return int(value)
    return 0


def _folders(root: Path, controller: str) -> list[Path]:
    """Return the folders of this process's group and of those around it: each of them may set a limit.

    A line of ``/proc/self/cgroup`` is ``0::/path`` (version 2) or ``4:cpu,cpuacct:/path`` (version 1).
    """
    base = root / "sys/fs/cgroup"
    found = [base, base / controller]  # in a container its own group is the top one, whatever its path is outside
    for line in read(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0" or controller in names.split(","):
            top = base if number == "0" else base / controller
            own = top / path.strip().lstrip("/")
            found += [folder for folder in (own, *own.parents) if top in folder.parents]
    return list(dict.fromkeys(found))


def read(path: Path) -> str:
    """Return a system file's text, or nothing where there is no such file or it may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
