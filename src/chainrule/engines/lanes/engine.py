"""The lanes engine as the rest of the package sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from chainrule.cohorts import Cohort
from chainrule.engines.compiled.bundles import facts
from chainrule.engines.compiled.engine import CompiledEngine

if TYPE_CHECKING:
    from chainrule.engines.compiled.making import Maker


class LanesEngine(CompiledEngine):
    """Trains members side by side: each lane of a vector is a member."""

    name: ClassVar[str] = "lanes"

    def unsupported(self, cohort: Cohort) -> str | None:
        """Return why the engine cannot train the cohort, or None."""
        why = super().unsupported(cohort)
        if why is None and facts(cohort).plan.spatial:
            return "convolutions and poolings are computed by the gemm engine"
        return why

    def maker(self) -> Maker:
        """Return what makes blocks of as many members as there are lanes."""
        from chainrule.engines.lanes.maker import LanesMaker

        return LanesMaker()
