"""`chainrule data`: the data sets, their facts and pictures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from chainrule.cli._console import Cell, Output, clean, number, pairs, table
from chainrule.cli._help import TABLES, Command, values_of
from chainrule.cli._options import Json, Missing, Quiet, Target, parse_path

if TYPE_CHECKING:
    from pathlib import Path

EPILOG = f"""\
{TABLES}

Examples:

  chainrule data
  chainrule data xor
  chainrule data 'spirals(turns=2, noise=0.05)' --seed 3 --out pictures
  chainrule data iris.csv --target species
  chainrule data mnist --data-dir ~/mnist"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, epilog=EPILOG)(data)


def data(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A data set such as xor or linear(n=200), or a table FILE; without it all data sets are listed.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="K", help="Which draw, for data that vary with the seed.")] = 0,
    target: Target = None,
    missing: Missing = None,
    data_dir: Annotated[
        str | None,
        typer.Option(
            "--data",
            "--data-dir",
            metavar="DIR",
            help="Where MNIST's files (or a table) are looked for first; then $CHAINRULE_DATA, then the user's cache.",
        ),
    ] = None,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the picture is written.")] = "chainrule-data",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """List the data sets, or tell the facts of one and draw it."""
    output = Output(quiet, as_json)
    if name is None:
        _list(output)
        return
    from chainrule.cli._data_figure import data_figure
    from chainrule.cli._options import naming
    from chainrule.cli._pictures import write_pictures
    from chainrule.cli._request import load_source
    from chainrule.cli._saving import check_out
    from chainrule.data import facts

    folder: Path = parse_path(out, "--out")
    with naming("--seed"):
        from chainrule.random import check_seed

        check_seed(seed)
    source = load_source(name, data_dir, target, missing)
    dataset = source.draw(seed)
    check_out(folder)
    paths = write_pictures([data_figure(dataset)], folder)
    told = facts(dataset)
    output.json({"command": "data", "spec": source.spec, "seed": seed, "facts": told, "pictures": paths})
    output.detail(pairs({key: number(v, 6) if isinstance(v, float) else v for key, v in told.items()}))
    output.detail()
    for path in paths:
        output.result(clean(path))


def _list(output: Output) -> None:
    """List every data set with a line that says what it is, and its values."""
    from chainrule.data import DATASETS

    listed = [(name, _about(cls), values_of(cls)) for name, cls in DATASETS.items()]
    output.json(
        {
            "command": "data",
            "data_sets": [{"name": name, "about": about, "values": values} for name, about, values in listed],
        }
    )
    if output.quiet:
        for name, *_ in listed:
            output.result(name)
        return
    rows: list[list[Cell]] = []
    for name, about, values in listed:
        told = Text(about)
        if values:
            told.append(" (" + ", ".join(f"{key}={value}" for key, value in values.items()) + ")", "dim")
        rows.append([Text(name, style="bold"), told])
    output.result(table(["data set", "what it is (and its values)"], rows, "l"))
    output.result("Also any table: chainrule data FILE --target COLUMN (CSV, TSV, Parquet, NPZ)")
    output.result("and images: an NPZ file with X (n, height, width[, channels]) and labels y")


def _about(cls: type[object]) -> str:
    """Return the first clause of a class's docstring."""
    sentence = " ".join((cls.__doc__ or "").split("\n\n")[0].split()).replace("`", "")
    return re.split(r"; a fresh|; the same|\. |\.$", sentence)[0]
