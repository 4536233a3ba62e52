"""What growth curves say: whether time is linear in the arithmetic, and where a peer overtakes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from benchmarks.contestants import OURS

FILLED = 4.0  # a machine counts as filled from where a point takes this many times the smallest one
STEEPEST = 1.15  # an exponent of time by arithmetic above this is more than linear


def exponents(points: Sequence[dict[str, Any]]) -> list[float]:
    """Return d log(seconds) / d log(operations) from each of our points to the next."""
    pairs = [(point["operations"], point["seconds"][OURS]) for point in points if OURS in point["seconds"]]
    return [math.log(after[1] / before[1]) / math.log(after[0] / before[0]) for before, after in pairwise(pairs)]


def linearity(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Say how our time grows with the arithmetic, once the machine is filled.

    Returns
    -------
    dict
        ``exponents`` between neighbouring points, ``filled_from`` (a size, or None if it never is), ``exponent``
        from there to the last point, and ``linear``: whether that is at most `STEEPEST`.
    """
    ours = [point for point in points if OURS in point["seconds"]]
    result: dict[str, Any] = {"exponents": exponents(ours), "filled_from": None, "exponent": None, "linear": None}
    if not ours:
        return result
    smallest = min(point["seconds"][OURS] for point in ours)
    filled = [point for point in ours if point["seconds"][OURS] >= FILLED * smallest]
    if len(filled) >= 2:
        overall = math.log(filled[-1]["seconds"][OURS] / filled[0]["seconds"][OURS])
        exponent = overall / math.log(filled[-1]["operations"] / filled[0]["operations"])
        result |= {"filled_from": filled[0]["size"], "exponent": exponent, "linear": exponent <= STEEPEST}
    return result


def crossovers(points: Sequence[dict[str, Any]], only: str | None = None) -> list[dict[str, Any]]:
    """Return the ranges of size in which the best peer (or only the one named) is faster than chainrule.

    Each has ``from`` and ``to`` (interpolated in the logarithms; None where the range goes on beyond the points), the
    fastest ``peer`` in it, and ``worst``: by how much it is faster at most.
    """
    rows = [(point["size"], *pair) for point in points if (pair := _lead(point, only)) is not None]
    found: list[dict[str, Any]] = []
    behind = False
    for i, (size, lead, peer) in enumerate(rows):
        if lead > 0 and not behind:
            start = None if i == 0 else _crossing(rows[i - 1], rows[i])
            found.append({"from": start, "to": None, "peer": peer, "worst": math.exp(lead), "at": size})
        elif lead > 0 and math.exp(lead) > found[-1]["worst"]:
            found[-1] |= {"worst": math.exp(lead), "peer": peer, "at": size}
        elif lead <= 0 and behind:
            found[-1]["to"] = _crossing(rows[i - 1], rows[i])
        behind = lead > 0
    return found


def _lead(point: dict[str, Any], only: str | None) -> tuple[float, str] | None:
    """Return log(our seconds / the best peer's) and the peer, or None without both."""
    seconds = {name: value for name, value in point["seconds"].items() if only is None or name in (OURS, only)}
    ours = seconds.pop(OURS, None)
    if ours is None or not seconds:
        return None
    peer = min(seconds, key=seconds.__getitem__)
    return math.log(ours / seconds[peer]), peer


def _crossing(before: tuple[int, float, str], after: tuple[int, float, str]) -> float:
    """Return the size at which the lead is zero, a straight line in the logarithms."""
    (x0, y0, _), (x1, y1, _) = before, after
    return float(math.exp(math.log(x0) + (math.log(x1) - math.log(x0)) * y0 / (y0 - y1)))


def told(name: str, points: Sequence[dict[str, Any]], only: str | None = None) -> str:
    """Say in one sentence where the best peer (or the one named) is faster."""
    ranges = crossovers(points, only)
    compared = [point["size"] for point in points if _lead(point, only) is not None]
    if not compared:
        return f"{name}: no {only or 'peer'} to compare with"
    if not ranges:
        return f"{name}: chainrule is faster than {only or 'every peer'} from {compared[0]:,} to {compared[-1]:,}"
    parts = []
    for one in ranges:
        start = f"{compared[0]:,}" if one["from"] is None else f"about {one['from']:,.0f}"
        end = f"{compared[-1]:,} (the largest measured)" if one["to"] is None else f"about {one['to']:,.0f}"
        most = f"at most {one['worst']:.1f} times, at {one['at']:,}"
        parts.append(f"{one['peer']} is faster from {start} to {end} ({most})")
    return f"{name}: {'; '.join(parts)}"
