"""Numbers, intervals and cells as a reader wants them, in sentences, tables and figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.experiments.recipes.words import axis_word, value_word
from chainrule.experiments.sweeps.metrics import Middle
from chainrule.stats import MIN_PAIRS, RateInterval

if TYPE_CHECKING:
    from chainrule.experiments.sweeps.result import SweepResult


def shown(value: float, digits: int = 3) -> str:
    """Write a number short: 0.0123, 1,250, 3.1e-07, ∞; – where there is none."""
    if not np.isfinite(value):
        return "∞" if value > 0 else "–"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:,.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:.{digits - 1}e}"


def middle_text(middle: Middle | None, digits: int = 3) -> str:
    """Write a median with its interval; what most runs never reached is ∞ (or –, where higher is better)."""
    if middle is None or middle.n == 0:
        return "–"
    median = shown(middle.median, digits)
    if middle.n < MIN_PAIRS or not middle.bounded:
        return median
    return f"{median} ({shown(middle.low, digits)} to {shown(middle.high, digits)})"


def rate_text(rate: RateInterval | None) -> str:
    """Write successes with the interval of their share: ``28 (78 to 99 %)``."""
    if rate is None:
        return "–"
    return f"{rate.successes} ({100 * rate.low:.0f} to {100 * rate.high:.0f} %)"


def share_text(rate: float, low: float, high: float) -> str:
    """Write a share with its interval: ``93 % (78 to 99 %)``."""
    return "–" if math.isnan(rate) else f"{percent(rate)} % ({percent(low)} to {percent(high)} %)"


def percent(share: float) -> str:
    """Write a share as per cent without the sign; only all is 100 and only none is 0."""
    if math.isnan(share):
        return "–"
    rounded = round(100 * share)
    if rounded == 100 and share < 1:
        return ">99"
    return "<1" if rounded == 0 and share > 0 else str(rounded)


def score_text(score: RateInterval | Middle, noun: str = "") -> str:
    """Write a score for a sentence: ``28 of 30 seeds (78 to 99 %)`` or ``a median of 0.12 (0.1 to 0.2)``."""
    if isinstance(score, RateInterval):
        return f"{score.successes} of {count(score.n, 'seed')} ({percent(score.low)} to {percent(score.high)} %)"
    return f"a median {noun} of {middle_text(score)} over {count(score.n, 'seed')}".replace("  ", " ")


def count(n: int, noun: str) -> str:
    """Write a number of things: ``1 cell``, ``1,200 cells``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def level_text(level: float) -> str:
    """Write a confidence: ``95 %``."""
    return f"{100 * level:.3g} %"


def place_words(place: Mapping[str, Any], axes: Iterable[str]) -> str:
    """Write a place for a sentence: ``optimizer adam, learning rate 0.1``; the only cell where nothing varies."""
    words = [f"{axis_word(axis)} {level_word(place[axis])}" for axis in axes if place.get(axis) is not None]
    return ", ".join(words) or "the only cell"


def place_values(place: Mapping[str, Any], axes: Iterable[str]) -> str:
    """Write a place for a row's name, values only: ``adam, 0.1``; axes that a cell does not have are dashes."""
    return ", ".join(level_word(place.get(axis)) for axis in axes) or "the only cell"


def level_word(value: Any) -> str:
    """Write one value of an axis; – for cells without that axis."""
    return "–" if value is None else value_word(value)


def trained_words(result: SweepResult, where: str = "the store") -> str:
    """Say where a sweep's runs are from: ``80 runs: 60 trained (20 to score the best again), 20 found in runs.db``."""
    parts = [f"{result.rescored:,} to score the best again"] if result.rescored else []
    parts += [f"{result.asked:,} for questions"] if result.asked else []
    purposes = f" ({', '.join(parts)})" if parts else ""
    total = count(result.computed + result.reused, "run")
    return f"{total}: {result.computed:,} trained{purposes}, {result.reused:,} found in {where}"


def listed(names: Iterable[str], most: int = 6) -> str:
    """Write a list for a sentence, the first of many: ``a, b and c``; ``a, b and 7 more``."""
    names = list(names)
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def spread_choice(count: int, most: int, best: int | None = None) -> list[int]:
    """Choose at most `most` (3 or more) of many numbers from 0: evenly from first to last, the best among them."""
    if count <= most:
        return list(range(count))
    chosen = {int(k) for k in np.linspace(0, count - 1, most).round()}
    if best is not None and best not in chosen:
        chosen.discard(min(chosen - {0, count - 1}, key=lambda k: abs(k - best)))
        chosen.add(best)
    return sorted(chosen)
