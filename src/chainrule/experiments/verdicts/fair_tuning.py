"""Fair tuning: both sides of a comparison choose from the same settings, on seeds that do not judge them.

A comparison at one learning rate for all says whom that rate suits. And to tune and to judge on the same seeds would
flatter whoever has more luck to choose from (the winner's curse): so the first half of the seeds chooses and the
second half judges.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from chainrule.errors import ConfigError
from chainrule.experiments.recipes.settings import Setting, flatten
from chainrule.experiments.verdicts.bench import Bench
from chainrule.experiments.verdicts.measures import Measure, Values, parse_measure
from chainrule.experiments.verdicts.sides import Candidate, Side

T = TypeVar("T")
Score = tuple[float, ...]

RATE = "training.learning_rate"
LOGGING = ("training.log_every", "training.metrics", "training.window")
"""Settings that change what is kept of a run, and nothing else."""


@dataclass(frozen=True)
class Tuned:
    """A side at the setting that it is judged at.

    Attributes
    ----------
    side : Side
        The side.
    chosen : Candidate
        Its setting.
    scores : tuple
        (label, score on the choosing seeds) of every candidate; empty if there was nothing to choose.
    """

    side: Side
    chosen: Candidate
    scores: tuple[tuple[str, Score], ...] = ()

    @property
    def name(self) -> str:
        """The side's name, with what tuning chose: ``adam (learning rate 0.1)``."""
        return f"{self.side.name} ({self.chosen.label})" if self.scores else self.side.name


def split_seeds(seeds: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the first half of the seeds, which chooses, and the second half, which judges.

    A single seed is both halves.
    """
    half = len(seeds) // 2
    return (tuple(seeds), tuple(seeds)) if half == 0 else (tuple(seeds[:half]), tuple(seeds[half:]))


def success_score(success: npt.NDArray[Any], first: Values) -> Score:
    """Rank settings: first by successes, then by the mean speed (1 / epochs) of getting there.

    Parameters
    ----------
    success : ndarray (n_seeds,)
        Who succeeded, 1 or 0.
    first : ndarray (n_seeds,)
        The epoch at which each got there; infinite if it never did.
    """
    speed = np.where(np.isfinite(first), 1.0 / np.maximum(first, 1.0), 0.0)
    return float(np.sum(success)), float(np.mean(speed))


def metric_score(values: Values, measure: Measure) -> Score:
    """Rank settings by the median of a metric, a run without a value being the worst, then by the others' mean."""
    filled = measure.sign * np.where(np.isnan(values), -measure.sign * math.inf, values)
    finite = filled[np.isfinite(filled)]
    ordered = np.sort(filled)
    return float(ordered[(len(ordered) - 1) // 2]), float(np.mean(finite)) if len(finite) else -math.inf


def best_of(candidates: Sequence[T], score: Callable[[T], Score]) -> T:
    """Return the candidate with the highest score, the first of them if several have it."""
    return max(candidates, key=score)


def tune(sides: Sequence[Side], measure: Measure, bench: Bench, seeds: Sequence[int]) -> tuple[Tuned, ...]:
    """Choose for every side its best candidate on the choosing seeds.

    Parameters
    ----------
    sides : sequence of Side
        A side with one candidate keeps it.
    measure : Measure
        What decides.
    bench : Bench
        Where runs come from.
    seeds : sequence of int
        The choosing seeds.
    """
    if not seeds:
        raise ConfigError("there are no seeds to tune with: give --seeds at least 2")
    everyone = [candidate for side in sides if len(side.candidates) > 1 for candidate in side.candidates]
    wanted = [measure, *{candidate.first: parse_measure(candidate.first) for candidate in everyone}.values()]
    table = bench.values(everyone, seeds, wanted if measure.is_success else [measure])
    scores = {
        id(candidate): success_score(table[place, measure.text], table[place, parse_measure(candidate.first).text])
        if measure.is_success
        else metric_score(table[place, measure.text], measure)
        for place, candidate in enumerate(everyone)
    }
    tuned = []
    for side in sides:
        if len(side.candidates) == 1:
            tuned.append(Tuned(side, side.candidates[0]))
            continue
        chosen = best_of(side.candidates, lambda candidate: scores[id(candidate)])
        tuned.append(Tuned(side, chosen, tuple((one.label, scores[id(one)]) for one in side.candidates)))
    return tuple(tuned)


def tuning_words(tuned: Sequence[Tuned], choosing: int) -> str:
    """Say how two or more sides were tuned, or that they were not; empty if there was nothing to tune."""
    if any(one.scores for one in tuned):
        return _tuned_words(tuned, choosing)
    first, *others = tuned
    differing = {key for other in others for key in differing_keys(first.chosen.setting, other.chosen.setting)}
    if differing <= {RATE}:
        return ""
    rates = [f"{one.chosen.setting.config.learning_rate:g}" for one in tuned]
    none, both = ("neither", "both") if len(tuned) == 2 else ("none", "all")
    if len(set(rates)) == 1:
        return f"{none} was tuned, {both} ran at learning rate {rates[0]}"
    return f"{none} was tuned, they ran at learning rates {', '.join(rates[:-1])} and {rates[-1]}"


def _tuned_words(tuned: Sequence[Tuned], choosing: int) -> str:
    """Say from how many settings each side chose."""
    budgets = [max(len(one.scores), 1) for one in tuned]
    labels = {tuple(sorted(label for label, _ in one.scores)) for one in tuned}
    if len(set(budgets)) == 1:
        other = "" if len(labels) == 1 else ", not the same ones,"
        return f"each was tuned over {budgets[0]} settings{other} on {choosing} other seeds"
    had = [f"{one.side.name} {budget}" for one, budget in zip(tuned[1:], budgets[1:], strict=True)]
    return (
        f"the tuning was not fair: {tuned[0].side.name} had {budgets[0]} setting{'s' if budgets[0] > 1 else ''} to "
        f"choose from, {', '.join(had)}"
    )


def differing_keys(a: Setting, b: Setting) -> list[str]:
    """Return the dotted keys in which two settings differ, those of mere bookkeeping left out."""
    one, other = ({"data": x.source} | flatten(_tables(x)) for x in (a, b))
    keys = dict.fromkeys([*one, *other])
    return [key for key in keys if one.get(key) != other.get(key) and key not in LOGGING]


def _tables(setting: Setting) -> dict[str, Any]:
    return {"network": json.loads(setting.network), "training": json.loads(setting.training)}
