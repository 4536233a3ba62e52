"""`chainrule sweep`: every cell of a recipe, from many seeds, kept in a store."""

from __future__ import annotations

from typing import Annotated

import typer

from chainrule.cli._console import Output
from chainrule.cli._help import Command
from chainrule.cli._options import DataDir, EngineName, Json, Memory, Quiet, Threads
from chainrule.cli._sweep_request import SweepRequest

EPILOG = """\
Every finished run is saved at once, under a key that says what it is. So the
same command goes on after an interruption (Ctrl-C, kill -9, power cut), adds
seeds with a larger --seeds, and trains only what is new after an axis has
been widened. Runs of other recipes in the store are left alone, and used
where they are the same runs. By default the store is chainrule.db in the
folder that --out lies in, or what $CHAINRULE_STORE says.

Writes index.html (one file that opens offline) and the numbers behind it.

Examples:

  chainrule sweep recipe.toml
  chainrule sweep recipe.toml --seeds 100 --budget 10m
  chainrule sweep recipe.toml --adaptive
  chainrule sweep recipe.toml --sampler optuna --trials 40 --export runs.csv
  chainrule sweep recipe.toml --store postgresql://me@db.example/runs"""


Recipe = Annotated[str, typer.Argument(metavar="RECIPE", help="A TOML file.", show_default=False)]
Seeds = Annotated[
    int | None, typer.Option("--seeds", metavar="N", help="Seeds per cell \\[default: as the recipe says]")
]
Budget = Annotated[
    str | None,
    typer.Option("--budget", metavar="TIME", help="Begin nothing new after this time: 90s, 10m, 1h."),
]
Store = Annotated[
    str | None,
    typer.Option("--store", metavar="PATH|URL", help="Where runs are kept \\[default: chainrule.db beside --out]"),
]
NoWeights = Annotated[
    bool, typer.Option("--no-weights", metavar="", help="Keep no final weights: the store stays smaller.")
]
Resume = Annotated[bool, typer.Option("--resume", metavar="", help="Fail unless the store is there already.")]
Adaptive = Annotated[
    bool, typer.Option("--adaptive", metavar="", help="Add seeds where it is open whether a cell works or fails.")
]
MaxSeeds = Annotated[
    int | None,
    typer.Option("--max-seeds", metavar="N", help="With --adaptive: seeds a cell gets at most \\[10 times --seeds]"),
]
Halving = Annotated[
    bool, typer.Option("--halving", metavar="", help="Give up cells that do badly after a part of their epochs.")
]
Sampler = Annotated[str, typer.Option("--sampler", metavar="NAME", help="grid (every cell), random or optuna.")]
Trials = Annotated[int | None, typer.Option("--trials", metavar="N", help="Cells that a sampler tries \\[default: 50]")]
Fresh = Annotated[
    int | None,
    typer.Option(
        "--fresh", metavar="N", help="Fresh seeds to score the best cells on, 0 for none \\[default: as many again]"
    ),
]
FailFast = Annotated[
    bool, typer.Option("--fail-fast", metavar="", help="End at the first cell that cannot be trained.")
]
Out = Annotated[str, typer.Option("--out", metavar="DIR", help="Where the report is written.")]
NoReport = Annotated[bool, typer.Option("--no-report", metavar="", help="Write no page: train, keep and print only.")]
Export = Annotated[
    str | None,
    typer.Option("--export", metavar="FILE", help="Also write every run to FILE.csv, .parquet or .json."),
]
Quick = Annotated[bool, typer.Option("--quick", metavar="", help="The recipe's quick settings and few seeds.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command.telling(lambda: EPILOG))(sweep)


def sweep(
    recipe: Recipe,
    seeds: Seeds = None,
    budget: Budget = None,
    store: Store = None,
    no_weights: NoWeights = False,
    resume: Resume = False,
    adaptive: Adaptive = False,
    max_seeds: MaxSeeds = None,
    halving: Halving = False,
    sampler: Sampler = "grid",
    trials: Trials = None,
    fresh: Fresh = None,
    fail_fast: FailFast = False,
    out: Out = "chainrule-sweep",
    no_report: NoReport = False,
    export: Export = None,
    quick: Quick = False,
    data_dir: DataDir = None,
    engine: EngineName = "auto",
    threads: Threads = None,
    memory: Memory = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train every cell of a recipe from many seeds, and say what can be said.

    Shows success rates with intervals, the cells that cannot be told from the
    best, and which axes matter. Survives interruption: nothing that was
    trained is trained again.
    """
    options = dict(locals())
    from chainrule.cli._sweeping import carry_out

    request = SweepRequest(**{name: options[name] for name in SweepRequest.__dataclass_fields__})
    carry_out(request, Output(quiet, as_json))
