"""`chainrule audit`: how often a small study shows a claimed order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli._console import Output
from chainrule.cli._help import Command
from chainrule.cli._judging import (
    Better,
    Level,
    Out,
    Quick,
    RecipeFile,
    Store,
    Success,
    check_count,
    check_level,
    check_out,
    one_recipe,
    parse_rule,
    parse_statistic,
    tell,
    working_bench,
)
from chainrule.cli._options import DataDir, EngineName, Json, Memory, Quiet, Threads, naming

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Recipe
    from chainrule.experiments.verdicts.measures import Measure
    from chainrule.experiments.verdicts.sides import Side

EPILOG = """\
A claim names values of one axis, the better one first: 'adam > sgd'; so does
'sgd < adam'. Our seeds stand for all seeds: from them studies of that size are
drawn, and counted. Where a side leaves several cells of the recipe open (an
optimizer at each of its learning rates), the first half of our seeds chooses
the best one for every side, and the second half is audited; --at settles it.

Examples:

  chainrule audit --claim 'adam > sgd' --runs 5 recipe.toml
  chainrule audit --claim 'adam > momentum > sgd' --runs 1 recipe.toml \\
      --quantity epochs --at learning_rate=0.1 --seeds 500 --store runs.db"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, epilog=EPILOG)(audit)


def audit(
    recipe: RecipeFile,
    claim: Annotated[
        str, typer.Option("--claim", metavar="'A > B'", help="What the study says is better.", show_default=False)
    ],
    runs: Annotated[int, typer.Option("--runs", metavar="N", help="Runs a side of the study.")] = 5,
    at: Annotated[
        str | None, typer.Option("--at", metavar="AXIS=VALUE,...", help="What holds on all sides of the claim.")
    ] = None,
    quantity: Annotated[
        str | None,
        typer.Option("--quantity", metavar="WHAT", help="What is compared \\[default: success, else the final loss]"),
    ] = None,
    better: Better = None,
    statistic: Annotated[
        str, typer.Option("--statistic", metavar="mean|median", help="What the study takes over its runs.")
    ] = "mean",
    paired: Annotated[
        bool, typer.Option("--paired", metavar="", help="The study uses the same seeds on all sides.")
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", metavar="N", help="Seeds of our own \\[default: 300 where cheap, at least 30]"),
    ] = None,
    level: Level = 0.95,
    success: Success = None,
    store: Store = None,
    quick: Quick = False,
    data_dir: DataDir = None,
    engine: EngineName = "auto",
    threads: Threads = None,
    memory: Memory = None,
    out: Out = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Give the chance that a study of some size shows a claimed order."""
    from chainrule.experiments.recipes.grid import seeds_of
    from chainrule.experiments.verdicts.audit import audit_sides, usual_seeds

    check_level(level)
    check_count("--runs", runs)
    check_count("--seeds", seeds)
    shown = parse_statistic(statistic)
    loaded = one_recipe(recipe)
    sides, measure = _claimed(loaded, quick, claim, at, success, quantity, better)
    own = seeds_of(loaded, quick)
    candidates = [candidate for side in sides for candidate in side.candidates]
    numbers = usual_seeds(candidates, own) if seeds is None else seeds_of(loaded, quick, seeds)
    folder = check_out(out)
    output = Output(quiet, as_json)
    with working_bench(output, store, engine, threads, memory, data_dir) as bench:
        verdict = audit_sides(sides, measure, bench, numbers, runs, statistic=shown, paired=paired, level=level)
    tell(output, "audit", verdict, folder)


def _claimed(
    recipe: Recipe,
    quick: bool,
    claim: str,
    at: str | None,
    success: str | None,
    quantity: str | None,
    better: str | None,
) -> tuple[list[Side], Measure]:
    """Return the claim's sides, the better one first, and what they are compared by."""
    from chainrule.experiments.recipes.grid import expand
    from chainrule.experiments.recipes.scores import quantity_of
    from chainrule.experiments.verdicts.claims import parse_claim
    from chainrule.experiments.verdicts.measures import parse_measure
    from chainrule.experiments.verdicts.sides import read_selector, side_of

    cells = expand(recipe, quick)
    with naming("--at"):
        where = read_selector(at, cells)
    rule = parse_rule(success)
    with naming("--claim"):
        order = parse_claim(claim, cells, where)
        sides = [
            replace(side_of(recipe, selector, success=success, quick=quick), name=name)
            for selector, name in zip(order.selectors, order.names, strict=True)
        ]
    with naming("--better" if better is not None else "--quantity"):
        settings = [candidate.setting for side in sides for candidate in side.candidates]
        usual = "success" if rule is not None else quantity_of(recipe, settings)
        measure = parse_measure(quantity or usual, better)
    return sides, measure
