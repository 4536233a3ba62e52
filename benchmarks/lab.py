"""W7: the full report as a user starts it, with its wall time and the memory of all its processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MOST_SECONDS, MOST_BYTES = 180.0, 2 * 2**30
INTERVAL = 0.1
PAGE = os.sysconf("SC_PAGE_SIZE")


def run_lab(arguments: tuple[str, ...] = (), engine: str = "auto") -> dict[str, Any]:
    """Run ``chainrule lab`` and return its record."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "chainrule", "lab", "--out", folder, "--engine", engine, "--quiet", *arguments]
        found = watch(command)
    record = {"title": f"chainrule lab {' '.join(arguments)}".strip(), **found}
    if found["exit_status"]:
        return record | {"status": "failed", "reason": f"it ended with status {found['exit_status']}"}
    seconds, memory = found["seconds"]["chainrule"], found["peak_memory"]["chainrule"]
    bars = [
        {"against": "seconds", "most": MOST_SECONDS, "reached": seconds, "met": seconds < MOST_SECONDS},
        {"against": "peak memory in bytes", "most": MOST_BYTES, "reached": memory, "met": memory < MOST_BYTES},
    ]
    return record | {"status": "measured", "bars": bars}


def watch(command: list[str]) -> dict[str, Any]:
    """Run a command to its end; return wall time, peak memory of it and its children together, and exit status."""
    started, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, sum(map(memory_of, family(process.pid))))
        time.sleep(INTERVAL)
    return {
        "seconds": {"chainrule": time.perf_counter() - started},
        "peak_memory": {"chainrule": peak},
        "exit_status": process.returncode,
    }


def family(root: int) -> list[int]:
    """Return a process and its descendants; only the process itself where there is no /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # The command's name is in brackets and may hold spaces; the parent is the second field after it.
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    members, added = {root}, True
    while added:
        children = {pid for pid, parent in parents.items() if parent in members} - members
        members |= children
        added = bool(children)
    return sorted(members)


def memory_of(pid: int) -> int:
    """Return the bytes that a process holds, what it shares with others counted in proportion; 0 if it is gone."""
    folder = Path("/proc") / str(pid)
    try:
        for line in (folder / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return int((folder / "statm").read_text().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0
