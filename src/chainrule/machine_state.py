"""The state of this machine as far as training speed depends on it: vector units, load, memory, Numba, kernels.

`chainrule.machine` says what a result was computed with; this module adds what changes from hour to hour, and
`chainrule.health` judges it. The system's files are read below a root folder, which is ``/`` but for tests.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chainrule.control_groups import ROOT, cpu_quota, memory_left, read
from chainrule.errors import ConfigError, one_line
from chainrule.machine import UNKNOWN, Machine, this_machine
from chainrule.resources import Resources, resources_from
from chainrule.vector_units import (
    CORE_TYPE,
    FAMILIES,
    LEVELS,
    SSE,
    cpu_features,
    family_level,
    product_rate,
    product_rate_with,
    simd_level,
)

VARIABLES = ("NUMBA_DISABLE_JIT", "NUMBA_NUM_THREADS", "OPENBLAS_CORETYPE")
"""Environment variables that change how fast training is."""


@dataclass(frozen=True)
class KernelCache:
    """Where the compiled engines keep their kernels.

    Attributes
    ----------
    directory : str
        The folder; it may not exist yet.
    writable : bool
        Whether it can be written, or made.
    warm : bool
        Whether the kernels of this version are compiled there.
    problem : str
        Why there are no compiled engines in this process; empty if there are.
    """

    directory: str = ""
    writable: bool = True
    warm: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Numba:
    """Numba and LLVM as they are in this process; `problem` says why they cannot be used, if so."""

    version: str = UNKNOWN
    llvmlite: str = UNKNOWN
    threading_layer: str = UNKNOWN
    problem: str = ""


@dataclass(frozen=True)
class Governor:
    """How Linux chooses the processor's clock rate; empty where it does not say, as in virtual machines."""

    name: str = ""
    driver: str = ""
    preference: str = ""


@dataclass(frozen=True)
class MachineState:
    """What decides how fast this machine trains, now.

    Attributes
    ----------
    machine : Machine
        Versions, processor, cores, memory, BLAS libraries.
    cpu_name : str
        LLVM's name of the processor, such as ``znver5``.
    features : frozenset of str
        Its instruction sets as LLVM names them: ``avx2``, ``fma``, ``avx512f``, ...; empty if unknown.
    kernels : KernelCache
        The compiled engines' kernels.
    numba : Numba
        Their compiler.
    governor : Governor
        Of the clock rate.
    load : float or None
        Processes that wanted to run, on average over the last minute.
    memory_left : int
        Bytes that are free; 0 if the system does not say.
    quota : float or None
        Cores' worth of time that control groups grant.
    resources : Resources or None
        What a training takes by default; None if the environment asks for the impossible.
    resources_problem : str
        What it asks for, then.
    environment : mapping of str to str
        Those of `VARIABLES` that are set.
    product_rate : float or None
        GFLOP/s of a float32 matrix product in NumPy, as measured here.
    family_rate : float or None
        The same with the kernel family that fits the processor, if OpenBLAS chose a lesser one.
    """

    machine: Machine
    cpu_name: str = ""
    features: frozenset[str] = frozenset()
    kernels: KernelCache = KernelCache()
    numba: Numba = Numba()
    governor: Governor = Governor()
    load: float | None = None
    memory_left: int = 0
    quota: float | None = None
    resources: Resources | None = None
    resources_problem: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    product_rate: float | None = None
    family_rate: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain JSON values."""
        return {**asdict(self), "features": sorted(self.features), "environment": dict(self.environment)}

    @property
    def level(self) -> str | None:
        """The highest level of x86 vector instructions that the processor has; None for others."""
        return simd_level(self.features)

    @property
    def cores_granted(self) -> int:
        """The cores this process can keep busy: those it may run on, or its control group's share of time."""
        cores = self.machine.usable_cores
        return cores if self.quota is None else max(min(cores, int(self.quota)), 1)


def machine_state(kernels: KernelCache, root: Path = ROOT, measure: bool = True) -> MachineState:
    """Look at this machine; takes about a second, of which Numba's import is most.

    Parameters
    ----------
    kernels : KernelCache
        What the compiled engines say of their cache.
    root : Path
        Where the system's files lie.
    measure : bool
        Whether matrix products are timed.
    """
    resources, problem = _resources()
    machine = this_machine()
    name, features = cpu_features(root)
    state = MachineState(
        machine=machine,
        cpu_name=name,
        features=features,
        kernels=kernels,
        numba=numba_facts(),
        governor=governor(root),
        load=load_average(),
        memory_left=free_memory(root),
        quota=cpu_quota(root),
        resources=resources,
        resources_problem=problem,
        environment={key: os.environ[key] for key in VARIABLES if os.environ.get(key)},
        product_rate=product_rate() if measure else None,
    )
    family = lesser_family(state)
    rate = product_rate_with({CORE_TYPE: FAMILIES[state.level or SSE]}) if measure and family else None
    return MachineState(**{**state.__dict__, "family_rate": rate})


def _resources() -> tuple[Resources | None, str]:
    """Return what a training takes by default, or what is wrong with the environment."""
    try:
        return resources_from(), ""
    except ConfigError as error:
        return None, str(error)


def lesser_family(state: MachineState) -> str | None:
    """Return NumPy's OpenBLAS kernel family if the processor could run a better one."""
    for library in state.machine.blas:
        used = family_level(library.architecture) if library.name == "openblas" and library.user != "SciPy" else None
        if used and state.level and LEVELS.index(used) < LEVELS.index(state.level):
            return library.architecture
    return None


def numba_facts() -> Numba:
    """Return Numba's version and what it would run threads with."""
    try:
        import llvmlite
        import numba

        return Numba(numba.__version__, llvmlite.__version__, _threading_layer())
    except Exception as error:  # Numba refuses a NumPy that is too new in more ways than one
        return Numba(problem=one_line(error) or type(error).__name__)


def _threading_layer() -> str:
    """Return the first of Numba's threading layers that can be loaded here, unless the environment names one."""
    import importlib

    from numba import config

    chosen = str(config.THREADING_LAYER)
    if chosen not in ("default", "safe", "threadsafe", "forksafe"):
        return chosen
    modules = {"tbb": "tbbpool", "omp": "omppool", "workqueue": "workqueue"}
    for name in config.THREADING_LAYER_PRIORITY:
        with suppress(ImportError):
            importlib.import_module(f"numba.np.ufunc.{modules.get(name, name)}")
            return str(name)
    return UNKNOWN


def governor(root: Path = ROOT) -> Governor:
    """Return how the first core's clock rate is chosen."""
    folder = root / "sys/devices/system/cpu/cpu0/cpufreq"
    names = ("scaling_governor", "scaling_driver", "energy_performance_preference")
    return Governor(*(read(folder / name).strip() for name in names))


def load_average() -> float | None:
    """Return the load of the last minute, where the system counts it."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def free_memory(root: Path = ROOT) -> int:
    """Return the bytes of memory that can be had without swapping, within the control group's limit."""
    available = 0
    for line in read(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable" and rest.split()[0].isdigit():
            available = int(rest.split()[0]) * 1024
    left = memory_left(root)
    return available if left is None else min(available or left, left)


def can_write(folder: Path) -> bool:
    """Whether files can be made in a folder, or in the nearest one above it if it does not exist yet."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path())
    try:
        with tempfile.TemporaryFile(dir=there):
            return True
    except OSError:
        return False
