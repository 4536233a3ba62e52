"""Growth curves whose law and crossings are known."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.curves import crossovers, exponents, linearity, told
from benchmarks.growth import SWEEPS


def points(ours: dict[int, float], **peers: dict[int, float]) -> list[dict[str, Any]]:
    everyone = {"chainrule": ours, **peers}
    return [
        {"size": size, "operations": 10.0 * size}
        | {"seconds": {name: times[size] for name, times in everyone.items() if size in times}}
        for size in sorted(ours)
    ]


SIZES = [10**k for k in range(6)]


def test_linear_beyond_a_constant() -> None:
    law = linearity(points({size: 1e-3 + 1e-6 * size for size in SIZES}))
    assert law["filled_from"] == 10_000
    assert law["linear"] is True
    assert law["exponent"] == pytest.approx(0.96, abs=0.02)
    assert law["exponents"][0] == pytest.approx(0.0, abs=0.01)


def test_quadratic_is_more_than_linear() -> None:
    law = linearity(points({size: 1e-6 * size**2 for size in SIZES}))
    assert law["exponent"] == pytest.approx(2.0)
    assert law["linear"] is False


def test_never_filled() -> None:
    law = linearity(points(dict.fromkeys(SIZES, 1.0)))
    assert (law["filled_from"], law["exponent"], law["linear"]) == (None, None, None)
    assert exponents(points(dict.fromkeys(SIZES, 1.0))) == [0.0] * 5


def test_one_crossing_is_interpolated() -> None:
    """Ours goes as size, the peer's as 100 sqrt(size): equal at 10,000."""
    curve = points({s: float(s) for s in (10, 1000, 100_000)}, jax={s: 100 * s**0.5 for s in (10, 1000, 100_000)})
    (found,) = crossovers(curve)
    assert found["from"] == pytest.approx(10_000)
    assert (found["to"], found["peer"], found["at"]) == (None, "jax", 100_000)
    assert found["worst"] == pytest.approx(100_000**0.5 / 100)
    assert told("samples", curve) == (
        "samples: jax is faster from about 10,000 to 100,000 (the largest measured) (at most 3.2 times, at 100,000)"
    )


def test_behind_at_the_start_only() -> None:
    curve = points({1: 4.0, 4: 4.0, 16: 4.0}, jax={1: 1.0, 4: 4.0 / 2, 16: 8.0}, torch={1: 2.0, 4: 9.0, 16: 9.0})
    (found,) = crossovers(curve)
    assert found["from"] is None
    assert found["to"] == pytest.approx(8.0)
    assert found["worst"] == pytest.approx(4.0)


def test_never_behind_and_nobody_there() -> None:
    assert told("width", points({1: 1.0, 2: 1.0}, jax={1: 2.0, 2: 3.0})) == (
        "width: chainrule is faster than every peer from 1 to 2"
    )
    assert told("width", points({1: 1.0})) == "width: no peer to compare with"


def test_peers_stop_where_they_would_take_minutes() -> None:
    curve = points({1: 1.0, 10: 2.0, 100: 3.0}, jax={1: 2.0, 10: 1.0})
    (found,) = crossovers(curve)
    assert found["to"] is None
    assert "to 10 (the largest measured)" in told("members", curve)


def test_against_one_peer_only() -> None:
    curve = points({1: 4.0, 2: 4.0}, jax={1: 8.0, 2: 8.0}, torch={1: 1.0, 2: 1.0})
    assert crossovers(curve, only="jax") == []
    assert told("width", curve, only="jax") == "width: chainrule is faster than jax from 1 to 2"
    assert told("width", curve, only="numpy") == "width: no numpy to compare with"
    assert crossovers(curve)[0]["peer"] == "torch"


def test_sweeps_cover_what_was_asked() -> None:
    ranges = {sweep.name: (sweep.sizes[0], (*sweep.sizes, *sweep.largest)[-1]) for sweep in SWEEPS}
    assert ranges == {"members": (1, 10**6), "width": (2, 512), "samples": (10, 10**5)}
