"""What the commands that pass verdicts share: their options, where runs come from, and how a verdict is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from chainrule.cli._console import Output, clean, count
from chainrule.cli._options import MAX_SEEDS, naming, parse_path
from chainrule.cli._progress import Bar
from chainrule.errors import ConfigError, one_line

if TYPE_CHECKING:
    from rich.table import Table

    from chainrule.experiments.recipes.success import SuccessRule
    from chainrule.experiments.verdicts.bench import Bench
    from chainrule.experiments.verdicts.verdict import Verdict

STORE = "Where runs are looked up and kept: a file, or postgresql://... \\[default: nowhere]"
QUANTITY = "What is compared: success, loss, validation_accuracy, epochs, 'loss@100', 'first accuracy>=0.99', ..."

RecipeFile = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file.", show_default=False)]
Quantity = Annotated[str, typer.Option("--quantity", metavar="WHAT", help=QUANTITY)]
Better = Annotated[str | None, typer.Option("--better", metavar="lower|higher", help="Which values of it are better.")]
Store = Annotated[str | None, typer.Option("--store", metavar="FILE|URL", help=STORE)]
Level = Annotated[float, typer.Option("--level", metavar="P", help="Confidence of every statement.")]
Seeds = Annotated[
    int | None, typer.Option("--seeds", metavar="N", help="How many seeds \\[default: as the recipe says]")
]
Success = Annotated[
    str | None,
    typer.Option(
        "--success", metavar="RULE", help="When a run succeeds, as 'accuracy>=0.99', instead of its own rule."
    ),
]
Quick = Annotated[bool, typer.Option("--quick", metavar="", help="Take the recipe's quick settings and seeds.")]
Out = Annotated[
    str | None, typer.Option("--out", metavar="DIR", help="Write verdict.json and verdict.svg into this folder.")
]
At = Annotated[
    str | None, typer.Option("--at", metavar="AXIS=VALUE,...", help="Which cells of the recipe \\[default: all]")
]

RECORD, PICTURE = "verdict.json", "verdict"


def check_count(option: str, value: int | None, least: int = 1) -> None:
    """Refuse an impossible number by the name of its option."""
    if value is not None and not least <= value <= MAX_SEEDS:
        raise ConfigError(f"{option}: a number from {least} to {MAX_SEEDS:,}, got {value}")


def check_level(level: float) -> None:
    """Refuse an impossible confidence by the name of its option."""
    if not 0.5 <= level < 1.0:
        raise ConfigError(f"--level: a confidence from 0.5 to below 1, got {level:g}")


def parse_statistic(text: str) -> Literal["mean", "median"]:
    """Read ``--statistic``."""
    if text not in ("mean", "median"):
        raise ConfigError(f"--statistic: mean or median, got '{text}'")
    return "median" if text == "median" else "mean"


def parse_rule(success: str | None) -> SuccessRule | None:
    """Read ``--success``, if it was given."""
    from chainrule.experiments.recipes.success import parse_success

    with naming("--success"):
        return None if success is None else parse_success(success)


@contextmanager
def working_bench(
    output: Output,
    store: str | None,
    engine: str,
    threads: int | None,
    memory: str | None,
    data_dir: str | None,
) -> Iterator[Bench]:
    """Give the bench that a command's options ask for, with a progress bar; close what it opened."""
    from chainrule.cli._options import parse_resources
    from chainrule.cli._request import check_engine
    from chainrule.experiments.verdicts.bench import Bench, open_store

    check_engine(engine)
    resources = parse_resources(threads, memory)
    folder = None if data_dir is None else str(parse_path(data_dir, "--data-dir"))
    if store is not None and not store.strip():
        raise ConfigError("--store: name a file or a URL")
    with open_store(store) as keeper, Bar(output) as bar:
        yield Bench(keeper, engine, resources, folder, lambda text, share: bar.update(share, text))


def check_out(out: str | None) -> Path | None:
    """Refuse an ``--out`` that cannot be written, before any work is done."""
    if out is None:
        return None
    from chainrule.cli._saving import check_out as check

    folder = parse_path(out, "--out")
    check(folder)
    return folder


def tell(output: Output, command: str, verdict: Verdict, folder: Path | None, shown: Table | None = None) -> None:
    """Show a verdict with a table below it, and write it if that was asked for."""
    paths = write(verdict, folder) if folder is not None else []
    output.json({"command": command, **verdict.record(), "files": paths})
    output.result(clean(verdict.sentence), "bold")
    if shown is not None:
        output.detail()
        output.detail(shown)
    if verdict.paired or verdict.notes:
        output.detail()
    for line in (verdict.paired, *verdict.notes):
        if line:
            output.detail(clean(line))
    runs = {name: verdict.numbers.get(name) for name in ("computed", "reused")}
    if runs["computed"] or runs["reused"]:
        again = f", {count(int(runs['reused'] or 0), 'run')} found in the store" if runs["reused"] else ""
        output.detail(f"{count(int(runs['computed'] or 0), 'run')} trained{again}.", "dim")
    for path in paths:
        output.result(clean(path))


def write(verdict: Verdict, folder: Path) -> list[Path]:
    """Write a verdict's record and its picture; returns the paths."""
    from chainrule.cli._console import json_text
    from chainrule.files import write_text
    from chainrule.report import write_figure
    from chainrule.report.verdict_figure import verdict_figure

    paths = [write_text(folder / RECORD, json_text(verdict.record()))]
    figure = verdict_figure(verdict, PICTURE)
    if figure is not None:
        paths.append(write_figure(figure, folder / f"{PICTURE}.svg"))
    return paths


def one_recipe(path: str) -> Any:
    """Read a recipe that trains something."""
    from chainrule.experiments.recipes.recipe import load_recipe

    recipe = load_recipe(parse_path(path, "RECIPE"))
    if not recipe.trains:
        raise ConfigError(f"recipe '{one_line(recipe.id)}' trains nothing")
    return recipe
