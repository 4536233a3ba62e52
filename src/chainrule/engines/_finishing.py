"""From final weights to runs: the last evaluation, shared by all engines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chainrule.cohorts import Cohort
from chainrule.engines._blas import one_blas_thread
from chainrule.engines._evaluation import SLICE, Evaluation
from chainrule.nn import Array, Params
from chainrule.runs import Divergence, Run

EVALUATED_BYTES = 64 * 2**20
"""Members whose activations take more than this together are evaluated one group after the other."""


class Outcome(NamedTuple):
    """How a member ended; `epochs` counts those it completed."""

    reason: str
    converged: bool
    epochs: int
    divergence: Divergence | None


@dataclass(frozen=True)
class Ended:
    """The members of a cohort at their end; every sequence has one entry for each.

    Attributes
    ----------
    thetas : sequence of ndarray (P,)
        Final weights; the runs keep these very arrays.
    outcomes : sequence of Outcome
        How they ended.
    histories, windows : sequence of dict
        As in `Run`.
    known : sequence of (dict or None), optional
        Final values on training and validation part where they have been measured already. None for a member, or
        no sequence at all, lets them be measured here.
    """

    thetas: Sequence[Array]
    outcomes: Sequence[Outcome]
    histories: Sequence[dict[str, Array]]
    windows: Sequence[dict[str, Array]]
    known: Sequence[Mapping[str, float] | None] | None = None


def make_runs(cohort: Cohort, ended: Ended, seconds: float, engine: str, reason: str = "") -> list[Run]:
    """Evaluate the final weights of every member, and make the runs.

    Parameters
    ----------
    cohort : Cohort
        The members, with their data.
    ended : Ended
        What became of them.
    seconds : float
        Time for each member.
    engine, reason : str
        Which engine trained them, and why that one.
    """
    finals, statistics = _final_values(cohort, ended)
    runs = []
    for k, (member, parts) in enumerate(zip(cohort.members(), cohort.splits, strict=True)):
        stop_reason, converged, epochs, divergence = ended.outcomes[k]
        runs.append(
            Run(
                member=member,
                stop_reason=stop_reason,
                converged=converged,
                epochs=epochs,
                final=finals[k],
                history=ended.histories[k],
                windows=ended.windows[k],
                theta=ended.thetas[k],
                divergence=divergence,
                fingerprint=parts.train.fingerprint,
                seconds=seconds,
                engine=engine,
                preprocessing=parts.train.preprocess,
                normalization=None if statistics is None else _of_member(statistics, k),
                engine_reason=reason,
            )
        )
    return runs


def _final_values(cohort: Cohort, ended: Ended) -> tuple[list[dict[str, float]], Params | None]:
    """Return each member's final values, and the statistics of normalising layers if the network has some."""
    if ended.known is None:
        return _evaluation(cohort).finals(np.stack(ended.thetas), cohort)
    finals = [dict(values or {}) for values in ended.known]
    missing = [k for k, values in enumerate(ended.known) if values is None]
    if missing:
        _measure(finals, missing, cohort, ended, ("train", "validation", "test"))
    if cohort.splits[0].test is not None:
        _measure(finals, [k for k, values in enumerate(ended.known) if values is not None], cohort, ended, ("test",))
    return finals, None


def _measure(
    finals: list[dict[str, float]], index: list[int], cohort: Cohort, ended: Ended, parts: tuple[str, ...]
) -> None:
    """Evaluate some members on some parts, a group of bounded memory at a time."""
    for group in groups_of(index, cohort):
        theta = np.stack([ended.thetas[k] for k in group])
        with one_blas_thread():
            measured, _ = _evaluation(cohort).finals(theta, cohort.take(group), parts)
        for k, values in zip(group, measured, strict=True):
            finals[k] |= values


def groups_of(index: list[int], cohort: Cohort) -> Iterator[list[int]]:
    """Cut members into groups that are evaluated together; that never changes a value."""
    units = sum(math.prod(shape) for shape in cohort.network.shapes)
    rows = 3 * min(cohort.splits[0].train.n, SLICE) * units * np.dtype(cohort.config.dtype).itemsize
    size = max(EVALUATED_BYTES // rows, 1)
    for start in range(0, len(index), size):
        yield index[start : start + size]


def _evaluation(cohort: Cohort) -> Evaluation:
    return Evaluation(cohort.network, cohort.config, cohort.splits[0].train.task)


def _of_member(statistics: Params, place: int) -> Params:
    """Return one member's statistics, copied: the others' need not stay alive with them.

    Those of inputs that all members share have no member axis.
    """
    return tuple(
        {name: (array if array.ndim == 1 else array[place]).copy() for name, array in layer.items()}
        for layer in statistics
    )
