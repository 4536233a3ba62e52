"""Customary shapes: geometry without noise, spread with it, and the rules that every source keeps."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data import images, load
from chainrule.data.shapes import Curve
from chainrule.errors import ConfigError

DRAWN = [
    "linear",
    "ellipse(n=30, held_out=5)",
    "circles",
    "moons",
    "spirals",
    "gaussians",
    "curve",
    "curve(step, 20, 0.0)",
]


def test_circles_lie_on_their_radii() -> None:
    data = load("circles(n=40, noise=0, factor=0.3)").draw(2)
    np.testing.assert_allclose(np.hypot(*data.X.T), np.where(data.y == 1, 0.3, 1.0), rtol=1e-12)
    assert np.bincount(data.y).tolist() == [20, 20]


def test_moons_lie_on_half_circles() -> None:
    data = load("moons(n=40, noise=0)").draw(2)
    upper, lower = data.X[data.y == 0], data.X[data.y == 1]
    np.testing.assert_allclose(np.hypot(*upper.T), 1, rtol=1e-12)
    np.testing.assert_allclose(np.hypot(lower[:, 0] - 1, lower[:, 1] - 0.5), 1, rtol=1e-12)
    assert (upper[:, 1] >= 0).all()
    assert (lower[:, 1] <= 0.5).all()


@pytest.mark.parametrize("classes", [2, 5])
def test_spiral_angle_grows_with_the_radius(classes: int) -> None:
    data = load(f"spirals(n=60, turns=0.9, noise=0, classes={classes})").draw(3)
    r = np.hypot(*data.X.T)
    assert r.max() <= 1
    turn = np.arctan2(data.X[:, 1], data.X[:, 0]) / (2 * np.pi)
    np.testing.assert_allclose(np.mod(turn - 0.9 * r - data.y / classes + 0.5, 1), 0.5, atol=1e-9)
    assert data.task == ("binary" if classes == 2 else "multiclass")
    assert np.bincount(data.y).tolist() == [60 // classes] * classes


def test_gaussians_have_their_centres_and_spread() -> None:
    data = load("gaussians(n=30000, classes=3, std=0.5, d=3)").draw(1)
    centres = [[2, 0, 0], [-1, np.sqrt(3), 0], [-1, -np.sqrt(3), 0]]
    for c, centre in enumerate(centres):
        cloud = data.X[data.y == c]
        np.testing.assert_allclose(cloud.mean(axis=0), centre, atol=0.025)  # 5 standard errors
        np.testing.assert_allclose(cloud.std(axis=0), 0.5, atol=0.02)


def test_gaussians_on_a_line() -> None:
    data = load("gaussians(n=6, classes=3, std=0, d=1)").draw(1)
    np.testing.assert_array_equal(data.X[:, 0], [-2, 0, 2, -2, 0, 2])


def test_parity_of_three_bits() -> None:
    data = load("parity(3)").draw(0)
    rows = [
        (0, 0, 0, 0),
        (0, 0, 1, 1),
        (0, 1, 0, 1),
        (0, 1, 1, 0),
        (1, 0, 0, 1),
        (1, 0, 1, 0),
        (1, 1, 0, 0),
        (1, 1, 1, 1),
    ]
    np.testing.assert_array_equal(np.column_stack((data.X, data.y)), rows)


@pytest.mark.parametrize("bits", [1, 2, 7])
def test_parity_has_every_row_once(bits: int) -> None:
    data = load(f"parity({bits})").draw(0)
    assert len({tuple(row) for row in data.X}) == 2**bits == data.n
    np.testing.assert_array_equal(data.y, data.X.sum(axis=1) % 2)
    assert data.y.sum() == 2 ** (bits - 1)


@pytest.mark.parametrize(
    ("kind", "x", "y"),
    [
        ("sine", [0, 0.25, -0.25, 0.5], [0, 1, -1, 0]),
        ("step", [-0.1, 0, 0.1], [0, 1, 1]),
        ("poly", [-1, -0.5, 0, 0.5, 1], [-1, 1, 0, -1, 1]),
        ("abs", [-0.3, 0.2], [0.3, 0.2]),
        ("bump", [0, 0.25], [1, np.exp(-1)]),
    ],
)
def test_curves_go_through_known_points(kind: str, x: list[float], y: list[float]) -> None:
    source = load(f"curve({kind}, n=50, noise=0)")
    assert isinstance(source, Curve)
    np.testing.assert_allclose(source.truth(np.array(x)), y, atol=1e-15)
    data = source.draw(1)
    np.testing.assert_allclose(data.y, source.truth(data.X[:, 0]))
    assert (data.task, data.n_outputs) == ("regression", 1)


def test_curve_noise_has_its_size_and_leaves_the_inputs_alone() -> None:
    calm, noisy = load("curve(n=20000, noise=0)").draw(1), load("curve(n=20000, noise=0.3)").draw(1)
    np.testing.assert_array_equal(calm.X, noisy.X)
    assert np.std(noisy.y - calm.y) == pytest.approx(0.3, abs=0.008)


@pytest.mark.parametrize("spec", DRAWN)
def test_drawn_sources_vary_with_the_seed_only(spec: str) -> None:
    source = load(spec)
    assert source.varies
    assert source.draw(8).fingerprint == load(source.spec).draw(8).fingerprint
    assert source.draw(8).fingerprint != source.draw(9).fingerprint


@pytest.mark.parametrize("spec", ["xor", "digits", "parity(4)"])
def test_fixed_sources_ignore_the_seed(spec: str) -> None:
    source = load(spec)
    assert not source.varies
    assert source.draw(1).fingerprint == source.draw(2).fingerprint


def test_digits_are_scikit_learns_divided_by_16() -> None:
    from sklearn.datasets import load_digits

    truth = load_digits()
    data = load("digits").draw(0)
    np.testing.assert_array_equal(data.X * 16, truth.data)
    np.testing.assert_array_equal(data.y, truth.target)
    assert (data.X.shape, data.n_outputs, data.image_shape) == ((1797, 64), 10, (8, 8))
    assert (data.X.min(), data.X.max()) == (0, 1)
    assert data.feature_names[9] == "pixel 1,1"


def test_digits_come_from_scikit_learn_itself_where_it_keeps_its_file_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, y = images._bundled_digits()
    monkeypatch.setattr(images, "find_spec", lambda name: None)
    asked_X, asked_y = images._bundled_digits()
    np.testing.assert_array_equal(X, asked_X)
    np.testing.assert_array_equal(y, asked_y)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("circles(noise=-1)", "noise must be at least 0"),
        ("circles(factor=1)", r"factor must be in \[0, 1\)"),
        ("moons(n=1)", "n must be at least 2"),
        ("moons(noise=inf)", "noise must be at least 0 and finite"),
        ("spirals(classes=1)", "classes must be from 2"),
        ("spirals(n=2, classes=3)", "n must be at least 3"),
        ("gaussians(d=0)", "d at least 1"),
        ("gaussians(n=100000, d=100000)", "at most"),
        ("parity(0)", "bits must be from 1 to 16"),
        ("parity(40)", "bits must be from 1 to 16"),
        ("curve(sinus)", "did you mean 'sine'"),
        ("curve(noise=nan)", "noise must be"),
    ],
)
def test_impossible_values_name_the_key_and_the_range(spec: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load(spec)
