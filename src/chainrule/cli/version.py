"""`chainrule version`: the version, and with --full the machine."""

from __future__ import annotations

from typing import Annotated

import typer

from chainrule.cli._console import Output, pairs
from chainrule.cli._help import Command
from chainrule.cli._options import Json, Quiet

EPILOG = """\
Examples:

  chainrule version
  chainrule version --full
  chainrule version --full --json > machine.json"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, epilog=EPILOG)(version)


def version(
    full: Annotated[
        bool, typer.Option("--full", metavar="", help="Also Python, NumPy, SciPy, BLAS, processor and memory.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Print the version, and with --full what results were computed with."""
    from chainrule.machine import chainrule_version, this_machine

    output = Output(quiet, as_json)
    if not full:
        output.json({"chainrule": chainrule_version()})
        output.result(f"chainrule {chainrule_version()}")
        return
    machine = this_machine()
    output.json(machine.to_dict())
    output.result(pairs(machine.facts()))
