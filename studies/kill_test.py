"""Kill a sweep with SIGKILL at random moments, resume it each time, and compare its store with an undisturbed one.

    python -m studies.kill_test --kills 50

Every run of the disturbed store must be there, equal to the last bit, and nothing more. After each kill the runs that
were reserved and not saved are counted: they are what the kill cost, and must be those of one chunk.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sqlalchemy import func, select

import chainrule
from chainrule.errors import StoreError
from chainrule.experiments import Setting, expand, load_recipe, seeds_of
from chainrule.experiments.running.chunks import MOST_RUNS
from chainrule.experiments.running.tasks import Task, make_tasks
from chainrule.experiments.store import Store
from chainrule.experiments.store.tables import leases, owners
from chainrule.runs import Run

RECIPE = Path(chainrule.__file__).parent / "lab" / "recipes" / "sections" / "learning_rates.toml"
SPREAD = 6.0
"""A kill comes so many times as late at most as if the undisturbed sweep were cut into as many parts as kills: half of
that is used on average, and much of it is lost with the chunk in work."""
FROM_START = 0.25
"""Share of the kills whose moment is counted from the start of the process."""
FIELDS = ("member", "stop_reason", "converged", "epochs", "divergence", "fingerprint", "preprocessing")
"""What of a run is compared as it is; arrays are compared by their bytes. Wall time and engine may differ."""


@dataclass
class Killed:
    """What came of it.

    Attributes
    ----------
    kills : int
        Processes killed before they had ended.
    lost : list of int
        Runs that were in work at each kill, and were not saved.
    stored : list of int
        Runs in the store after each kill.
    runs : int
        Runs in the store at the end.
    differences : list of str
        Where the two stores differ; empty is the proof.
    seconds : float
        What the undisturbed sweep took.
    """

    kills: int = 0
    lost: list[int] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)
    runs: int = 0
    differences: list[str] = field(default_factory=list)
    seconds: float = 0.0


def sweep_command(recipe: Path, store: str, out: Path, seeds: int, more: Sequence[str] = ()) -> list[str]:
    """Return the command line of a sweep in a process of its own."""
    options = ["--store", store, "--out", str(out), "--seeds", str(seeds), "--fresh", "0", "--no-report", "--json"]
    return [sys.executable, "-m", "chainrule", "sweep", str(recipe), *options, *more]


def wanted(recipe: Path, seeds: int, quick: bool = False) -> list[Task]:
    """Return the tasks of a recipe."""
    read = load_recipe(recipe)
    work: list[tuple[Setting, Sequence[int]]] = [
        (cell.setting, seeds_of(read, quick, seeds)) for cell in expand(read, quick)
    ]
    return make_tasks(work)


def kill_and_resume(
    recipe: Path, store: str, folder: Path, seeds: int, kills: int, longest: float, seed: int, more: Sequence[str] = ()
) -> Killed:
    """Start a sweep again and again, killing it at a random moment, until it has been killed often enough or ends.

    One moment in four is counted from the start of the process, the others from its first claim.
    """
    chance, outcome = random.Random(seed), Killed()
    command = sweep_command(recipe, store, folder / "killed", seeds, more)
    while outcome.kills < kills:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if chance.random() > FROM_START:
            _wait_for_work(process, store)
        try:
            _, told = process.communicate(timeout=chance.uniform(0.0, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            outcome.kills += 1
            stored, lost = state_of(store)
            if outcome.stored and stored < outcome.stored[-1]:
                outcome.differences.append(f"kill {outcome.kills}: {outcome.stored[-1] - stored} saved runs are gone")
            if lost > MOST_RUNS:
                outcome.differences.append(f"kill {outcome.kills}: {lost} runs were in work, more than one chunk has")
            outcome.stored.append(stored)
            outcome.lost.append(lost)
        else:
            if process.returncode:
                raise SystemExit(f"the sweep failed: {told.decode(errors='replace')}")
            break  # it ended before it could be killed so often
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return outcome


def _wait_for_work(process: subprocess.Popen[bytes], store: str) -> None:
    """Wait until a process has claimed runs."""
    while process.poll() is None:
        try:
            with Store.open(store, create=False, read_only=True) as opened, opened.database.read() as connection:
                if process.pid in set(connection.scalars(select(owners.c.pid))):
                    return
        except StoreError:  # it is not there yet
            pass
        time.sleep(0.05)


def state_of(store: str) -> tuple[int, int]:
    """Return how many runs are stored, and how many are reserved by a process."""
    try:
        with Store.open(store, create=False, read_only=True) as opened, opened.database.read() as connection:
            return opened.count(), int(connection.scalar(select(func.count()).select_from(leases)) or 0)
    except StoreError as error:  # killed before the store was there
        if "no store" in str(error):
            return 0, 0
        raise


def compare(one: str, other: str, tasks: Sequence[Task]) -> list[str]:
    """Return where two stores differ in the runs of some tasks, or hold others."""
    with Store.open(one, create=False) as a, Store.open(other, create=False) as b:
        found, told = [], []
        for name, store in (("undisturbed", a), ("killed", b)):
            runs = store.load(tasks)
            found.append(runs)
            if len(runs) != len(tasks) or store.count() != len(tasks):
                told.append(f"{name}: {len(runs)} of {len(tasks)} runs, {store.count()} in all")
            if problems := [str(problem) for problem in getattr(store.check(), "problems", ())]:
                told += [f"{name}: {problem}" for problem in problems]
    told += [
        f"seed {task.seed} of {task.setting.key[:8]}: {what}"
        for task in tasks
        if task in found[0] and task in found[1]
        for what in differences(found[0][task], found[1][task])
    ]
    return told


def differences(one: Run, other: Run) -> list[str]:
    """Return the names of what differs between two runs in any bit."""
    told = [name for name in FIELDS if getattr(one, name) != getattr(other, name)]
    if one.theta.dtype != other.theta.dtype or one.theta.tobytes() != other.theta.tobytes():
        told.append("theta")
    for name in ("final", "history", "windows"):
        a, b = getattr(one, name), getattr(other, name)
        if list(a) != list(b) or any(np.asarray(a[key]).tobytes() != np.asarray(b[key]).tobytes() for key in a):
            told.append(name)
    return told


def study(
    kills: int, seeds: int, longest: float | None, seed: int, recipe: Path = RECIPE, more: Sequence[str] = ()
) -> Killed:
    """Run a sweep undisturbed, then killed and resumed, and compare the stores.

    Kills come at random moments up to `longest` seconds after the start or the first claim; None: so late that
    the kills are spread over the whole sweep, judged by how long the undisturbed one took.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole, killed = str(folder / "whole.db"), str(folder / "killed.db")
        started = time.perf_counter()
        subprocess.run(
            sweep_command(recipe, whole, folder / "whole", seeds, more), check=True, stdout=subprocess.DEVNULL
        )
        seconds = time.perf_counter() - started
        latest = min(SPREAD / kills, 0.25) * seconds if longest is None else longest
        outcome = kill_and_resume(recipe, killed, folder, seeds, kills, latest, seed, more)
        outcome.seconds = seconds
        tasks = wanted(recipe, seeds)
        outcome.runs = state_of(killed)[0]
        outcome.differences += compare(whole, killed, tasks)
        return outcome


def main() -> int:
    """Run the study and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=2000, help="seeds per cell: enough work for so many kills")
    parser.add_argument("--longest", type=float, help="latest moment of a kill, seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    asked = parser.parse_args()
    outcome = study(asked.kills, asked.seeds, asked.longest, asked.seed, asked.recipe)
    lines = [
        f"undisturbed: {outcome.seconds:.1f} s, {outcome.runs} runs",
        f"kills: {outcome.kills}",
        f"runs stored after each: {outcome.stored}",
        f"runs in work and lost at each: {outcome.lost} ({sum(outcome.lost)} in all)",
        f"differences: {len(outcome.differences)}",
        *outcome.differences[:20],
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if outcome.differences or outcome.kills < asked.kills else 0


if __name__ == "__main__":
    sys.exit(main())
