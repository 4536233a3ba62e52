"""Interleaved repeats: A, B, C, A, B, C, ... so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

LEAST, MOST = 3, 60


class Turn(NamedTuple):
    """One timed call: seconds of training, of evaluating before and after, and of the same call for no epochs."""

    training: float
    evaluating: float = 0.0
    empty: float = 0.0

    @property
    def whole(self) -> float:
        """Seconds of the call as a user makes it."""
        return self.training + self.evaluating


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
