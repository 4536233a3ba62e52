"""The machine's facts against what the system and the libraries say themselves."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import numpy as np
import pytest
import scipy

from chainrule.machine import BlasLibrary, Machine, chainrule_version, this_machine


def test_versions_are_those_of_the_imported_packages() -> None:
    machine = this_machine()
    assert machine.numpy == np.__version__
    assert machine.scipy == scipy.__version__
    assert machine.python.startswith(platform.python_version())
    assert machine.chainrule == chainrule_version() != "not installed"


def test_cores_and_memory_are_the_systems() -> None:
    machine = this_machine()
    assert machine.cores == os.cpu_count()
    assert 1 <= machine.usable_cores <= machine.cores
    if Path("/proc/meminfo").exists():
        total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
        assert 0 < machine.memory <= total


@pytest.mark.parametrize("threads", [1, 2])
def test_blas_threads_are_those_in_force(threads: int) -> None:
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads, user_api="blas"):
        blas = this_machine().blas
    assert {library.user for library in blas} <= {"NumPy", "SciPy", "shared"}
    assert blas
    assert all(library.threads <= threads for library in blas)


def test_facts_are_text_and_the_dict_is_json() -> None:
    machine = Machine(
        chainrule="0.1.0",
        python="3.11.9 (CPython)",
        numpy="2.4.0",
        scipy="1.17.0",
        scikit_learn="1.9.0",
        blas=(BlasLibrary("NumPy", "openblas", "0.3.30", 1, "Haswell"), BlasLibrary("SciPy", "mkl", "2025", 4)),
        cpu="A processor",
        cores=8,
        usable_cores=2,
        memory=3 * 2**29,
        platform="Linux",
    )
    facts = machine.facts()
    assert facts["BLAS"] == "openblas 0.3.30 (NumPy), 1 thread, Haswell code; mkl 2025 (SciPy), 4 threads"
    assert facts["cores"] == "8, of which this process may use 2"
    assert facts["memory"] == "1.5 GiB"
    assert json.loads(json.dumps(machine.to_dict()))["blas"][1]["threads"] == 4


def test_the_real_facts_read_as_one_line_each() -> None:
    facts = this_machine().facts()
    assert list(facts)[:2] == ["chainrule", "Python"]
    assert all(value and "\n" not in value for value in facts.values())
