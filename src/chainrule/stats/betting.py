"""The capital of a bettor: evidence that may be looked at after every observation.

Say that the mean of observations in [0, 1] is claimed to be m. A bettor who disbelieves it stakes the share f of its
capital on the next observation x being larger: the capital is multiplied by 1 + f (x/m - 1), which is never negative
and whose expectation is 1 if the claim is true. Capital that started at 1 then reaches 1/alpha at *any* time with
probability at most alpha (Ville 1939), so a claim may be given up the moment it does, however often one looks.

The bettor here splits its capital over a fixed grid of shares and lets each grow by itself: the mean of the capitals
is what it holds (Robbins 1970; "hedged grid Kelly" in Waudby-Smith and Ramdas, "Estimating means of bounded random
variables by betting", JRSS-B 2024). Whatever the size of the effect, some share on the grid is near the
best one, and holding them all costs a factor of at most their number. For signs (+1 with probability 1/2 under the
claim) the same capital is Robbins's mixture of binomial likelihood ratios.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SHARES: Array = np.geomspace(0.02, 0.98, 16)
"""Shares of the capital that are staked. Neighbours differ by a factor of 1.3: where the best share lies between two
of them, about a tenth of its capital is lost by the time of a verdict."""


def log_capital(values: npt.ArrayLike, mean: float, held: Array | None = None) -> Array:
    """Return the logarithm of the capital after each observation, of a bettor against "the mean is at most `mean`".

    Against "the mean is at least m" bet on ``1 - values`` and ``1 - m``.

    Parameters
    ----------
    values : array (..., n)
        Observations in [0, 1], in their order; leading axes are separate sequences.
    mean : float
        The claimed mean, above 0 and at most 1.
    held : array (n_shares,), optional
        Logarithms of the capital that each share holds already (see `log_holdings`).

    Returns
    -------
    array (..., n)
    """
    gain = np.asarray(values, dtype=np.float64) / mean - 1.0
    start = np.zeros(len(SHARES)) if held is None else held
    total = np.full(gain.shape, -np.inf)
    for share, begun in zip(SHARES, start, strict=True):
        total = np.logaddexp(total, begun + np.cumsum(np.log1p(share * gain), axis=-1))
    return np.asarray(total - np.log(len(SHARES)), dtype=np.float64)


def log_holdings(values: Array, counts: Array, mean: float) -> Array:
    """Return the logarithm of what each share has made of 1 after `values` that came `counts` times: (n_shares,)."""
    return np.asarray(np.log1p(np.outer(SHARES, values / mean - 1.0)) @ counts, dtype=np.float64)


def log_sign_capital(wins: npt.ArrayLike, n: npt.ArrayLike) -> Array:
    """Return the logarithm of the capital after `wins` of `n` signs, against "a win has probability at most 1/2"."""
    won, lost = np.asarray(wins, dtype=np.float64), np.asarray(n, dtype=np.float64) - np.asarray(wins)
    grown = np.multiply.outer(won, np.log1p(SHARES)) + np.multiply.outer(lost, np.log1p(-SHARES))
    return np.asarray(np.logaddexp.reduce(grown, axis=-1) - np.log(len(SHARES)), dtype=np.float64)


def critical_wins(n: int, level: float) -> int:
    """Return how many wins of `n` signs show that a win is more likely than not; n + 1 if no number does.

    The risk 1 - level is split evenly over the two sides. The number never falls with n and grows by at most 1 per
    sign, since a win never loses capital.
    """
    known = _critical_wins(level)
    threshold = np.log(2.0 / (1.0 - level))
    while len(known) <= n:
        size, wins = len(known), known[-1]
        enough = wins <= size and log_sign_capital(wins, size) >= threshold
        known.append(wins if enough else wins + 1)
    return known[n]


@lru_cache(maxsize=64)
def _critical_wins(level: float) -> list[int]:
    """Return the list that `critical_wins` fills: its entry n is the number for n signs."""
    return [1]
