"""Tiny members whose training compiles every kernel, for `chainrule doctor --warm`."""

from __future__ import annotations

from collections.abc import Callable

SAMPLES: dict[str, Callable[[], object]] = {}
