"""``python -m benchmarks``: measures, writes build/bench.json, prints the table."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import page, record
from benchmarks.case_run import Options, run_case
from benchmarks.cases import CASES
from benchmarks.curves import crossovers, linearity, told
from benchmarks.growth import SWEEPS, run_sweep
from benchmarks.lab import run_lab
from benchmarks.sgemm import sgemm_rates
from benchmarks.starts import REPEATS, run_starts, warm
from benchmarks.table import printed
from benchmarks.worker import without_steering
from chainrule.errors import ChainruleError
from chainrule.resources import default_memory

NAMES = ("start", *(case.name for case in CASES), "W6", "W7")
USUAL = NAMES[:-1]
USUAL_PEER = "jax"  # as it is usually written, beside the best peer


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    made = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    made.add_argument("--only", nargs="+", metavar="CASE", help=f"only these of {', '.join(NAMES)}")
    made.add_argument("--quick", action="store_true", help="small sizes: does it run?  not a measurement")
    made.add_argument("--full", action="store_true", help="also W6's largest sizes, and W7")
    made.add_argument("--lab", action="store_true", help="also W7, the full report")
    made.add_argument("--engine", default="auto", help="chainrule's engine [default: auto]")
    made.add_argument("--seconds", type=float, default=20.0, help="for the rounds of each case [default: 20]")
    made.add_argument("--output", type=Path, default=Path("build/bench.json"), help="[default: build/bench.json]")
    made.add_argument("--picture", action="store_true", help="draw the picture and fill docs/benchmarks.md")
    return made


def chosen(arguments: argparse.Namespace) -> list[str]:
    """Return the cases asked for.

    Raises
    ------
    ValueError
        For a name that is no case.
    """
    named = [name for group in arguments.only or () for name in group.split(",") if name]
    for name in named:
        if name not in NAMES:
            raise ValueError(f"--only: there is no case '{name}' (known: {', '.join(NAMES)})")
    if named:
        return [name for name in NAMES if name in named]
    return [*USUAL, *(["W7"] if arguments.lab or arguments.full else [])]


def say(text: str = "") -> None:
    """Print a line at once: a run takes minutes."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the suite.

    Returns
    -------
    int
        0; 1 if a case failed (unequal work, a contestant that broke); 2 for arguments that cannot work. A bar that
        is missed is a result, not a failure.
    """
    arguments = parser().parse_args(argv)
    try:
        names = chosen(arguments)
        if arguments.seconds <= 0:
            raise ValueError("--seconds must be above 0")
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    environment, dropped = without_steering(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    run = record.new_record(arguments.quick, arguments.engine, dropped)
    run["sgemm"] = sgemm_rates(256, 0.05) if arguments.quick else sgemm_rates()
    say(f"sgemm: {', '.join(f'{name} {rate:.0f}' for name, rate in run['sgemm'].items())} GFLOP/s")
    if arguments.engine != "reference":
        try:
            say(f"chainrule's kernels: ready after {warm():.1f} s")
        except RuntimeError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    if arguments.only is not None:
        run = record.merged(run, record.read(arguments.output))
    for name in names:
        say(f"{name} ...")
        run["cases"][name] = _survived(name, arguments, run["sgemm"]["best"])
        run["cases"][name]["when"] = datetime.now(UTC).isoformat(timespec="seconds")
        record.write(arguments.output, run)  # after each case: a run takes minutes, and may be stopped
    say(f"\n{printed(run, names)}\n\nwritten: {arguments.output}")
    if arguments.picture:
        for path in page.publish(run):
            say(f"written: {path}")
    return int(any(run["cases"][name]["status"] == "failed" for name in names))


def _survived(name: str, arguments: argparse.Namespace, sgemm: float) -> dict[str, Any]:
    """Run one case; what breaks in it fails this case, loudly, and not those that come after."""
    try:
        done = _case(name, arguments, sgemm)
    except Exception as error:
        traceback.print_exc()
        done = {"status": "failed", "title": name, "reason": f"{type(error).__name__}: {error}"}
    if done["status"] == "failed":
        say(f"  FAILED: {done['reason']}")
    return done


def _case(name: str, arguments: argparse.Namespace, sgemm: float) -> dict[str, Any]:
    """Run one case and return its record."""
    if name == "start":
        return run_starts(arguments.engine, 1 if arguments.quick else REPEATS)
    if name == "W6":
        return _growth(arguments)
    if name == "W7":
        return run_lab(("--quick",) if arguments.quick else (), arguments.engine)
    case = next(case for case in CASES if case.name == name)
    if case.needs_mnist and (why := _no_mnist()):
        say(f"  skipped: {why}")
        return {"status": "skipped", "title": case.title, "reason": why}
    references = arguments.output.parent / "bench-reference"
    return run_case(case, Options(arguments.quick, arguments.engine, arguments.seconds, references), sgemm, say)


def _no_mnist() -> str:
    """Return why the cases on MNIST cannot run, in one line; nothing if they can."""
    from chainrule import load

    try:
        load("mnist").draw(0)
    except ChainruleError as error:
        return f"{error} (set CHAINRULE_DATA to the folder of its four files)"
    return ""


def _growth(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the sweeps of W6."""
    sweeps = {}
    for sweep in SWEEPS:
        sizes = sweep.quick if arguments.quick else (*sweep.sizes, *(sweep.largest if arguments.full else ()))
        curve = run_sweep(sweep, sizes, arguments.engine, say)
        curve["linearity"] = linearity(curve["points"])
        curve["crossover_ranges"] = crossovers(curve["points"])
        curve["crossovers"] = [told(sweep.name, curve["points"]), told(sweep.name, curve["points"], only=USUAL_PEER)]
        sweeps[sweep.name] = curve
    most = default_memory()  # what chainrule takes when it is not told
    reached = max(p["peak_memory"].get("chainrule", 0) for curve in sweeps.values() for p in curve["points"])
    return {
        "status": "measured",
        "title": "growth: members, width, samples",
        "sweeps": sweeps,
        "memory_budget": {"most": most, "reached": reached, "met": reached <= most},
    }
