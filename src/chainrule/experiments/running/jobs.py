"""Jobs: what the runner trains in one piece, and a rough estimate of how long each takes.

A `Job` is settings that differ only in their learning rate (one population) and some seeds. It is plain text and
numbers, so it pickles in a few bytes; the worker loads the data itself and keeps them.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chainrule.data import load
from chainrule.experiments.recipes.grid import Cell, Setting

BIG_NETWORK = 100_000
"""Networks with more weights than this gain nothing from being stacked: each seed is a job of its own."""

STEP_COST, UNIT_COST, WEIGHT_COST = 2e-4, 3e-8, 8e-10
"""Seconds per step of a population, and per step, member and sample for each unit and each weight: rough."""


@dataclass(frozen=True)
class Job:
    """Settings of one cohort (equal but for the learning rate), and the seeds to train each of them from."""

    settings: tuple[Setting, ...]
    seeds: tuple[int, ...]

    @property
    def cost(self) -> float:
        """Rough seconds on one core."""
        return job_cost(self)

    @property
    def members(self) -> int:
        """How many members it trains."""
        return len(self.settings) * len(self.seeds)


def make_jobs(cells: Iterable[tuple[Cell, Sequence[int]]]) -> list[Job]:
    """Put together the jobs for cells of any number of recipes; each setting and seed appears once.

    Parameters
    ----------
    cells : iterable of (Cell, seeds)
        Cells with equal settings are trained once, from the union of their seeds.

    Returns
    -------
    list of Job
        Longest first, so that no worker starts a long job last.
    """
    wanted: dict[Setting, set[int]] = {}
    for cell, seeds in cells:
        if seeds:
            wanted.setdefault(cell.setting, set()).update(seeds)
    cohorts: dict[tuple[str, tuple[int, ...]], list[Setting]] = {}
    for setting, chosen in wanted.items():
        cohorts.setdefault((setting.cohort_key, tuple(sorted(chosen))), []).append(setting)
    jobs = []
    for (_, seeds), settings in cohorts.items():
        if _weights(settings[0]) > BIG_NETWORK:
            jobs += [Job((setting,), (seed,)) for setting in settings for seed in seeds]
        else:
            jobs.append(Job(tuple(settings), seeds))
    return sorted(jobs, key=job_cost, reverse=True)


@functools.lru_cache(maxsize=4096)
def _shape(setting: Setting) -> tuple[int, int, int, float]:
    """Return a rough (samples per step, units, weights, steps) of a setting, without reading its data."""
    source = load(setting.source)
    n = int(getattr(source, "n", None) or {"mnist": 60_000, "digits": 1_797, "xor": 21}.get(source.name, 100))
    n_in, n_out = {"mnist": (784, 10), "digits": (64, 10)}.get(source.name, (2, 1))
    sizes = [n_in] + [units for layer in setting.net.layers if hasattr(layer, "units") for units in [layer.units]]
    widths = [n_out if size is None else int(size) for size in sizes]
    weights = sum(a * b + b for a, b in itertools.pairwise(widths))
    config = setting.config
    batch = n if config.batch_size == "full" else min(int(config.batch_size), n)
    return batch, sum(widths[1:]), weights, config.epochs * (n / batch)


def _weights(setting: Setting) -> int:
    return _shape(setting)[2]


def job_cost(job: Job) -> float:
    """Estimate a job's seconds: steps times (overhead + work per step); only their order matters."""
    samples, units, weights, steps = _shape(job.settings[0])
    return steps * (STEP_COST + (UNIT_COST * units + WEIGHT_COST * weights) * samples * job.members)
