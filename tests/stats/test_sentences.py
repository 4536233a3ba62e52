"""How numbers read."""

from __future__ import annotations

import pytest

from chainrule.stats.sentences import number, p_text, pairs_text, percent, percent_range


@pytest.mark.parametrize(
    ("value", "text"),
    [(-312.0, "-312"), (0.012345, "0.0123"), (12345.6, "12,346"), (0.0, "0"), (1e-9, "1e-09"), (-999.6, "-1,000")],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


def test_the_rest() -> None:
    assert percent(0.95) == "95 %"
    assert percent(0.9991) == "99.9 %"
    assert percent(0.99999) == "99.999 %"
    assert percent(1.0) == "100 %"
    assert percent_range(0.995, 1.0) == "99.5 to 100"  # and not 1e+02
    assert percent_range(-1e-17, 6.7e-16) == "0 to 0"
    assert percent_range(0.875, 0.875) == "87.5 to 87.5"
    assert p_text(0.01234) == "p = 0.012"
    assert p_text(1e-12) == "p < 0.0001"
    assert p_text(0.01, 0.04) == "p = 0.04 after Holm's correction"
    assert p_text(None) == "no test"
    assert pairs_text(30, 0) == "30 seeds"
    assert pairs_text(28, 2) == "28 seeds and 2 left out without a finite value"
