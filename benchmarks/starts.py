"""How long the beginning takes: the import, the first training call ever, and that of every later process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import Any

IMPORT, FIRST_EVER, LATER = 0.3, 20.0, 1.5  # seconds that must not be exceeded
REPEATS = 5
TITLE = "starting: process start and first training call"
# A small network and a wide one: two families of kernels.
CALLS = {
    "a small network": "train(mlp([4, 4], 'sigmoid'), 'xor', epochs=10, dtype='float32', engine={engine!r})",
    "a wide network": "train(mlp([300]), 'digits', epochs=1, batch_size=50, loss='softmax_cross_entropy', "
    "dtype='float32', engine={engine!r})",
}


def run_starts(engine: str = "auto", repeats: int = REPEATS) -> dict[str, Any]:
    """Time whole processes, from their start to their end.

    The first call ever has an empty folder for compiled kernels, given by ``CHAINRULE_KERNELS``.
    """
    try:
        bars = _measured(engine, repeats)
    except RuntimeError as error:
        return {"status": "failed", "title": TITLE, "reason": str(error)}
    return {"status": "measured", "title": TITLE, "bars": bars}


def _measured(engine: str, repeats: int) -> list[dict[str, Any]]:
    bare = _median_of("pass", {}, repeats)
    imported = _median_of("import chainrule", {}, repeats) - bare
    bars = [_bar("import chainrule", IMPORT, imported)]
    for what, call in CALLS.items():
        code = f"from chainrule import mlp, train; {call.format(engine=engine)}"
        with tempfile.TemporaryDirectory() as kernels:
            setting = {"CHAINRULE_KERNELS": kernels}
            first = _seconds(code, setting)
            later = _median_of(code, setting, repeats)
        bars += [_bar(f"first call ever, {what}", FIRST_EVER, first), _bar(f"later process, {what}", LATER, later)]
    return bars


def warm() -> float:
    """Compile chainrule's kernels, if this machine does not have them yet; return the seconds it took.

    They are compiled once and kept on disk, for all networks: no case's first call is to depend on whether it is the
    first since chainrule was changed. What compiling costs is measured by `run_starts`.

    Raises
    ------
    RuntimeError
        If it fails; with the last line of what it says.
    """
    begun = time.perf_counter()
    command = [sys.executable, "-m", "chainrule", "doctor", "--warm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"'chainrule doctor --warm' failed: {done.stderr.strip().splitlines()[-1:]}")
    return time.perf_counter() - begun


def _bar(against: str, most: float, reached: float) -> dict[str, Any]:
    return {"against": against, "most": most, "reached": reached, "met": reached < most}


def _median_of(code: str, setting: dict[str, str], repeats: int) -> float:
    return median(_seconds(code, setting) for _ in range(repeats))


def _seconds(code: str, setting: dict[str, str]) -> float:
    """Return the seconds of one process.

    Raises
    ------
    RuntimeError
        If it ends with an error; with its last line.
    """
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **setting}, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"'{code}' failed: {done.stderr.strip().splitlines()[-1:]}")
    return seconds
