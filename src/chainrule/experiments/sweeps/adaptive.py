"""Adaptive seeds: after the first seeds, more of them where it is open whether a cell works or fails.

A cell is open as long as the interval of its success rate contains one half. Looking at the runs before deciding
whether to add more makes ordinary intervals too narrow, so openness is judged by confidence sequences, which hold at
every number of seeds (`chainrule.stats.sequential`), and the cells of an adaptive sweep are shown with those, too:
also the cells that got no further seeds, since they were looked at as well.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.errors import ConfigError
from chainrule.experiments.recipes.grid import Cell
from chainrule.experiments.recipes.scores import SUCCESS, quantity_of
from chainrule.experiments.sweeps.result import anytime_rate
from chainrule.experiments.sweeps.sweeper import Sweeper
from chainrule.spec import require

HALF = 0.5
MOST_BATCH = 20


@dataclass(frozen=True)
class Adaptive:
    """How seeds are added.

    Attributes
    ----------
    batch : int or None
        Seeds that an open cell gets at a time; None: as many as all cells have at first, but at most 20.
    most : int or None
        Seeds a cell has at most; None: ten times as many as at first.
    level : float
        Confidence of the intervals.
    """

    batch: int | None = None
    most: int | None = None
    level: float = 0.95

    def __post_init__(self) -> None:
        require(self.batch is None or self.batch >= 1, f"adaptive: batch must be at least 1, got {self.batch}")
        require(self.most is None or self.most >= 1, f"adaptive: most must be at least 1, got {self.most}")
        require(0 < self.level < 1, f"adaptive: level lies between 0 and 1, got {self.level}")


def check_adaptive(recipe: Any, cells: Sequence[Cell]) -> None:
    """Refuse adaptive seeds where nothing says what works and what fails."""
    if quantity_of(recipe, [cell.setting for cell in cells]) != SUCCESS:
        raise ConfigError(
            "adaptive seeds need to know what a success is: give the recipe a [success] table, or a stopping rule "
            "that means success, such as loss_below(0.01)"
        )


def add_seeds(sweeper: Sweeper, cells: Sequence[Cell], seeds: Sequence[int], plan: Adaptive) -> str:
    """Add seeds to open cells until none is left, each has its most, or the sweep is stopped.

    Cells on the boundary (with a neighbour on the other side of one half) come before other open ones. Which cells
    get seeds depends on results alone, so that a sweep that is resumed takes the same way.

    Parameters
    ----------
    sweeper : Sweeper
        Has the runs of all cells from `seeds`; gets the further ones.
    cells : sequence of Cell
        The grid.
    seeds : sequence of int
        The seeds of all cells; further ones follow the last.
    plan : Adaptive
        How.

    Returns
    -------
    str
        What was done, as a sentence.
    """
    first, most = len(seeds), plan.most or 10 * len(seeds)
    batch = plan.batch or min(first, MOST_BATCH)
    states = {cell: _State(cell, sweeper, seeds, plan.level) for cell in cells}
    pairs = list(neighbours(cells))
    while not sweeper.stopped:
        waiting = {cell for cell, state in states.items() if state.open and not state.failed and state.n < most}
        boundary = {cell for pair in pairs if _opposite(states, pair) for cell in pair} & waiting
        chosen = [cell for cell in cells if cell in (boundary or waiting)]
        if not chosen:
            break
        work = [(cell.setting, states[cell].next_seeds(min(batch, most - states[cell].n))) for cell in chosen]
        sweeper.obtain(work, f"adding seeds to {len(chosen)} undecided cell{'' if len(chosen) == 1 else 's'}")
        for cell in chosen:
            states[cell].look()
    return _told(list(states.values()), first, most)


class _State:
    """One cell, and what its runs say so far."""

    def __init__(self, cell: Cell, sweeper: Sweeper, seeds: Sequence[int], level: float) -> None:
        self.cell, self.sweeper, self.level = cell, sweeper, level
        self.seeds = list(seeds)
        self.look()

    def next_seeds(self, count: int) -> list[int]:
        """Take further seeds."""
        start = max(self.seeds) + 1
        added = list(range(start, start + count))
        self.seeds += added
        return added

    def look(self) -> None:
        """Look at the results."""
        runs = self.sweeper.runs(self.cell.setting, self.seeds)
        self.n, self.failed = len(self.seeds), len(runs) < len(self.seeds)
        self.shown = anytime_rate(self.sweeper.successes(runs), self.level)

    @property
    def open(self) -> bool:
        """Whether the interval contains one half."""
        return self.shown.low <= HALF <= self.shown.high


def _opposite(states: dict[Cell, _State], pair: tuple[Cell, Cell]) -> bool:
    """Return whether two cells lie on different sides of one half, as far as can be seen."""
    a, b = (states[cell].shown.rate - HALF for cell in pair)
    return a * b <= 0 and not a == b == 0


def neighbours(cells: Sequence[Cell]) -> Iterator[tuple[Cell, Cell]]:
    """Yield pairs of cells that differ in one axis of numbers, where no cell lies between them.

    The values of an axis stand in the order of their size; lists of numbers, such as widths, in that of the grid.
    """
    axes = list(dict.fromkeys(axis for cell in cells for axis, _ in cell.place))
    for axis in axes:
        values = list(dict.fromkeys(dict(cell.place)[axis] for cell in cells if axis in dict(cell.place)))
        if all(_is_number(value) for value in values):
            values.sort()
        elif not all(isinstance(value, tuple) for value in values):
            continue
        lines: dict[object, list[tuple[int, Cell]]] = {}
        for cell in cells:
            rest = dict(cell.place)
            if axis in rest:
                rank = values.index(rest.pop(axis))
                lines.setdefault((cell.variant, tuple(sorted(rest.items(), key=repr))), []).append((rank, cell))
        for line in lines.values():
            for (_, left), (_, right) in itertools.pairwise(sorted(line, key=lambda pair: pair[0])):
                yield left, right


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _told(states: Sequence[_State], first: int, most: int) -> str:
    """Say what was done."""
    more = [state for state in states if state.n > first]
    still = [state for state in states if state.open]
    text = f"adaptive: {len(more)} of {len(states)} cells got more than the first {first} seeds"
    if more:
        text += f" ({sum(state.n - first for state in more):,} more in sum, at most {max(s.n for s in more):,} a cell)"
    it_lies = "it lies" if len(still) == 1 else "they lie"
    text += f"; for {len(still)} it is open on which side of 50 % {it_lies}" if still else "; none is left undecided"
    return f"{text}. All intervals of success rates hold at every number of seeds, and are wider for it."
