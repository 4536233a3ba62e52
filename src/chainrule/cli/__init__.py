"""The command line: one file a command. They parse, call and print; the mathematics is on the floors below."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1 (a check failed), 2 (a user's error) or 130 (Ctrl-C)."""
    try:
        from chainrule.cli.app import main as run

        return run(argv)
    except KeyboardInterrupt:  # while modules were imported, or an error was told
        if sys.stderr is not None:
            sys.stderr.write("error: interrupted\n")
        return INTERRUPTED
