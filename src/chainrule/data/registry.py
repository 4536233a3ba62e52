"""The data sets that have a name."""

from __future__ import annotations

from chainrule.data._base import DataSource
from chainrule.data.images import Digits
from chainrule.data.points import Ellipse, Linear, Xor

_SOURCES: tuple[type[DataSource], ...] = (Linear, Xor, Ellipse, Digits)

DATASETS: dict[str, type[DataSource]] = {str(source.name): source for source in _SOURCES}
