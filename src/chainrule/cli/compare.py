"""`chainrule compare`: two settings, paired by seed, and one sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli._console import Output
from chainrule.cli._help import Command
from chainrule.cli._judging import (
    At,
    Better,
    Level,
    Out,
    Quantity,
    Quick,
    Seeds,
    Store,
    Success,
    check_count,
    check_level,
    check_out,
    parse_rule,
    parse_statistic,
    tell,
    working_bench,
)
from chainrule.cli._options import DataDir, EngineName, Json, Memory, Quiet, Threads, naming
from chainrule.errors import ChainruleError, ConfigError

if TYPE_CHECKING:
    from chainrule.experiments.verdicts.bench import Bench
    from chainrule.experiments.verdicts.compare import Terms
    from chainrule.experiments.verdicts.measures import Measure
    from chainrule.experiments.verdicts.sides import Side
    from chainrule.experiments.verdicts.verdict import Verdict

EPILOG = """\
A and B are recipes, recipes with a selector behind them (FILE:optimizer=adam),
or folders that `chainrule train --out` wrote. Of one recipe alone, --a and --b
say which cells; without them all its cells are ranked.

If a side leaves several cells open (an optimizer at each learning rate), both
are tuned on half of the seeds and judged on the others. Fewer than 6 pairs
give no verdict.

Examples:

  chainrule compare recipe.toml --a optimizer=adam --b optimizer=sgd
  chainrule compare recipe.toml --a optimizer=adam --b optimizer=sgd \\
      --until-decided --margin 0.01 --max-seeds 5000 --store runs.db
  chainrule compare wide.toml narrow.toml --quantity validation_accuracy
  chainrule compare run-1 run-2 --quantity loss --out verdict
  chainrule compare recipe.toml
  chainrule compare small.toml middle.toml large.toml --quantity loss"""

What = Annotated[
    list[str],
    typer.Argument(
        metavar="RECIPE|RUN",
        help="Two recipes or saved runs, A and B. One alone: see --a and --b. More are ranked.",
        show_default=False,
    ),
]
WhereA = Annotated[
    str | None, typer.Option("--a", metavar="AXIS=VALUE,...", help="Which cells of A, as optimizer=adam.")
]
WhereB = Annotated[
    str | None, typer.Option("--b", metavar="AXIS=VALUE,...", help="Which cells of B, as optimizer=sgd.")
]
Statistic = Annotated[str, typer.Option("--statistic", metavar="mean|median", help="Of a metric's paired differences.")]
UntilDecided = Annotated[
    bool, typer.Option("--until-decided", metavar="", help="Add seeds until better, worse or practically equal.")
]
Margin = Annotated[float | None, typer.Option("--margin", metavar="X", help="Differences up to this do not matter.")]
MaxSeeds = Annotated[int, typer.Option("--max-seeds", metavar="N", help="Until decided: judging seeds at most.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, epilog=EPILOG)(compare)


def compare(
    what: What,
    where_a: WhereA = None,
    where_b: WhereB = None,
    at: At = None,
    quantity: Quantity = "success",
    better: Better = None,
    statistic: Statistic = "mean",
    seeds: Seeds = None,
    until_decided: UntilDecided = False,
    margin: Margin = None,
    max_seeds: MaxSeeds = 5000,
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
    """Say which of two settings is better, or that it cannot be told yet."""
    from chainrule.experiments.verdicts.compare import Terms
    from chainrule.experiments.verdicts.measures import parse_measure

    check_count("--seeds", seeds)
    check_count("--max-seeds", max_seeds)
    check_level(level)
    shown = parse_statistic(statistic)
    with naming("--margin"):
        terms = Terms(level, margin, until_decided, max_seeds, seeds, shown)
    with naming("--better" if better is not None else "--quantity"):
        measure = parse_measure(quantity, better)
    parse_rule(success)
    sides = _sides(what, (where_a, where_b, at), success, quick)
    folder = check_out(out)
    output = Output(quiet, as_json)
    with working_bench(output, store, engine, threads, memory, data_dir) as bench:
        verdict = _verdict(sides, measure, bench, terms)
    tell(output, "compare", verdict, folder)


def _sides(
    what: list[str], where: tuple[str | None, str | None, str | None], success: str | None, quick: bool
) -> tuple[Side, ...]:
    """Return the two sides, or all those that are to be ranked."""
    from chainrule.experiments.verdicts.sides import named, side_of

    where_a, where_b, at = where
    for option, text in (("--a", where_a), ("--b", where_b), ("--at", at)):
        if text is not None and not text.strip():
            raise ConfigError(f"{option}: write axis=value, such as optimizer=adam")
    alone = len(what) == 1 and where_a is None and where_b is None
    if alone or len(what) > 2:
        if where_a is not None or where_b is not None:
            raise ConfigError("--a and --b are for two sides: three and more are ranked, --at holds for all of them")
        return tuple(_named(one, partial(side_of, one, at, success=success, quick=quick)) for one in what)
    if len(what) == 1 and (where_a is None or where_b is None):
        raise ConfigError("one recipe is compared with itself: give both --a and --b, or a second recipe")
    selectors = (_joined(at, where_a), _joined(at, where_b))
    first, second = (
        _named(option if len(what) == 1 else given, partial(side_of, given, text, success=success, quick=quick))
        for option, given, text in zip(("--a", "--b"), (what[0], what[-1]), selectors, strict=True)
    )
    return named(first, second)


def _named(name: str, make: Callable[[], Side]) -> Side:
    """Make a side; an error says which one, unless it does so itself."""
    try:
        return make()
    except ChainruleError as error:
        message = str(error)
        raise type(error)(message if message.startswith(name) else f"{name}: {message}") from None


def _joined(at: str | None, where: str | None) -> str | None:
    """Put the selector of both sides in front of that of one."""
    return ",".join(part for part in (at, where) if part) or None


def _verdict(sides: tuple[Side, ...], measure: Measure, bench: Bench, terms: Terms) -> Verdict:
    """Compare two sides, or rank what there is."""
    from chainrule.experiments.verdicts.compare import compare_sides

    if len(sides) == 2:
        return compare_sides(*sides, measure, bench, terms)
    return _ranking(sides, measure, bench, terms)


def _ranking(sides: tuple[Side, ...], measure: Measure, bench: Bench, terms: Terms) -> Verdict:
    """Rank all cells of one recipe, or several recipes."""
    from chainrule.experiments.verdicts.compare import first_seeds
    from chainrule.experiments.verdicts.rankings import rank

    if terms.until_decided:
        raise ConfigError("--until-decided takes two sides: give --a and --b, or a second recipe")
    titles = [side.title for side in sides]
    candidates = []
    for side in sides:
        for candidate in side.candidates:
            words = [side.title if titles.count(side.title) == 1 and len(sides) > 1 else "", candidate.label]
            candidates.append(replace(candidate, label=", ".join(word for word in words if word)))
    return rank(candidates, measure, bench, first_seeds(sides, terms), terms.level)
