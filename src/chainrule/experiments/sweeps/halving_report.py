"""What successive halving saved, and what it would have cost to be wrong."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from chainrule.experiments.recipes.scores import SUCCESS
from chainrule.stats import RateInterval


@dataclass(frozen=True)
class Rung:
    """One rung: the share of the epochs it trains, the cells it began with and those that went on."""

    share: float
    cells: int
    kept: int


@dataclass(frozen=True)
class HalvingReport:
    """What halving saved, and what it would have cost to be wrong.

    Attributes
    ----------
    rungs : tuple of Rung
        From the shortest.
    pruned : int
        Cells given up.
    checked : int
        How many of them, drawn at random, were trained to the end all the same.
    beaten : RateInterval or None
        How many of those beat the best cell that was kept, on the same seeds; None if none was checked.
    lost : float
        How much better the best of them was than the best that was kept; 0 if none was better.
    quantity : str
        What they were compared by.
    epochs, epochs_whole : int
        Epochs trained in sum over members, the check included, and what the whole grid would have taken.
    seconds, seconds_whole : float
        The same in seconds of members' time; that of the whole grid is an estimate.
    """

    rungs: tuple[Rung, ...]
    pruned: int
    checked: int
    beaten: RateInterval | None
    lost: float
    quantity: str
    epochs: int
    epochs_whole: int
    seconds: float
    seconds_whole: float

    @property
    def sentence(self) -> str:
        """The report in words."""
        text = self._cost()
        if not self.pruned:
            return f"{text}."
        if self.beaten is None:
            return f"{text}; none of the cells given up was checked, so what that cost is not known."
        text += f"; of {self.checked} cells given up that were trained to the end as a check, {self.beaten.successes}"
        text += f" beat the best cell kept ({100 * self.level:.3g} % interval of their share: "
        text += f"{100 * self.beaten.low:.3g} to {100 * self.beaten.high:.3g} %)"
        if self.beaten.successes:
            what = "success rate" if self.quantity == SUCCESS else self.quantity
            text += f", the best of them by {self.lost:.3g} in {what}"
        return f"{text}."

    def _cost(self) -> str:
        """Say what it trained; on small grids rungs and check cost more than the cells given up save."""
        share = self.epochs / self.epochs_whole if self.epochs_whole else 1.0
        gave_up = f"halving gave up {self.pruned or 'no'} cell{'' if self.pruned == 1 else 's'}"
        if share < 1:
            text = f"{gave_up} and trained {100 * share:.3g} % of the whole grid's epochs"
            times = f"{self.seconds:.3g} s of training instead of about {self.seconds_whole:.3g}"
            return f"{text} ({times if self.seconds < self.seconds_whole else f'but saved no time: {times}'})"
        why = (
            "its rungs and its check took more than that saved" if self.pruned else "no cell was worse than those kept"
        )
        return f"{gave_up} and saved nothing: it trained {100 * share:.3g} % of the whole grid's epochs, since {why}"

    @property
    def level(self) -> float:
        """Confidence of the interval."""
        return 0.95 if self.beaten is None else self.beaten.level

    def record(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self) | {"sentence": self.sentence}
