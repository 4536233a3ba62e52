"""Quantities: short texts that name one number of a run, used by recipes and by the replication.

================================  =================================================================
``loss@100``                      a history value after 100 epochs (0: the initial network)
``final accuracy``                the value of the final weights
``final mse (all data)``          the same over training and validation samples together
``epochs``                        epochs trained
``converged``, ``diverged``       1 or 0
``parameters``, ``seconds``       size of the network; wall time of the run
``first accuracy>=0.99``          first kept epoch with such a value; infinite if there is none
``change mse@100..2000``          value at the later epoch minus value at the earlier one
``swing loss@100..2000``          largest minus smallest value between two epochs
``windows(1000)@0..60000``        the windowed means of the step loss between two steps (many numbers)
================================  =================================================================

A run that ended before the epoch asked for keeps its last value: the reports stop printing there, and a
network that is no longer trained does not change. A run that diverged has no loss from then on (NaN).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from chainrule.data import load, split
from chainrule.errors import ConfigError, one_line, unknown_name
from chainrule.metrics import METRICS, metric
from chainrule.population import TrainingConfig
from chainrule.runs import Run, Runs
from chainrule.spec import parse_spec, spec_of

Values = npt.NDArray[np.float64]

COUNTED = ("accuracy", "tolerance_accuracy", "median_threshold_accuracy")
"""Metrics that are a count of samples divided by their number."""

PLAIN = ("epochs", "converged", "diverged", "parameters", "seconds")
PARTS = ("validation_", "test_")
_AT = re.compile(r"(?P<key>.+)@(?P<low>\d{1,12})(?:\.\.(?P<high>\d{1,12}))?")
_FIRST = re.compile(r"first (?P<key>.+?)(?P<test>>=|<=)(?P<bound>[-+0-9.eE]+)")
_WINDOWS = re.compile(r"windows\((?P<size>\d{1,9})\)")


@dataclass(frozen=True)
class Quantity:
    """A parsed quantity.

    Attributes
    ----------
    kind : str
        ``at``, ``final``, ``all``, ``first``, ``change``, ``swing``, ``windows`` or one of `PLAIN`.
    key : str
        Name in the history, with the metric as its canonical spec.
    low, high : int
        Epochs, or steps for windows; equal for ``at``.
    bound : float
        Of ``first``.
    at_least : bool
        Of ``first``: whether the bound is a lower one.
    size : int
        Steps per window, of ``windows``.
    """

    kind: str
    key: str = ""
    low: int = 0
    high: int = 0
    bound: float = 0.0
    at_least: bool = True
    size: int = 0

    @property
    def base_key(self) -> str:
        """The key without ``validation_`` or ``test_``."""
        return _unprefixed(self.key)[1]

    @property
    def counted(self) -> bool:
        """Whether the value is a share of samples, so that only multiples of 1/n can occur."""
        return self.kind in ("at", "final", "all") and self.base_key.split("(")[0] in COUNTED

    @property
    def needs_end(self) -> bool:
        """Whether the value depends on how long the run may go on."""
        return self.kind in ("final", "all", "first", "epochs", "converged", "diverged", "seconds")

    def epochs_needed(self, full_epochs: int) -> int:
        """Return how many epochs a run must be allowed for the value to mean what the recipe says."""
        return full_epochs if self.needs_end else self.high if self.kind in ("at", "change", "swing") else 0


@lru_cache(maxsize=4096)
def parse_quantity(text: str) -> Quantity:
    """Read a quantity.

    Raises
    ------
    ConfigError
        If the text has none of the forms, or names an impossible metric.
    """
    if text in PLAIN:
        return Quantity(text)
    if text.startswith("final "):
        key, everything = text[6:].removesuffix(" (all data)"), text.endswith(" (all data)")
        return Quantity("all" if everything else "final", _canonical(key))
    if (found := _FIRST.fullmatch(text)) is not None:
        try:
            bound = float(found["bound"])
        except ValueError:
            raise ConfigError(f"quantity '{one_line(text)}': '{one_line(found['bound'])}' is not a number") from None
        return Quantity("first", _canonical(found["key"]), bound=bound, at_least=found["test"] == ">=")
    if (found := _AT.fullmatch(text)) is not None:
        return _at(text, found["key"], int(found["low"]), None if found["high"] is None else int(found["high"]))
    raise ConfigError(
        f"cannot read quantity '{one_line(text)}': write KEY@EPOCH, final KEY, final KEY (all data), first KEY>=BOUND, "
        f"change KEY@FROM..TO, swing KEY@FROM..TO, windows(SIZE)@FROM..TO or one of {', '.join(PLAIN)}"
    )


def _at(text: str, key: str, low: int, high: int | None) -> Quantity:
    kind, _, rest = key.partition(" ")
    windows = _WINDOWS.fullmatch(key)
    if windows is None and kind not in ("change", "swing"):
        if high is None:
            return Quantity("at", _canonical(key), low, low)
    elif high is not None and high > low:
        if windows is not None:
            return Quantity("windows", "loss", low, high, size=max(int(windows["size"]), 1))
        return Quantity(kind, _canonical(rest), low, high)
    raise ConfigError(
        f"quantity '{one_line(text)}': KEY@EPOCH takes one epoch; change, swing and windows take FROM..TO"
    )


def _unprefixed(key: str) -> tuple[str, str]:
    """Split ``validation_accuracy`` into its part and its metric."""
    for prefix in PARTS:
        if key.startswith(prefix):
            return prefix, key[len(prefix) :]
    return "", key


def _canonical(key: str) -> str:
    """Write the metric in a key as its canonical spec, so ``tolerance_accuracy(0.1)`` is found in the history."""
    prefix, rest = _unprefixed(key.strip())
    try:
        name = parse_spec(rest, "metric")[0]
    except ConfigError:
        return key.strip()
    return prefix + (spec_of(metric(rest)) if name in METRICS else rest)


def check_quantity(quantity: Quantity, config: TrainingConfig, known: Iterable[str]) -> None:
    """Raise `ConfigError` unless runs of this configuration have the quantity.

    Parameters
    ----------
    known : iterable of str
        The keys that the history of such runs has.
    """
    if quantity.kind in PLAIN:
        return
    if quantity.kind == "windows":
        if config.window == 0 or quantity.size % config.window:
            raise ConfigError(f"windows({quantity.size}) needs training.window to divide it, got {config.window}")
        return
    known = list(known)
    if quantity.key not in known:
        raise ConfigError(unknown_name("history key", quantity.key, known))
    for epoch in {quantity.low, quantity.high}:
        if quantity.kind not in ("at", "change", "swing"):
            break
        if epoch > config.epochs:
            raise ConfigError(f"epoch {epoch} is beyond training.epochs = {config.epochs}")
        if epoch % config.log_every and epoch != config.epochs:
            raise ConfigError(f"epoch {epoch} is not kept: training.log_every = {config.log_every} does not divide it")


def values_of(text: str, runs: Runs) -> Values:
    """Return a quantity of every run: (n_runs,), or (n_runs, T) for windows.

    Raises
    ------
    ConfigError
        If the runs do not have it.
    """
    quantity = parse_quantity(text)
    if quantity.kind == "all":
        return _over_all_data(quantity, runs)
    rows = [_value(quantity, run) for run in runs]
    if quantity.kind == "windows":
        return _table([np.atleast_1d(row) for row in rows])
    return np.array(rows, dtype=np.float64)


def _table(rows: list[Values]) -> Values:
    """Stack rows of unequal length; runs that ended early are filled up with NaN."""
    table = np.full((len(rows), max((len(row) for row in rows), default=0)), np.nan)
    for line, row in zip(table, rows, strict=True):
        line[: len(row)] = row
    return table


def _value(quantity: Quantity, run: Run) -> float | Values:
    """Return the value of one run."""
    if quantity.kind == "diverged":
        return float(run.stop_reason == "diverged")
    if quantity.kind == "parameters":
        return float(run.theta.size)
    if quantity.kind in PLAIN:
        return float(getattr(run, quantity.kind))
    if quantity.kind == "windows":
        return _windows(quantity, run)
    if quantity.kind == "final":
        return _final(quantity.key, run)
    if quantity.kind == "first":
        history = _history(quantity.key, run)
        holds = history >= quantity.bound if quantity.at_least else history <= quantity.bound
        return float(_epochs(run)[np.argmax(holds)]) if holds.any() else math.inf
    if quantity.kind == "swing":
        epochs = _epochs(run)
        part = _history(quantity.key, run)[(epochs >= quantity.low) & (epochs <= quantity.high)]
        finite = run.stop_reason != "diverged" and part.size > 0 and bool(np.isfinite(part).all())
        return float(part.max() - part.min()) if finite else (math.inf if part.size else 0.0)
    last = _at_epoch(quantity.key, run, quantity.high)
    return last if quantity.kind == "at" else last - _at_epoch(quantity.key, run, quantity.low)


def _history(key: str, run: Run) -> Values:
    """Return a history column, or say which there are."""
    if len(run.history.get("epoch", ())) == 0:  # diverged before the first row
        return np.empty(0)
    if key not in run.history:
        raise ConfigError(unknown_name("history key", key, [name for name in run.history if name != "epoch"]))
    return np.asarray(run.history[key], dtype=np.float64)


def _epochs(run: Run) -> npt.NDArray[np.int64]:
    """Return the kept epochs; none for a run that diverged before its first row."""
    return np.asarray(run.history.get("epoch", ()), dtype=np.int64)


def _final(key: str, run: Run) -> float:
    """Return the value of the final weights; keys that are no metric end with their last row."""
    if key in run.final:
        return float(run.final[key])
    column = _history(key, run)
    return float(column[-1]) if column.size else math.nan


def _at_epoch(key: str, run: Run, epoch: int) -> float:
    """Return the value after `epoch` epochs; the last one for a run that ended earlier."""
    column, epochs = _history(key, run), _epochs(run)
    place = int(np.searchsorted(epochs, epoch))
    if place < len(epochs) and epochs[place] == epoch:
        return float(column[place])
    if epoch < run.epochs:
        raise ConfigError(f"epoch {epoch} was not kept; log_every = {run.member.config.log_every}")
    is_loss = _unprefixed(key)[1].split("(")[0] not in COUNTED
    return math.nan if run.stop_reason == "diverged" and is_loss else _final(key, run)


def _windows(quantity: Quantity, run: Run) -> Values:
    """Return the windowed means between two steps, put together to windows of `size` steps."""
    base = run.member.config.window
    if not base or quantity.size % base or "loss" not in run.windows:
        raise ConfigError(f"windows({quantity.size}) needs runs with training.window dividing it, got {base}")
    means = np.asarray(run.windows["loss"], dtype=np.float64)[quantity.low // base : quantity.high // base]
    group = quantity.size // base
    whole = len(means) // group * group
    return np.asarray(means[:whole].reshape(-1, group).mean(axis=1), dtype=np.float64)


def _over_all_data(quantity: Quantity, runs: Runs) -> Values:
    """Return the mean of training and validation value, weighted by their numbers of samples."""
    train = np.array([_final(quantity.key, run) for run in runs])
    config = runs[0].member.config
    parts = split(load(runs.source).draw(runs[0].seed), runs[0].seed, config.validation, config.test, config.stratify)
    if parts.validation is None:
        return train
    held = np.array([_final(f"validation_{quantity.key}", run) for run in runs])
    n, n_held = parts.train.n, parts.validation.n
    return np.asarray((n * train + n_held * held) / (n + n_held), dtype=np.float64)
