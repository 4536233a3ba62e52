"""Augmented samples in the compiled engines: the kernels' bits are NumPy's, and every sample stands in its place."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from chainrule import Member, TrainingConfig, load, mlp
from chainrule.cohorts import make_cohorts
from chainrule.data import FixedSource, augment, augmentation
from chainrule.data.augment import rotated, shifted
from chainrule.engines._augmenting import augment_streams
from chainrule.engines.compiled import augmenting
from chainrule.engines.compiled.augment_kernel import rotate_samples, shift_samples
from chainrule.engines.compiled.augmenting import Augmented
from chainrule.engines.compiled.bundles import facts, make_bundles
from chainrule.engines.compiled.orders import Shuffles
from chainrule.engines.compiled.samples import SampleStore
from chainrule.engines.compiled.seats import Members

SHAPES = [(1, 1, 1), (3, 3, 1), (5, 8, 1), (7, 4, 3), (1, 9, 2)]
GO_ON = np.zeros(1, dtype=np.int64)


def images(shape: tuple[int, int, int], dtype: str) -> tuple[Any, Any, Any]:
    """Return images, which of them to take, and where to write them."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, shape[0] * shape[1] * shape[2])).astype(dtype)
    X.flags.writeable = False
    return X, rng.permutation(40)[:30].astype(np.int32), rng.permutation(60)[:30].astype(np.int32)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", SHAPES)
def test_shifts(dtype: str, shape: tuple[int, int, int]) -> None:
    X, taken, places = images(shape, dtype)
    moves = np.random.default_rng(4).integers(-10, 11, size=(30, 2))
    out = np.full((60, X.shape[1]), 7.0, dtype=dtype)
    shift_samples(X, taken, *shape, moves, out, places)
    np.testing.assert_array_equal(out[places], shifted(X[taken], shape, moves))
    assert np.all(np.delete(out, places, axis=0) == 7.0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", SHAPES)
def test_rotations(dtype: str, shape: tuple[int, int, int]) -> None:
    X, taken, places = images(shape, dtype)
    degrees = np.random.default_rng(4).uniform(-180, 180, size=30)
    degrees[:7] = 0, 90, -90, 180, -180, 45, 1e-9
    angles, out = np.deg2rad(degrees), np.full((60, X.shape[1]), 7.0, dtype=dtype)
    rotate_samples(X, taken, *shape, np.cos(angles), np.sin(angles), out, places)
    np.testing.assert_array_equal(out[places], rotated(X[taken], shape, degrees))
    assert np.all(np.delete(out, places, axis=0) == 7.0)


def prepared(seeds: list[int], *augments: tuple[str, ...], **settings: Any) -> tuple[Members, Augmented, Any]:
    """Return the members of a bundle, what makes their samples, and the data."""
    data = load("digits").draw(0).take(np.arange(37))
    config = TrainingConfig(loss="softmax_cross_entropy", epochs=9, batch_size=5, **settings)
    members = [Member(mlp([3]), config.replace(augment=one), seed) for one in augments for seed in seeds]
    cohorts = [cohort for _, cohort in make_cohorts(members, FixedSource(data))]
    (bundle,) = make_bundles(cohorts)
    known = Members(bundle, cohorts)
    return known, Augmented(known, SampleStore()), data


@pytest.mark.parametrize(
    "parts", [("shift(2)",), ("noise(0.5)",), ("rotate(20)", "shift(1)", "noise(0.1)", "shift(1)")]
)
@pytest.mark.parametrize(("threads", "floats"), [(1, 2**16), (3, 64), (3, 7 * 64)])
def test_every_sample_stands_in_its_place(
    monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...], threads: int, floats: int
) -> None:
    """An epoch's samples are the augmented ones of that epoch's order, whatever is done at a time and by whom."""
    monkeypatch.setattr(augmenting, "CHUNK_FLOATS", floats)
    members, made, data = prepared([4, 9, 4], parts, dtype="float32")
    shuffles = Shuffles(members.seeds, 37)
    streams = {seed: augment_streams(seed, len(parts)) for seed in (4, 9)}
    for epochs in (2, 1, 3):
        for task in [*shuffles.draw([0, 1, 2], epochs, 1)]:
            task()
        for task in made.draw([0, 1, 2], epochs, shuffles, threads, GO_ON):
            task()
        fresh = made.of([0, 1, 2])
        assert fresh.X.shape == (epochs, 2, 37, 64)
        assert fresh.X.dtype == np.float32
        orders = np.broadcast_to(shuffles.of([0, 1, 2]), (epochs, 3, 37))
        for epoch, seed in itertools.product(range(epochs), (4, 9)):
            order = orders[epoch, members.seeds.index(seed)]
            wanted = augment(
                data.X.astype(np.float32)[order], (8, 8, 1), [augmentation(one) for one in parts], streams[seed]
            )
            for k in np.flatnonzero(np.array(members.seeds) == seed):
                np.testing.assert_array_equal(fresh.X[epoch, fresh.own[k]][order], wanted)


def test_equal_members_share_and_those_that_left_take_no_room() -> None:
    members, made, _ = prepared([1, 2, 1, 3], ("shift(1)",), ("noise(0.1)",))
    assert len(members) == 8
    assert len(made.kinds) == 6
    assert made.epoch_bytes == 6 * 37 * 64 * 8
    everyone = list(range(8))
    for task in made.draw(everyone, 2, None, 1, GO_ON):
        task()
    own = made.of(everyone).own
    for a, b in itertools.combinations(everyone, 2):
        alike = members.seeds[a] == members.seeds[b] and members.share_of[a] == members.share_of[b]
        assert (own[a] == own[b]) == alike
    assert made.fresh.shape[1] == 6
    made.draw([0, 1], 2, None, 1, GO_ON)
    assert made.fresh.shape[1] == len({int(own[0]), int(own[1])})


def test_a_cancelled_training_waits_for_no_samples() -> None:
    _, made, _ = prepared([1], ("shift(1)",))
    tasks = made.draw([0], 4, None, 2, np.ones(1, dtype=np.int64))
    made.fresh[:] = -1
    for task in tasks:
        task()
    assert np.all(made.fresh == -1)


def test_samples_of_an_epoch_count_as_memory_of_a_member() -> None:
    def own(**settings: Any) -> int:
        config = TrainingConfig(loss="softmax_cross_entropy", batch_size=5, dtype="float32", **settings)
        ((_, cohort),) = make_cohorts([Member(mlp([3]), config, 0)], load("digits"))
        return facts(cohort).own_bytes

    assert own(augment="shift(1)") - own() == 1797 * 64 * 4
