"""Samplers: which cells of a recipe's grid are tried.

``grid`` tries all of them, ``random`` draws some without replacement, ``optuna`` proposes one batch after the other
from what the earlier ones showed (`chainrule.experiments.sweeps.optuna_sampler`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.errors import ConfigError, show, unknown_name
from chainrule.experiments.recipes.grid import Cell, expand
from chainrule.experiments.sweeps.sweeper import Sweeper
from chainrule.random import stream

SAMPLERS = ("grid", "random", "optuna")
TRIALS = 50


@dataclass(frozen=True)
class Sampling:
    """A sampler and how many cells it tries.

    Attributes
    ----------
    kind : str
        One of `SAMPLERS`.
    trials : int or None
        How many; None: 50. The grid takes none.
    seed : int
        Equal seeds give equal cells, as far as the results that a sampler learns from are equal.
    """

    kind: str = "grid"
    trials: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in SAMPLERS:
            raise ConfigError(unknown_name("sampler", str(self.kind), SAMPLERS))
        if self.trials is not None and (self.kind == "grid" or not 1 <= self.trials <= 100_000):
            why = "the grid tries every cell" if self.kind == "grid" else "from 1 to 100,000"
            raise ConfigError(f"trials = {show(self.trials)}: {why}")

    @property
    def count(self) -> int:
        """How many cells are tried at most."""
        return TRIALS if self.trials is None else self.trials


def sample_cells(sweeper: Sweeper, sampling: Sampling, seeds: Sequence[int], quick: bool) -> tuple[list[Cell], str]:
    """Return the cells to be tried, each with its variants, and what a reader must know about their choice.

    Optuna's cells have been run by then: it learns from them.
    """
    if sampling.kind == "optuna":
        from chainrule.experiments.sweeps.optuna_sampler import propose

        tried = propose(sweeper, seeds, sampling.count, sampling.seed, quick)
        return tried, f"sampler optuna: {len(tried)} cells were tried in {sampling.count} trials"
    cells = expand(sweeper.recipe, quick)
    places = list(dict.fromkeys(cell.place for cell in cells))
    if sampling.kind == "grid" or sampling.count >= len(places):
        return cells, ""
    order = stream(sampling.seed, "order").permutation(len(places))[: sampling.count]
    drawn = {places[k]: number for number, k in enumerate(order.tolist())}
    tried = sorted((cell for cell in cells if cell.place in drawn), key=lambda cell: drawn[cell.place])
    return tried, f"sampler random: {len(drawn)} of {len(places)} places of the grid were tried"
