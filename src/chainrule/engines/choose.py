"""Which engine trains a cohort: the one the user forces, else the best that supports it."""

from __future__ import annotations

from chainrule.cohorts import Cohort
from chainrule.engines._base import Engine
from chainrule.engines.reference import ReferenceEngine
from chainrule.errors import ConfigError, unknown_name

ENGINES: dict[str, type[Engine]] = {ReferenceEngine.name: ReferenceEngine}


def choose(name: str, cohort: Cohort) -> Engine:
    """Return the engine for a cohort.

    Parameters
    ----------
    name : str
        ``"auto"`` or the name of an engine.
    cohort : Cohort
        What is to be trained.

    Raises
    ------
    ConfigError
        For an unknown engine, or one that cannot train this cohort.
    """
    if isinstance(name, str) and name == "auto":
        return ReferenceEngine()
    if not isinstance(name, str) or name not in ENGINES:
        raise ConfigError(unknown_name("engine", str(name), ["auto", *ENGINES]))
    engine = ENGINES[name]()
    if (why := engine.unsupported(cohort)) is not None:
        raise ConfigError(f"engine '{name}' cannot train this: {why}")
    return engine
