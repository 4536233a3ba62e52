"""Tasks: one setting trained from one seed, and the key under which its run is kept.

A run's key is a hash of everything that decides the run's numbers: the canonical setting, the data, the seed and the
arithmetic. Equal keys mean equal runs to the last bit, so that whatever has a key in a store is never trained again:
resuming, adding seeds, widening an axis and merging two stores all ask the same question.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from chainrule.data import DataSource, load
from chainrule.experiments.recipes.grid import Setting
from chainrule.nn import Network
from chainrule.population import Member, TrainingConfig

NUMERICS = 1
"""Raise it whenever an engine's results change in any bit, or a setting's default changes: runs of another number are
never taken for ours."""


@dataclass(frozen=True)
class Task:
    """One run to be had.

    Attributes
    ----------
    setting : Setting
        Everything but the seed.
    seed : int
        The seed.
    data : str
        Fingerprint of the data source, see `fingerprint_of`.
    numerics : str
        Which arithmetic trains it, see `numerics_of`.
    """

    setting: Setting
    seed: int
    data: str
    numerics: str

    def __hash__(self) -> int:
        return hash((self.setting.key, self.seed))  # equal tasks have both; the texts are long and the tasks many

    @cached_property
    def key(self) -> bytes:
        """The run's key, 16 bytes."""
        text = "\n".join((self.setting.key, self.data, str(self.seed), self.numerics))
        return hashlib.blake2b(text.encode(), digest_size=16).digest()

    @property
    def member(self) -> Member:
        """The member to be trained; its network is not yet bound to data."""
        return Member(*_parts(self.setting), self.seed)


@functools.lru_cache(maxsize=4096)
def _parts(setting: Setting) -> tuple[Network, TrainingConfig]:
    """Build a setting's network and configuration once for all of its seeds."""
    return setting.net, setting.config


def numerics_of(engine: str) -> str:
    """Return the arithmetic of an engine: the compiled engines share one, to the last bit; the reference has its own.

    ``"auto"`` counts as compiled: what the kernels do not know is left to the reference by a rule that depends on the
    setting alone, so it too is trained in one way only.
    """
    return f"{'reference' if engine == 'reference' else 'compiled'}-{NUMERICS}"


def fingerprint_of(source: DataSource) -> str:
    """Return a hash of a data source: that of what it gives for seed 0.

    Sources that draw from the seed are thereby told apart by their drawing code as well as by their parameters.
    """
    return source.draw(0).fingerprint


@functools.lru_cache(maxsize=8)
def source_of(spec: str, data_dir: str | None = None) -> DataSource:
    """Load a data source once per process."""
    return load(spec, data_dir)


@functools.lru_cache(maxsize=64)
def _fingerprint(spec: str, data_dir: str | None) -> str:
    return fingerprint_of(source_of(spec, data_dir))


def make_tasks(
    work: Iterable[tuple[Setting, Sequence[int]]], engine: str = "auto", data_dir: str | None = None
) -> list[Task]:
    """Return the tasks of settings and their seeds, each once, in the order given.

    Raises
    ------
    ChainruleError
        If data cannot be read.
    """
    numerics = numerics_of(engine)
    tasks: list[Task] = []
    seen: dict[Setting, set[int]] = {}
    for setting, seeds in work:
        data, known = _fingerprint(setting.source, data_dir), seen.setdefault(setting, set())
        new = [seed for seed in dict.fromkeys(seeds) if seed not in known]
        tasks += [Task(setting, seed, data, numerics) for seed in new]
        known.update(new)
    return tasks
