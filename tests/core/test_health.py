"""What slows a machine down: made-up machines with one thing wrong each, and this one."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import llvmlite
import numba
import pytest

from chainrule.health import Finding, facts, findings
from chainrule.machine import BlasLibrary, Machine
from chainrule.machine_state import (
    Governor,
    KernelCache,
    MachineState,
    Numba,
    can_write,
    free_memory,
    governor,
    machine_state,
)
from chainrule.resources import Resources

GIB = 2**30
AVX2_FEATURES = frozenset({"sse2", "sse4.2", "avx", "avx2", "fma"})
AVX512_FEATURES = AVX2_FEATURES | {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
NUMPY = BlasLibrary("NumPy", "openblas", "0.3.31", 1, "SkylakeX")
SCIPY = BlasLibrary("SciPy", "openblas", "0.3.30", 1, "SkylakeX")

MACHINE = Machine(
    chainrule="0.1.0",
    python="3.11.9 (CPython)",
    numpy="2.4.0",
    scipy="1.17.0",
    scikit_learn="1.9.0",
    blas=(NUMPY, SCIPY),
    cpu="A processor",
    cores=4,
    usable_cores=4,
    memory=16 * GIB,
    platform="Linux",
)
SOUND = MachineState(
    machine=MACHINE,
    cpu_name="skylake-avx512",
    features=AVX512_FEATURES,
    kernels=KernelCache("/home/somebody/.cache/chainrule/kernels", writable=True, warm=True),
    numba=Numba("0.68.0", "0.50.0", "omp"),
    governor=Governor("schedutil", "acpi-cpufreq"),
    load=0.4,
    memory_left=12 * GIB,
    resources=Resources(4, 4 * GIB),
    product_rate=300.0,
)


def changed(**changes: Any) -> MachineState:
    """Return the sound machine with some things otherwise; those of `Machine` are found there."""
    own = {field.name for field in dataclasses.fields(MachineState)}
    inner = {name: changes.pop(name) for name in list(changes) if name not in own}
    return dataclasses.replace(SOUND, machine=dataclasses.replace(MACHINE, **inner), **changes)


def threads(library: BlasLibrary, number: int) -> BlasLibrary:
    return dataclasses.replace(library, threads=number)


def kernels(**changes: Any) -> KernelCache:
    return dataclasses.replace(SOUND.kernels, **changes)


def test_a_sound_machine_has_no_findings() -> None:
    assert findings(SOUND) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"governor": Governor("powersave", "intel_pstate", "balance_performance")},  # its "powersave" is adaptive
        {"governor": Governor("powersave", "amd-pstate-epp", "balance_performance")},
        {"governor": Governor()},
        {"load": None},
        {"load": 4.0},
        {"memory_left": 0},  # unknown
        {"features": frozenset()},  # unknown
        {"features": frozenset({"neon"})},
        {"features": AVX2_FEATURES, "blas": (dataclasses.replace(NUMPY, architecture="Haswell"),)},
        {"blas": (dataclasses.replace(NUMPY, architecture="madeup"),)},
        {"blas": (BlasLibrary("NumPy", "mkl", "2025", 1),)},
        {"blas": (threads(NUMPY, 4), SCIPY)},  # one library with threads, as many as cores
        {"blas": ()},
        {"quota": 4.0},
        {"quota": 8.0},
        {"environment": {"NUMBA_DISABLE_JIT": "0", "OPENBLAS_CORETYPE": "SkylakeX"}},
    ],
)
def test_what_is_no_finding(changes: dict[str, Any]) -> None:
    assert findings(changed(**changes)) == ()


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no Numba": (
        {"numba": Numba(problem="Numba needs NumPy 2.4 or less")},
        "the compiled engines cannot be used (Numba needs NumPy 2.4 or less): training runs in the reference engine, "
        "10 to 1,000 times slower; install a Numba that fits this NumPy",
    ),
    "no compiled engines": (
        {"kernels": KernelCache(problem="no module named llvmlite")},
        "the compiled engines cannot be used (no module named llvmlite): training runs in the reference engine, ",
    ),
    "interpreted": ({"environment": {"NUMBA_DISABLE_JIT": "1"}}, "NUMBA_DISABLE_JIT is set: kernels are interpreted, "),
    "read-only cache": (
        {"kernels": kernels(writable=False, warm=False)},
        "compiled kernels cannot be kept in /home/somebody/.cache/chainrule/kernels: every process compiles them anew,",
    ),
    "cold cache": (
        {"kernels": kernels(warm=False)},
        "the kernels are not compiled yet: the first training takes some seconds more; run chainrule doctor --warm",
    ),
    "no fused multiply-add": (
        {"features": frozenset({"sse2", "avx"}), "blas": ()},
        "the processor, as this system sees it, has no fused multiply-add: the compiled engines compute each in ",
    ),
    "quota": (
        {"quota": 1.5, "resources": Resources(1, GIB)},
        "the control group grants 1.5 of 4 cores' time: a training takes 1 thread; programs that start 4 are stopped",
    ),
    "small quota": (
        {"quota": 0.5, "resources": Resources(1, GIB)},
        "the control group grants 0.5 of 4 cores' time: a training takes 1 thread; ",
    ),
    "few threads": (
        {"resources": Resources(1, GIB)},
        "CHAINRULE_THREADS asks for 1 thread on 4 cores: cores stay idle; set it to 4, or unset it",
    ),
    "many threads": (
        {"resources": Resources(16, GIB)},
        "CHAINRULE_THREADS asks for 16 threads on 4 cores: threads wait for one another; set it to 4, or unset it",
    ),
    "impossible variable": (
        {"resources": None, "resources_problem": "environment variable CHAINRULE_MEMORY: unknown unit of memory 'x'"},
        "environment variable CHAINRULE_MEMORY: unknown unit of memory 'x': no training starts; correct or unset it",
    ),
    "load": (
        {"load": 10.0},
        "the load is 10 on 4 cores: each program gets about 40 % of a core; wait, or end what is not needed",
    ),
    "governor": (
        {"governor": Governor("powersave", "acpi-cpufreq")},
        "the processor's governor is powersave: it stays at a low clock rate; choose performance",
    ),
    "energy preference": (
        {"governor": Governor("powersave", "intel_pstate", "power")},
        "the processor's energy preference is power: it stays at a low clock rate; choose performance",
    ),
    "memory": (
        {"memory_left": GIB},
        "1 GiB of memory are free, less than the 4 GiB a training may use: a large population would be swapped out "
        "or killed; train with --memory '512 MiB', or end what is not needed",
    ),
    "lesser kernels": (
        {"blas": (dataclasses.replace(NUMPY, architecture="Haswell"), SCIPY), "family_rate": 590.0},
        "NumPy's OpenBLAS runs Haswell (AVX2) kernels although the processor has AVX-512: float32 products run at "
        "300 GFLOP/s instead of 590; chainrule's compiled engines do not use it; for your own NumPy code set "
        "OPENBLAS_CORETYPE=SkylakeX before starting Python",
    ),
    "lesser kernels, not measured": (
        {"blas": (dataclasses.replace(NUMPY, architecture="Nehalem"), SCIPY), "features": AVX2_FEATURES},
        "NumPy's OpenBLAS runs Nehalem (SSE) kernels although the processor has AVX2: its matrix products run below",
    ),
    "too many BLAS threads": (
        {"blas": (threads(NUMPY, 8), SCIPY)},
        "NumPy's BLAS runs 8 threads on 4 cores: they wait for one another, and products run many times slower; "
        "set OPENBLAS_NUM_THREADS=4",
    ),
    "several pools": (
        {"blas": (threads(NUMPY, 4), threads(SCIPY, 4))},
        "NumPy's and SciPy's BLAS keep threads of their own (4 + 4): code that uses them in turn, ",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_one_thing_wrong_is_one_finding(name: str) -> None:
    changes, line = WRONG[name]
    (finding,) = findings(changed(**changes))
    assert str(finding).startswith(line)
    assert len(str(finding).splitlines()) == 1
    assert finding.what
    assert finding.cost
    assert finding.remedy


def test_everything_wrong_is_told_with_chainrules_own_first() -> None:
    state = changed(
        kernels=kernels(warm=False),
        quota=2.0,
        resources=Resources(2, 8 * GIB),
        load=9.0,
        memory_left=GIB,
        blas=(threads(dataclasses.replace(NUMPY, architecture="Zen"), 4), threads(SCIPY, 4)),
    )
    starts = [finding.what.split()[0] for finding in findings(state)]
    assert starts == ["the", "the", "the", "1", "NumPy's", "NumPy's", "SciPy's", "NumPy's"]
    assert "2 cores" in findings(state)[5].what  # threads are measured against what the quota grants


def test_a_finding_is_one_line() -> None:
    assert str(Finding("it rains", "one gets wet", "take an umbrella")) == "it rains: one gets wet; take an umbrella"


def test_facts_read_as_one_line_each() -> None:
    told = facts(changed(usable_cores=2, quota=1.5))
    assert told == {
        "processor": "A processor (skylake-avx512)",
        "vector units": "SSE4.2, AVX, AVX2, FMA, AVX-512 (BW, DQ, F, VL)",
        "cores": "4, this process may use 2, 1.5 cores' worth of time, load 0.4",
        "memory": "16 GiB, 12 GiB free",
        "BLAS of NumPy": "openblas 0.3.31, SkylakeX (AVX-512) kernels, 1 thread",
        "BLAS of SciPy": "openblas 0.3.30, SkylakeX (AVX-512) kernels, 1 thread",
        "matrix product": "300 GFLOP/s in NumPy, float32",
        "Numba": "0.68.0, llvmlite 0.50.0, threading layer omp",
        "kernels": "compiled, in /home/somebody/.cache/chainrule/kernels",
        "a training takes": "4 threads, at most 4 GiB",
    }


def test_facts_that_are_not_known() -> None:
    state = MachineState(
        machine=dataclasses.replace(MACHINE, memory=0, blas=(BlasLibrary("shared", "mkl", "2025", 2),)),
        kernels=KernelCache(problem="gone"),
        numba=Numba(problem="gone"),
    )
    assert facts(state) == {
        "processor": "A processor",
        "vector units": "unknown",
        "cores": "4",
        "memory": "unknown",
        "BLAS of shared": "mkl 2025, 2 threads",
        "Numba": "cannot be used: gone",
    }


# -- looking at a machine --------------------------------------------------------------------------------------


def test_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_THREADS", "3")
    monkeypatch.setenv("CHAINRULE_MEMORY", "100 MiB")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    state = machine_state(KernelCache(str(tmp_path)), measure=False)
    assert state.machine.cores == os.cpu_count()
    assert state.resources == Resources(3, 100 * 2**20)
    assert state.environment["OPENBLAS_CORETYPE"] == "Haswell"
    assert (state.numba.version, state.numba.llvmlite) == (numba.__version__, llvmlite.__version__)
    assert state.numba.threading_layer in ("tbb", "omp", "workqueue")
    assert (state.product_rate, state.family_rate) == (None, None)
    if Path("/proc/meminfo").exists():
        assert 0 < state.memory_left <= state.machine.memory
    assert json.loads(json.dumps(state.to_dict()))["machine"]["cpu"] == state.machine.cpu
    assert all(value and "\n" not in value for value in facts(state).values())


def test_an_impossible_variable_is_a_finding_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_THREADS", "none")
    state = machine_state(KernelCache(str(tmp_path)), measure=False)
    assert state.resources is None
    assert "a training takes" not in facts(state)
    assert any(finding.what.startswith("environment variable CHAINRULE_THREADS") for finding in findings(state))


def test_a_made_up_system(tmp_path: Path) -> None:
    frequency = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq"
    frequency.mkdir(parents=True)
    (frequency / "scaling_governor").write_text("powersave\n")
    (frequency / "scaling_driver").write_text("acpi-cpufreq\n")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:  8000 kB\nMemFree:  100 kB\nMemAvailable:  3000 kB\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu.max").write_text("50000 100000\n")
    state = machine_state(KernelCache(), tmp_path, measure=False)
    assert state.governor == Governor("powersave", "acpi-cpufreq", "")
    assert state.memory_left == 3000 * 1024
    assert (state.quota, state.cores_granted) == (0.5, 1)


def test_free_memory_is_within_the_control_groups_limit(tmp_path: Path) -> None:
    assert free_memory(tmp_path) == 0
    assert governor(tmp_path) == Governor()
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("5000000\n")
    (group / "memory.current").write_text("4000000\n")
    assert free_memory(tmp_path) == 1_000_000
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemAvailable:  3000 kB\n")
    assert free_memory(tmp_path) == 1_000_000
    (tmp_path / "proc/meminfo").write_text("MemAvailable:  300 kB\n")
    assert free_memory(tmp_path) == 300 * 1024


def test_a_folder_that_can_be_made_can_be_written(tmp_path: Path) -> None:
    assert can_write(tmp_path)
    assert can_write(tmp_path / "not" / "yet" / "there")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    assert not can_write(tmp_path / "file")
    assert not can_write(tmp_path / "file" / "below")
