"""How a cohort is cut into chunks, and which engine trains it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chainrule import Member, TrainingConfig, mlp
from chainrule.cohorts import Cohort, make_cohorts
from chainrule.data import load
from chainrule.engines import ENGINES, ReferenceEngine, choose, reference
from chainrule.engines.reference import chunks
from chainrule.errors import ConfigError


def cohort(data: str, seeds: Sequence[int], rates: Sequence[float] = (0.1,), width: int = 3, **settings: int) -> Cohort:
    config = TrainingConfig(**settings)  # type: ignore[arg-type]
    members = [Member(mlp([width]), config.replace(learning_rate=rate), seed) for rate in rates for seed in seeds]
    ((_, one),) = make_cohorts(members, load(data))
    return one


def test_small_populations_are_one_chunk() -> None:
    assert chunks(cohort("xor", range(1000))) == [list(range(1000))]
    assert sorted(chunks(cohort("linear(n=100)", range(1000)))[0]) == list(range(1000))


def test_members_that_see_the_same_data_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = cohort("linear(n=50)", [7, 8, 9], (0.1, 0.2))  # seeds 7 8 9 7 8 9
    data, own = reference._bytes(drawn)
    monkeypatch.setattr(reference, "CHUNK_BYTES", 5 * (data + own))
    assert chunks(drawn) == [[0, 3, 1, 4], [2, 5]]
    monkeypatch.setattr(reference, "CHUNK_BYTES", 2 * own)  # members of one seed share its data: they need no copies
    assert chunks(drawn) == [[0, 3], [1, 4], [2, 5]]
    monkeypatch.setattr(reference, "CHUNK_BYTES", 1)
    assert chunks(drawn) == [[0], [3], [1], [4], [2], [5]]


def test_shared_data_do_not_count_per_member(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = cohort("digits", range(10))
    own = reference._bytes(shared)[1]
    monkeypatch.setattr(reference, "CHUNK_BYTES", 4 * own)
    assert [len(chunk) for chunk in chunks(shared)] == [4, 4, 2]


def test_activations_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """60,000 samples in a full batch fill memory long before the 17 weights do."""
    full = reference._bytes(cohort("ellipse(n=60000, held_out=100)", [0]))[1]
    assert full > 60_000 * (3 + 1) * 8 * 2
    small = reference._bytes(cohort("ellipse(n=60000, held_out=100)", [0], batch_size=1))[1]
    assert small < full / 2


def test_choose() -> None:
    one = cohort("xor", [0])
    assert isinstance(choose("reference", one), ReferenceEngine)
    assert ReferenceEngine().unsupported(one) is None
    for name in ("referense", "gpu", "", None, 3, ["reference"]):
        with pytest.raises(ConfigError, match="unknown engine") as error:
            choose(name, one)  # type: ignore[arg-type]
        assert "known: auto, gemm, lanes, reference" in str(error.value)
    with pytest.raises(ConfigError, match="did you mean 'reference'"):
        choose("referense", one)


def test_an_engine_that_cannot_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fussy(ReferenceEngine):
        name = "fussy"

        def unsupported(self, cohort: Cohort) -> str | None:
            return "dropout is not supported" if cohort.network.has_dropout else None

    monkeypatch.setitem(ENGINES, "fussy", Fussy)
    assert isinstance(choose("fussy", cohort("xor", [0])), Fussy)
    ((_, dropping),) = make_cohorts([Member(mlp([3], dropout=0.1), TrainingConfig(), 0)], load("xor"))
    with pytest.raises(ConfigError, match="engine 'fussy' cannot train this: dropout is not supported"):
        choose("fussy", dropping)
