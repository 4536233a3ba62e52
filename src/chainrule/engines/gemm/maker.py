"""How the gemm engine makes its blocks."""

from __future__ import annotations

from chainrule.engines.compiled.block import Block
from chainrule.engines.compiled.making import Crew, Maker
from chainrule.engines.gemm.block import GemmBlock
from chainrule.engines.images.block import ImagesBlock


class GemmMaker(Maker):
    """Makes blocks of one member."""

    def most(self, dtype: str, spatial: bool) -> int:
        """Return 1."""
        return 1

    def make(self, crew: Crew) -> Block:
        """Return the block of a member."""
        kind = ImagesBlock if crew.plans[0].spatial else GemmBlock
        return kind(
            crew.plans[0],
            crew.places[0],
            crew.thetas[0],
            crew.rates[0],
            crew.course,
            crew.train,
            crew.validation,
            crew.tracking,
            crew.threads,
        )
