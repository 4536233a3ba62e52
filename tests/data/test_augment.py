"""Augmentation: moved, turned and noisy samples, and that training sees them and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import Dataset, TrainingConfig, load, mlp, train
from chainrule.data import augment, augmentation, sample_shape
from chainrule.data.augment import Augmentation, Noise, Rotate, Shift, rotated, shifted
from chainrule.errors import ConfigError
from chainrule.random import crossed_seed, stream

IMAGE = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
SHAPE = (3, 3, 1)


def one(image: np.ndarray) -> np.ndarray:
    return image.reshape(1, -1)


def test_a_shift_by_hand() -> None:
    moved = shifted(one(IMAGE), SHAPE, np.array([[1, -1]]))  # one down, one to the left
    np.testing.assert_array_equal(moved.reshape(3, 3), [[0, 0, 0], [2, 3, 0], [5, 6, 0]])
    np.testing.assert_array_equal(shifted(one(IMAGE), SHAPE, np.array([[5, 0]])), np.zeros((1, 9)))


def test_shifting_there_and_back_keeps_the_middle() -> None:
    images = stream(0, "noise").normal(size=(4, 6 * 5 * 2))
    moves = np.array([[1, 2], [-1, 0], [0, -2], [2, 1]])
    back = shifted(shifted(images, (6, 5, 2), moves), (6, 5, 2), -moves).reshape(4, 6, 5, 2)
    np.testing.assert_array_equal(back[:, 2:4, 2:3], images.reshape(4, 6, 5, 2)[:, 2:4, 2:3])


@pytest.mark.parametrize(("degrees", "turns"), [(0.0, 0), (90.0, 1), (-90.0, -1), (180.0, 2)])
def test_quarter_turns_are_numpys(degrees: float, turns: int) -> None:
    turned = rotated(one(IMAGE), SHAPE, np.array([degrees])).reshape(3, 3)
    np.testing.assert_allclose(turned, np.rot90(IMAGE, turns), atol=1e-12)


def test_a_small_turn_agrees_with_scipy() -> None:
    from scipy.ndimage import affine_transform

    image = stream(1, "noise").uniform(size=(9, 9))
    angle = np.deg2rad(13.0)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = np.array([4.0, 4.0])
    inner = affine_transform(image, matrix, middle - matrix @ middle, order=1, mode="constant")
    ours = rotated(one(image), (9, 9, 1), np.array([13.0])).reshape(9, 9)
    np.testing.assert_allclose(ours[2:-2, 2:-2], inner[2:-2, 2:-2], atol=1e-12)


def test_draws_cover_what_they_should() -> None:
    dots = np.zeros((4000, 49))
    dots[:, 24] = 1.0
    shifts = Shift(2).apply(dots, (7, 7, 1), stream(0, "augment")).reshape(-1, 7, 7)
    counts = shifts.sum(axis=0)
    assert counts[1:6, 1:6].min() > 4000 / 25 * 0.6
    assert counts.sum() == counts[1:6, 1:6].sum() == 4000
    noisy = Noise(0.5).apply(np.zeros((1000, 20), dtype=np.float32), (1, 20, 1), stream(0, "augment"))
    assert noisy.dtype == np.float32
    assert noisy.std() == pytest.approx(0.5, rel=0.02)
    bar = np.zeros((2000, 49))
    bar[:, 21:28] = 1.0
    turned = Rotate(30.0).apply(bar, (7, 7, 1), stream(0, "augment")).reshape(-1, 7, 7)
    up, down = turned[:, :3, 6].sum(axis=1), turned[:, 4:, 6].sum(axis=1)
    assert abs((up > down).mean() - 0.5) < 0.05


@pytest.mark.parametrize("part", [Shift(2), Shift(0), Rotate(30.0), Noise(0.5)])
def test_draws_do_not_depend_on_the_batches(part: Augmentation) -> None:
    """An epoch's draws are the same all at once and batch by batch, also for batches of odd sizes."""
    whole, pieces = stream(5, "augment", 1), stream(5, "augment", 1)
    wanted = part.draw(101, (4, 3, 2), whole)
    found = [part.draw(n, (4, 3, 2), pieces) for n in (1, 7, 64, 3, 26)]
    np.testing.assert_array_equal(np.concatenate(found), wanted)
    np.testing.assert_array_equal(part.draw(2, (4, 3, 2), whole), part.draw(2, (4, 3, 2), pieces))


def test_every_part_has_a_stream_of_its_own() -> None:
    """What else is done to the samples does not change a part's draws."""
    images = np.tile(IMAGE.ravel(), (50, 1))
    shifts = [augmentation("shift(1)").apply(images, SHAPE, stream(3, "augment"))]
    for parts in (["shift(1)", "noise(0)"], ["shift(1)", "shift(0)", "rotate(0)"]):
        made = [augmentation(spec) for spec in parts]
        streams = [stream(3, "augment", number) for number in range(len(made))]
        shifts.append(augment(images, SHAPE, made, streams))
    np.testing.assert_array_equal(shifts[1], shifts[0])
    np.testing.assert_allclose(shifts[2], shifts[0], atol=1e-12)
    twice = augment(images, SHAPE, [Noise(1.0)] * 2, [stream(3, "augment", number) for number in range(2)])
    assert (twice - images).std() == pytest.approx(np.sqrt(2), rel=0.1)  # two draws, not one twice


def config(**changes: object) -> TrainingConfig:
    given = {"loss": "softmax_cross_entropy", "batch_size": 64, "epochs": 2, **changes}
    return TrainingConfig(**given)  # type: ignore[arg-type]


def test_equal_seeds_see_equal_samples_and_a_member_alone_sees_the_same() -> None:
    small = load("digits").draw(0).take(np.arange(300))
    wanted = train(mlp([8]), small, config(augment=("shift(1)", "noise(0.1)")), seeds=[1, 2, 3], engine="reference")
    alone = train(mlp([8]), small, config(augment=("shift(1)", "noise(0.1)")), seeds=[2], engine="reference")
    np.testing.assert_array_equal(alone[0].theta, wanted[1].theta)
    plain = train(mlp([8]), small, config(), seeds=[2], engine="reference")
    assert not np.array_equal(plain[0].theta, alone[0].theta)
    # nothing moves: the very same training
    still = train(mlp([8]), small, config(augment=("shift(0)", "noise(0)")), seeds=[2], engine="reference")
    np.testing.assert_array_equal(still[0].theta, plain[0].theta)


def test_reported_values_are_those_of_the_samples_as_they_are() -> None:
    small = load("digits").draw(0).take(np.arange(200))
    run = train(mlp([8]), small, config(augment="noise(3)", batch_size="full"), seeds=1)[0]
    right = np.mean(run.predict(small.X).argmax(axis=1) == small.y)
    assert run.final["accuracy"] == pytest.approx(right)


def test_crossed_seeds_augment_with_the_order() -> None:
    crossed = crossed_seed(init=1, data=2, split=3, order=4, dropout=5)
    np.testing.assert_array_equal(stream(crossed, "augment").random(3), stream(4, "augment").random(3))


def test_what_needs_images_says_so() -> None:
    with pytest.raises(ConfigError, match="augmentation 'shift' needs images, but data set 'xor' has none"):
        train(mlp([4]), "xor", augment="shift(1)", epochs=1)
    assert train(mlp([4]), "xor", augment="noise(0.01)", epochs=1, seeds=1)[0].epochs == 1
    assert sample_shape(load("digits").draw(0), [augmentation("shift(1)")]) == (8, 8, 1)
    assert sample_shape(Dataset.from_arrays(np.eye(3), [0, 1, 1]), []) == (1, 3, 1)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("shfit(1)", "did you mean 'shift'"),
        ("shift(-1)", "pixels must lie"),
        ("rotate(200)", "degrees must lie"),
        ("noise(-1)", "std must be"),
    ],
)
def test_bad_specs(spec: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        TrainingConfig(augment=(spec,))
