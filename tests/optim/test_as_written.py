"""The reports' own optimizers: what exactly differs from the rules whose names they bore."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import optim
from chainrule.errors import ShapeError

SLOTS = (slice(0, 2), slice(2, 3))


def test_each_array_is_normalized_on_its_own() -> None:
    rule = optim.optimizer("array_normalized_gradient(eps=1e-12)")
    theta, grad = np.zeros((2, 3)), np.array([[3.0, 4.0, -0.001], [0.0, 2.0, 5.0]])
    step, _ = rule.update(grad, rule.init(theta, SLOTS), np.array([[0.5], [1.0]]), theta)
    np.testing.assert_allclose(step, [[-0.3, -0.4, 0.5], [0.0, -1.0, -1.0]], rtol=1e-5)


def test_without_slots_all_parameters_are_one_array() -> None:
    rule = optim.optimizer("array_normalized_gradient(eps=1e-12)")
    theta = np.zeros((1, 3))
    step, _ = rule.update(np.array([[2.0, 3.0, 6.0]]), rule.init(theta), np.array([[0.7]]), theta)
    np.testing.assert_allclose(step, [[-0.2, -0.3, -0.6]], rtol=1e-9)


def test_it_forgets_where_adagrad_accumulates() -> None:
    theta, grad, lr = np.zeros((1, 1)), np.ones((1, 1)), np.array([[0.1]])
    steps = {}
    for name in ("array_normalized_gradient", "adagrad"):
        rule = optim.optimizer(name)
        state = rule.init(theta)
        for _ in range(4):
            step, state = rule.update(grad, state, lr, theta)
        steps[name] = step[0, 0]
    assert steps["array_normalized_gradient"] == pytest.approx(-0.1)
    assert steps["adagrad"] == pytest.approx(-0.1 / 2)  # the root of four squared ones


@pytest.mark.parametrize("slots", [(slice(0, 2),), (slice(0, 1), slice(2, 3)), (slice(1, 3),)])
def test_slots_that_leave_parameters_out_are_refused(slots: tuple[slice, ...]) -> None:
    with pytest.raises(ShapeError, match="do not cover the 3 parameters"):
        optim.optimizer("array_normalized_gradient").init(np.zeros((1, 3)), slots)


def test_overwriting_the_moments_changes_the_second_step_not_the_first() -> None:
    theta, lr = np.zeros((1, 1)), np.array([[0.1]])
    as_written, correct = optim.optimizer("adam_overwriting_moments"), optim.optimizer("adam(beta2=0.95)")
    states = [as_written.init(theta), correct.init(theta)]
    pairs = []
    for g in (1.0, 0.5):
        results = [
            rule.update(np.array([[g]]), s, lr, theta) for rule, s in zip((as_written, correct), states, strict=True)
        ]
        states = [s for _, s in results]
        pairs.append([float(step[0, 0]) for step, _ in results])
    assert pairs[0][0] == pytest.approx(pairs[0][1], rel=1e-7)
    assert abs(pairs[1][0] / pairs[1][1] - 1) > 0.1


def test_momentum_ascent_is_momentum_with_the_opposite_sign() -> None:
    rng = np.random.default_rng(0)
    theta, lr = np.zeros((2, 3)), np.array([[0.1], [0.3]])
    up, down = optim.optimizer("momentum_ascent"), optim.optimizer("momentum")
    state_up, state_down = up.init(theta), down.init(theta)
    for g in rng.normal(size=(5, 2, 3)):
        step_up, state_up = up.update(g, state_up, lr, theta)
        step_down, state_down = down.update(g, state_down, lr, theta)
        assert np.array_equal(step_up, -step_down)
