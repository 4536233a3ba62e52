"""Traces: every name, in the order of computation, with the values of the real pass."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.nn import Network, mlp
from chainrule.random import stream

X = np.array([[0.5, -1.0], [2.0, 0.25], [-0.75, 1.5]])
Y = np.array([[1.0], [0.0], [1.0]])


def bound(**settings: object) -> Network:
    return mlp([4, 3], **settings).bind(2, 1, "sigmoid")  # type: ignore[arg-type]


def test_names_in_order_with_a_form_in_logits() -> None:
    network = bound()
    trace = network.trace(network.init(stream(0, "init")), X, Y, "binary_cross_entropy")
    assert list(trace) == [
        "X", "Z1", "A1", "Z2", "A2", "Z3", "A3", "loss", "delta3", "dW3", "db3",
        "dA2", "delta2", "dW2", "db2", "dA1", "delta1", "dW1", "db1",
    ]  # fmt: skip
    assert len(trace) == 19
    assert "dA3" not in trace


def test_the_chain_rule_takes_two_steps_without_a_form_in_logits() -> None:
    network = bound()
    trace = network.trace(network.init(stream(0, "init")), X, Y, "half_mse")
    names = list(trace)
    assert names[names.index("loss") : names.index("dW3")] == ["loss", "dA3", "delta3"]
    a = trace["A3"]
    np.testing.assert_allclose(trace["dA3"], (a - Y) / 3)
    np.testing.assert_allclose(trace["delta3"], (a - Y) * a * (1 - a) / 3)


@pytest.mark.parametrize("settings", [{}, {"bias": False}, {"l1": 0.1, "l2": 0.2}, {"normalize": True}])
@pytest.mark.parametrize("loss", ["mse", "binary_cross_entropy"])
@pytest.mark.parametrize("members", [None, 2])
def test_values_are_those_of_the_step(settings: dict[str, object], loss: str, members: int | None) -> None:
    network = bound(**settings)
    theta = network.pack(network.init(stream(0, "init")))
    params = network.unpack(theta if members is None else np.stack([theta] * members))
    value, grads, forward = network.loss_and_gradients(params, X, Y, loss)
    trace = network.trace(params, X, Y, loss)
    np.testing.assert_array_equal(trace["loss"], value)
    np.testing.assert_array_equal(trace["A3"], forward.A)
    affine = [i for i, layer in enumerate(network.layers) if layer.affine]
    for number, i in enumerate(affine, start=1):
        np.testing.assert_array_equal(trace[f"Z{number}"], forward.records[i].Z)
        for key, grad in grads[i].items():
            np.testing.assert_array_equal(trace[f"d{key}{number}"], grad)
    assert ("db1" in trace) == (settings.get("bias") is not False)


def test_layers_between_carry_their_own_name() -> None:
    network = mlp([2], "tanh", normalize=True, dropout=0.5).bind(2, 1, "sigmoid")
    trace = network.trace(network.init(stream(0, "init")), X, Y, "mse")
    assert list(trace)[:9] == [
        "X", "Z1", "A1", "Z1_standardize", "A1_standardize", "Z1_dropout", "A1_dropout", "Z2", "A2"
    ]  # fmt: skip
    np.testing.assert_array_equal(trace["A1_dropout"], np.tanh(trace["Z1_standardize"]))
    assert {"delta1_dropout", "dA1_standardize", "delta1_standardize", "dA1", "delta1"} <= set(trace)


def test_formulas_name_what_they_use() -> None:
    network = bound()
    steps = network.trace(network.init(stream(0, "init")), X, Y, "mse").steps()
    formulas = {step.name: step.formula for step in steps}
    assert formulas["Z1"] == "X W1 + b1"
    assert formulas["A2"] == "sigmoid(Z2)"
    assert formulas["delta1"] == "dA1 * sigmoid'(Z1)"
    assert formulas["dW2"] == "A1' delta2"
    assert formulas["dA1"] == "delta2 W2'"
    assert bound(l2=0.1).trace(network.init(stream(0, "init")), X, Y, "mse").steps()[7].formula.endswith("penalties")


def test_an_unknown_name_is_a_key_error() -> None:
    network = bound()
    trace = network.trace(network.init(stream(0, "init")), X, Y, "mse")
    with pytest.raises(KeyError):
        trace["Z9"]
    assert repr(trace).startswith("Trace(X (3, 2), Z1 (3, 4)")
