"""W6, growth: time and peak memory against members, width and samples; every point in a process of its own."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks import flops
from benchmarks.cases import xor
from benchmarks.contestants import OURS
from benchmarks.work import Work
from chainrule import Member, TrainingConfig, load, mlp

Say = Callable[[str], None]
ENOUGH = 0.6  # seconds of repeats of one point
OPERATIONS = 2e9  # counted arithmetic of one point, from which its epochs follow
EPOCHS = (50, 10_000)  # no fewer, no more: a call of few epochs measures its own beginning and end
MEMBER_EPOCHS = 500


@dataclass(frozen=True)
class Sweep:
    """One curve: what grows, over which sizes, and who runs how far.

    Attributes
    ----------
    sizes, largest : sequence of int
        The sizes of every run, and those that only the full run adds.
    quick : sequence of int
        The sizes of a quick look.
    peers : tuple of (name, largest size)
        Beyond that size a peer would take minutes, or more memory than there is.
    """

    name: str
    title: str
    sizes: tuple[int, ...]
    largest: tuple[int, ...]
    quick: tuple[int, ...]
    make: Callable[[int], Work]
    peers: tuple[tuple[str, int], ...]


def one_network(hidden: Sequence[int], samples: int) -> Work:
    """Return one sigmoid network on two moons, full batch, squared error, for as many epochs as fill some seconds."""
    dataset = load(f"moons(n={samples})").draw(0)
    config = TrainingConfig(learning_rate=0.5, dtype="float32", loss="mse")
    work = Work.of([Member(mlp(hidden, "sigmoid"), config, 0)], dataset)
    per_epoch = flops.total(work.with_config(epochs=1))
    return work.with_config(epochs=int(np.clip(OPERATIONS / per_epoch, *EPOCHS)))


SWEEPS: tuple[Sweep, ...] = (
    Sweep(
        "members",
        f"members of 2-4-4-1 on xor, {MEMBER_EPOCHS} epochs",
        (1, 10, 100, 1000, 10_000, 100_000),
        (1_000_000,),
        (1, 10, 100),
        lambda size: xor(size, MEMBER_EPOCHS),
        (("jax", 10_000), ("jax lanes", 100_000)),
    ),
    Sweep(
        "width",
        "one network of 2-w-w-1, two moons, 100 samples",
        (2, 4, 8, 16, 32, 64, 128, 256, 512),
        (),
        (2, 8),
        lambda size: one_network((size, size), 100),
        (("jax", 512), ("jax broadcast", 32)),
    ),
    Sweep(
        "samples",
        "one network of 2-16-16-1, two moons",
        (10, 100, 1000, 10_000, 100_000),
        (),
        (10, 100),
        lambda size: one_network((16, 16), size),
        (("jax", 100_000), ("jax broadcast", 1000)),
    ),
)
BY_NAME = {sweep.name: sweep for sweep in SWEEPS}


def run_sweep(sweep: Sweep, sizes: Sequence[int], engine: str, say: Say) -> dict[str, Any]:
    """Measure one curve.

    Returns
    -------
    dict
        ``points``: for each size the epochs, the counted operations, and by contestant seconds per epoch, seconds of
        the first call and peak memory; ``missing``: who could not run, and why.
    """
    points: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    for size in sizes:
        point: dict[str, Any] = {"size": size, "seconds": {}, "first_call_seconds": {}, "peak_memory": {}}
        for name in (OURS, *(peer for peer, limit in sweep.peers if size <= limit)):
            if name in missing:
                continue
            found = in_own_process(measure_point, sweep.name, size, name, engine)
            if "missing" in found:
                missing[name] = found["missing"]
                say(f"  {name}: left out, {found['missing']}")
                continue
            point |= {"epochs": found["epochs"], "operations": found["operations"]}
            for key in ("seconds", "first_call_seconds", "peak_memory"):
                point[key][name] = found[key]
        points.append(point)
        told = ", ".join(f"{name} {seconds:.3g}" for name, seconds in point["seconds"].items())
        say(f"  {sweep.name} {size:,}: seconds per epoch: {told}")
    return {"title": sweep.title, "points": points, "missing": missing}


def in_own_process(function: Callable[..., dict[str, Any]], *args: Any) -> dict[str, Any]:
    """Call a function in a fresh process and return what it returns; what it raises is raised here."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(function, *args).result()
        except BrokenProcessPool:
            return {"missing": "its process was killed (out of memory?)"}


def measure_point(sweep: str, size: int, name: str, engine: str) -> dict[str, Any]:
    """Time one contestant at one size; runs in a process of its own."""
    from benchmarks.contestants import contestant
    from benchmarks.worker import peak_memory, timed

    work = BY_NAME[sweep].make(size)
    try:
        kind = contestant(name)
        if name == OURS:
            kind.engine = engine  # type: ignore[attr-defined]
        player = kind(work)
    except ImportError as error:
        return {"missing": f"{error.name} is not installed"}
    if name == OURS:  # its kernels are compiled for no particular size: loading them is no part of growing
        kind(work.first(1).with_config(epochs=1)).train()
    gc.collect()
    first = timed(player, apart=False).whole
    compiled = player.compiles and name != OURS  # in its first call, for this very size
    repeats: list[float] = [] if compiled or first < ENOUGH else [first]
    started = time.perf_counter()
    while not repeats or time.perf_counter() - started + repeats[-1] < ENOUGH:
        repeats.append(timed(player, apart=False).whole)
    return {
        "seconds": median(repeats) / work.epochs,
        "first_call_seconds": first,
        "peak_memory": peak_memory(),
        "epochs": work.epochs,
        "operations": flops.total(work) / work.epochs,
    }
