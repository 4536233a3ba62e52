"""`chainrule spread`: how much of the scatter between runs comes from which source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli._console import Output, table
from chainrule.cli._help import Command
from chainrule.cli._judging import (
    Level,
    Out,
    Quick,
    RecipeFile,
    Store,
    Success,
    check_level,
    check_out,
    one_recipe,
    parse_rule,
    tell,
    working_bench,
)
from chainrule.cli._options import DataDir, EngineName, Json, Memory, Quiet, Threads, naming
from chainrule.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from chainrule.experiments.verdicts.verdict import Verdict

EPILOG = """\
Initial weights, data, split, batch order and dropout each get seeds of their
own, and the runs cross them: with 31 seeds a source, 961 runs. Sources that
cannot matter are left out, with the reason.

Examples:

  chainrule spread recipe.toml
  chainrule spread recipe.toml --at optimizer=adam,learning_rate=0.1 \\
      --quantity validation_accuracy --runs 529 --store runs.db"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, epilog=EPILOG)(spread)


def spread(
    recipe: RecipeFile,
    at: Annotated[
        str | None, typer.Option("--at", metavar="AXIS=VALUE,...", help="Which cell, if the recipe has several.")
    ] = None,
    quantity: Annotated[
        str | None,
        typer.Option("--quantity", metavar="WHAT", help="What scatters \\[default: the final loss, held-out if any]"),
    ] = None,
    runs: Annotated[
        int, typer.Option("--runs", metavar="N", help="Runs at most; the square of a prime number is taken.")
    ] = 961,
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
    """Split the spread between runs by its sources."""
    from chainrule.experiments.recipes.grid import expand
    from chainrule.experiments.verdicts.audit import one_cell
    from chainrule.experiments.verdicts.measures import parse_measure
    from chainrule.experiments.verdicts.sides import candidates_of, read_selector
    from chainrule.experiments.verdicts.spread import prime_below
    from chainrule.experiments.verdicts.spread import spread as run_spread

    check_level(level)
    if runs < 1:
        raise ConfigError(f"--runs: a number of runs, got {runs}")
    with naming("--runs"):
        levels = prime_below(int(runs**0.5))
    loaded = one_recipe(recipe)
    cells = expand(loaded, quick)
    with naming("--at"):
        cell = one_cell(cells, read_selector(at, cells))
    rule = parse_rule(success)
    (candidate,) = candidates_of(loaded, [cell], rule=rule)
    with naming("--quantity"):
        held_out = candidate.setting.config.validation > 0
        measure = parse_measure(quantity or ("validation_loss" if held_out else "loss"))
    folder = check_out(out)
    output = Output(quiet, as_json)
    with working_bench(output, store, engine, threads, memory, data_dir) as bench:
        verdict = run_spread(candidate, measure, bench, levels, level)
    tell(output, "spread", verdict, folder, _table(verdict))


def _table(verdict: Verdict) -> Table | None:
    """Show each source's share by itself, and when only it changes."""
    shares, alone = verdict.numbers.get("components", {}), verdict.numbers.get("changed_alone", {})
    if not shares:
        return None
    rows = []
    for name, one in shares.items():
        changed = alone.get(name)
        own = f"{_percent(one['share'])} ({_percent(one['share_low'])} to {_percent(one['share_high'])})"
        only = "" if changed is None else f"{_percent(changed['share'])} ({_percent(changed['low'])} to "
        rows.append((name, own, only and f"{only}{_percent(changed['high'])})"))
    return table(("source", "by itself", "when only it changes"), rows, "lrr")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
