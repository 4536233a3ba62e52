"""`train`: the front door. Checks what is asked, makes the population, picks an engine, returns `Runs`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy.typing as npt

from chainrule.data import Dataset, DataSource, FixedSource, load
from chainrule.engines import Progress, WholeProgress, choose
from chainrule.errors import ChainruleError, ConfigError, ShapeError, one_line
from chainrule.nn import Network
from chainrule.population import Member, TrainingConfig, make_cohorts, parse_seeds
from chainrule.runs import Run, Runs

Data = str | Dataset | DataSource | tuple[npt.ArrayLike, npt.ArrayLike]


def train(
    network: Network,
    dataset: Data,
    config: TrainingConfig | None = None,
    seeds: int | Iterable[int] = 1,
    *,
    learning_rates: Sequence[float] | None = None,
    engine: str = "auto",
    progress: Progress | None = None,
    **settings: Any,
) -> Runs:
    """Train one network from many seeds at once.

    Parameters
    ----------
    network : Network
        What to train, e.g. ``mlp([4, 4], "sigmoid")``; input and output are inferred from the data.
    dataset : str, Dataset, DataSource or (X, y)
        A name such as ``"xor"`` or ``"linear(n=100)"``, a data set, or arrays X (n, d) and y (n,).
    config : TrainingConfig, optional
        How to train; defaults to ``TrainingConfig()``.
    seeds : int or iterable of int
        How many seeds (0, 1, ...), or which.
    learning_rates : sequence of float, optional
        Train every seed once with each of these rates, in one population; rates vary slowest in the result.
    engine : str
        ``"auto"`` or the name of an engine.
    progress : callable, optional
        Called with a `ProgressEvent` now and then.
    **settings
        Fields of `TrainingConfig` to change, e.g. ``epochs=500, optimizer="adam"``.

    Returns
    -------
    Runs
        One run per member. After Ctrl-C: those that had started, with ``runs.interrupted`` set.

    Raises
    ------
    ConfigError, ShapeError, DataError
        One line that says what cannot work.

    Examples
    --------
    >>> from chainrule import mlp, train
    >>> runs = train(mlp([4, 4], "sigmoid"), "xor", seeds=3, epochs=10, learning_rate=0.5)
    >>> len(runs), runs[0].epochs
    (3, 10)
    """
    if not isinstance(network, Network):
        raise ConfigError(f"network must be a Network such as mlp([4, 4], 'sigmoid'), got {one_line(repr(network))}")
    base = (config or TrainingConfig()).replace(**settings)
    rates = [base.learning_rate] if learning_rates is None else list(learning_rates)
    if not rates:
        raise ConfigError("learning_rates is empty: give at least one, or leave it out")
    configs = [base.replace(learning_rate=rate) for rate in rates]
    members = [Member(network, one, seed) for one in configs for seed in parse_seeds(seeds)]
    return train_members(members, dataset, engine=engine, progress=progress)


def train_members(
    members: Sequence[Member], dataset: Data, *, engine: str = "auto", progress: Progress | None = None
) -> Runs:
    """Train any members, of any settings, on one source of data; the runs come back in the order given.

    Parameters
    ----------
    members : sequence of Member
        Networks may be unbound; members that share a setting are trained together.
    dataset : str, Dataset, DataSource or (X, y)
        As for `train`.
    engine : str
        As for `train`.
    progress : callable, optional
        Called with a `ProgressEvent` now and then.

    Returns
    -------
    Runs
        One run per member, in order.
    """
    if not members:
        raise ConfigError("no members to train: give at least one")
    source = as_source(dataset)
    cohorts = make_cohorts(members, source)
    engines = [choose(engine, cohort) for _, cohort in cohorts]
    runs: dict[int, Run] = {}
    whole = None if progress is None else WholeProgress(progress, len(members))
    for (places, cohort), chosen in zip(cohorts, engines, strict=True):
        trained = chosen.train(cohort, None if whole is None else whole.part(places))
        runs.update(zip(places, trained, strict=False))
        if any(run.stop_reason == "interrupted" for run in trained):
            break
    ordered = tuple(runs[k] for k in sorted(runs))
    interrupted = len(runs) < len(members) or any(run.stop_reason == "interrupted" for run in ordered)
    return Runs(ordered, source.spec, interrupted)


def as_source(dataset: Data) -> DataSource:
    """Return the data source that a name, a data set or a pair of arrays stands for."""
    if isinstance(dataset, str):
        return load(dataset)
    if isinstance(dataset, DataSource):
        return dataset
    if isinstance(dataset, Dataset):
        return FixedSource(dataset)
    if isinstance(dataset, tuple) and len(dataset) == 2:
        return FixedSource(_from_arrays(*dataset))
    raise ConfigError(f"data must be a name, a Dataset or a pair (X, y), got {one_line(repr(dataset))}")


def _from_arrays(X: npt.ArrayLike, y: npt.ArrayLike) -> Dataset:
    """Make a data set of a user's arrays; what NumPy cannot read as arrays is a shape error."""
    try:
        return Dataset.from_arrays(X, y)
    except (TypeError, ValueError) as error:
        if isinstance(error, ChainruleError):
            raise
        raise ShapeError(f"X and y must be rectangular arrays of numbers: {one_line(error)}") from None
