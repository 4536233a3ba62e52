"""From a trained bundle to runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.engines._divergence import diagnose
from chainrule.engines._finishing import Ended, Outcome, make_runs
from chainrule.engines.compiled.bundle_training import BundleTraining
from chainrule.engines.compiled.columns import in_order, judged_columns
from chainrule.engines.compiled.leaving import Leaving
from chainrule.engines.compiled.seats import Share
from chainrule.nn import Array
from chainrule.runs import Run


def runs_of(
    training: BundleTraining, seconds: float, engine: str, reasons: list[str]
) -> Iterator[tuple[int, int, Run]]:
    """Yield the runs of a bundle, each with its cohort's number and its own number in that cohort.

    Parameters
    ----------
    training : BundleTraining
        With all members ended.
    seconds : float
        Time for each member.
    engine : str
        Which engine trained them.
    reasons : list of str
        For each cohort why that one.
    """
    for number, share in enumerate(training.members.shares):
        ended = _ended(training, number, share)
        runs = make_runs(share.cohort, ended, seconds, engine, reasons[share.number])
        for original, run in zip(share.original.tolist(), runs, strict=True):
            yield share.number, original, run


def _ended(training: BundleTraining, number: int, share: Share) -> Ended:
    """Collect what is known of a cohort's members."""
    left = [training.left[k] for k in share.members.tolist()]
    columns = _Columns(training, number, share)
    return Ended(
        thetas=[one.theta for one in left],
        outcomes=[_outcome(share, own, one) for own, one in enumerate(left)],
        histories=[columns.history(own, one) for own, one in enumerate(left)],
        windows=[columns.windows(own, one) for own, one in enumerate(left)],
        known=[columns.known(own, one) for own, one in enumerate(left)],
    )


def _outcome(share: Share, own: int, one: Leaving) -> Outcome:
    divergence = None
    if one.reason == "diverged":
        divergence = diagnose(share.cohort.take([own]), one.theta, one.epochs, one.rate)
    return Outcome(one.reason, one.converged, one.epochs, divergence)


class _Columns:
    """Names the columns that kernels keep, in the order of the reference engine's histories."""

    def __init__(self, training: BundleTraining, number: int, share: Share) -> None:
        self.training, self.share = training, share
        self.extras = training.extras[number] if training.extras else None
        self.columns = judged_columns(training.members.parts)

    def history(self, own: int, one: Leaving) -> dict[str, Array]:
        """Return a member's history, as `Run.history` describes it."""
        training, member = self.training, int(self.share.members[own])
        if not training.history.of_member[member]:
            return {}  # a Ctrl-C came before it was looked at
        last = None if one.reason in ("epochs", "interrupted") else one.epochs
        epochs, rows = training.history.rows(member, last)
        if one.row is not None and (not len(epochs) or epochs[-1] != one.epochs):
            row = one.row[list(training.members.columns.values())]
            epochs, rows = np.append(epochs, one.epochs), np.append(rows, row[:, None], axis=1)
        extra = {} if self.extras is None else self.extras.history(own, epochs)
        named = dict(zip(training.members.columns, rows, strict=True))
        judged = in_order({name: named.pop(name) for name in self.columns}, extra)
        return {"epoch": epochs, **judged, **named}

    def windows(self, own: int, one: Leaving) -> dict[str, Array]:
        """Return a member's windows, as `Run.windows` describes them."""
        course, member = self.training.course, int(self.share.members[own])
        if not course.window:
            return {}
        last = None
        if one.reason not in ("epochs", "interrupted"):
            trained = one.epochs + (one.reason == "diverged")
            last = trained * course.steps(self.training.members.n) // course.window - 1
        moments, rows = self.training.windows.rows(member, last)
        return {"loss": rows[0], "learning_rate": rows[1]} if len(moments) else {}

    def known(self, own: int, one: Leaving) -> dict[str, float] | None:
        """Return the final values that training has measured, or None."""
        if one.judged is None:
            return None
        judged = one.judged.tolist()
        extra = {} if self.extras is None else self.extras.at(own, one.epochs)
        return in_order({name: judged[column] for name, column in self.columns.items()}, extra)
