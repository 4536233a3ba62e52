"""The lanes engine as the rest of the package sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from chainrule.engines.compiled.engine import CompiledEngine

if TYPE_CHECKING:
    from chainrule.engines.compiled.making import Maker


class LanesEngine(CompiledEngine):
    """Trains members side by side: each lane of a vector is a member."""

    name: ClassVar[str] = "lanes"

    def maker(self) -> Maker:
        """Return what makes blocks of as many members as there are lanes."""
        from chainrule.engines.lanes.maker import LanesMaker

        return LanesMaker()
