"""Durations as people write them: ``90s``, ``10m``, ``1.5h``."""

from __future__ import annotations

import re

from chainrule.errors import ConfigError, one_line

_DURATION = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(?P<unit>[A-Za-z]*)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
MOST_SECONDS = 1e9


def parse_duration(text: str, option: str) -> float:
    """Read a duration in seconds: a number with one of the units s, m (or min), h and d; seconds without one."""
    found = _DURATION.fullmatch(text.strip())
    unit = found["unit"].lower() if found else "?"
    seconds = float(found["number"]) * _SECONDS[unit] if found and unit in _SECONDS else 0.0
    if not 0 < seconds <= MOST_SECONDS:
        raise ConfigError(f"{option}: '{one_line(text)}' is no duration; write one such as 90s, 10m or 1h")
    return seconds


def duration_text(seconds: float) -> str:
    """Write a duration: ``0.4 s``, ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600:,} h {whole % 3600 // 60} min"
