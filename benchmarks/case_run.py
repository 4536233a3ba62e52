"""One case from its start to its record: processes, first calls, the proof, rounds, the summary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, Entry
from benchmarks.contestants import OURS
from benchmarks.rounds import Turn, play
from benchmarks.summary import Measured, summarise
from benchmarks.worker import Ready, Request, Worker, WorkerError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    Attributes
    ----------
    budget : float
        Seconds for the rounds of one case.
    references : Path
        Where the reference's losses are kept from run to run.
    """

    quick: bool = False
    engine: str = "auto"
    budget: float = 20.0
    references: Path = Path("build/bench-reference")


class UnequalWorkError(Exception):
    """A contestant did not do the work: the case has no figures."""


@dataclass
class Playing:
    """A contestant with its process and what is known so far."""

    entry: Entry
    worker: Worker
    ready: Ready
    first: Turn
    proof: str = ""

    def turn(self) -> Turn:
        """Make one timed call."""
        turn: Turn = self.worker.ask("turn")
        return turn

    def measured(self, turns: list[Turn]) -> Measured:
        """Put together what is known."""
        return Measured(
            self.first,
            turns,
            self.ready.factor,
            self.ready.compile_factor,
            self.ready.told,
            self.worker.ask("about"),
            self.entry.differs,
            self.proof,
            self.ready.seconds,
            self.worker.ask("peak_memory"),
        )


def run_case(case: Case, options: Options, sgemm: float, say: Say) -> dict[str, Any]:
    """Run one case.

    Returns
    -------
    dict
        Its record; ``status`` is ``measured``, or ``failed`` with the reason if a contestant did not do the work, or
        chainrule could not. A peer that is not installed is left out and named in ``missing``.
    """
    playing: dict[str, Playing] = {}
    missing: dict[str, str] = {}
    try:
        for entry in case.entries:
            _enter(case, entry, options, playing, missing, say)
        for name, one in playing.items():
            _prove(name, one, say)
        turns = play({name: one.turn for name, one in playing.items()}, options.budget)
        measured = {name: one.measured(turns[name]) for name, one in playing.items()}
        ready = playing[OURS].ready
        record = summarise(case, measured, ready.operations, ready.without_zeros, sgemm) | {"work": ready.work}
    except (UnequalWorkError, WorkerError) as error:
        record = {"status": "failed", "title": case.title, "reason": str(error)}
    finally:
        for one in playing.values():
            one.worker.close()
    return record | {"missing": missing}


def _enter(
    case: Case, entry: Entry, options: Options, playing: dict[str, Playing], missing: dict[str, str], say: Say
) -> None:
    """Start a contestant and make its first call."""
    name = entry.contestant
    worker = Worker(Request(case.name, name, options.quick, options.engine, options.references))
    try:
        ready = worker.answer()
        playing[name] = Playing(entry, worker, ready, worker.ask("turn"))
    except WorkerError as error:
        worker.close()
        if name == OURS or not error.missing:
            raise WorkerError(f"{name}: {error}") from None
        missing[name] = str(error)
        say(f"  {name}: left out, {error}")
        return
    say(f"  {name}: first call {playing[name].first.whole:.3g} s{_in_brackets(ready.told)}")


def _prove(name: str, one: Playing, say: Say) -> None:
    """Have the final losses judged; loudly, if they are not those of the reference."""
    verdict = one.worker.ask("prove")
    one.proof = str(verdict)
    say(f"  {name}: {verdict}")
    if not verdict.holds:
        raise UnequalWorkError(f"{name} did not do equal work: {verdict}")


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""
