"""The certificate of a run: whether its member, trained again alone, gives the same numbers.

Populations are fast because members are trained together; a certificate shows for one of them that this changed
nothing. Weights, final values, histories and windows are compared bit by bit (NaN equals NaN), and beside them how
and when the run ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import ConfigError, DataError
from chainrule.nn import Array
from chainrule.population import Member

if TYPE_CHECKING:
    from chainrule.runs import Run, Runs

    Retrain = Callable[[Sequence[Member], str], Runs]
    """Trains members again, on the data of the first time, with the engine that is named."""

CERTIFIED_TOLERANCE: Mapping[str, float] = {"reference": 0.0, "lanes": 0.0, "gemm": 0.0}
"""Largest difference that an engine allows between a member trained in company and alone; 0 means to the last bit."""

_OF_EVERY_ENGINE = 0.0


@dataclass(frozen=True)
class Certificate:
    """What came of training one member again, alone.

    Attributes
    ----------
    place : int
        Which of the runs it was.
    seed : int
        The member's seed.
    engine : str
        The engine, both times.
    identical : bool
        Whether everything is equal to the last bit.
    largest_difference : float
        Of any two numbers; infinite where only one of them is finite, or there, or the outcome differs.
    tolerance : float
        What the engine allows.
    differing : tuple of str
        What is not equal to the last bit: ``weights``, ``final loss``, ``history of accuracy``, ``epochs``, ...
    weights, rows, epochs : int
        How much was compared: weights, rows of the history, epochs of the run.
    """

    place: int
    seed: int
    engine: str
    identical: bool
    largest_difference: float
    tolerance: float
    differing: tuple[str, ...] = ()
    weights: int = 0
    rows: int = 0
    epochs: int = 0

    @property
    def holds(self) -> bool:
        """Whether the engine keeps what it promises: equal to the last bit, or within the tolerance it states."""
        return self.identical or self.largest_difference <= self.tolerance > 0

    def __str__(self) -> str:
        start = f"seed {self.seed} trained again alone by the {self.engine} engine"
        if self.identical:
            compared = f"{_count(self.weights, 'weight')}, {_count(self.rows, 'row')} of history"
            return f"{start} is identical to the last bit: {compared}, {_count(self.epochs, 'epoch')}"
        allowed = f"up to {self.tolerance:.1g} is allowed" if self.tolerance else "none is allowed"
        found = f"{start} differs in {', '.join(self.differing)}; largest difference {self.largest_difference:.2g}"
        return f"{found} ({allowed}{', so this is in order' if self.holds else ''})"


def certify_run(place: int, run: Run, retrain: Retrain) -> Certificate:
    """Train one run's member again, alone, and compare.

    Parameters
    ----------
    place : int
        Which of the runs it is, for the record.
    run : Run
        The run.
    retrain : callable
        Trains members again.

    Raises
    ------
    ConfigError
        If the run was interrupted: where Ctrl-C came is not repeatable.
    DataError
        If the data are not those the run was trained on.
    KeyboardInterrupt
        If Ctrl-C ended the second training.
    """
    check_finished(place, run)
    again = retrain([run.member], run.engine)
    if again.interrupted:
        raise KeyboardInterrupt
    return compare(place, run, again[0])


def check_finished(place: int, run: Run) -> None:
    """Refuse a run that was interrupted."""
    if run.stop_reason == "interrupted":
        raise ConfigError(
            f"run {place} (seed {run.seed}) was interrupted after {_count(run.epochs, 'epoch')}: "
            "only a run that ended by itself can be certified"
        )


def compare(place: int, run: Run, again: Run) -> Certificate:
    """Return the certificate of a run and its repetition.

    Raises
    ------
    DataError
        If they were trained on different data.
    """
    if run.fingerprint and again.fingerprint != run.fingerprint:
        raise DataError(
            f"these are not the data that run {place} (seed {run.seed}) was trained on: their fingerprint is "
            f"{again.fingerprint[:12]}, not {run.fingerprint[:12]}"
        )
    differing, largest = [], 0.0
    for name, one, other in _numbers(run, again):
        if not _equal_bits(one, other):
            differing.append(name)
            largest = max(largest, _difference(one, other))
    outcomes = [name for name, one, other in _outcome(run, again) if one != other]
    return Certificate(
        place=place,
        seed=run.seed,
        engine=run.engine,
        identical=not (differing or outcomes),
        largest_difference=float("inf") if outcomes else largest,
        tolerance=CERTIFIED_TOLERANCE.get(run.engine, _OF_EVERY_ENGINE),
        differing=(*differing, *outcomes),
        weights=run.theta.size,
        rows=len(run.history.get("epoch", ())),
        epochs=run.epochs,
    )


def _numbers(run: Run, again: Run) -> Iterator[tuple[str, Array | None, Array | None]]:
    """Yield every array of two runs by its name; None for one that is not there."""
    yield "weights", run.theta, again.theta
    groups: tuple[tuple[str, Mapping[str, Array], Mapping[str, Array]], ...] = (
        ("final", _arrays(run.final), _arrays(again.final)),
        ("history of", run.history, again.history),
        ("windows of", run.windows, again.windows),
        ("normalization of", _by_layer(run), _by_layer(again)),
    )
    for title, first, second in groups:
        for name in dict.fromkeys([*first, *second]):
            yield f"{title} {name}", first.get(name), second.get(name)


def _arrays(values: Mapping[str, float]) -> dict[str, Array]:
    return {name: np.array(value) for name, value in values.items()}


def _by_layer(run: Run) -> dict[str, Array]:
    """Name the statistics of normalising layers."""
    layers = run.normalization or ()
    return {f"layer {k} ({name})": array for k, layer in enumerate(layers) for name, array in layer.items()}


def _outcome(run: Run, again: Run) -> Iterator[tuple[str, object, object]]:
    """Yield how two runs ended."""
    yield "epochs", run.epochs, again.epochs
    yield "stop reason", run.stop_reason, again.stop_reason
    yield "convergence", run.converged, again.converged
    yield "divergence", run.divergence, again.divergence


def _equal_bits(one: Array | None, other: Array | None) -> bool:
    """Return whether two arrays are equal to the last bit: 0 is not -0, but one NaN is like another."""
    if one is None or other is None or one.dtype != other.dtype or one.shape != other.shape:
        return False
    same = one == other
    if one.dtype.kind == "f":
        same &= np.signbit(one) == np.signbit(other)
        same |= np.isnan(one) & np.isnan(other)
    return bool(np.all(same))


def _difference(one: Array | None, other: Array | None) -> float:
    """Return the largest difference between two arrays; infinite where they cannot be compared."""
    if one is None or other is None or one.shape != other.shape:
        return float("inf")
    first, second = np.atleast_1d(one).astype(np.float64), np.atleast_1d(other).astype(np.float64)
    finite = np.isfinite(first) & np.isfinite(second)
    alike = (first == second) | (np.isnan(first) & np.isnan(second))
    if not np.all(finite | alike):
        return float("inf")
    return float(np.max(np.abs(first[finite] - second[finite]), initial=0.0))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
