"""Losses against hand-worked numbers, scikit-learn and their own definitions; extremes without a warning."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from sklearn import metrics

from chainrule.errors import ConfigError, DataError, ShapeError
from chainrule.nn import ACTIVATIONS, LOSSES, activation, loss, loss_value, output_delta
from chainrule.spec import spec_of

RNG = np.random.default_rng(11)
A = RNG.normal(size=(6, 3))
Y = RNG.normal(size=(6, 3))
P = special.expit(A)
B = (Y > 0).astype(float)
ONE_HOT = np.eye(3)[[0, 2, 1, 1, 0, 2]]
WEIGHT = np.array([0.5, 1.0, 2.0, 0.0, 1.5, 3.0])


def targets_for(name: str) -> npt.NDArray[np.floating]:
    return ONE_HOT if name == "softmax_cross_entropy" else B if "bce" in name or "binary" in name else Y


def outputs_for(name: str) -> npt.NDArray[np.floating]:
    return special.softmax(A, axis=-1) if name == "softmax_cross_entropy" else P if targets_for(name) is B else A


def test_hand_worked_values() -> None:
    a, y = np.array([[1.0, 3.0], [2.0, -1.0]]), np.array([[0.0, 1.0], [2.0, 1.0]])
    # residuals: 1, 2 | 0, -2
    assert loss("mse").value(a, y) == pytest.approx(((1 + 4) / 2 + (0 + 4) / 2) / 2)
    assert loss("mse(sum)").value(a, y) == pytest.approx((1 + 4) / 2 + (0 + 4) / 2)
    assert loss("half_mse").value(a, y) == pytest.approx(4.5 / 4)
    assert loss("mae").value(a, y) == pytest.approx(5 / 4)
    assert loss("huber").value(a, y) == pytest.approx((0.5 + 1.5 + 0 + 1.5) / 4)
    assert loss("huber(3)").value(a, y) == pytest.approx((0.5 + 2 + 0 + 2) / 4)
    np.testing.assert_allclose(loss("mse").gradient(a, y), np.array([[1, 2], [0, -2]]) / 2)
    np.testing.assert_allclose(loss("mse(sum)").gradient(a, y), [[1, 2], [0, -2]])
    np.testing.assert_allclose(loss("half_mse").gradient(a, y), np.array([[1, 2], [0, -2]]) / 4)
    np.testing.assert_allclose(loss("mae").gradient(a, y), np.array([[1, 1], [0, -1]]) / 4)
    np.testing.assert_allclose(loss("huber").gradient(a, y), np.array([[1, 1], [0, -1]]) / 4)


def test_regression_losses_agree_with_scikit_learn() -> None:
    assert loss("mse").value(A, Y) == pytest.approx(metrics.mean_squared_error(Y, A))
    assert loss("mae").value(A, Y) == pytest.approx(metrics.mean_absolute_error(Y, A))
    weighted = loss("mse").value(A, Y, WEIGHT)
    assert weighted == pytest.approx(metrics.mean_squared_error(Y, A, sample_weight=WEIGHT))


def test_cross_entropies_agree_with_scikit_learn() -> None:
    q = special.softmax(A, axis=-1)
    truth = metrics.log_loss(ONE_HOT.argmax(axis=1), q, sample_weight=WEIGHT)
    ce = loss("softmax_cross_entropy")
    assert ce.logits_value(A, ONE_HOT, WEIGHT) == pytest.approx(truth, rel=1e-12)
    assert ce.value(q, ONE_HOT, WEIGHT) == pytest.approx(truth, rel=1e-12)
    bce = loss("binary_cross_entropy")
    truth = float(np.mean([metrics.log_loss(B[:, j], P[:, j], labels=[0, 1]) for j in range(3)]))
    assert bce.logits_value(A, B) == pytest.approx(truth, rel=1e-12)
    assert bce.value(P, B) == pytest.approx(truth, rel=1e-12)
    assert loss("bce_eps_in_divisions").value(P, B) == pytest.approx(truth, rel=1e-12)


def test_the_paired_delta_is_output_minus_target() -> None:
    n, k = A.shape
    np.testing.assert_allclose(loss("binary_cross_entropy").logits_gradient(A, B), (P - B) / (n * k), rtol=1e-14)
    np.testing.assert_allclose(
        loss("softmax_cross_entropy").logits_gradient(A, ONE_HOT), (special.softmax(A, axis=-1) - ONE_HOT) / n
    )


def test_a_scale_of_two_doubles_the_delta() -> None:
    z, y = A[:, :1], B[:, :1]
    np.testing.assert_allclose(
        loss("binary_cross_entropy(scale=2)").logits_gradient(z, y), 2 * (special.expit(z) - y) / len(z), rtol=1e-14
    )


@pytest.mark.parametrize("pair", [("binary_cross_entropy", "sigmoid"), ("softmax_cross_entropy", "softmax")])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_the_form_in_logits_is_the_chain_rule(pair: tuple[str, str], weight: np.ndarray | None) -> None:
    part, act = loss(pair[0]), activation(pair[1])
    target, out = targets_for(pair[0]), act.forward(A)
    chain = act.backward(part.gradient(out, target, weight), A, out)
    np.testing.assert_allclose(output_delta(part, act, A, out, target, weight), chain, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(
        loss_value(part, act, A, out, target, weight), part.value(out, target, weight), rtol=1e-12
    )


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_weights_are_counts(name: str, reduction: str) -> None:
    """A sample of weight 3 is a sample given three times; of weight 0, one that is not there."""
    part, a, y = loss(f"{name}(reduction={reduction})"), outputs_for(name), targets_for(name)
    counts = np.array([1, 3, 0, 2, 1, 0])
    repeated = part.value(np.repeat(a, counts, axis=0), np.repeat(y, counts, axis=0))
    np.testing.assert_allclose(part.value(a, y, counts), repeated, rtol=1e-13)
    gradient = part.gradient(a, y, counts)
    single = part.gradient(np.repeat(a, counts, axis=0), np.repeat(y, counts, axis=0))
    np.testing.assert_allclose(np.repeat(gradient, counts, axis=0), single * np.repeat(counts, counts)[:, None])
    assert not gradient[counts == 0].any()


@pytest.mark.parametrize("name", LOSSES)
def test_weights_all_zero_give_no_loss_and_no_gradient(name: str) -> None:
    part, a, y = loss(name), outputs_for(name), targets_for(name)
    assert part.value(a, y, np.zeros(6)) == 0
    assert not part.gradient(a, y, np.zeros(6)).any()


@pytest.mark.parametrize("name", LOSSES)
def test_leading_axes_are_members(name: str) -> None:
    part, a, y = loss(name), outputs_for(name), targets_for(name)
    stack = np.stack([a, a[::-1], (a + a[::-1]) / 2])
    values, gradients = part.value(stack, y, WEIGHT), part.gradient(stack, y, WEIGHT)
    assert values.shape == (3,)
    for k in range(3):
        assert values[k] == part.value(stack[k], y, WEIGHT)
        np.testing.assert_array_equal(gradients[k], part.gradient(stack[k], y, WEIGHT))
    own = np.stack([WEIGHT, WEIGHT[::-1], np.ones(6)])
    values = part.value(stack, np.stack([y, y[::-1], y]), own)
    assert values[1] == part.value(stack[1], y[::-1], WEIGHT[::-1])


@pytest.mark.parametrize("name", LOSSES)
def test_float32_stays_float32(name: str) -> None:
    part, a, y = loss(name), outputs_for(name).astype(np.float32), targets_for(name)
    assert part.value(a, y, WEIGHT).dtype == part.value(a, y).dtype == np.float32
    assert part.gradient(a, y, WEIGHT).dtype == part.gradient(a, y).dtype == np.float32
    if part.pairs_with:
        assert part.logits_value(a, y, WEIGHT).dtype == part.logits_gradient(a, y, WEIGHT).dtype == np.float32


def test_classes_are_one_hot_rows() -> None:
    part, classes = loss("softmax_cross_entropy(0.1)"), ONE_HOT.argmax(axis=1)
    assert part.logits_value(A, classes) == part.logits_value(A, ONE_HOT)
    np.testing.assert_array_equal(part.logits_gradient(A, classes), part.logits_gradient(A, ONE_HOT))
    both = np.stack([classes, classes[::-1]])
    values = part.logits_value(np.stack([A, A]), both)
    assert values[1] == part.logits_value(A, ONE_HOT[::-1])
    assert part.logits_value(np.stack([A, A]), classes).shape == (2,)


def test_integer_one_hot_rows_are_rows() -> None:
    part = loss("softmax_cross_entropy")
    assert part.logits_value(A, ONE_HOT.astype(int)) == part.logits_value(A, ONE_HOT)


def test_label_smoothing_mixes_in_the_uniform_distribution() -> None:
    q = 0.7 * ONE_HOT + 0.3 / 3
    log_p = special.log_softmax(A, axis=-1)
    value = loss("softmax_cross_entropy(label_smoothing=0.3)").logits_value(A, ONE_HOT)
    assert value == pytest.approx(-np.mean(np.sum(q * log_p, axis=1)), rel=1e-13)


@pytest.mark.parametrize("classes", [[0, 1, 2, 0, 1, 3], [0, 1, 2, 0, 1, -1]])
def test_a_class_that_no_output_stands_for(classes: list[int]) -> None:
    with pytest.raises(DataError, match=r"class (3|-1) in the targets, but 3 outputs know classes 0 to 2"):
        loss("softmax_cross_entropy").logits_value(A, np.array(classes))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", [name for name in LOSSES if name != "bce_eps_in_divisions"])
def test_any_finite_output_gives_no_warning(name: str, reduction: str, dtype: type[np.floating]) -> None:
    info = np.finfo(dtype)
    big = [0.0, float(info.tiny), 1e-30, 0.5, 1.0, 40.0, 800.0, 1e30, float(info.max)]
    values = np.array([*big, *(-v for v in big)], dtype=dtype)
    logits = np.stack(np.meshgrid(values, values), axis=-1).reshape(-1, 2)
    part = loss(f"{name}(reduction={reduction})")
    for row in ([0.0, 1.0], [1.0, 0.0]):
        y = np.broadcast_to(np.array(row), logits.shape)
        for outputs, target in ((logits, y), (logits[:, None, :], y[:, None, :])):
            with np.errstate(all="raise"):
                results = [part.value(outputs, target), part.gradient(outputs, target)]
                if part.pairs_with:
                    results += [part.logits_value(outputs, target), part.logits_gradient(outputs, target)]
            assert all(r.dtype == dtype for r in results)
            if name not in ("mse", "half_mse"):
                assert all(np.isfinite(r).all() for r in results)


def test_the_mean_of_huge_losses_does_not_overflow() -> None:
    z = np.full((10, 1), 1e308)
    assert loss("binary_cross_entropy").logits_value(z, np.zeros((10, 1))) == pytest.approx(1e308)
    assert loss("binary_cross_entropy(reduction=sum)").logits_value(z, np.zeros((10, 1))) == np.finfo(float).max
    assert loss("mae").value(z, np.zeros((10, 1))) == pytest.approx(1e308)


def test_squares_overflow_to_inf_without_a_warning_and_slopes_do_not() -> None:
    with np.errstate(all="raise"):
        assert loss("mse").value(np.array([[1e200]]), np.array([[0.0]])) == np.inf
        assert loss("mse").gradient(np.array([[1e200]]), np.array([[0.0]])) == 2e200


def test_a_non_finite_output_shows() -> None:
    for name in ("mse", "mae", "huber", "bce_eps_in_divisions"):
        assert np.isnan(loss(name).value(np.array([[np.nan]]), np.array([[1.0]]))), name
    assert np.isnan(loss("binary_cross_entropy").logits_value(np.array([[np.nan]]), np.array([[1.0]])))
    assert np.isnan(loss("softmax_cross_entropy").logits_value(np.array([[np.nan, 0.0]]), np.array([[1.0, 0.0]])))
    assert loss("mae").value(np.array([[np.inf]]), np.array([[1.0]])) == np.inf


def test_the_textbook_cross_entropy_is_as_written() -> None:
    part = loss("bce_eps_in_divisions")
    a, y = np.array([[0.25], [0.75]]), np.array([[1.0], [1.0]])
    expected = -1 / (a + 1e-8) / 2
    np.testing.assert_allclose(part.gradient(a, y), expected, rtol=1e-15)
    assert part.value(a, y) == pytest.approx(-(math.log(0.25) + math.log(0.75)) / 2)
    zero, one = np.array([[0.0]]), np.array([[1.0]])
    with np.errstate(all="raise"):
        assert np.isnan(part.value(zero, zero))  # 0 * log 0
        assert part.value(zero, one) == np.inf
        assert part.gradient(zero, one) == pytest.approx(-1e8)  # where the exact slope is -inf
        assert np.isnan(part.value(np.array([[-0.5]]), one))  # a relu or no activation at all


@given(st.floats(-30, 30), st.floats(0, 1))
def test_binary_cross_entropy_from_logits_is_the_definition(z: float, y: float) -> None:
    p = 1 / (1 + math.exp(-z))
    truth = -(y * math.log(p) + (1 - y) * math.log1p(-p)) if p < 1 - 1e-9 else (1 - y) * z + math.log1p(math.exp(-z))
    value = loss("binary_cross_entropy").logits_value(np.array([[z]]), np.array([[y]]))
    assert float(value) == pytest.approx(truth, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_output_pairings(name: str) -> None:
    part = loss(name)
    for act in ACTIVATIONS:
        if part.outputs and act not in part.outputs:
            with pytest.raises(ConfigError, match=f"'{name}' needs probabilities.*use output '{part.outputs[0]}'"):
                part.check_output(activation(act))
        else:
            part.check_output(activation(act))
    assert part.pairs_with is None or part.pairs_with in part.outputs


@pytest.mark.parametrize("name", LOSSES)
def test_shapes_that_do_not_fit_are_named(name: str) -> None:
    part = loss(name)
    with pytest.raises(ShapeError, match=r"\(6, 1\) do not fit outputs of shape \(6, 3\)"):
        part.value(P, B[:, :1])
    with pytest.raises(ShapeError, match=r"\(6,\) do not fit outputs of shape \(6, 3\)"):
        part.gradient(P, B[:, 0])
    with pytest.raises(ShapeError, match=r"\(2, 6, 3\) do not fit outputs of shape \(6, 3\)"):
        part.value(P, np.stack([B, B]))
    with pytest.raises(ShapeError, match=r"weights of shape \(5,\) do not fit the losses of shape \(6,\)"):
        part.value(P, targets_for(name), np.ones(5))
    with pytest.raises(ShapeError, match=r"weights of shape \(5,\)"):
        part.gradient(P, targets_for(name), np.ones(5))


@pytest.mark.parametrize("name", [name for name, cls in LOSSES.items() if cls.pairs_with is None])
def test_without_a_pair_there_is_no_form_in_logits(name: str) -> None:
    with pytest.raises(ConfigError, match="no form in logits"):
        loss(name).logits_value(A, Y)
    with pytest.raises(ConfigError, match="no form in logits"):
        loss(name).logits_gradient(A, Y)


@pytest.mark.parametrize("spec", [*LOSSES, "huber(0.5)", "mse(sum)", "softmax_cross_entropy(0.1, sum)"])
def test_a_spec_survives_the_round_trip(spec: str) -> None:
    assert loss(spec_of(loss(spec))) == loss(spec)
    assert loss(loss(spec)) is loss(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("msee", "did you mean 'mse'"),
        ("mse(median)", "reduction must be 'mean' or 'sum'"),
        ("huber(0)", "delta must be positive"),
        ("huber(nan)", "delta must be positive"),
        ("binary_cross_entropy(-1)", "scale must be positive"),
        ("softmax_cross_entropy(1)", r"label_smoothing must lie in \[0, 1\)"),
        ("bce_eps_in_divisions(-1)", "eps must lie in"),
    ],
)
def test_bad_specs_say_what_is_wrong(spec: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loss(spec)


def test_a_number_is_no_loss() -> None:
    with pytest.raises(ConfigError, match="must be text"):
        loss(3)  # type: ignore[arg-type]
