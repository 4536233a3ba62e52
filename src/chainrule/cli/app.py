"""The command `chainrule`: its sub-commands, and what happens when something goes wrong.

A user's error is one line on stderr and exit status 2. Status 1 means that a check failed, 130 that Ctrl-C ended
the command, 141 that nobody was left to read the output.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer

from chainrule.cli import (
    audit,
    check,
    compare,
    data,
    doctor,
    lab,
    predict,
    recipe,
    show,
    spread,
    store,
    sweep,
    train,
    version,
)
from chainrule.cli._console import Output, error_line
from chainrule.cli._help import CtrlCError, Group
from chainrule.cli._usage import usage_message
from chainrule.errors import ChainruleError

OK, FAILED, USER_ERROR, INTERRUPTED, NO_READER = 0, 1, 2, 130, 141

# Typer's own errors (and those of click, which older versions build on) share these bases.
_UsageError: Any = typer.BadParameter.__mro__[1]
_AnyTyperError: Any = typer.BadParameter.__mro__[2]

EPILOG = """\
Begin with:

  chainrule train --data xor --hidden 4,4 --optimizer adam --lr 0.3
  chainrule show chainrule-run
  chainrule lab --quick

chainrule COMMAND --help explains a command, with examples. Every command takes
--quiet (only the result) and --json (one JSON document on stdout)."""

app = typer.Typer(
    name="chainrule",
    cls=Group,
    help="A neural-network laboratory: small networks trained from many seeds, and answers with error bars.",
    epilog=EPILOG,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback(invoke_without_command=True)
def _top(
    ctx: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", metavar="", help="Print the version and exit.")] = False,
) -> None:
    if show_version:
        from chainrule.machine import chainrule_version

        Output().result(f"chainrule {chainrule_version()}")
        raise typer.Exit(OK)
    if ctx.invoked_subcommand is None:
        ctx.get_help()  # Typer prints it on the way
        raise typer.Exit(OK)


COMMANDS = {
    "train": train,
    "predict": predict,
    "show": show,
    "data": data,
    "check": check,
    "recipe": recipe,
    "compare": compare,
    "spread": spread,
    "audit": audit,
    "sweep": sweep,
    "store": store,
    "lab": lab,
    "doctor": doctor,
    "version": version,
}

for _module in COMMANDS.values():
    _module.register(app)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments without the program's name; ``sys.argv[1:]`` by default.
    """
    _never_fail_to_encode()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        status = typer.main.get_command(app).main(args=arguments, prog_name="chainrule", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        return int(status or OK)
    except ChainruleError as error:
        error_line(str(error))
    except _AnyTyperError as error:
        error_line(usage_message(error, arguments, COMMANDS))
    except (CtrlCError, KeyboardInterrupt, typer.Abort):
        error_line("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        return NO_READER
    except MemoryError as error:
        error_line(f"not enough memory: {error or 'use smaller layers, less data or fewer seeds'}")
    except OSError as error:
        what = f"cannot use '{error.filename}'" if error.filename else "cannot write the output"
        error_line(f"{what}: {error.strerror or error}")
    return USER_ERROR


def _never_fail_to_encode() -> None:
    """Let a terminal that cannot show a tick show a question mark instead."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def _close_stdout() -> None:
    """Point stdout nowhere, so that Python's own flush at exit does not fail again."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
