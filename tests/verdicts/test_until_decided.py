"""Seeds added until a comparison is decided: when it stops, what it says, and that looking often does no harm."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from chainrule import compare
from chainrule.experiments.store import Store
from chainrule.experiments.verdicts.measures import Values, parse_measure
from chainrule.experiments.verdicts.until_decided import FIRST_BATCH, LARGEST_BATCH, batches, run_until_decided
from chainrule.experiments.verdicts.verdict import Verdict

ADAM, SGD = "optimizer=adam,learning_rate=0.3", "optimizer=sgd,learning_rate=0.3"
Draw = Callable[[np.random.Generator, int], tuple[Values, Values]]


def decide(draw: Draw, quantity: str = "success", most: int = 2000, margin: float = 0.0, seed: int = 0) -> Verdict:
    """Decide between two sides whose values are drawn."""
    rng = np.random.default_rng(seed)

    def get(seeds: Sequence[int]) -> tuple[Values, Values]:
        return draw(rng, len(seeds))

    return run_until_decided(("A", "B"), parse_measure(quantity), range(most), get, 0.95, margin)


def rates(a: float, b: float) -> Draw:
    return lambda rng, n: ((rng.random(n) < a).astype(float), (rng.random(n) < b).astype(float))


def test_batches_use_every_seed_once_and_grow_by_half() -> None:
    cut = list(batches(range(5000)))
    assert [seed for batch in cut for seed in batch] == list(range(5000))
    assert [len(batch) for batch in cut[:4]] == [FIRST_BATCH, 16, 16, 24]
    assert max(len(batch) for batch in cut) == LARGEST_BATCH
    assert list(batches([])) == []
    assert [len(batch) for batch in batches(range(20))] == [16, 4]


def test_a_clear_difference_is_decided_early_either_way() -> None:
    for a, b, who in ((0.9, 0.4, "a"), (0.4, 0.9, "b")):
        verdict = decide(rates(a, b))
        assert verdict.decision == who
        assert verdict.n_seeds < 200
        better = "A" if who == "a" else "B"
        assert verdict.sentence.startswith(f"{better} succeeds more often than")
        assert f"decided after {verdict.n_seeds} of at most 2,000 paired seeds (seeds 0 to" in verdict.sentence
        assert "a difference of -" not in verdict.sentence  # told from the winner's side


def test_equals_need_a_margin() -> None:
    verdict = decide(rates(0.5, 0.5), most=20_000, margin=0.1)
    assert verdict.decision == "equal"
    assert "practically equal in success rate to within 10 points" in verdict.sentence
    verdict = decide(rates(0.5, 0.5), most=300)
    assert verdict.decision == "undecided"
    assert verdict.sentence.startswith("It cannot be told yet whether A or B is better in success rate")
    assert "after 300 of at most 300 paired seeds" in verdict.sentence


def test_ties_through_and_through_are_equal_and_end_it() -> None:
    verdict = decide(lambda rng, n: (np.full(n, 60.0), np.full(n, 60.0)), "epochs", most=5000)
    assert verdict.decision == "equal"
    assert verdict.n_seeds < 200


def test_metrics_without_bounds_are_compared_by_their_median_and_diverged_runs_are_worst() -> None:
    def draw(rng: np.random.Generator, n: int) -> tuple[Values, Values]:
        a = rng.standard_cauchy(n)
        b = a + 1.0 + rng.standard_cauchy(n)
        b[rng.random(n) < 0.2] = np.nan
        return a, b

    verdict = decide(draw, "loss")
    assert verdict.decision == "a"
    assert verdict.numbers["statistic"] == "median"
    assert "has a lower final loss than B: ahead in 14 of 16 seeds, median difference -1.45" in verdict.sentence


def accuracies(gap: float) -> Draw:
    def draw(rng: np.random.Generator, n: int) -> tuple[Values, Values]:
        b = rng.normal(0.8, 0.01, n)
        return np.round((b + rng.normal(gap, 0.01, n)) * 150) / 150, np.round(b * 150) / 150

    return draw


def test_accuracies_are_compared_by_who_is_ahead() -> None:
    """Half a standard deviation apart: the signs tell it in about 60 seeds, the mean within [0, 1] in about 1,250."""
    verdict = decide(accuracies(0.005), "accuracy")
    assert verdict.decision == "a"
    assert verdict.n_seeds < 400
    assert verdict.numbers["statistic"] == "median"
    assert " and behind in " in verdict.sentence  # in steps of 1/150 there are ties
    swapped = decide(lambda rng, n: accuracies(0.005)(rng, n)[::-1], "accuracy")
    assert swapped.decision == "b"
    assert "B has a higher final accuracy than A: ahead in" in swapped.sentence
    assert decide(accuracies(0.0), "accuracy", margin=0.01).decision == "equal"


def test_five_seeds_decide_nothing() -> None:
    verdict = decide(rates(1.0, 0.0), most=5)
    assert verdict.decision == "no verdict"
    assert "5 paired seeds, and at least 6 are needed" in verdict.sentence


def test_looking_after_every_batch_gives_few_false_verdicts() -> None:
    """Of 100 A/A comparisons of up to 150 seeds at most 5 % are expected to end falsely: 10 are the 99 % point."""
    false = sum(decide(rates(0.6, 0.6), most=150, seed=seed).decided for seed in range(100))
    assert false <= 10


def test_the_interval_covers_the_truth_at_every_look() -> None:
    missed = 0
    for seed in range(40):
        path = decide(rates(0.7, 0.6), most=150, seed=seed).numbers["path"]
        missed += any(not low <= 0.1 <= high for _, low, _, high in path)
    assert missed <= 5


def test_the_path_narrows() -> None:
    path = decide(rates(0.55, 0.5), most=800).numbers["path"]
    assert [n for n, *_ in path] == sorted({n for n, *_ in path})
    assert all(a[1] <= b[1] and b[3] <= a[3] for a, b in itertools.pairwise(path))


def test_a_recipe_grows_until_decided_and_resumes_from_its_store(recipe: Path, tmp_path: Path) -> None:
    def ask(store: Path | None, most: int = 400) -> Verdict:
        return compare(
            recipe,
            recipe,
            where_a=ADAM,
            where_b=SGD,
            quantity="accuracy",
            until_decided=True,
            max_seeds=most,
            store=store,
        )

    store = tmp_path / "runs.db"
    cut = ask(store, most=20)
    whole = ask(store)
    fresh = ask(None)
    assert whole.sentence == fresh.sentence
    assert whole.decided
    assert whole.numbers["reused"] == 2 * cut.n_seeds
    assert whole.numbers["computed"] == 2 * (whole.n_seeds - cut.n_seeds)
    again = ask(store)
    assert (again.numbers["computed"], again.numbers["reused"]) == (0, 2 * whole.n_seeds)
    with Store.open(store) as opened:
        assert opened.count() == 2 * whole.n_seeds


def test_tuned_sides_are_judged_on_seeds_that_did_not_tune(recipe: Path) -> None:
    verdict = compare(
        recipe, recipe, where_a="optimizer=adam", where_b="optimizer=sgd", quantity="accuracy", until_decided=True
    )
    assert verdict.numbers["tuning"]["choosing_seeds"] == tuple(range(24))
    assert min(verdict.numbers["seeds"]) == 24
    assert "each was tuned over 2 settings on 24 other seeds" in verdict.sentence


@pytest.mark.parametrize("margin", [0.0, 0.2])
def test_the_listener_hears_every_batch(recipe: Path, margin: float) -> None:
    heard: list[float] = []
    compare(
        recipe,
        recipe,
        where_a=ADAM,
        where_b=SGD,
        until_decided=True,
        max_seeds=40,
        margin=margin,
        progress=lambda text, share: heard.append(share),
    )
    assert heard
    assert heard == sorted(heard)
