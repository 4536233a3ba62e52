"""How the lanes engine makes its blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.engines.compiled.block import Block
from chainrule.engines.compiled.making import Crew, Maker
from chainrule.engines.lanes.block import LanesBlock, lanes_for


class LanesMaker(Maker):
    """Makes blocks of as many members as a vector has lanes."""

    def most(self, dtype: str, spatial: bool) -> int:
        """Return the lanes of a vector."""
        return lanes_for(np.dtype(dtype), spatial)

    def make(self, crew: Crew) -> Block:
        """Return a block of new members."""
        return LanesBlock(
            crew.plans, crew.places, crew.thetas, crew.rates, crew.course, crew.train, crew.validation, crew.tracking
        )

    def compact(self, blocks: Sequence[Block]) -> list[Block]:
        """Return the members still in training in as few blocks as they fill."""
        return list(LanesBlock.compact([block for block in blocks if isinstance(block, LanesBlock)]))
