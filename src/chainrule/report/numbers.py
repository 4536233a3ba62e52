"""Numbers as a reader wants them: 1,000 · 0.01 · 10⁻⁴, with true minus signs."""

from __future__ import annotations

import math

import numpy as np

from chainrule.report._base import Array

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_of_ten(exponent: int) -> str:
    """Write 10 to an exponent with superscripts: ``10⁻⁴``."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def number(value: float) -> str:
    """Write a number for a reader: thousands separated, powers of ten as such, a true minus sign."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    size = abs(value)
    if value == 0 or 1e-3 <= size < 1e6:
        text = f"{value:,.4g}" if size < 1e4 else f"{value:,.0f}"
        return text.replace("-", "−")
    exponent = math.floor(math.log10(size))
    mantissa = f"{value / 10.0**exponent:.3g}" if exponent > -300 else "0"
    if mantissa.lstrip("-") == "10":
        mantissa, exponent = mantissa[:-1], exponent + 1
    power = power_of_ten(exponent)
    text = {"1": power, "-1": f"-{power}"}.get(mantissa, f"{mantissa} × {power}")
    return text.replace("-", "−")


def aligned(values: Array) -> tuple[list[list[str]], str]:
    """Write a matrix (rows, columns) with equal decimals, four digits of its largest entry or a few more.

    Returns
    -------
    rows : list of list of str
    factor : str
        The power of ten that was taken out of very large or very small matrices, or "".
    """
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if finite.size else 0.0
    exponent = math.floor(math.log10(largest)) if largest > 0 else 0
    factor = exponent if not -3 <= exponent <= 4 else 0
    if largest == 0 or (factor == 0 and (finite == np.round(finite)).all()):
        decimals = 0
    else:
        decimals = 3 if factor else min(max(3 - exponent, 0), 4 - min(exponent, 0))
    rows = [[_fixed(float(value), factor, decimals) for value in row] for row in values]
    return rows, power_of_ten(factor) if factor else ""


def _fixed(value: float, exponent: int, decimals: int) -> str:
    """Write a value over a power of ten with a fixed number of decimals."""
    if not math.isfinite(value):
        return number(value)
    text = f"{value / 10.0**exponent if exponent > -300 else 0.0:,.{decimals}f}"
    return text.replace("-", "−")
