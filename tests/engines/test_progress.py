"""What progress tells: rising fractions, counts that add up, and the right members."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from chainrule import Member, Run, TrainingConfig, mlp, train, train_members
from chainrule.engines import ProgressEvent, WholeProgress, _session, reference

NETWORK = mlp([3], "leaky_relu(0.1)", output="identity")


def members() -> list[Member]:
    """Two cohorts of different lengths, interleaved, with members that diverge, stop early and run on."""
    config = TrainingConfig(batch_size=8, stopping=("loss_below(0.27)",))
    short, long = config.replace(epochs=4), config.replace(epochs=9, optimizer="momentum")
    return [
        Member(NETWORK, base.replace(learning_rate=rate), seed)
        for seed in range(4)
        for rate in (0.001, 0.05, 1e100)
        for base in (short, long)
    ]


def told(monkeypatch: pytest.MonkeyPatch, chunk_bytes: int, data: str) -> tuple[list[ProgressEvent], list[Run]]:
    monkeypatch.setattr(reference, "CHUNK_BYTES", chunk_bytes)
    monkeypatch.setattr(_session, "SECONDS_BETWEEN_EVENTS", 0.0)  # after every step
    events: list[ProgressEvent] = []
    runs = train_members(members(), data, engine="reference", progress=events.append)
    return events, list(runs)


@pytest.mark.parametrize("data", ["xor", "linear(n=20)"])
@pytest.mark.parametrize("chunk_bytes", [1, 30_000, 10**9])
def test_fractions_rise_from_0_to_1_and_counts_add_up(
    monkeypatch: pytest.MonkeyPatch, chunk_bytes: int, data: str
) -> None:
    events, runs = told(monkeypatch, chunk_bytes, data)
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len(set(fractions)) > 20
    for before, event in pairwise(events):
        assert event.members == len(runs) == 24
        assert 0 <= event.converged + event.diverged <= event.finished <= event.members
        for count in ("converged", "diverged", "finished"):
            assert getattr(event, count) >= getattr(before, count)
        assert 0 <= event.epoch <= event.epochs
        assert event.epochs in (4, 9)
    last = events[-1]
    assert last.finished == 24
    assert last.converged == sum(run.converged for run in runs)
    assert last.diverged == sum(run.stop_reason == "diverged" for run in runs)
    assert 0 < last.converged < 24
    assert last.diverged >= 8


@pytest.mark.parametrize("data", ["xor", "linear(n=20)"])
@pytest.mark.parametrize("chunk_bytes", [1, 30_000, 10**9])
def test_records_speak_of_the_members_they_name(monkeypatch: pytest.MonkeyPatch, chunk_bytes: int, data: str) -> None:
    events, runs = told(monkeypatch, chunk_bytes, data)
    rows: dict[int, list[tuple[int, float, float]]] = {k: [] for k in range(24)}
    for event in events:
        if event.record is None:
            continue
        assert {len(values) for values in event.record.values()} == {len(event.places)}
        for place, loss, accuracy in zip(event.places, event.record["loss"], event.record["accuracy"], strict=True):
            rows[place].append((event.epoch, loss, accuracy))
    for place, run in enumerate(runs):
        heard = [row for row in rows[place] if np.isfinite(row[1])]
        kept = zip(*(run.history[name].tolist() for name in ("epoch", "loss", "accuracy")), strict=True)
        assert heard == list(kept)


def test_every_kept_row_is_told_and_no_other() -> None:
    epochs: list[int] = []

    def hear(event: ProgressEvent) -> None:
        if event.record is not None:
            epochs.append(event.epoch)

    train(mlp([2]), "xor", epochs=10, log_every=4, progress=hear, engine="reference")
    assert epochs == [0, 4, 8, 10]


def test_no_epochs_still_end_at_1() -> None:
    events: list[ProgressEvent] = []
    train(mlp([2]), "xor", epochs=0, seeds=2, progress=events.append, engine="reference")
    assert [event.fraction for event in events] == [0.0, 1.0]
    assert [event.finished for event in events] == [0, 2]


def test_progress_changes_nothing() -> None:
    heard = train(mlp([2]), "xor", epochs=5, batch_size=4, progress=lambda event: None)[0]
    alone = train(mlp([2]), "xor", epochs=5, batch_size=4)[0]
    assert heard.theta.tobytes() == alone.theta.tobytes()


def test_an_error_of_progress_is_not_swallowed() -> None:
    def broken(event: ProgressEvent) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        train(mlp([2]), "xor", epochs=5, progress=broken)


def test_parts_of_a_whole_worked_by_hand() -> None:
    events: list[ProgressEvent] = []
    whole = WholeProgress(events.append, 8)

    def tell(part: Any, fraction: float, counts: Sequence[int], places: tuple[int, ...]) -> None:
        converged, diverged, finished = counts
        part(ProgressEvent(1, 2, 99, converged, diverged, finished, fraction, None, places))

    first = whole.part([5, 1])
    tell(first, 0.5, (0, 0, 0), (0, 1))
    tell(first, 1.0, (1, 0, 2), (1,))
    second = whole.part([0, 2, 3, 4, 6, 7])
    tell(second, 0.5, (0, 1, 3), (4, 0))
    tell(second, 1.0, (2, 1, 6), ())
    assert [event.fraction for event in events] == [0.125, 0.25, 0.625, 1.0]
    assert [event.places for event in events] == [(5, 1), (1,), (6, 0), ()]
    assert [(event.converged, event.diverged, event.finished) for event in events] == [
        (0, 0, 0), (1, 0, 2), (1, 1, 5), (3, 1, 8),
    ]  # fmt: skip
    assert {event.members for event in events} == {8}
