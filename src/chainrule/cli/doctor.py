"""`chainrule doctor`: what this machine has, what slows it down, and the kernels compiled ahead."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli._console import Output, clean, pairs, table
from chainrule.cli._help import Command
from chainrule.cli._options import Json, Quiet
from chainrule.errors import ConfigError, one_line

if TYPE_CHECKING:
    from chainrule.machine_state import KernelCache

EPILOG = """\
Looks at the processor, the memory, NumPy's and SciPy's BLAS libraries, Numba
and its compiled kernels, measures a matrix product, and names what costs
speed, with what to do about it.

--warm compiles the kernels of the fast engines for this machine, once.
Without it the first training does, and takes some seconds more.

Examples:

  chainrule doctor
  chainrule doctor --warm
  chainrule doctor --json > doctor.json"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, epilog=EPILOG)(doctor)


def doctor(
    warm: Annotated[bool, typer.Option("--warm", metavar="", help="Compile all kernels into the cache first.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say what slows training down on this machine."""
    output = Output(quiet, as_json)
    seconds = _warm(output) if warm else None
    from chainrule.health import facts, findings
    from chainrule.machine_state import machine_state

    state = machine_state(kernel_cache())
    found = findings(state)
    output.json(
        {
            "command": "doctor",
            **state.to_dict(),
            "warmed": seconds,
            "findings": [asdict(finding) for finding in found],
        }
    )
    output.detail(pairs(facts(state)))
    output.heading("What slows this machine down")
    for finding in found:
        output.result(f"- {clean(finding)}")
    if not found:
        output.result("nothing found", "green")


def kernel_cache() -> KernelCache:
    """Ask the compiled engines for their cache."""
    from chainrule.machine_state import KernelCache, can_write

    try:
        from chainrule.engines.compiled import cache
    except Exception as error:  # Numba is missing, or refuses to work with what is installed
        return KernelCache(problem=one_line(error) or type(error).__name__)
    folder = cache.directory()
    return KernelCache(str(folder), can_write(folder), cache.is_warm())


def _warm(output: Output) -> dict[str, float]:
    """Compile every kernel, telling what is being done."""
    if problem := kernel_cache().problem:
        raise ConfigError(f"--warm: the compiled engines cannot be used here: {problem}")
    from chainrule.engines import warming
    from chainrule.engines.compiled import cache

    before = cache.is_warm()
    seconds = warming.warm(lambda name: output.note(f"compiling {name}"))
    output.detail(table(["kernels", "seconds"], [[name, f"{spent:.1f}"] for name, spent in seconds.items()], "lr"))
    done = "checked (they were compiled before)" if before else "compiled"
    output.result(f"kernels {done} in {sum(seconds.values()):.1f} s: {clean(cache.directory())}", "bold")
    return seconds
