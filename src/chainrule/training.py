"""`train`: the front door. Checks what is asked, makes the population, picks an engine, returns `Runs`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.certificate import Certificate, certify_run, check_finished
from chainrule.cohorts import make_cohorts
from chainrule.data import Dataset, DataSource, FixedSource, load
from chainrule.engines import ENGINES, Progress, WholeProgress, choose_all
from chainrule.errors import ChainruleError, ConfigError, DataError, ShapeError, one_line, show
from chainrule.nn import Network
from chainrule.population import Member, TrainingConfig, parse_seeds
from chainrule.resources import Resources, resources_from
from chainrule.runs import Run, Runs
from chainrule.spec import require

if TYPE_CHECKING:
    from chainrule.certificate import Retrain

Data = str | Dataset | DataSource | tuple[npt.ArrayLike, npt.ArrayLike]


def train(
    network: Network,
    dataset: Data,
    config: TrainingConfig | None = None,
    seeds: int | Iterable[int] = 1,
    *,
    learning_rates: Iterable[float] | None = None,
    engine: str = "auto",
    threads: int | None = None,
    memory: int | str | None = None,
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
    learning_rates : iterable of float, optional
        Train every seed once with each of these rates, in one population; rates vary slowest in the result.
    engine : str
        ``"auto"``, which takes the fastest that can train the member, or ``"reference"``, ``"lanes"`` or ``"gemm"``.
        ``run.engine`` says which it was, and ``run.engine_reason`` why.
    threads : int, optional
        Threads that compute; by default ``CHAINRULE_THREADS``, else the cores this process may use.
    memory : int or str, optional
        Bytes, or text such as ``"2 GiB"``, that engines may use for members in training: larger populations are
        cut into chunks. By default ``CHAINRULE_MEMORY``, else a quarter of the memory this process may use.
        Neither threads nor memory change a result.
    progress : callable, optional
        Called with a `ProgressEvent` now and then.
    **settings
        Fields of `TrainingConfig` to change, e.g. ``epochs=500, optimizer="adam"``.

    Returns
    -------
    Runs
        One run per member. After Ctrl-C: those that had started, with ``runs.interrupted`` set (if none had,
        ``KeyboardInterrupt`` goes on its way).

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
    if not (config is None or isinstance(config, TrainingConfig)):
        raise ConfigError(f"config must be a TrainingConfig, got {show(config)}: give its fields by name instead")
    base = (TrainingConfig() if config is None else config).replace(**settings)
    configs = [base.replace(learning_rate=rate) for rate in _rates(base, learning_rates)]
    numbers = parse_seeds(seeds)
    members = [Member(network, one, seed) for one in configs for seed in numbers]
    return train_members(members, dataset, engine=engine, threads=threads, memory=memory, progress=progress)


def _rates(base: TrainingConfig, rates: Iterable[float] | None) -> list[float]:
    """Return the learning rates asked for."""
    if rates is None:
        return [base.learning_rate]
    if not isinstance(rates, Iterable) or isinstance(rates, str):
        raise ConfigError(f"learning_rates must be a list of numbers, got {show(rates)}")
    listed = [base.replace(learning_rate=rate).learning_rate for rate in rates]
    require(len(listed) > 0, "learning_rates is empty: give at least one, or leave it out")
    require(len(set(listed)) == len(listed), "a learning rate is given twice: the two runs would be the same run")
    return listed


def train_members(
    members: Iterable[Member],
    dataset: Data,
    *,
    engine: str = "auto",
    threads: int | None = None,
    memory: int | str | None = None,
    progress: Progress | None = None,
) -> Runs:
    """Train any members, of any settings, on one source of data; the runs come back in the order given.

    Parameters
    ----------
    members : iterable of Member
        Networks may be unbound; members that share a setting are trained together.
    dataset : str, Dataset, DataSource or (X, y)
        As for `train`.
    engine, threads, memory
        As for `train`.
    progress : callable, optional
        Called with a `ProgressEvent` now and then.

    Returns
    -------
    Runs
        One run per member, in order.
    """
    resources = resources_from(threads, memory)
    members = list(members)
    require(len(members) > 0, "no members to train: give at least one")
    for member in members:
        if not isinstance(member, Member):
            raise ConfigError(f"members must be a list of Member, got {show(member)} in it")
    require(progress is None or callable(progress), f"progress must be callable, got {show(progress)}")
    source = as_source(dataset)
    cohorts = make_cohorts(members, source)
    choices = choose_all(engine, [cohort for _, cohort in cohorts], resources)
    runs: dict[int, Run] = {}
    whole = None if progress is None else WholeProgress(progress, len(members))
    interrupted = False
    try:
        for name in dict.fromkeys(choice.engine for choice in choices):
            own = [number for number, choice in enumerate(choices) if choice.engine == name]
            places = [place for number in own for place in cohorts[number][0]]
            trained = ENGINES[name](resources).train_together(
                [cohorts[number][1] for number in own],
                None if whole is None else whole.part(places),
                [choices[number].reason for number in own],
            )
            runs.update((places[k], run) for k, run in trained.runs.items())
            if trained.interrupted:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        interrupted = True
    if not runs:
        raise KeyboardInterrupt  # nothing had started: there is nothing to hand back
    finished = tuple(runs[k] for k in sorted(runs))
    return Runs(finished, source.spec, interrupted, retrain=_retrainer(source, resources))


def _retrainer(source: DataSource, resources: Resources) -> Retrain:
    """Return what trains members again on the same data."""

    def retrain(members: Sequence[Member], engine: str) -> Runs:
        return train_members(members, source, engine=engine, threads=resources.threads, memory=resources.memory)

    return retrain


def certify(
    runs: Runs, k: int, dataset: Data | None = None, *, threads: int | None = None, memory: int | str | None = None
) -> Certificate:
    """Train the member of run `k` again, alone, and compare: `Runs.certify` for runs that were loaded, too.

    Parameters
    ----------
    runs : Runs
        Where the run is.
    k : int
        Which run; negative numbers count from the end.
    dataset : str, Dataset, DataSource or (X, y), optional
        The data, as for `train`; by default those that the runs were trained on, if the runs hold them or
        `runs.source` names them.
    threads, memory
        As for `train`; neither changes a result.

    Returns
    -------
    Certificate
        ``print`` it for one sentence; ``holds`` is the verdict.

    Raises
    ------
    ConfigError
        If there is no such run, it was interrupted, or nothing says what the data are.
    DataError
        If the data cannot be read, or are not those the run was trained on.

    Examples
    --------
    >>> from chainrule import certify, mlp, train
    >>> print(certify(train(mlp([4]), "xor", seeds=9, epochs=10), 5))
    seed 5 trained again alone by the reference engine is identical to the last bit: 17 weights, 11 rows of \
history, 10 epochs
    """
    resources = resources_from(threads, memory)
    if not isinstance(runs, Runs):
        raise ConfigError(f"runs must be a Runs table, got {show(runs)}")
    place = runs.place(k)
    check_finished(place, runs[place])
    if dataset is None and runs.retrain is not None:
        return runs.certify(place)
    source = as_source(dataset) if dataset is not None else _source_of(runs)
    return certify_run(place, runs[place], _retrainer(source, resources))


def _source_of(runs: Runs) -> DataSource:
    """Return the data source that the runs' own name of it loads."""
    try:
        return load(runs.source)
    except ConfigError:
        raise ConfigError(
            f"the data '{one_line(runs.source)}' cannot be loaded by that name: give them, certify(runs, k, dataset)"
        ) from None


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
    raise ConfigError(f"data must be a name, a Dataset or a pair (X, y), got {show(dataset)}")


def _from_arrays(X: npt.ArrayLike, y: npt.ArrayLike) -> Dataset:
    """Make a data set of a user's arrays; what NumPy cannot read as arrays is a shape error."""
    try:
        X, y = np.asarray(X), np.asarray(y)
        for name, array in (("X", X), ("y", y)):
            if array.dtype.kind == "c":
                raise DataError(f"{name} holds complex numbers; give real ones")
        if y.dtype.kind == "f" and not np.isfinite(y).all():  # as a label, NaN would be a class
            where = ", ".join(map(str, np.argwhere(~np.isfinite(y))[0]))
            raise DataError(f"y[{where}] is not a finite number")
        return Dataset.from_arrays(X, y)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, ChainruleError):
            raise
        raise ShapeError(f"X and y must be rectangular arrays of numbers: {one_line(error)}") from None
