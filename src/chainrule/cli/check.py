"""`chainrule check`: every hand-derived gradient against central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli._console import Cell, Output, count, mark, table
from chainrule.cli._help import Command
from chainrule.cli._options import Json, Quiet
from chainrule.cli._progress import Bar

if TYPE_CHECKING:
    from chainrule.nn.gradient_check import GradientCase, GradientResult

EPILOG = """\
Each row of the table is a small network with a loss. Its gradient by all
weights and inputs, derived by hand, is compared with central differences in
float64; the relative error must stay below 1e-6, or the exit status is 1.

Examples:

  chainrule check
  chainrule check --all
  chainrule check --json > gradients.json"""

FAILED = 1


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, epilog=EPILOG)(check)


def check(
    everything: Annotated[bool, typer.Option("--all", metavar="", help="Print every row, not only groups.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Check every hand-derived gradient against central differences and print the table."""
    from chainrule.nn.gradient_check import TOLERANCE

    output = Output(quiet, as_json)
    results = _run(output)
    failed = [result for result in results if not result.passed]
    worst = max(results, key=lambda result: (not result.passed, result.relative_error))
    output.json(
        {
            "rows": [
                {"name": r.name, "relative_error": r.relative_error, "passed": r.passed, **_fields(r.case)}
                for r in results
            ],
            "checked": len(results),
            "failed": len(failed),
            "worst": worst.name,
            "worst_error": worst.relative_error,
            "tolerance": TOLERANCE,
        }
    )
    if everything:
        output.detail(table(["gradient", "error", ""], [_row(result.name, [result]) for result in results], "lrc"))
    else:
        for title, key in _GROUPS.items():
            _show_group(output, title, results, key)
    for result in failed:
        output.result(f"FAILED {result.name}: relative error {result.relative_error:.2e}", "bold red")
    output.result(
        f"{count(len(results), 'gradient')} checked, {len(failed)} failed; largest relative error "
        f"{worst.relative_error:.1e} (allowed: {TOLERANCE:.0e})",
        "bold red" if failed else "bold green",
    )
    if failed:
        raise typer.Exit(FAILED)


_GROUPS: dict[str, Callable[[GradientCase], str]] = {
    "hidden activation": lambda case: case.hidden.split("(")[0],
    "output activation": lambda case: case.output.split("(")[0],
    "loss": lambda case: case.loss.split("(")[0],
    "layer": lambda case: case.layer,
    "samples and members": lambda case: (
        f"{case.n_samples} sample{'s' * (case.n_samples > 1)}, "
        + ("no member axis" if case.members is None else f"{case.members} members")
    ),
}


def _run(output: Output) -> list[GradientResult]:
    """Check every row, with a progress bar."""
    from chainrule.nn.gradient_check import cases, check

    rows, results = cases(), []
    with Bar(output, "gradients") as bar:
        for done, case in enumerate(rows):
            bar.update(done / len(rows), f"checking {done:,}/{len(rows):,}", done)
            results.append(check(case))
    return results


def _show_group(
    output: Output, title: str, results: Sequence[GradientResult], key: Callable[[GradientCase], str]
) -> None:
    """Print how many rows each value has, and the worst of them."""
    groups: dict[str, list[GradientResult]] = {}
    for result in results:
        groups.setdefault(key(result.case), []).append(result)
    rows = [[name, str(len(group)), *_row(name, group)[1:]] for name, group in groups.items()]
    output.detail(table([title, "rows", "largest error", ""], rows, "lrrc"))


def _row(name: str, results: Sequence[GradientResult]) -> list[Cell]:
    """Return a name, the largest error and whether all are below the tolerance."""
    worst = max(result.relative_error for result in results)
    return [name, f"{worst:.1e}", mark(all(result.passed for result in results))]


def _fields(case: GradientCase) -> dict[str, object]:
    """Return what a row consists of."""
    from dataclasses import asdict

    return asdict(case)
