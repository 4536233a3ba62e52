"""Gradient clipping: bound the length of a member's gradient, or each of its components.

Source: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013.
"""

from __future__ import annotations

import numpy as np

from chainrule.optim._base import Array
from chainrule.spec import require


def clip_by_norm(grad: Array, max_norm: float) -> Array:
    """Shorten every member's gradient to Euclidean length `max_norm` where it is longer.

    Parameters
    ----------
    grad : (m, P) array
        Gradients; not changed.
    max_norm : float
        The longest length allowed, above 0.

    Returns
    -------
    (m, P) array
        The direction is kept, and so is the dtype. A gradient with a NaN or an infinity comes back as it is,
        for the divergence guard to find: it has no direction left to keep.

    Raises
    ------
    ConfigError
        If `max_norm` is not above 0.
    """
    require(0.0 < max_norm <= 1e300, f"clip_norm must be above 0, got {max_norm}")
    if grad.shape[-1] == 0:
        return grad
    largest = np.max(np.abs(grad), axis=-1, keepdims=True)  # (m, 1)
    usable = np.isfinite(largest) & (largest > 0)
    # |g| = largest * |g / largest|: the squares can neither overflow nor vanish.
    unit = grad / np.where(usable, largest, 1)
    with np.errstate(all="ignore"):  # what overflows here is not taken
        relative = np.sqrt(np.sum(unit * unit, axis=-1, keepdims=True))  # (m, 1), between 1 and sqrt(P)
        too_long = usable & (relative > max_norm / np.where(usable, largest, 1))
        # The bound is divided by `relative` only, because `unit` has already been divided by `largest`.
        return np.where(too_long, unit * (max_norm / relative), grad)


def clip_by_value(grad: Array, limit: float) -> Array:
    """Cut every component of the gradient to the range from -limit to limit.

    Parameters
    ----------
    grad : (m, P) array
        Gradients; not changed.
    limit : float
        The largest component allowed, above 0.

    Returns
    -------
    (m, P) array
        Same dtype. Infinities and NaN come back as they are, for the divergence guard to find.

    Raises
    ------
    ConfigError
        If `limit` is not above 0.
    """
    require(0.0 < limit <= 1e300, f"clip_value must be above 0, got {limit}")
    return np.where(np.isinf(grad), grad, np.clip(grad, -limit, limit))
