"""What leads compiled engines: neither chunks, stretches, threads, company nor compaction change a bit of a member."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from chainrule import Member, Run, TrainingConfig, mlp, train, train_members
from chainrule.engines import ProgressEvent
from chainrule.engines.compiled import bundles, session
from chainrule.engines.compiled.block import Block
from chainrule.engines.compiled.bundles import facts, make_bundles
from chainrule.engines.lanes.maker import LanesMaker

Same = Callable[[Run, Run], None]
COMPILED = ["lanes", "gemm"]


def members() -> list[Member]:
    """Bundles of several kinds, interleaved: some stop early, some diverge, some go on."""
    common: dict[str, Any] = {"epochs": 30, "log_every": 4, "validation": 0.25}
    configs = [
        TrainingConfig(batch_size=5, stopping=("loss_below(0.2)",), schedule="cosine", window=3, **common),
        TrainingConfig(batch_size=5, stopping=("loss_below(0.24)",), optimizer="adam", **common),
        TrainingConfig(stopping=("patience(4)", "target(0.85)"), schedule="step(7)", **common),
        TrainingConfig(batch_size=3, schedule="loss_ratio(6)", clip_norm=2.0, metrics=("f1", "brier"), **common),
    ]
    return [
        Member(mlp(hidden, "leaky_relu(0.1)", output="identity"), config.replace(learning_rate=rate), seed)
        for seed in range(5)
        for rate in (0.02, 0.3, 1e60)
        for config in configs
        for hidden in ([3], [6], [2, 4])
    ]


@pytest.fixture(scope="module", params=COMPILED)
def calm(request: pytest.FixtureRequest) -> tuple[str, list[Run]]:
    """The members trained in one thread, with nothing unusual."""
    return request.param, list(train_members(members(), "moons(n=24)", engine=request.param, threads=1))


def test_the_members_are_as_different_as_they_should_be(calm: tuple[str, list[Run]]) -> None:
    assert {run.stop_reason for run in calm[1]} == {"loss_below", "patience", "target", "epochs", "diverged"}
    assert len({run.epochs for run in calm[1]}) > 10
    assert {run.engine for run in calm[1]} == {calm[0]}


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads(same_run: Same, calm: tuple[str, list[Run]], threads: int) -> None:
    runs = train_members(members(), "moons(n=24)", engine=calm[0], threads=threads)
    for run, other in zip(runs, calm[1], strict=True):
        same_run(run, other)


@pytest.mark.parametrize("most", [1, 7, 40])
def test_chunks(same_run: Same, calm: tuple[str, list[Run]], monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(bundles, "MOST_MEMBERS", most)
    for run, other in zip(train_members(members(), "moons(n=24)", engine=calm[0]), calm[1], strict=True):
        same_run(run, other)


def test_a_small_memory(same_run: Same, calm: tuple[str, list[Run]], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    take = session._Chunk.__init__

    def counted(self: Any, *arguments: Any) -> None:
        take(self, *arguments)
        sizes.append(self.m)

    monkeypatch.setattr(session._Chunk, "__init__", counted)
    runs = train_members(members(), "moons(n=24)", engine=calm[0], memory="100 KiB")
    for run, other in zip(runs, calm[1], strict=True):
        same_run(run, other)
    assert sum(sizes) == 180
    assert len(sizes) > 10


@pytest.mark.parametrize("seconds", [1e-9, 10.0])
def test_stretches(
    same_run: Same, calm: tuple[str, list[Run]], monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """From one epoch at a time to all of them at once."""
    monkeypatch.setattr(session, "TARGET_SECONDS", seconds)
    monkeypatch.setattr(session, "LONGEST_SECONDS", seconds)
    for run, other in zip(train_members(members(), "moons(n=24)", engine=calm[0]), calm[1], strict=True):
        same_run(run, other)


def test_order(same_run: Same, calm: tuple[str, list[Run]]) -> None:
    order = np.random.default_rng(1).permutation(180)
    listed = members()
    runs = train_members([listed[k] for k in order], "moons(n=24)", engine=calm[0])
    for k, run in zip(order, runs, strict=True):
        same_run(run, calm[1][k])


def test_company(same_run: Same, calm: tuple[str, list[Run]]) -> None:
    for k in range(0, 180, 17):
        same_run(train_members([members()[k]], "moons(n=24)", engine=calm[0])[0], calm[1][k])


def test_idle_lanes_are_filled_again(same_run: Same, monkeypatch: pytest.MonkeyPatch) -> None:
    packed: list[tuple[int, int]] = []
    compact = LanesMaker.compact

    def counted(self: LanesMaker, blocks: list[Block]) -> list[Block]:
        made = compact(self, blocks)
        packed.append((len(blocks), len(made)))
        return made

    monkeypatch.setattr(LanesMaker, "compact", counted)
    monkeypatch.setattr(session, "TARGET_SECONDS", 1e-9)  # looked at after every epoch
    monkeypatch.setattr(session, "LONGEST_SECONDS", 1e-9)
    settings: dict[str, Any] = {
        "epochs": 60, "stopping": ("patience(3)",), "batch_size": 4, "optimizer": "adam", "learning_rate": 0.1,
        "validation": 0.3, "window": 7, "schedule": "exponential(0.99)",
    }  # fmt: skip
    runs = train(mlp([4], "tanh"), "linear(n=24)", seeds=150, engine="lanes", **settings)
    assert len(packed) >= 2
    assert all(made < before for before, made in packed)
    assert len({run.epochs for run in runs}) > 20
    for run in runs[::30]:
        alone = train(mlp([4], "tanh"), "linear(n=24)", seeds=[run.seed], engine="lanes", **settings)[0]
        same_run(run, alone)


def test_wider_neighbours_share_a_bundle_and_other_settings_do_not() -> None:
    from chainrule.cohorts import make_cohorts
    from chainrule.data import load

    base = TrainingConfig(epochs=3)
    variants = [
        Member(mlp([2]), base, 0), Member(mlp([7]), base, 0), Member(mlp([2], l2=0.1), base, 0),
        Member(mlp([2]), base.replace(schedule="step(2)", learning_rate=3.0), 0),
        Member(mlp([2]), base.replace(optimizer="adam"), 0), Member(mlp([2], "relu"), base, 0),
        Member(mlp([2, 2]), base, 0), Member(mlp([2]), base.replace(epochs=4), 0),
    ]  # fmt: skip
    cohorts = [cohort for _, cohort in make_cohorts(variants, load("xor"))]
    together = [sorted(bundle.cohort.tolist()) for bundle in make_bundles(cohorts)]
    assert together == [[0, 1, 3], [2], [4], [5], [6], [7]]
    assert make_bundles(cohorts)[0].cohort.tolist() == [0, 3, 1]  # the widest last


def test_the_memory_of_a_member_grows_with_its_parts() -> None:
    from chainrule.cohorts import make_cohorts
    from chainrule.data import load

    def own(network: Any, **settings: Any) -> int:
        ((_, cohort),) = make_cohorts([Member(network, TrainingConfig(**settings), 0)], load("xor"))
        return facts(cohort).own_bytes

    small = own(mlp([4]), epochs=10)
    assert own(mlp([400]), epochs=10) > small + 1600 * 8 * 4
    assert own(mlp([4]), epochs=1000) - small >= 990 * 6 * 8
    assert own(mlp([4]), epochs=1000, log_every=100) < small + 1000
    assert own(mlp([4]), epochs=10, optimizer="adam") - small == 17 * 2 * 8


# -- progress ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [5, 16_384])
@pytest.mark.parametrize("seconds", [1e-9, 0.05])
@pytest.mark.parametrize("engine", COMPILED)
def test_progress(monkeypatch: pytest.MonkeyPatch, engine: str, seconds: float, most: int) -> None:
    """Rising fractions, counts that add up, and every kept row told of the members that it speaks of."""
    monkeypatch.setattr(session, "TARGET_SECONDS", seconds)
    monkeypatch.setattr(session, "LONGEST_SECONDS", seconds)
    monkeypatch.setattr(bundles, "MOST_MEMBERS", most)
    events: list[ProgressEvent] = []
    runs = train_members(members()[:60], "moons(n=24)", engine=engine, progress=events.append)
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    for before, event in pairwise(events):
        assert event.members == 60
        assert 0 <= event.converged + event.diverged <= event.finished <= 60
        assert before.finished <= event.finished
        assert before.converged <= event.converged
        assert before.diverged <= event.diverged
        assert 0 <= event.epoch <= event.epochs == 30
    assert events[-1].finished == 60
    assert events[-1].converged == sum(run.converged for run in runs)
    assert events[-1].diverged == sum(run.stop_reason == "diverged" for run in runs) > 0
    heard: dict[int, list[tuple[int, float, float]]] = {k: [] for k in range(60)}
    for event in events:
        if event.record is not None:
            columns = (event.record[name].tolist() for name in ("epoch", "loss", "validation_accuracy"))
            for place, epoch, loss, accuracy in zip(event.places, *columns, strict=True):
                assert epoch == event.epoch
                if np.isfinite(loss):
                    heard[place].append((epoch, loss, accuracy))
    for place, run in enumerate(runs):
        names = ("epoch", "loss", "validation_accuracy")
        rows = list(zip(*(run.history[name].tolist() for name in names), strict=True))
        assert heard[place] == [row for row in rows if row[0] % 4 == 0 or row[0] == 30]


def test_a_long_history_is_told_in_part() -> None:
    epochs: list[int] = []

    def hear(event: ProgressEvent) -> None:
        if event.record is not None:
            epochs.append(event.epoch)

    train(mlp([2]), "xor", epochs=9999, progress=hear, engine="gemm")
    assert epochs == [*range(0, 9999, 34), 9999]


def test_an_epoch_that_takes_long_is_told_of_while_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.engines.compiled import relay

    monkeypatch.setattr(relay, "SECONDS_BETWEEN_GLANCES", 0.001)
    events: list[ProgressEvent] = []
    rng = np.random.default_rng(0)
    data = (rng.normal(size=(60_000, 10)), rng.integers(0, 2, 60_000))
    train(mlp([64, 64]), data, epochs=2, batch_size=1, engine="gemm", progress=events.append)
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert len(set(fractions) - {0.0, 0.5, 1.0}) > 3


# -- errors --------------------------------------------------------------------------------------------------


def test_an_error_in_a_thread_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, *arguments: Any) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr("chainrule.engines.gemm.block.GemmBlock.advance", broken)
    with pytest.raises(MemoryError, match="no room"):
        train(mlp([2]), "xor", seeds=3, epochs=5, engine="gemm", threads=2)


def test_an_error_of_progress_ends_the_training() -> None:
    def broken(event: ProgressEvent) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        train(mlp([2]), "xor", epochs=10**7, engine="gemm", progress=broken)
