"""Help that teaches: examples, and everything that can be named, listed when somebody asks."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from typer.core import TyperCommand, TyperGroup

EXAMPLES = """\
Examples:

  chainrule train --data xor --hidden 4,4 --optimizer adam --lr 0.3
  chainrule train --data 'linear(n=100)' --hidden 3,3 --lr 0.8 --seeds 100 \\
      --loss binary_cross_entropy --stop 'loss_below(0.015, times=3)'
  chainrule train --data moons --hidden 16 --lr 0.1,1,10 --epochs 2000
  chainrule train --data digits --hidden 32 --activation relu --batch 32 \\
      --loss softmax_cross_entropy --validation 0.2 --epochs 20
  chainrule train --data iris.csv --target species --validation 0.3

"""
PARTS = """
Parts are written name or name(0.9, key=value); quote them for the shell.
These exist, with their values and defaults:
"""
TABLES = """\
A table is a CSV, TSV, Parquet or NPZ file, written FILE?target=COLUMN, with
any of these behind it: 'iris.csv?target=species&missing=impute&drop=id,date'

  target=COLUMN       what to predict (or --target COLUMN)
  missing=impute      fill missing values in (or --missing impute)
  drop=A,B            leave columns out
  categorical=A,B     take their numbers as names
  task=regression     or binary or multiclass, if the guess is wrong
  encoding=latin-1    of a CSV or TSV file that is not UTF-8"""
INDENT, WIDTH = 18, 77


class CtrlCError(Exception):
    """Ctrl-C, on its way to the exit status 130."""


class Command(TyperCommand):
    """A command whose epilog is made when its help is asked for: listing every part costs imports."""

    make_epilog: Callable[[], str] | None = None

    @classmethod
    def telling(cls, epilog: Callable[[], str]) -> type[Command]:
        """Return the command class with an epilog."""
        return type("TellingCommand", (cls,), {"make_epilog": staticmethod(epilog)})

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Typer would end in silence on Ctrl-C."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise CtrlCError from None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Make the epilog, then print the help."""
        _untyped(self.get_help_option(ctx))
        if self.make_epilog is not None:
            self.epilog = self.make_epilog()
        super().format_help(ctx, formatter)


class Group(TyperGroup):
    """The commands in the order in which they are told, not in that of the alphabet."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of registration."""
        return list(self.commands)

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read the command line; Typer would end in silence on Ctrl-C."""
        try:
            return super().make_context(*arguments, **options)
        except KeyboardInterrupt:
            raise CtrlCError from None

    def invoke(self, ctx: Any) -> Any:
        """Find and run the command; Typer would end in silence on Ctrl-C."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise CtrlCError from None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        _untyped(self.get_help_option(ctx))
        super().format_help(ctx, formatter)


def _untyped(option: Any) -> None:
    """Show no type beside a flag: ``--help`` takes no value."""
    if option is not None:
        option.metavar = ""


def train_epilog() -> str:
    """Return examples, and every part that can be named, with its values."""
    from chainrule.data import DATASETS
    from chainrule.metrics import METRICS
    from chainrule.nn import ACTIVATIONS, INITIALIZERS, LOSSES
    from chainrule.optim import OPTIMIZERS, SCHEDULES, STOPPING_RULES

    parts: dict[str, Mapping[str, type[Any]]] = {
        "data sets": DATASETS,
        "activations": ACTIVATIONS,
        "losses": LOSSES,
        "optimizers": OPTIMIZERS,
        "schedules": SCHEDULES,
        "stopping rules": STOPPING_RULES,
        "initial weights": INITIALIZERS,
        "metrics": METRICS,
    }
    lines = [EXAMPLES, TABLES, PARTS]
    for title, registry in parts.items():
        # A no-break space keeps a part and its values on one line; textwrap does not break there.
        names = ", ".join(form(cls).replace(" ", "\u00a0") for cls in dict.fromkeys(registry.values()))
        wrapped = textwrap.wrap(names, WIDTH - INDENT, break_long_words=False, break_on_hyphens=False)
        first, *rest = [line.replace("\u00a0", " ") for line in wrapped]
        lines.append("\n".join([f"  {title}".ljust(INDENT) + first, *(" " * INDENT + line for line in rest)]))
    return "\n".join(lines)


def form(cls: type[Any]) -> str:
    """Return how a part is written, with its values and their defaults: ``momentum(beta=0.9)``."""
    values = [f"{key}={default}" if default else key for key, default in values_of(cls).items()]
    return f"{cls.name}({', '.join(values)})" if values else str(cls.name)


def values_of(cls: type[Any]) -> dict[str, str]:
    """Return the names of a part's values with their defaults as text, empty where a value must be given."""
    fields = [field for field in dataclasses.fields(cls) if field.init and field.name != "reduction"]
    return {f.name: "" if f.default is dataclasses.MISSING else _short(f.default) for f in fields}


def _short(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
