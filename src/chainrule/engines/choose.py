"""Which engine trains a cohort: the one the user forces, else the best that supports it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.cohorts import Cohort
from chainrule.engines._base import Engine
from chainrule.engines.compiled.bundles import facts
from chainrule.engines.compiled.codes import MEMORIES
from chainrule.engines.compiled.plan import Plan, why_not
from chainrule.engines.gemm.engine import GemmEngine
from chainrule.engines.lanes.engine import LanesEngine
from chainrule.engines.reference import ReferenceEngine
from chainrule.errors import ConfigError, unknown_name
from chainrule.resources import Resources, memory_text, resources_from

log = logging.getLogger("chainrule")

ENGINES: dict[str, type[Engine]] = {engine.name: engine for engine in (ReferenceEngine, LanesEngine, GemmEngine)}

LANES_MEMBERS = 4
"""With fewer members that can share a block most lanes would idle: one after the other they are done sooner."""
LANES_UNITS, LANES_WEIGHTS = 64, 4096
"""Wider networks, and those with more weights, fill vectors by themselves; a block of them would not fit in a cache."""

SPATIAL_BYTES = 2**27
"""Blocks of networks that know places and take more are left to the gemm engine."""
SPATIAL_LEAD = 1.25
"""So much faster is a full vector of one network's samples than one of members: it works on less memory."""
VECTOR_BYTES = 64
"""What a vector takes, of samples or of members."""


class Choice(NamedTuple):
    """An engine's name, and why it is that one."""

    engine: str
    reason: str


def choose(name: str, cohort: Cohort) -> Engine:
    """Return the engine for one cohort; see `choose_all`."""
    resources = resources_from()
    (choice,) = choose_all(name, [cohort], resources)
    return ENGINES[choice.engine](resources)


def choose_all(name: str, cohorts: Sequence[Cohort], resources: Resources) -> list[Choice]:
    """Return the engine for each of several cohorts that are asked for together, before any of them is trained.

    Parameters
    ----------
    name : str
        ``"auto"`` or the name of an engine.
    cohorts : sequence of Cohort
        What is to be trained; members of different cohorts may share blocks.
    resources : Resources
        What the engines may take.

    Raises
    ------
    ConfigError
        For an unknown engine, one that cannot train a cohort, or a member that takes more memory than is allowed.
    """
    if not isinstance(name, str) or name not in ("auto", *ENGINES):
        raise ConfigError(unknown_name("engine", str(name), ["auto", *ENGINES]))
    choices = _best(cohorts) if name == "auto" else [_forced(name, cohort, resources) for cohort in cohorts]
    for cohort, choice in zip(cohorts, choices, strict=True):
        needed = ENGINES[choice.engine](resources).member_bytes(cohort)
        if needed > resources.memory:
            raise ConfigError(
                f"one network takes about {memory_text(needed)} in training, more than memory allows "
                f"({memory_text(resources.memory)}): {_advice(cohort)}"
            )
    return choices


def _advice(cohort: Cohort) -> str:
    """Say what to do about a network that takes too much memory."""
    config, size = cohort.config, cohort.config.batch_size
    ways = ["smaller batches (batch_size)"] if not isinstance(size, int) or size > 64 else []
    ways += ["float32"] if config.dtype == "float64" else []
    return f"take {', '.join([*ways, 'a smaller network'])} or fewer rows of history (log_every), or allow more memory"


def _forced(name: str, cohort: Cohort, resources: Resources) -> Choice:
    if (why := ENGINES[name](resources).unsupported(cohort)) is not None:
        raise ConfigError(f"engine '{name}' cannot train this: {why}")
    return Choice(name, "asked for")


def _best(cohorts: Sequence[Cohort]) -> list[Choice]:
    """Choose for each cohort, in view of all of them."""
    reasons = [why_not(cohort) for cohort in cohorts]
    for why, members in _members_by(reasons, cohorts).items():
        if why is not None:
            log.info("auto: the reference engine trains %s: %s", _networks(members), why)
    keys = [None if why else facts(cohort).key for cohort, why in zip(cohorts, reasons, strict=True)]
    company = _members_by(keys, cohorts)
    return [
        Choice(ReferenceEngine.name, f"auto: {why}") if why else _compiled(cohort, company[key])
        for cohort, key, why in zip(cohorts, keys, reasons, strict=True)
    ]


def _members_by(keys: Sequence[Any], cohorts: Sequence[Cohort]) -> Counter[Any]:
    """Count members by the keys of their cohorts."""
    count: Counter[Any] = Counter()
    for key, cohort in zip(keys, cohorts, strict=True):
        count[key] += len(cohort)
    return count


def _compiled(cohort: Cohort, company: int) -> Choice:
    """Choose between the compiled engines for a network with so many members that can share blocks with it."""
    plan = facts(cohort).plan
    if plan.spatial:
        lanes = VECTOR_BYTES // np.dtype(cohort.config.dtype).itemsize
        return _spatial(plan, company, facts(cohort).batch, lanes)
    units, weights = max(plan.sizes[1:]), plan.n_parameters
    if units > LANES_UNITS or weights > LANES_WEIGHTS:
        size = f"{units} units" if units > LANES_UNITS else f"{weights:,} weights"
        return Choice(GemmEngine.name, f"auto: with {size} the network fills vectors by itself")
    if company < LANES_MEMBERS:
        return Choice(GemmEngine.name, f"auto: {_networks(company)} would leave most SIMD lanes idle")
    return Choice(LanesEngine.name, f"auto: {_networks(company)} of at most {LANES_UNITS} units share SIMD lanes")


def _spatial(plan: Plan, company: int, batch: int, lanes: int) -> Choice:
    """Choose for a network that knows places: by whether its company or the samples of a step fill vectors better."""
    block = VECTOR_BYTES * ((2 + MEMORIES[plan.optimizer] + plan.keeps_best) * plan.n_parameters + 8 * sum(plan.sizes))
    if block > SPATIAL_BYTES or _filled(company, lanes) <= SPATIAL_LEAD * _filled(batch, lanes):
        return Choice(GemmEngine.name, "auto: the samples of a batch share SIMD lanes")
    return Choice(LanesEngine.name, f"auto: {_networks(company)} share SIMD lanes, batches of {batch} would fill fewer")


def _filled(count: int, lanes: int) -> float:
    """Return the share of lanes that do something."""
    return count / (-(-count // lanes) * lanes)


def _networks(members: int) -> str:
    return f"{members:,} network{'' if members == 1 else 's'}"
