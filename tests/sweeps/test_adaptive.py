"""Adaptive seeds: where they go, that they stop, and that intervals stay honest although somebody looked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ConfigError
from chainrule.experiments.recipes.grid import Cell, Setting
from chainrule.experiments.sweeps.adaptive import Adaptive, add_seeds, neighbours
from chainrule.experiments.sweeps.result import anytime_rate, on_shared_seeds
from chainrule.stats import success_rate
from tests.sweeps.conftest import Memory, make_experiment


def cell(variant: str | None = None, **place: Any) -> Cell:
    return Cell("r", tuple(place.items()), variant, Setting("xor", str(sorted(place.items())), str(variant)), 1)


def pairs(cells: Sequence[Cell]) -> set[tuple[str, str]]:
    return {(a.label, b.label) for a, b in neighbours(cells)}


def test_neighbours_differ_in_one_axis_of_numbers_by_one_step() -> None:
    cells = [
        cell(lr=rate, units=units, opt=opt) for rate in (1.0, 0.1, 0.3) for units in (2, 8) for opt in ("sgd", "adam")
    ]
    found = pairs(cells)
    assert ("lr=0.1, units=2, opt=sgd", "lr=0.3, units=2, opt=sgd") in found
    assert ("lr=0.3, units=8, opt=adam", "lr=1.0, units=8, opt=adam") in found
    assert ("lr=0.1, units=2, opt=sgd", "lr=0.1, units=8, opt=sgd") in found
    # 2 steps x 2 widths x 2 optimizers along lr, and 3 x 2 along units; words have no order
    assert len(found) == 8 + 6


def test_neighbours_of_conditional_axes_variants_and_widths() -> None:
    cells = [cell(opt="sgd"), cell(opt="momentum", beta=0.5), cell(opt="momentum", beta=0.9)]
    assert pairs(cells) == {("opt=momentum, beta=0.5", "opt=momentum, beta=0.9")}
    both = [cell(v, lr=rate) for rate in (1, 2) for v in (None, "w")]
    assert pairs(both) == {("lr=1", "lr=2"), ("lr=1, w", "lr=2, w")}
    assert pairs([cell(hidden=h) for h in ((2,), (4, 4), (3,))]) == {
        ("hidden=2", "hidden=4x4"),
        ("hidden=4x4", "hidden=3"),
    }


class Coins:
    """A sweep whose cells succeed with known probabilities."""

    def __init__(self, probabilities: dict[Cell, float], seed: int) -> None:
        self.rng, self.p = np.random.default_rng(seed), {c.setting: p for c, p in probabilities.items()}
        self.tossed: dict[Setting, list[bool]] = {}
        self.stopped = False
        self.rounds: list[list[tuple[Setting, int]]] = []

    def obtain(self, work: Iterable[tuple[Setting, Sequence[int]]], phase: str = "") -> bool:
        self.rounds.append([(setting, len(seeds)) for setting, seeds in work])
        for setting, count in self.rounds[-1]:
            self.tossed.setdefault(setting, []).extend((self.rng.random(count) < self.p[setting]).tolist())
        return True

    def runs(self, setting: Setting, seeds: Sequence[int]) -> list[bool]:
        return self.tossed[setting][: len(seeds)]

    def successes(self, runs: list[bool]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return np.array(runs, dtype=bool)


def toss(probabilities: dict[Cell, float], seed: int, first: int, plan: Adaptive) -> tuple[Coins, str]:
    coins = Coins(probabilities, seed)
    coins.obtain([(one.setting, range(first)) for one in probabilities])
    return coins, add_seeds(coins, list(probabilities), range(first), plan)  # type: ignore[arg-type]


def test_seeds_go_to_the_boundary() -> None:
    rates = (0.01, 0.03, 0.1, 0.3, 1.0)
    cells = {cell(lr=rate): p for rate, p in zip(rates, (0.0, 0.02, 0.5, 0.97, 1.0), strict=True)}
    coins, told = toss(cells, seed=3, first=20, plan=Adaptive(most=120))
    counts = [len(coins.tossed[one.setting]) for one in cells]
    assert counts == [20, 20, 120, 20, 20]
    assert "1 of 5 cells got more than the first 20 seeds (100 more in sum, at most 120 a cell)" in told
    assert [len(one) for one in coins.rounds] == [5, 1, 1, 1, 1, 1]


def test_every_cell_is_decided_or_has_its_most() -> None:
    cells = {cell(lr=float(k)): p for k, p in enumerate(np.linspace(0.0, 1.0, 9))}
    coins, _ = toss(cells, seed=0, first=10, plan=Adaptive(batch=7, most=95))
    for one in cells:
        held = np.array(coins.tossed[one.setting])
        interval = anytime_rate(held)
        assert len(held) == 95 or not interval.low <= 0.5 <= interval.high


def test_intervals_of_cells_that_were_looked_at_cover_the_truth() -> None:
    """60 cells on the edge of the decision: the exact interval for a fixed number would miss too often."""
    p, missed, fixed, n = 0.42, 0, 0, 0
    for trial in range(2):
        cells = {cell(lr=float(k)): p for k in range(30)}
        coins, _ = toss(cells, seed=trial, first=10, plan=Adaptive(batch=15, most=100))
        for one in cells:
            held = np.array(coins.tossed[one.setting])
            honest, naive = anytime_rate(held), success_rate(int(held.sum()), len(held))
            missed += not honest.low <= p <= honest.high
            fixed += not naive.low <= p <= naive.high
            n += 1
    assert success_rate(missed, n).low <= 0.05
    assert missed < fixed


def test_an_adaptive_sweep_is_repeatable_and_resumes(memory: Memory) -> None:
    experiment = make_experiment(rates=(0.3, 1.0, 5.0), optimizers=("sgd",), epochs=60)
    plan = Adaptive(batch=5, most=25)
    result = experiment.run(store=memory, adaptive=plan, fresh=0)
    counts = [len(one.runs) for one in result]
    assert result.computed == sum(counts) > 15
    assert all(one.adaptive for one in result)
    again = experiment.run(store=memory, adaptive=plan, fresh=0)
    assert [len(one.runs) for one in again] == counts
    assert (again.computed, again.reused) == (0, sum(counts))
    shared = on_shared_seeds(result)
    assert [one.seeds for one in shared] == [(0, 1, 2, 3, 4)] * 3
    for one in result:
        rate = result.success_rate(one)
        assert rate is not None
        assert (rate.low, rate.high) == (anytime_rate(result.successes(one.runs)).low, rate.high)


def test_adaptive_seeds_need_a_success_rule() -> None:
    with pytest.raises(ConfigError, match=r"need to know what a success is"):
        make_experiment(more="").run(adaptive=True)
    with pytest.raises(ConfigError, match="adaptive: most is 4, fewer than the 5 seeds"):
        make_experiment().run(adaptive=Adaptive(most=4))
    for impossible in ({"batch": 0}, {"most": 0}, {"level": 1.0}):
        with pytest.raises(ConfigError, match="adaptive"):
            Adaptive(**impossible)
