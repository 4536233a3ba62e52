"""Where the scatter comes from: variance components of a crossed design.

Every source of luck (initial weights, data, split, batch order, dropout) is a factor with some levels, and a run
takes a level of each. The variance between runs splits into what each factor does by itself and a remainder: what
they do together, and what no factor explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, ShapeError
from chainrule.random import stream
from chainrule.stats.intervals import Values, check_level, sample

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Term = frozenset[str]

NOTHING: Term = frozenset()


@dataclass(frozen=True)
class Component:
    """The variance that one source gives, and its share of all of it, each with its interval.

    `estimate` is the unbiased estimate, which may fall below 0 where the truth is small; `variance` is that or 0,
    and `truncated` says which. `levels` is the number of levels of the factor (0 for the remainder).
    """

    name: str
    variance: float
    low: float
    high: float
    share: float
    share_low: float
    share_high: float
    estimate: float
    truncated: bool
    levels: int


@dataclass(frozen=True)
class CrossedComponents:
    """Variance components of a crossed design.

    Attributes
    ----------
    factors : tuple of Component
        One a factor, in the order given.
    remainder : Component
        Interactions of the factors and everything that no factor explains.
    mean : float
        Of all values.
    n : int
        Values.
    complete : bool
        Whether every combination of levels is there equally often. Then interactions are kept out of the factors'
        components and the intervals are exact up to simulation if all effects are normal; else part of an interaction
        counts to its factors, and the intervals are approximate.
    level : float
        Confidence of the intervals, each by itself.
    """

    factors: tuple[Component, ...]
    remainder: Component
    mean: float
    n: int
    complete: bool
    level: float = 0.95


def crossed_components(
    factors: Mapping[str, Sequence[object]],
    values: Values,
    level: float = 0.95,
    seed: int = 0,
    n_draws: int = 20_000,
) -> CrossedComponents:
    """Split the variance of values by the random factors of a crossed design (Searle, Casella, McCulloch 1992).

    Sums of squares are set equal to what they are expected to be (analysis of variance; Henderson's method 3 where
    combinations are missing). The intervals are generalized ones (Weerahandi 1993; Burdick and Graybill 1992 treat
    the same problem): each sum of squares is divided by draws of a chi-square with its degrees of freedom, and the
    components are solved for anew. Heavy tails of the remainder count as fewer degrees of freedom (its sum of squares
    has relative variance 2 / df + excess / n); those of a factor's few levels cannot be seen. With few levels the
    intervals are wide, and they should be: five initial weights say little about the scatter of all.

    Parameters
    ----------
    factors : mapping of str to sequence
        By factor, the level that each value had: all of equal length.
    values : sequence of float
        One a run, finite.
    level, seed, n_draws
        Confidence of the intervals; seed and number of draws for them.

    Raises
    ------
    DataError
        If a factor has a single level, two factors cannot be told apart, or there are too few values.
    """
    check_level(level)
    y = sample(values)
    if not np.isfinite(y).all():
        raise DataError("variance components need finite values; look at the success rate where runs diverge")
    codes = _codes(factors, len(y))
    complete = _is_complete(codes)
    analysis = _complete_analysis(codes, y - y.mean()) if complete else _incomplete_analysis(codes, y - y.mean())
    terms, squares, freedom, expected = analysis
    if freedom[-1] < 1:
        raise DataError(f"{len(y)} values are too few to split by {len(codes)} factors: nothing is left for the rest")
    if freedom.min() < 1:
        raise DataError(f"the factors {', '.join(codes)} cannot be told apart: their levels go together")
    effective = freedom.copy()
    effective[len(codes) :] = 2.0 / (2.0 / freedom[len(codes) :] + _excess(codes, y) / len(y))
    chi = stream(seed, "bootstrap").chisquare(effective, size=(n_draws, len(freedom)))
    solve = np.linalg.inv(expected).T
    means = squares / freedom
    estimates = means @ solve
    draws = (np.maximum(means, 0.0) * effective / chi) @ solve
    found = _components(codes, terms, estimates, draws, level)
    return CrossedComponents(found[:-1], found[-1], float(y.mean()), len(y), complete, level)


def _excess(codes: Mapping[str, Codes], y: Array) -> float:
    """Return the excess kurtosis of what the factors leave, at least 0."""
    basis = _basis([np.ones((len(y), 1)), *(np.eye(int(part.max()) + 1)[part] for part in codes.values())])
    left = y - basis @ (basis.T @ y)
    variance = float(np.mean(left**2))
    if variance <= 1e-20 * float(np.mean(y**2)):
        return 0.0
    return max(0.0, float(np.mean(left**4)) / variance**2 - 3.0)


def _codes(factors: Mapping[str, Sequence[object]], n: int) -> dict[str, Codes]:
    """Return each factor's levels as numbers from 0, checked."""
    if not factors:
        raise DataError("variance components need at least one factor")
    codes = {}
    for name, levels in factors.items():
        if len(levels) != n:
            raise ShapeError(f"factor {name} has {len(levels)} levels for {n} values; there must be one a value")
        known: dict[str, int] = {}
        codes[name] = np.array([known.setdefault(repr(one), len(known)) for one in levels], dtype=np.int64)
        if len(known) < 2:
            raise DataError(f"factor {name} has a single level; leave it out or vary it")
    return codes


def _is_complete(codes: Mapping[str, Codes]) -> bool:
    """Return whether all combinations of all levels are there, equally often."""
    counts = np.bincount(_combined(list(codes.values())))
    return len(counts) == _n_combinations(codes) and bool((counts == counts[0]).all())


def _n_combinations(codes: Mapping[str, Codes]) -> int:
    """Return how many combinations of levels there are."""
    return int(np.prod([int(part.max()) + 1 for part in codes.values()]))


def _combined(parts: Sequence[Codes]) -> Codes:
    """Return the number of the combination of several factors' levels for every value."""
    combination = parts[0]
    for part in parts[1:]:
        _, combination = np.unique(combination * (part.max() + 1) + part, return_inverse=True)
    return combination


Analysis = tuple[list[Term], Array, Array, Array]
"""Terms, sums of squares, degrees of freedom, and expected mean squares as a matrix that the vector of components is
multiplied by; the remainder is the last of each but of the terms."""


def _complete_analysis(codes: Mapping[str, Codes], y: Array) -> Analysis:
    """Return the analysis of variance with all interactions that can be told from the remainder.

    A mean square of the term S has expectation v_rest + sum of v_U n / (combinations of U) over all U that contain S.
    """
    n, order = len(y), len(codes)
    if n == _n_combinations(codes) and order > 1:
        order -= 1  # without repeats the highest interaction is the remainder
    terms = [frozenset(names) for size in range(1, order + 1) for names in combinations(codes, size)]
    per_level = {term: n / np.prod([int(codes[f].max()) + 1 for f in term]) for term in terms}
    raw = {NOTHING: 0.0}  # of a grouping: the sum of (sum of the values of a group)^2 / size; y has mean 0
    squares, freedom, expected = [], [], []
    for term in terms:
        groups = _combined([codes[f] for f in sorted(term)])
        raw[term] = float(np.sum(np.bincount(groups, weights=y) ** 2) / per_level[term])
        inner = [frozenset(names) for size in range(len(term) + 1) for names in combinations(sorted(term), size)]
        squares.append(sum((-1) ** (len(term) - len(part)) * raw[part] for part in inner))
        freedom.append(float(np.prod([int(codes[f].max()) for f in term])))
        expected.append([*(per_level[other] if term <= other else 0.0 for other in terms), 1.0])
    squares.append(float(y @ y) - sum(squares))
    freedom.append(n - 1.0 - sum(freedom))
    expected.append([0.0] * len(terms) + [1.0])
    return terms, np.array(squares), np.array(freedom), np.array(expected)


def _incomplete_analysis(codes: Mapping[str, Codes], y: Array) -> Analysis:
    """Return the analysis of the factors alone, each adjusted for all others (Henderson's method 3).

    What a factor Z takes off the squares that the others leave has expectation
    v_Z |M Z|^2 + v_rest (gain in rank), where M projects onto what the others leave: no other factor is in it.
    """
    dummies = {name: np.eye(int(part.max()) + 1)[part] for name, part in codes.items()}
    constant = np.ones((len(y), 1))
    everything = _basis([constant, *dummies.values()])
    left = float(y @ y) - float(np.sum((everything.T @ y) ** 2))
    rest = float(len(y) - everything.shape[1])
    squares, freedom, expected = [], [], []
    for i, name in enumerate(codes):
        others = _basis([constant, *(part for other, part in dummies.items() if other != name)])
        gain = everything.shape[1] - others.shape[1]
        own = dummies[name] - others @ (others.T @ dummies[name])
        squares.append(float(y @ y) - float(np.sum((others.T @ y) ** 2)) - left)
        freedom.append(float(gain))
        row = [0.0] * len(codes) + [1.0]
        row[i] = float(np.sum(own**2)) / max(gain, 1)
        expected.append(row)
    expected.append([0.0] * len(codes) + [1.0])
    terms = [frozenset([name]) for name in codes]
    return terms, np.array([*squares, left]), np.array([*freedom, rest]), np.array(expected)


def _basis(parts: Sequence[Array]) -> Array:
    """Return an orthonormal basis of what the columns span: (n, rank)."""
    vectors, sizes, _ = np.linalg.svd(np.hstack(parts), full_matrices=False)
    return np.asarray(vectors[:, sizes > 1e-9 * sizes[0]], dtype=np.float64)


def _components(
    codes: Mapping[str, Codes], terms: Sequence[Term], estimates: Array, draws: Array, level: float
) -> tuple[Component, ...]:
    """Return the factors' components and the remainder, the interactions among it."""
    names = list(codes)
    places = [terms.index(frozenset([name])) for name in names]
    rest = [i for i in range(len(estimates)) if i not in places]
    plain = np.append(estimates[places], estimates[rest].sum())
    drawn = np.maximum(np.column_stack([draws[:, places], draws[:, rest].sum(axis=1)]), 0.0)
    kept = np.maximum(plain, 0.0)
    shares = kept / max(float(kept.sum()), 1e-300)
    drawn_shares = drawn / np.maximum(drawn.sum(axis=1, keepdims=True), 1e-300)
    tails = [0.5 - level / 2, 0.5 + level / 2]
    ends, share_ends = np.quantile(drawn, tails, axis=0), np.quantile(drawn_shares, tails, axis=0)
    return tuple(
        Component(
            name=name,
            variance=float(kept[i]),
            low=float(ends[0, i]),
            high=float(ends[1, i]),
            share=float(shares[i]),
            share_low=float(share_ends[0, i]),
            share_high=float(share_ends[1, i]),
            estimate=float(plain[i]),
            truncated=bool(plain[i] < 0),
            levels=int(codes[name].max()) + 1 if name in codes else 0,
        )
        for i, name in enumerate([*names, "remainder"])
    )
