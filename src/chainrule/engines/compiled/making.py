"""How an engine makes its blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.engines.compiled.block import Block, Course, Part
from chainrule.engines.compiled.plan import Plan
from chainrule.engines.compiled.tracking import Tracking
from chainrule.nn import Array


@dataclass(frozen=True)
class Crew:
    """The members of a new block.

    Attributes
    ----------
    plans, places, thetas, rates : list
        One entry for each: plan, number in the bundle, initial weights (P,), base learning rate.
    course : Course
        How they are trained.
    train, validation : Part
        Their samples; `validation` may be None.
    tracking : Tracking
        Made for them.
    threads : int
        Threads that the block itself may use.
    """

    plans: list[Plan]
    places: list[int]
    thetas: list[Array]
    rates: list[float]
    course: Course
    train: Part
    validation: Part | None
    tracking: Tracking
    threads: int


class Maker(ABC):
    """Makes the blocks of one engine."""

    @abstractmethod
    def most(self, dtype: str, spatial: bool) -> int:
        """Return how many members a block has room for: of networks that know places, or of others."""

    @abstractmethod
    def make(self, crew: Crew) -> Block:
        """Return a block of new members."""

    def compact(self, blocks: Sequence[Block]) -> list[Block]:
        """Return the members still in training in as few blocks as possible; by default the blocks as they are."""
        return list(blocks)
