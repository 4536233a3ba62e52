"""Turns are taken in turn, as many as fit; medians, ratios and bars follow from them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.cases import BEST, CASES, Case, Share, Tolerance, xor
from benchmarks.rounds import Turn, play
from benchmarks.summary import Measured, summarise


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def player(self, name: str, seconds: float) -> Callable[[], Turn]:
        def turn() -> Turn:
            self.now += seconds
            self.log.append(name)
            return Turn(seconds)

        return turn

    def __call__(self) -> float:
        return self.now


def test_players_alternate() -> None:
    clock = Clock()
    turns = play({"A": clock.player("A", 1), "B": clock.player("B", 2), "C": clock.player("C", 3)}, 1, clock=clock)
    assert "".join(clock.log) == "ABCABCABC"
    assert {name: len(own) for name, own in turns.items()} == {"A": 3, "B": 3, "C": 3}


@pytest.mark.parametrize(("budget", "rounds"), [(0.5, 3), (3.0, 3), (5.0, 5), (5.9, 5), (1000.0, 60)])
def test_as_many_rounds_as_fit(budget: float, rounds: int) -> None:
    clock = Clock()
    play({"A": clock.player("A", 0.25), "B": clock.player("B", 0.75)}, budget, clock=clock)
    assert len(clock.log) == 2 * rounds


def measured(
    *seconds: float, first: float = 0.0, twice: float | None = None, evaluating: float = 0.0, **more: float
) -> Measured:
    turns = [Turn(value, evaluating, twice) for value in seconds]
    return Measured(Turn(first or seconds[0], evaluating, twice), turns, **more)  # type: ignore[arg-type]


def test_medians_and_factors() -> None:
    one = measured(1.0, 9.0, 2.0, first=5.0, evaluating=0.5, factor=10.0, compile_factor=3.0)
    assert one.seconds == 25.0
    assert one.training == 20.0
    assert one.compile == 9.0
    assert one.spread == (20.0, 60.0)


def test_what_a_call_does_beside_training() -> None:
    one = measured(3.0, twice=5.0)  # one second of set-up, two of training
    assert (one.seconds, one.training) == (3.0, 2.0)


def case(**more: object) -> Case:
    bars = ((BEST, 5.0), ("numpy", 10.0))
    return Case("W0", "a case", lambda quick: xor(1, 1), (), bars, Tolerance(1e-3), **more)  # type: ignore[arg-type]


CONTEST = {
    "chainrule": measured(2.0, first=3.0),
    "numpy": measured(16.0),
    "jax": measured(12.0, first=40.0),
    "jax broadcast": measured(10.0, first=110.0),
}


def test_ratios_and_bars() -> None:
    record = summarise(case(usual="jax"), CONTEST, 8e9, 0.25, 16.0)
    assert record["best_peer"] == "jax broadcast"
    assert record["ratio_to_best_peer"] == 5.0
    assert record["ratio_to_usual_peer"] == 6.0
    assert [(bar["reached"], bar["met"]) for bar in record["bars"]] == [(5.0, True), (8.0, False)]
    assert record["gflop"] == 8.0
    assert record["gflops"] == 4.0
    assert record["fraction_of_sgemm"] == 0.25
    assert record["share_without_zeros"] == 1.0


def test_compilation_counts_where_the_case_says_so() -> None:
    record = summarise(case(compile_included=True), CONTEST, 8e9, 1.0, 16.0)
    assert record["best_peer"] == "numpy"  # 16 s; jax 12 + 28, jax broadcast 10 + 100
    assert record["ratio_to_best_peer"] == pytest.approx(16 / 3)
    assert record["ratio_without_compiling"] == 5.0


def test_a_bar_needs_the_whole_call_and_the_training_alone() -> None:
    """A peer that is slow at evaluating only is not beaten five times."""
    record = summarise(case(), {"chainrule": measured(2.0), "jax": measured(6.0, evaluating=6.0)}, 1e9, 1.0, 1.0)
    (bar,) = record["bars"]
    assert (bar["reached"], bar["in_training_only"], bar["met"]) == (6.0, 3.0, False)


def test_without_peers_there_are_no_bars() -> None:
    record = summarise(case(), {"chainrule": measured(2.0)}, 1e9, 1.0, 1.0)
    assert record["bars"] == []
    assert record["best_peer"] is None


def test_parts_are_no_larger_than_the_work() -> None:
    """The quick work is small: shares made for the full one must fit into it."""
    for one in CASES:
        if not one.needs_mnist:
            work = one.make(True)
            for entry in one.entries:
                assert entry.quick.factor(work) >= 1.0
    assert Share(epochs=100).of(xor(1, 10)).epochs == 10
