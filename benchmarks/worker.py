"""One process per contestant: its own libraries, threads and memory; the parent asks, it answers.

Contestants never share a process: the threads of OpenBLAS, OpenMP, XLA and Numba spin for a while after each call
and would slow whoever comes next.
"""

from __future__ import annotations

import gc
import multiprocessing
import resource
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rounds import Turn

# What steers the libraries is taken out of the environment: each contestant chooses its own threads and code path.
STEERING = ("OPENBLAS_", "MKL_", "OMP_", "GOTO_", "BLIS_", "XLA_")


@dataclass(frozen=True)
class Request:
    """What a worker is to do: a contestant's part of a case."""

    case: str
    contestant: str
    quick: bool
    engine: str
    references: Path


@dataclass(frozen=True)
class Ready:
    """What a worker knows before its first call.

    Attributes
    ----------
    seconds : float
        From the start of the process to here: libraries imported, inputs made.
    factor, compile_factor : float
        By what its times are to be multiplied.
    told : str
        What part of the work it does.
    operations : float
        Counted arithmetic of the whole work.
    without_zeros : float
        The share of it that remains when zeros of the inputs are skipped.
    work : str
        The whole work in numbers.
    """

    seconds: float
    factor: float
    compile_factor: float
    told: str
    operations: float
    without_zeros: float
    work: str


class WorkerError(Exception):
    """A contestant that cannot go on; `missing` if only its library is not there."""

    def __init__(self, text: str, missing: bool = False) -> None:
        super().__init__(text)
        self.missing = missing


class Worker:
    """The parent's end."""

    def __init__(self, request: Request) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, request, time.time()), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, command: str) -> Any:
        """Send a command and wait for the answer.

        Raises
        ------
        WorkerError
            If the contestant failed; with its traceback.
        """
        self.connection.send(command)
        return self.answer()

    def answer(self) -> Any:
        """Wait for an answer."""
        try:
            kind, value = self.connection.recv()
        except EOFError:
            raise WorkerError(f"its process ended with status {self.process.exitcode}") from None
        if kind != "done":
            raise WorkerError(value, missing=kind == "missing")
        return value

    def close(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.join(timeout=5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def serve(connection: Connection, request: Request, started: float) -> None:
    """Answer the parent's commands until it hangs up; runs in the worker's process."""
    try:
        player = Player(request, started)
        connection.send(("done", player.ready))
        while True:
            command = connection.recv()
            connection.send(("done", getattr(player, command)()))
    except EOFError:
        return
    except ImportError as error:
        connection.send(("missing", f"{error.name} is not installed" if error.name else str(error)))
    except Exception:
        connection.send(("failed", traceback.format_exc(limit=-4)))


class Player:
    """The contestant's end; its public methods are the commands."""

    def __init__(self, request: Request, started: float) -> None:
        from benchmarks import flops
        from benchmarks.cases import BY_NAME
        from benchmarks.contestants import contestant

        self.request, self.case = request, BY_NAME[request.case]
        entry = next(entry for entry in self.case.entries if entry.contestant == request.contestant)
        share = entry.quick if request.quick else entry.share
        whole = self.case.make(request.quick)
        whole = whole.with_config(**entry.changes) if entry.changes else whole
        self.work = share.of(whole)
        self.kind = contestant(request.contestant)
        if hasattr(self.kind, "engine"):
            self.kind.engine = request.engine
        self.contestant = self.kind(self.work)
        self.ready = Ready(
            time.time() - started,
            share.factor(whole),
            share.compile_factor(whole),
            share.told(whole),
            flops.total(whole),
            flops.share_without_zeros(whole),
            f"members {len(whole):,}, epochs {whole.epochs:,}, samples {whole.dataset.n:,}, batch {whole.batch:,}",
        )

    def turn(self) -> Turn:
        """Make one timed call."""
        gc.collect()
        return timed(self.contestant)

    def prove(self) -> Any:
        """Return the verdict on the final losses, of the case's proof epochs and samples or of the last call."""
        from benchmarks.judge import compare, reference_losses

        work, contestant, case = self.work, self.contestant, self.case
        if case.proof_epochs is not None and case.proof_epochs < work.epochs:
            work = work.with_config(epochs=case.proof_epochs)
        if case.proof_samples is not None and case.proof_samples < work.dataset.n:
            work = work.first_samples(case.proof_samples)
        if work is not self.work:
            contestant = self.kind(work)
            contestant.train()
        losses = work.losses(contestant.weights())
        verdict = compare(losses, reference_losses(work, self.request.references), self.case.tolerance)
        told = contestant.evaluate(trained=True)
        if told.size and not np.allclose(told, losses, rtol=1e-3, atol=1e-6, equal_nan=True):
            raise ValueError("the loss that it reports is not that of the weights it hands back")
        return verdict

    def about(self) -> str:
        """Say how it was run."""
        return self.contestant.about()

    def peak_memory(self) -> int:
        """Return the most bytes of memory that this process has held."""
        return peak_memory()


def timed(contestant: Any, apart: bool = True) -> Turn:
    """Time one call: evaluating, training, evaluating; with `apart` also the call for twice the epochs, if any."""
    clock = time.perf_counter
    begun = clock()
    contestant.evaluate(trained=False)
    before = clock()
    contestant.train()
    trained = clock()
    contestant.evaluate(trained=True)
    after = clock()
    twice = apart and contestant.twice()
    return Turn(trained - before, before - begun + after - trained, clock() - after if twice else None)


def peak_memory() -> int:
    """Return the most bytes of memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def without_steering(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the environment without what steers numerical libraries, and the names that were taken out."""
    dropped = sorted(name for name in environment if name.startswith(STEERING))
    return {name: value for name, value in environment.items() if name not in dropped}, dropped
