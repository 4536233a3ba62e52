"""`chainrule store`: what a store of runs holds, whether it is sound, and two stores into one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli._choices import find_axes, find_choices, parse_choices
from chainrule.cli._console import Output, clean, count, pairs
from chainrule.cli._help import Command, Group
from chainrule.cli._options import Json, Quiet, parse_path
from chainrule.cli._progress import Bar
from chainrule.errors import ConfigError, one_line

if TYPE_CHECKING:
    from chainrule.experiments.store import Store

EPILOG = """\
A store keeps every finished run under a key that says what it is: an SQLite
file, or a PostgreSQL database written postgresql://USER@HOST/DATABASE (leave
the password to ~/.pgpass or $PGPASSWORD). Without --store it is the file that
$CHAINRULE_STORE names, else chainrule.db.

Examples:

  chainrule store list
  chainrule store list --by training.learning_rate --success 'accuracy>=0.99'
  chainrule store check --store runs.db
  chainrule store export runs.csv --where training.optimizer=adam
  chainrule store merge laptop.db --store postgresql://me@db.example/runs"""

LIST_EPILOG = """\
Axes are written as in recipes: training.learning_rate, network.hidden,
network.activation, data.source, ... also data.fingerprint and numerics; the
last part is enough. An axis given twice to --where may have either value.

Examples:

  chainrule store list
  chainrule store list --by network.hidden --by training.optimizer
  chainrule store list --by data.source --metric validation_accuracy
  chainrule store list --by hidden --success 'accuracy>=0.99'
  chainrule store list --runs --where 'network.hidden=[4, 4]' --where 'loss<=0.01'"""

CHECK_EPILOG = """\
Reads everything: the file's own structure, the hash of every text, the key and
the checksum of every run, every array. Exit status 1 if anything is wrong.

Example:

  chainrule store check --store runs.db"""

COMPACT_EPILOG = """\
Frees what processes that died had reserved, puts the rows of many small saves
together, brings an old store up to date, and gives unused space back. Other
processes may go on using the store meanwhile.

Example:

  chainrule store compact --store runs.db"""

EXPORT_EPILOG = """\
CSV, JSON or Parquet by the ending of FILE, a row a run.

Examples:

  chainrule store export runs.csv
  chainrule store export best.parquet --where training.optimizer=adam --where 'accuracy>=0.99'"""

MERGE_EPILOG = """\
A run that is there already, with the same numbers, is left alone: merging
twice changes nothing. One that is there with other numbers is reported and
left alone too, and what cannot be read in a damaged store is left out; the
exit status is then 1.

Examples:

  chainrule store merge laptop.db
  chainrule store merge a.db b.db --store postgresql://me@db.example/runs"""

FAILED = 1
SHOWN_CONFLICTS = 20

stores = typer.Typer(cls=Group, epilog=EPILOG, help="Look after a store of finished runs.", no_args_is_help=False)

Where = Annotated[
    str | None,
    typer.Option("--store", metavar="PATH|URL", help="Which store \\[default: $CHAINRULE_STORE, else chainrule.db]"),
]
Choice = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="AXIS=VALUE|RULE", help="Only these runs, as 'loss<=0.01'; repeatable."),
]


def register(app: typer.Typer) -> None:
    """Add the command and its sub-commands."""
    for name, function, epilog in (
        ("list", show, LIST_EPILOG),
        ("check", check, CHECK_EPILOG),
        ("compact", compact, COMPACT_EPILOG),
        ("export", export, EXPORT_EPILOG),
        ("merge", merge, MERGE_EPILOG),
    ):
        stores.command(name, cls=Command, epilog=epilog)(function)
    app.add_typer(stores, name="store")


@stores.callback(invoke_without_command=True)
def _top(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        ctx.get_help()  # Typer prints it on the way
        raise typer.Exit


def open_store(where: str | None, read_only: bool, create: bool = False) -> Store:
    """Open the store that an option names."""
    from chainrule.experiments.store import Store

    return Store.open(where, create=create, read_only=read_only)


def show(
    store: Where = None,
    by: Annotated[
        list[str] | None, typer.Option("--by", metavar="AXIS", help="Group all runs along this axis; repeatable.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="Whose mean and median \\[default: loss].")
    ] = None,
    success: Annotated[
        str | None,
        typer.Option(
            "--success",
            metavar="RULE",
            help="What counts as success, as 'accuracy>=0.99' \\[default: converged, by the runs' stopping rules].",
        ),
    ] = None,
    where: Choice = None,
    runs: Annotated[bool, typer.Option("--runs", metavar="", help="Show single runs.")] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="Rows at most.")] = 20,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say what a store holds, and how runs ended along any axis."""
    from chainrule.cli import _stored

    output = Output(quiet, as_json)
    if limit < 1:
        raise ConfigError(f"--limit: a number of rows from 1, got {limit}")
    for name, given in (("by", by), ("metric", metric), ("success", success)):
        if runs and given:
            raise ConfigError(f"--runs shows single runs and --{name} groups of them: give one of the two")
    typed, rules = parse_choices(where)
    if rules and not runs:
        raise ConfigError(f"--where '{one_line(rules[0])}' chooses single runs: add --runs, or write AXIS=VALUE")
    with open_store(store, read_only=True) as opened:
        axes = find_choices(opened, typed, rules)
        if runs:
            _stored.show_runs(output, opened, axes, rules, limit)
        elif by or axes or metric or success:
            along = find_axes(opened, by or [])
            _stored.show_groups(output, opened, along, metric or "loss", success or "converged", axes, limit)
        else:
            _stored.show_settings(output, opened, limit)


def check(store: Where = None, quiet: Quiet = False, as_json: Json = False) -> None:
    """Read a store whole and say whether it is sound."""
    output = Output(quiet, as_json)
    with open_store(store, read_only=True) as opened, Bar(output, "runs") as bar:
        report = opened.check(lambda done, total: bar.update(done / total if total else 1.0, "checking"))
        shown = opened.redacted
    output.json(
        {
            "command": "store check",
            "store": shown,
            "runs": report.runs,
            "settings": report.settings,
            "sound": report.is_sound,
            "problems": report.problems,
            "more_problems": report.more,
        }
    )
    for problem in report.problems:
        output.result(clean(problem), "red")
    if report.more:
        output.result(f"and {count(report.more, 'problem')} more", "red")
    what = f"{count(report.runs, 'run')} of {count(report.settings, 'setting')}"
    if not report.is_sound:
        output.result(f"{clean(shown)}: not sound; {what} read", "bold")
        output.detail("what can be read goes into a new store with: chainrule store merge OLD --store NEW")
        raise typer.Exit(FAILED)
    output.result(f"{clean(shown)}: sound; {what}", "bold")


def compact(store: Where = None, quiet: Quiet = False, as_json: Json = False) -> None:
    """Put a store in order and give unused space back."""
    output = Output(quiet, as_json)
    with open_store(store, read_only=False) as opened:
        report = opened.compact()
        shown = opened.redacted
    facts = {"freed": report.freed, "joined": report.joined, "bytes_before": report.before, "bytes": report.after}
    output.json({"command": "store compact", "store": shown, **facts})
    output.detail(pairs({"reservations freed": f"{report.freed:,}", "rows joined": f"{report.joined:,}"}))
    output.result(f"{clean(shown)}: {_size(report.before)} before, {_size(report.after)} now", "bold")


def export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What is written.", show_default=False)],
    store: Where = None,
    where: Choice = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the table of runs as CSV, JSON or Parquet."""
    output = Output(quiet, as_json)
    path = parse_path(file, "FILE")
    if path.is_dir():
        raise ConfigError(f"'{clean(path)}' is a folder; name a file in it, such as {clean(path / 'runs.csv')}")
    typed, rules = parse_choices(where)
    with open_store(store, read_only=True) as opened:
        n = opened.export(path, find_choices(opened, typed, rules), rules)
    output.json({"command": "store export", "file": str(path), "runs": n})
    output.result(clean(path))
    output.detail(count(n, "run"))


def merge(
    others: Annotated[
        list[str], typer.Argument(metavar="OTHER...", help="Stores whose runs are taken over.", show_default=False)
    ],
    store: Where = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Take over the runs of other stores."""
    output = Output(quiet, as_json)
    told, conflicts, damaged = [], 0, 0
    for where in others:  # all are there before a new store is made
        open_store(where, read_only=True).close()
    with open_store(store, read_only=False, create=True) as opened:
        for where in others:
            with open_store(where, read_only=True) as other, Bar(output, "runs") as bar:
                report = opened.merge(other, _telling(bar, "merging", other.count()))
                name = other.redacted
            facts = {"added": report.added, "known": report.known, "filled": report.filled}
            told.append({"from": name, **facts, "conflicts": report.conflicts, "damaged": report.damaged})
            conflicts += len(report.conflicts)
            damaged += len(report.damaged)
            for conflict in report.conflicts[:SHOWN_CONFLICTS]:
                output.result(f"other numbers, left alone: {clean(conflict)}", "yellow")
            output.result(f"{clean(name)}: {count(report.added, 'run')} added, {report.known:,} known")
        shown, n = opened.redacted, opened.count()
    output.json({"command": "store merge", "store": shown, "runs": n, "merged": told})
    output.result(f"{clean(shown)}: {count(n, 'run')}", "bold")
    if conflicts:
        output.result(f"{count(conflicts, 'run')} had other numbers than here, and were left alone", "yellow")
    if damaged:
        output.result(f"{count(damaged, 'run')} could not be read, and were left out", "yellow")
    if conflicts or damaged:
        raise typer.Exit(FAILED)


def _telling(bar: Bar, what: str, total: int) -> Callable[[int], None]:
    """Return what shows how many of so many runs are done."""

    def tell(done: int) -> None:
        bar.update(done / total if total else 1.0, what, done)

    return tell


def _size(n_bytes: int) -> str:
    from chainrule.cli._stored import size

    return size(n_bytes)
