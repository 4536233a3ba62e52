"""What slows this machine down: findings, each with what it costs and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chainrule.machine_state import MachineState, lesser_family
from chainrule.resources import THREADS_VARIABLE, memory_text
from chainrule.vector_units import CORE_TYPE, FAMILIES, SSE, family_level, features_text

# Drivers that choose the clock rate themselves, whatever the governor is called: theirs is "powersave" by default.
SELF_GOVERNING = ("intel_pstate", "amd-pstate-epp", "amd_pstate_epp")


@dataclass(frozen=True)
class Finding:
    """Something that slows training down.

    Attributes
    ----------
    what : str
        What was found.
    cost : str
        What it costs.
    remedy : str
        What to do.
    """

    what: str
    cost: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}: {self.cost}; {self.remedy}"


def findings(state: MachineState) -> tuple[Finding, ...]:
    """Return what slows the machine down, what concerns chainrule itself first; nothing if all is well."""
    found = [*_compiler(state), *_threads(state), *_others(state), *_memory(state), *_blas(state)]
    return tuple(found)


def facts(state: MachineState) -> dict[str, str]:
    """Return the state as text by name, in the order in which it is read."""
    machine, numba, kernels, resources = state.machine, state.numba, state.kernels, state.resources
    name = f" ({state.cpu_name})" if state.cpu_name else ""
    usable = "" if machine.usable_cores == machine.cores else f", this process may use {machine.usable_cores}"
    share = "" if state.quota is None else f", {state.quota:g} cores' worth of time"
    load = "" if state.load is None else f", load {state.load:.2g}"
    free = f", {memory_text(state.memory_left)} free" if state.memory_left else ""
    told = {
        "processor": f"{machine.cpu}{name}",
        "vector units": features_text(state.features),
        "cores": f"{machine.cores}{usable}{share}{load}",
        "memory": (memory_text(machine.memory) if machine.memory else "unknown") + free,
    }
    for library in machine.blas:
        level = family_level(library.architecture)
        kernel = f"{library.architecture}{f' ({level})' if level else ''} kernels, " if library.architecture else ""
        threads = f"{library.threads} thread{'' if library.threads == 1 else 's'}"
        told[f"BLAS of {library.user}"] = f"{library.name} {library.version}, {kernel}{threads}"
    if state.product_rate is not None:
        told["matrix product"] = f"{state.product_rate:.0f} GFLOP/s in NumPy, float32"
    told["Numba"] = (
        f"cannot be used: {numba.problem}"
        if numba.problem
        else f"{numba.version}, llvmlite {numba.llvmlite}, threading layer {numba.threading_layer}"
    )
    if not kernels.problem:
        told["kernels"] = f"{'compiled' if kernels.warm else 'not compiled yet'}, in {kernels.directory}"
    if resources is not None:
        told["a training takes"] = f"{_many(resources.threads, 'thread')}, at most {memory_text(resources.memory)}"
    return told


def _compiler(state: MachineState) -> Iterator[Finding]:
    """Judge what the compiled engines need."""
    slow = "training runs in the reference engine, 10 to 1,000 times slower"
    problem = state.numba.problem or state.kernels.problem
    if problem:
        yield Finding(f"the compiled engines cannot be used ({problem})", slow, "install a Numba that fits this NumPy")
    elif state.environment.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        yield Finding(
            "NUMBA_DISABLE_JIT is set", "kernels are interpreted, 1,000 times slower", "unset it before starting Python"
        )
    elif not state.kernels.writable:
        yield Finding(
            f"compiled kernels cannot be kept in {state.kernels.directory}",
            "every process compiles them anew, some seconds each time",
            "make the folder writable, or set CHAINRULE_KERNELS to another",
        )
    elif not state.kernels.warm:
        yield Finding(
            "the kernels are not compiled yet",
            "the first training takes some seconds more",
            "run chainrule doctor --warm once",
        )
    if state.level is not None and "fma" not in state.features:
        yield Finding(
            "the processor, as this system sees it, has no fused multiply-add",
            "the compiled engines compute each in software, many times slower",
            'take engine="reference", or let a virtual machine see the host\'s processor',
        )


def _threads(state: MachineState) -> Iterator[Finding]:
    """Judge how many threads there are for how many cores."""
    cores, granted = state.machine.usable_cores, state.cores_granted
    if state.resources_problem:
        yield Finding(state.resources_problem, "no training starts", "correct or unset it")
    if state.quota is not None and state.quota < cores:
        yield Finding(
            f"the control group grants {state.quota:g} of {cores} cores' time",
            f"a training takes {_many(granted, 'thread')}; programs that start {cores} are stopped again and again",
            "raise the limit (docker --cpus, cpu.max)",
        )
    if state.resources is not None and state.resources.threads != granted:
        threads = state.resources.threads
        cost = "cores stay idle" if threads < granted else "threads wait for one another"
        yield Finding(
            f"{THREADS_VARIABLE} asks for {_many(threads, 'thread')} on {_many(granted, 'core')}",
            cost,
            f"set it to {granted}, or unset it",
        )


def _others(state: MachineState) -> Iterator[Finding]:
    """Judge what else runs here, and at which clock rate."""
    cores = state.machine.cores
    if state.load is not None and state.load > cores:
        yield Finding(
            f"the load is {state.load:.3g} on {_many(cores, 'core')}",
            f"each program gets about {100 * cores / state.load:.0f} % of a core",
            "wait, or end what is not needed",
        )
    saving = state.governor.name == "powersave" and not state.governor.driver.startswith(SELF_GOVERNING)
    if saving or state.governor.preference == "power":
        name = "governor is powersave" if saving else "energy preference is power"
        yield Finding(
            f"the processor's {name}",
            "it stays at a low clock rate",
            "choose performance (cpupower frequency-set -g performance, or the system's power profile)",
        )


def _memory(state: MachineState) -> Iterator[Finding]:
    """Judge whether a training's memory is there."""
    left, resources = state.memory_left, state.resources
    if resources is not None and 0 < left < resources.memory:
        yield Finding(
            f"{memory_text(left)} of memory are free, less than the {memory_text(resources.memory)} a training may use",
            "a large population would be swapped out or killed",
            f"train with --memory '{memory_text(max(left // 2, 2**20))}', or end what is not needed",
        )


def _blas(state: MachineState) -> Iterator[Finding]:
    """Judge the BLAS libraries: they matter to the reference engine and to the user's own NumPy code."""
    if (family := lesser_family(state)) and (best := state.level):
        cost = "its matrix products run below the processor's rate"
        if state.product_rate and state.family_rate:
            cost = f"float32 products run at {state.product_rate:.0f} GFLOP/s instead of {state.family_rate:.0f}"
        known = family_level(family) or SSE
        yield Finding(
            f"NumPy's OpenBLAS runs {family} ({known}) kernels although the processor has {best}",
            cost,
            f"chainrule's compiled engines do not use it; for your own NumPy code set {CORE_TYPE}={FAMILIES[best]} "
            "before starting Python",
        )
    granted = state.cores_granted
    several = [library for library in state.machine.blas if library.threads > 1]
    for library in several:
        if library.threads > granted:
            yield Finding(
                f"{library.user}'s BLAS runs {_many(library.threads, 'thread')} on {_many(granted, 'core')}",
                "they wait for one another, and products run many times slower",
                f"set OPENBLAS_NUM_THREADS={granted} (or MKL_NUM_THREADS) before starting Python",
            )
    if len(several) > 1:
        users = " and ".join(f"{library.user}'s" for library in several)
        yield Finding(
            f"{users} BLAS keep threads of their own ({' + '.join(str(library.threads) for library in several)})",
            "code that uses them in turn, or beside other threads, can run 6 to 30 times slower",
            "chainrule's engines hold BLAS to one thread; for your own code set OPENBLAS_NUM_THREADS=1",
        )


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
