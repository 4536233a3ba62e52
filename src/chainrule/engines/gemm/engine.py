"""The gemm engine as the rest of the package sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from chainrule.cohorts import Cohort
from chainrule.engines.compiled.engine import CompiledEngine
from chainrule.engines.compiled.geometry import SPATIAL

if TYPE_CHECKING:
    from chainrule.engines.compiled.making import Maker


class GemmEngine(CompiledEngine):
    """Trains a member at a time, or several in a thread each: the lanes of a vector are units of a layer."""

    name: ClassVar[str] = "gemm"

    def unsupported(self, cohort: Cohort) -> str | None:
        """Return why the engine cannot train the cohort, or None."""
        spatial = next((layer.name for layer in cohort.network.layers if isinstance(layer, SPATIAL)), None)
        if spatial is not None:
            return f"layer '{spatial}' is not computed by the gemm engine"
        return super().unsupported(cohort)

    def maker(self) -> Maker:
        """Return what makes blocks of one member."""
        from chainrule.engines.gemm.maker import GemmMaker

        return GemmMaker()
