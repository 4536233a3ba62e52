"""Questions about all runs of a store at once: what there is, and how it is along any axis."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ConfigError, one_line
from chainrule.experiments.recipes.grid import Setting
from chainrule.experiments.store.axes import axes_of
from chainrule.experiments.store.columns import Floats, Frame, Ints, Mask, chosen_series
from chainrule.experiments.store.reading import read_series
from chainrule.optim.stopping import STOPPING_RULES

_RULE = re.compile(r"\s*(?P<name>.+?)\s*(?P<test>>=|<=)\s*(?P<bound>[-+0-9.eE_infa]+)\s*")
CONVERGED = "converged"
STOPPING = "training.stopping"


@dataclass(frozen=True)
class Rule:
    """A test on a final value: at least, or at most, a bound. NaN never passes."""

    name: str
    at_least: bool
    bound: float

    def holds(self, values: Floats) -> Mask:
        """Return which values pass."""
        return values >= self.bound if self.at_least else values <= self.bound


def parse_rule(text: str) -> Rule:
    """Read ``accuracy>=0.99`` or ``loss<=0.01``; a name alone, such as ``converged``, means at least 1."""
    found = _RULE.fullmatch(text)
    if found is None:
        if text.strip() and not re.search(r"[<>=]", text):
            return Rule(text.strip(), True, 1.0)
        raise ConfigError(f"cannot read the rule '{one_line(text)}': write NAME>=NUMBER or NAME<=NUMBER")
    try:
        bound = float(found["bound"])
    except ValueError:
        raise ConfigError(f"rule '{one_line(text)}': '{one_line(found['bound'])}' is not a number") from None
    return Rule(found["name"], found["test"] == ">=", bound)


@dataclass(frozen=True)
class Group:
    """The runs at one place of some axes.

    Attributes
    ----------
    place : dict
        Value by axis; None where settings have no value on it.
    n : int
        Runs.
    successes : int
        Those for which the success rule held.
    judged : int
        Those of which can be said whether they succeeded: under ``converged``, the runs whose setting has a stopping
        rule that means success; under a rule on a final value, the runs of settings that record that value.
    counted : int
        Those that have the metric, as a number.
    mean, median : float
        Of the metric over them; NaN if there are none.
    """

    place: dict[str, Any]
    n: int
    successes: int
    judged: int
    counted: int
    mean: float
    median: float

    @property
    def rate(self) -> float:
        """The share of successes among the runs that can be judged; NaN if there are none."""
        return self.successes / self.judged if self.judged else math.nan


@dataclass(frozen=True)
class SeriesInfo:
    """A setting on certain data in a certain arithmetic, and how many of its runs are stored and converged.

    `can_converge` says whether it has a stopping rule that means success.
    """

    setting: Setting
    data: str
    numerics: str
    n: int
    converged: int
    can_converge: bool

    @property
    def place(self) -> dict[str, Any]:
        """Its value on every axis."""
        setting = self.setting
        parts = {"source": setting.source, "network": setting.network, "training": setting.training}
        found = {axis: json.loads(value) for kind, text in parts.items() for axis, value in axes_of(kind, text).items()}
        return found | {"data.fingerprint": self.data, "numerics": self.numerics}


def aggregate(
    frame: Frame,
    by: str | Sequence[str] = (),
    metric: str = "loss",
    success: str | Rule = CONVERGED,
    where: Mapping[str, Any] | None = None,
) -> list[Group]:
    """Return the groups of runs that differ on some axes, see `Store.aggregate`."""
    axes = (by,) if isinstance(by, str) else tuple(by)
    rule = parse_rule(success) if isinstance(success, str) else success
    found = [frame.axis(name) for name in axes]
    code = np.zeros(len(frame.series["id"]), dtype=np.int64)
    for axis in found:
        code = code * (len(axis.values) + 1) + axis.codes + 1
    present, code = np.unique(code, return_inverse=True)
    keep = chosen_series(frame, where or {})[frame.where]
    values, passed = frame.values(metric)[keep], rule.holds(frame.values(rule.name)[keep])
    judged = _can_converge(frame)[frame.where][keep] | passed if rule.name == CONVERGED else _records(frame, rule)[keep]
    groups = _group(code[frame.where][keep], len(present), values, passed, judged)
    places = [_place(int(number), axes, [axis.values for axis in found]) for number in present]
    made = [Group(place, *numbers) for place, numbers in zip(places, groups, strict=True) if numbers[0]]
    return sorted(made, key=lambda group: [_sort_key(group.place[name]) for name in axes])


def _place(number: int, axes: Sequence[str], values: Sequence[list[Any]]) -> dict[str, Any]:
    """Undo the numbering of places."""
    place = {}
    for name, on_axis in zip(reversed(axes), reversed(values), strict=True):
        number, code = divmod(number, len(on_axis) + 1)
        place[name] = on_axis[code - 1] if code else None
    return {name: place[name] for name in axes}


def _can_converge(frame: Frame) -> Mask:
    """Return which series (n_series,) have a stopping rule that means success."""
    if not len(frame.series["id"]):
        return np.zeros(0, dtype=bool)
    axis = frame.axis(STOPPING)
    has_one = np.array([can_converge(value) for value in axis.values] + [False], dtype=bool)
    return has_one[axis.codes]


def _records(frame: Frame, rule: Rule) -> Mask:
    """Return which runs (n_runs,) are of a setting that records what a rule asks for.

    A run that diverged has no value either, and is a failure. So a setting records it if any of its runs has it, or if
    all of them diverged.
    """
    lacks = np.isnan(frame.values(rule.name))
    if not lacks.any():
        return ~lacks
    stayed = frame.values("diverged") == 0
    n_series = len(frame.series["id"])
    has = np.bincount(frame.where[~lacks], minlength=n_series) > 0
    all_diverged = np.bincount(frame.where[stayed], minlength=n_series) == 0
    found: Mask = (has | all_diverged)[frame.where]
    return found


def can_converge(stopping: Sequence[str]) -> bool:
    """Return whether one of some stopping rules means success; one that only a later chainrule knows may."""
    rules = [STOPPING_RULES.get(text.partition("(")[0]) for text in stopping]
    return any(rule is None or rule.converged for rule in rules)


def _group(
    code: Ints, n_groups: int, values: Floats, passed: Mask, judged: Mask
) -> list[tuple[int, int, int, int, float, float]]:
    """Return n, successes, judged, counted, mean and median of each group."""
    n = np.bincount(code, minlength=n_groups)
    successes = np.bincount(code[passed], minlength=n_groups)
    known = n if judged.all() else np.bincount(code[judged], minlength=n_groups)
    number = ~np.isnan(values)
    if not number.all():
        code, values = code[number], values[number]
    order = np.lexsort((values, code))
    values = values[order]
    counted = np.bincount(code, minlength=n_groups)
    start = np.cumsum(counted) - counted
    mean, median = np.full(n_groups, np.nan), np.full(n_groups, np.nan)
    some = counted > 0
    with np.errstate(invalid="ignore", over="ignore"):  # infinities of both signs have no mean
        mean[some] = np.add.reduceat(values, start[some]) / counted[some] if some.any() else ()
        low, high = values[(start + (counted - 1) // 2)[some]], values[(start + counted // 2)[some]]
        median[some] = np.where(low == high, low, (low + high) / 2)
    columns = (n, successes, known, counted, mean, median)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _sort_key(value: Any) -> tuple[int, Any]:
    """Numbers before words before lists, each in their own order."""
    if value is None:
        return 0, 0
    if isinstance(value, int | float):
        return 1, value
    return (2, value) if isinstance(value, str) else (3, str(value))


def settings(frame: Frame, limit: int | None = None) -> list[SeriesInfo]:
    """Return what has been trained, in the order in which it was first saved."""
    n_series = len(frame.series["id"])
    n = np.bincount(frame.where, minlength=n_series)
    converged = np.bincount(frame.where, weights=frame.values(CONVERGED), minlength=n_series) if len(n) else n
    told = read_series(frame.connection, frame.known, lambda statement: statement.limit(limit))
    can = (_can_converge(frame) | (converged > 0)).tolist()
    return [
        SeriesInfo(Setting(*texts[:3]), *texts[3:], n=runs, converged=int(successes), can_converge=one)
        for (texts, _), runs, successes, one in zip(told.values(), n.tolist(), converged.tolist(), can, strict=False)
    ]


def places(
    frame: Frame, where: Mapping[str, Any] | None = None, having: Sequence[str | Rule] = (), limit: int | None = None
) -> list[tuple[int, int]]:
    """Return number of series and seed of the runs that lie where asked and pass every rule."""
    keep = chosen_series(frame, where or {})[frame.where]
    for one in having:
        rule = parse_rule(one) if isinstance(one, str) else one
        keep &= rule.holds(frame.values(rule.name))
    chosen = np.flatnonzero(keep)
    chosen = chosen[np.lexsort((frame.seeds[chosen], frame.where[chosen]))][:limit]
    return list(zip(frame.series["id"][frame.where[chosen]].tolist(), frame.seeds[chosen].tolist(), strict=True))
