"""Numbers as a reader wants them: 1,000 · 0.01 · 10⁻⁴, with true minus signs."""

from __future__ import annotations

import math

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
