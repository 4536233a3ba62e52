"""What `chainrule sweep` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SweepRequest:
    """What was typed; see the options of `sweep`."""

    recipe: str
    seeds: int | None
    budget: str | None
    store: str | None
    no_weights: bool
    resume: bool
    adaptive: bool
    max_seeds: int | None
    halving: bool
    sampler: str
    trials: int | None
    fresh: int | None
    fail_fast: bool
    out: str
    no_report: bool
    export: str | None
    quick: bool
    data_dir: str | None
    engine: str
    threads: int | None
    memory: str | None


def default_store(out: Path) -> Path:
    """Return the store that belongs to an output folder: every sweep written to the same place shares it."""
    from chainrule.experiments.store.place import DEFAULT

    return out.parent / DEFAULT
