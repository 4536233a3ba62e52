"""Interleaved repeats: A, B, C, A, B, C, ... so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

LEAST, MOST = 3, 60


class Turn(NamedTuple):
    """One timed call.

    Attributes
    ----------
    calling : float
        Seconds of the call that trains.
    evaluating : float
        Seconds of evaluating before and after, if that is not in the call.
    twice : float or None
        Seconds of the same call for twice the epochs, if the call does more than training.
    """

    calling: float
    evaluating: float = 0.0
    twice: float | None = None

    @property
    def whole(self) -> float:
        """Seconds of the call as a user makes it."""
        return self.calling + self.evaluating

    @property
    def training(self) -> float:
        """Seconds of training alone."""
        return self.calling if self.twice is None else max(self.twice - self.calling, 1e-9)


def play(
    players: Mapping[str, Callable[[], Turn]],
    budget: float,
    least: int = LEAST,
    most: int = MOST,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[Turn]]:
    """Let every player have its turn, round after round, as long as another round fits into the budget.

    Parameters
    ----------
    players : mapping of str to callable
        Each makes one timed call.
    budget : float
        Seconds for all rounds together; `least` rounds are played however long they take.
    """
    turns: dict[str, list[Turn]] = {name: [] for name in players}
    started, longest = clock(), 0.0
    for number in range(most):
        begun = clock()
        if number >= least and begun - started + longest > budget:
            break
        for name, player in players.items():
            turns[name].append(player())
        longest = max(longest, clock() - begun)
    return turns
