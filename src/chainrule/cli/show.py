"""`chainrule show`: a saved run again, with its pictures."""

from __future__ import annotations

from typing import Annotated

import typer

from chainrule.cli._console import Output, clean
from chainrule.cli._help import Command
from chainrule.cli._options import DataDir, Json, Quiet, Rate, RunFolder, naming, parse_path

EPILOG = """\
Draws the loss curves as fans over seeds, ground truth beside prediction, and
decision boundaries (for data in the plane), as SVG and PNG.

Examples:

  chainrule show chainrule-run
  chainrule show chainrule-run --seed 7 --out pictures
  chainrule show chainrule-run --json"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, epilog=EPILOG)(show)


def show(
    run: RunFolder,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="K", help="Whose predictions are drawn \\[default: the first]"),
    ] = None,
    lr: Rate = None,
    success: Annotated[
        str | None,
        typer.Option(
            "--success",
            metavar="RULE",
            help="What counts as success, as 'accuracy>=1.0' \\[default: as in training]",
        ),
    ] = None,
    data_dir: DataDir = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="Where the pictures go \\[default: the run's folder]")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show a saved run: settings, results and pictures."""
    from pathlib import Path

    from chainrule.cli._saved import choose_rate, choose_seed, load_runs
    from chainrule.cli._saving import check_out
    from chainrule.cli._showing import Showing
    from chainrule.experiments.recipes.success import parse_success, rule_of

    output = Output(quiet, as_json)
    runs = load_runs(run)
    chosen = choose_seed(choose_rate(runs, lr), seed)
    with naming("--success"):
        rule = rule_of(runs) if success is None else parse_success(success)
    inside = Path(run)
    folder = parse_path(out, "--out") if out is not None else inside if inside.is_dir() else inside.parent
    check_out(folder)
    showing = Showing.of(runs, chosen, rule, data_dir)
    paths = showing.write(folder)
    output.json({**showing.to_json(), "pictures": paths})
    showing.show(output)
    for problem in showing.problems:
        output.note(problem)
    for path in paths:
        output.result(clean(path))
