"""The gemm engine as the rest of the package sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from chainrule.engines.compiled.engine import CompiledEngine

if TYPE_CHECKING:
    from chainrule.engines.compiled.making import Maker


class GemmEngine(CompiledEngine):
    """Trains a member at a time, or several in a thread each: the lanes of a vector are units of a layer."""

    name: ClassVar[str] = "gemm"

    def maker(self) -> Maker:
        """Return what makes blocks of one member."""
        from chainrule.engines.gemm.maker import GemmMaker

        return GemmMaker()
