"""The versions and the hardware behind a result: report C's hardware overview, as facts."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from chainrule.control_groups import memory_limit, read

UNKNOWN = "unknown"


@dataclass(frozen=True)
class BlasLibrary:
    """A linear-algebra library in this process: who loaded it, its name, version, threads and code path."""

    user: str
    name: str
    version: str
    threads: int
    architecture: str = ""

    def __str__(self) -> str:
        core = f", {self.architecture} code" if self.architecture else ""
        return f"{self.name} {self.version} ({self.user}), {_count(self.threads, 'thread')}{core}"


@dataclass(frozen=True)
class Machine:
    """What a result was computed with.

    Attributes
    ----------
    chainrule, python, numpy, scipy, scikit_learn : str
        Versions.
    blas : tuple of BlasLibrary
        One per library that is loaded: NumPy's and SciPy's may differ.
    cpu : str
        The processor's model name.
    cores, usable_cores : int
        Logical cores of the machine, and those that this process may use.
    memory : int
        Bytes of memory that this process may use; 0 when the system does not say.
    platform : str
        Operating system and architecture.
    """

    chainrule: str
    python: str
    numpy: str
    scipy: str
    scikit_learn: str
    blas: tuple[BlasLibrary, ...]
    cpu: str
    cores: int
    usable_cores: int
    memory: int
    platform: str

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain JSON values."""
        return asdict(self)

    def facts(self) -> dict[str, str]:
        """Return the facts as text by name, in the order in which they are read."""
        usable = "" if self.usable_cores == self.cores else f", of which this process may use {self.usable_cores}"
        return {
            "chainrule": self.chainrule,
            "Python": self.python,
            "NumPy": self.numpy,
            "SciPy": self.scipy,
            "scikit-learn": self.scikit_learn,
            "BLAS": "; ".join(map(str, self.blas)) or UNKNOWN,
            "CPU": self.cpu,
            "cores": f"{self.cores}{usable}",
            "memory": f"{self.memory / 2**30:.1f} GiB" if self.memory else UNKNOWN,
            "platform": self.platform,
        }


def chainrule_version() -> str:
    """Return the version of the installed chainrule."""
    return _version("chainrule")


def this_machine() -> Machine:
    """Collect the facts of this process and its machine (loads NumPy's and SciPy's linear algebra)."""
    return Machine(
        chainrule=chainrule_version(),
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        numpy=_version("numpy"),
        scipy=_version("scipy"),
        scikit_learn=_version("scikit-learn"),
        blas=_blas(),
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        usable_cores=usable_cores(),
        memory=usable_memory(),
        platform=platform.platform(),
    )


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # takes longer to import than all the rest here

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _blas() -> tuple[BlasLibrary, ...]:
    """Ask the loaded libraries themselves: build settings do not know the threads of this process."""
    import numpy.linalg  # noqa: F401  (loads NumPy's library)
    import scipy.linalg  # noqa: F401  (loads SciPy's)
    from threadpoolctl import threadpool_info

    libraries = []
    for pool in threadpool_info():
        if pool.get("user_api") == "blas":
            path = str(pool.get("filepath", ""))
            user = next(
                (name for name in ("numpy", "scipy") if f"{name}.libs" in path or f"/{name}/" in path), "shared"
            )
            libraries.append(
                BlasLibrary(
                    user={"numpy": "NumPy", "scipy": "SciPy"}.get(user, user),
                    name=str(pool.get("internal_api", UNKNOWN)),
                    version=str(pool.get("version") or UNKNOWN),
                    threads=int(pool.get("num_threads", 1)),
                    architecture=str(pool.get("architecture") or ""),
                )
            )
    return tuple(sorted(libraries, key=lambda library: library.user))


def _cpu() -> str:
    """Return the processor's model name as its maker writes it."""
    text = read(Path("/proc/cpuinfo"))
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model", "cpu model") and value.strip():
            return " ".join(value.split())
    if sys.platform == "darwin":
        import subprocess

        asked = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        if asked.stdout.strip():
            return asked.stdout.strip()
    return platform.processor() or platform.machine() or UNKNOWN


def usable_cores() -> int:
    """Return how many logical cores this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)


@cache  # reading the control groups takes as long as a third of a short training call
def usable_memory() -> int:
    """Return the machine's memory in bytes, or the limit of this process's control group if that is lower.

    Read once in a process.
    """
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
    return max(min(total, memory_limit() or total), 0)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
