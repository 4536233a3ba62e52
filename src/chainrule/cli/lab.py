"""`chainrule lab`: the whole report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli._console import Output, clean, count, pairs
from chainrule.cli._help import Command
from chainrule.cli._options import (
    MAX_SEEDS,
    EngineName,
    Json,
    Memory,
    Quiet,
    Threads,
    naming,
    parse_path,
    parse_resources,
)
from chainrule.cli._progress import Bar
from chainrule.errors import ConfigError

if TYPE_CHECKING:
    from chainrule.lab import LabResult

EPILOG = """\
Writes index.html (one file that opens offline), results.json (the numbers
behind every picture) and figures/. --quick takes under a minute; the full
report takes much longer. Ctrl-C writes what there is, and what is missing.

Examples:

  chainrule lab --quick
  chainrule lab --only replication --seeds 100
  chainrule lab --data ~/mnist --out report"""

INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command.telling(_epilog))(lab)


def _epilog() -> str:
    """Return examples, and the sections that can be named."""
    from chainrule.lab.plan import SECTIONS

    sections = "\n".join(f"  {section.id:18}{section.about}" for section in SECTIONS)
    return f"{EPILOG}\n\nSections for --only:\n\n{sections}"


def lab(
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the report is written.")] = "lab-report",
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", metavar="N", help="Seeds per setting \\[default: as each recipe says, at least 30]"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", metavar="", help="Few seeds, short runs: under a minute.")] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="SECTION", help="Only this section; repeatable.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "--data-dir",
            metavar="DIR",
            help="Where MNIST lies; then $CHAINRULE_DATA, then the user's cache.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes that train \\[default: one a thread]")
    ] = None,
    engine: EngineName = "auto",
    threads: Threads = None,
    memory: Memory = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run every experiment of the laboratory and write the report."""
    folder = parse_path(out, "--out")
    data_dir = None if data is None else parse_path(data, "--data")
    _check_counts(seeds, workers)
    resources = parse_resources(threads, memory)
    _check_folders(folder, data_dir)
    from chainrule.cli._request import check_engine
    from chainrule.lab.run import choose_sections, run_lab

    with naming("--only"):
        choose_sections(only or ())
    check_engine(engine)

    output = Output(quiet, as_json)
    with Bar(output) as bar:
        result = run_lab(
            out=folder,
            seeds=seeds,
            quick=quick,
            only=tuple(only or ()),
            data_dir=data_dir,
            workers=workers,
            engine=engine,
            resources=resources,
            progress=lambda done, total, text: bar.update(done / total if total else 0.0, text),
        )
    _tell(output, result)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)


def _tell(output: Output, result: LabResult) -> None:
    """Say what the lab leaves behind."""
    output.json(
        {
            "command": "lab",
            "report": result.path,
            "sections": list(result.sections),
            "networks": result.members,
            "interrupted": result.interrupted,
            "missing": list(result.missing),
            "seconds": result.seconds,
            "verdicts": dict(result.verdict_counts),
        }
    )
    if result.verdict_counts:
        output.detail(pairs({verdict: str(n) for verdict, n in result.verdict_counts.items()}))
        output.detail()
    for missing in result.missing:
        output.result(f"missing: {clean(missing)}", "yellow")
    output.result(f"report: {clean(result.path)}", "bold")
    output.detail(f"{count(result.members, 'network')} trained, {_duration(result.seconds)}")


def _check_counts(seeds: int | None, workers: int | None) -> None:
    """Refuse impossible numbers by the name of their option."""
    if seeds is not None and not 1 <= seeds <= MAX_SEEDS:
        raise ConfigError(f"--seeds: a number of seeds from 1 to {MAX_SEEDS:,}, got {seeds}")
    if workers is not None and not 1 <= workers <= 1024:
        raise ConfigError(f"--workers: a number of processes from 1 to 1,024, got {workers}")


def _check_folders(out: Path, data_dir: Path | None) -> None:
    """Refuse folders that cannot be used, before any work is done."""
    from chainrule.cli._saving import check_out

    check_out(out)
    if data_dir is not None and not data_dir.is_dir():
        raise ConfigError(f"--data: '{clean(data_dir)}' is no folder")


def _duration(seconds: float) -> str:
    """Write a duration: ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.0f} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
