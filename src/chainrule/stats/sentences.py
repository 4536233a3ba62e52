"""How numbers read in verdict sentences."""

from __future__ import annotations


def number(value: float) -> str:
    """Write a number with three significant digits, thousands in full: ``-312``, ``0.0123``, ``12,346``."""
    if abs(value) >= 999.5:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """Write a share in percent with three significant digits, and more where it would read as all: ``99.98 %``."""
    texts = (f"{100 * share:.{digits}g}" for digits in range(3, 16))
    return next((text for text in texts if share >= 1.0 or float(text) < 100), "100") + " %"


def percent_range(low: float, high: float) -> str:
    """Write the ends of an interval of shares in percent, both as `percent` writes them: ``0 to 62.5``."""
    low, high = (round(end, 5) + 0.0 for end in (low, high))  # 6.7e-16 is what arithmetic leaves of 0; and no -0
    return f"{percent(low).removesuffix(' %')} to {percent(high).removesuffix(' %')}"


def p_text(p_value: float | None, p_adjusted: float | None = None) -> str:
    """Write a p-value: ``p = 0.012``, ``p < 0.0001``; an adjusted one says so."""
    p = p_value if p_adjusted is None else p_adjusted
    if p is None:
        return "no test"
    text = "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"
    return text if p_adjusted is None else f"{text} after Holm's correction"


def pairs_text(n: int, dropped: int) -> str:
    """Write the number of paired seeds, and how many had to be left out."""
    return f"{n} seeds" + (f" and {dropped} left out without a finite value" if dropped else "")
