"""Cohorts: who is trained together, on which data, and what is refused before any training."""

from __future__ import annotations

import pickle
import tracemalloc
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest

from chainrule import Dataset, Member, Network, TrainingConfig, mlp
from chainrule.cohorts import _Drawer, make_cohorts
from chainrule.data import DataSource, FixedSource, load
from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.nn import Standardize


@dataclass(frozen=True)
class Counting(DataSource):
    """Regression data of a seed, which remembers what was drawn."""

    name: ClassVar[str] = "counting"
    varies: ClassVar[bool] = True
    n: int = 10
    grows: bool = False
    drawn: list[int] = field(default_factory=list)

    def draw(self, seed: int) -> Dataset:
        self.drawn.append(seed)
        rng = np.random.default_rng(seed)
        n = self.n + seed * self.grows
        return Dataset("counting", rng.normal(size=(n, 2)), rng.normal(size=n), "regression")


def members(seeds: int = 3, rates: tuple[float, ...] = (0.1,), **settings: Any) -> list[Member]:
    config = TrainingConfig(**settings)
    return [Member(mlp([3]), config.replace(learning_rate=rate), seed) for rate in rates for seed in range(seeds)]


def test_members_that_differ_in_rate_and_seed_only_are_together() -> None:
    base = TrainingConfig()
    everyone = [
        Member(mlp([3]), base, 0),
        Member(mlp([4]), base, 0),
        Member(mlp([3]), base.replace(learning_rate=0.7), 5),
        Member(mlp([3]), base.replace(optimizer="adam"), 0),
        Member(mlp([3]), base, 1),
        Member(mlp([4]), base, 2),
    ]
    cohorts = make_cohorts(everyone, load("linear"))
    assert [places for places, _ in cohorts] == [[0, 2, 4], [1, 5], [3]]
    for places, cohort in cohorts:
        for place, member in zip(places, cohort.members(), strict=True):
            asked = everyone[place]
            assert member.network == asked.network.bind(2, 1, "sigmoid")
            assert (member.config, member.seed) == (asked.config, asked.seed)
    first = cohorts[0][1]
    assert (len(first), first.seeds, first.learning_rates.tolist()) == (3, (0, 5, 1), [0.1, 0.7, 0.1])


def test_data_are_shared_where_they_are_equal() -> None:
    ((_, fixed),) = make_cohorts(members(3), load("xor"))
    assert fixed.draws == (0, 0, 0)
    assert fixed.splits[0] is fixed.splits[2]
    ((_, drawn),) = make_cohorts(members(2, (0.1, 0.2)), load("linear"))
    assert drawn.draws == (0, 1, 0, 1)
    taken = drawn.take([0, 1, 2])
    assert taken.splits[0] is taken.splits[2]
    assert taken.splits[0].train.fingerprint == load("linear").draw(0).fingerprint
    assert taken.splits[1].train.fingerprint == load("linear").draw(1).fingerprint
    ((_, split),) = make_cohorts(members(2, validation=0.3), load("xor"))  # a split is drawn from the seed
    assert split.draws == (0, 1)
    assert make_cohorts(members(2, test=0.3), load("xor"))[0][1].draws == (0, 1)
    assert split.splits[0].train_rows.tolist() != split.splits[1].train_rows.tolist()  # type: ignore[union-attr]


def test_cohorts_that_split_otherwise_share_nothing() -> None:
    """Same seed, but another way to split: other rows."""
    ways: list[dict[str, Any]] = [
        {"validation": 0.3}, {"validation": 0.3, "stratify": True}, {"validation": 0.2}, {"test": 0.3},
    ]  # fmt: skip
    everyone = [member for way in ways for member in members(1, **way)]
    rows = [cohort.splits[0].train_rows for _, cohort in make_cohorts(everyone, load("gaussians(n=20)"))]
    alone = [make_cohorts([member], load("gaussians(n=20)"))[0][1].splits[0].train_rows for member in everyone]
    for one, other in zip(rows, alone, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len({tuple(part.tolist()) for part in rows if part is not None}) >= 3


def test_take_keeps_order_and_rates() -> None:
    ((_, cohort),) = make_cohorts(members(3, (0.1, 0.2)), load("linear"))
    part = cohort.take([4, 0])
    assert (part.seeds, part.learning_rates.tolist(), part.draws) == ((1, 0), [0.2, 0.1], (1, 0))
    assert isinstance(part.splits, tuple)
    assert [member.config.learning_rate for member in part.members()] == [0.2, 0.1]
    assert len(cohort.splits[1:3]) == 2


def test_a_part_of_a_cohort_travels_between_processes() -> None:
    ((_, cohort),) = make_cohorts(members(3), load("linear(n=9)"))
    part = cohort.take([2, 0])
    again = pickle.loads(pickle.dumps(part))
    assert (again.network, again.config, again.seeds) == (part.network, part.config, (2, 0))
    assert [parts.train.fingerprint for parts in again.splits] == [parts.train.fingerprint for parts in part.splits]


def test_small_data_are_drawn_once() -> None:
    source = Counting()
    cohorts = make_cohorts(members(4, (0.1, 0.2)) + members(4, optimizer="adam"), source)
    for _, cohort in cohorts:
        cohort.take(range(len(cohort)))
    assert source.drawn == [0, 1, 2, 3]


def test_large_data_live_only_as_long_as_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Drawer, "KEEP_BYTES", 3 * 10 * 2 * 8)
    source = Counting()
    ((_, cohort),) = make_cohorts(members(6), source)
    assert source.drawn == [0, 1, 2, 3, 4, 5]  # each was looked at, so that bad data show before training
    taken = cohort.take([0, 5, 5, 4])
    assert source.drawn == [0, 1, 2, 3, 4, 5, 5, 4]  # the first three are kept, the others drawn again
    assert cohort.splits[5] is taken.splits[1]
    assert source.drawn[8:] == []  # while somebody holds them, they are not drawn again
    del taken
    assert cohort.splits[5].train.n == 10
    assert source.drawn[8:] == [5]


def test_many_members_with_splits_of_their_own_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The splits of a hundred seeds are 24 MB in all; a megabyte of them is kept."""
    monkeypatch.setattr(_Drawer, "KEEP_BYTES", 10**6)
    source = FixedSource(Counting(n=10_000).draw(0))
    tracemalloc.start()
    cohorts = make_cohorts(members(100, validation=0.2), source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(cohorts[0][1]) == 100
    assert peak < 4e6


def test_parts_of_different_shape_cannot_be_stacked() -> None:
    with pytest.raises(ShapeError, match=r"the train parts of seeds 0 and 1 have shapes .*\(10, 2\).*\(11, 2\)"):
        make_cohorts(members(3), Counting(grows=True))


def test_numbers_beyond_float32_are_refused_for_float32_only() -> None:
    X = np.array([[1.0], [1e39], [2.0]])
    for data in (
        Dataset("large", X, np.array([0.0, 1.0, 2.0]), "regression"),
        Dataset("large", X / 1e39, np.array([0.0, 1e39, 2.0]), "regression"),
        Dataset("large", X / 1e39, np.array([0.0, 1.0, 2.0]), "regression", sample_weight=X[:, 0]),
    ):
        make_cohorts(members(1), FixedSource(data))
        with pytest.raises(DataError, match="too large for float32; use dtype float64"):
            make_cohorts(members(1, dtype="float32"), FixedSource(data))


@pytest.mark.parametrize(
    ("network", "data", "settings", "error", "message"),
    [
        (mlp([2]), "xor", {"stopping": "patience(3)"}, ConfigError, "'validation_loss', but there is no"),
        (mlp([2]), "xor", {"stopping": "target(1, metric=validation_f1)"}, ConfigError, "'validation_f1', but"),
        (mlp([2]), "curve", {"class_weight": "balanced"}, ConfigError, "class_weight needs classes, but data set"),
        (mlp([2]), "curve", {"metrics": "f1"}, ConfigError, "metric 'f1' makes no sense for the regression data set"),
        (mlp([2]), "curve", {"stopping": "target(1)"}, ConfigError, "metric 'accuracy' makes no sense for the"),
        (mlp([2]), "digits", {"metrics": "median_threshold_accuracy"}, ConfigError, "no sense for the multiclass"),
        (mlp([2]), "curve", {"stratify": True, "validation": 0.2}, ConfigError, "stratify needs classes"),
        (mlp([2], output="relu"), "xor", {"loss": "binary_cross_entropy"}, ConfigError, "use output 'sigmoid'"),
        (mlp([2], units=3), "xor", {}, ShapeError, "outputs of shape (3,), the targets have (1,)"),
        (mlp([2]).bind(5, 1, "sigmoid"), "xor", {}, ShapeError, "inputs of shape (5,), the data have (2,)"),
        (mlp([2], output="softmax"), "xor", {}, ConfigError, "softmax over 1 unit"),
        (Network((Standardize("sigmoid"),)), "parity(1)", {}, ConfigError, "no weights to train"),
        (mlp([2]), "xor", {"validation": 0.001}, DataError, "0 validation"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_training(
    network: Network, data: str, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        make_cohorts([Member(network, TrainingConfig(**settings), 0)], load(data))
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_held_out_set_is_a_validation_part() -> None:
    config = TrainingConfig(stopping=("patience(3)",))
    ((_, cohort),) = make_cohorts([Member(mlp([2]), config, 0)], load("ellipse(n=50, held_out=20)"))
    assert cohort.splits[0].validation is not None
