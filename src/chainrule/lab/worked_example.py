"""Report E's worked example: gradients of one sample, by the network's trace and by the scalar ladder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import ConfigError, one_line
from chainrule.nn import mlp
from chainrule.nn.ladder import ScalarNetwork

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import WorkedExample

NAMES = ("dV", "dc", "dW", "db")


def gradients(example: WorkedExample) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Return the example's gradients by name, computed twice.

    Raises
    ------
    ConfigError
        If the two computations differ by more than rounding: then nothing here can be trusted.
    """
    step = ScalarNetwork(example.W, example.b, example.V, example.c).step(example.x, example.target)
    by_hand = {name: np.array(getattr(step, name), dtype=np.float64) for name in NAMES}
    network = mlp([len(example.b)], "sigmoid", output="softmax").bind(len(example.x), len(example.c), "softmax")
    weights = (
        {"W": np.array(example.W), "b": np.array(example.b)},
        {"W": np.array(example.V), "b": np.array(example.c)},
    )
    trace = network.trace(weights, np.array([example.x]), np.array([example.target]), "softmax_cross_entropy")
    traced = dict(zip(NAMES, (trace["dW2"], trace["db2"], trace["dW1"], trace["db1"]), strict=True))
    for name in NAMES:
        if not np.allclose(by_hand[name], traced[name], rtol=1e-12, atol=1e-14):
            raise ConfigError(f"worked example: {name} of the trace differs from the scalar network's")
    return by_hand


def entry(example: WorkedExample, quantity: str) -> float:
    """Return one number of the gradients, e.g. ``dV[0,1]`` or ``dc[0]``.

    Raises
    ------
    ConfigError
        If there is no such entry.
    """
    found = re.fullmatch(r"(d[VcWb])\[(\d+)(?:,(\d+))?\]", quantity)
    if found is not None:
        index = tuple(int(part) for part in found.groups()[1:] if part is not None)
        array = gradients(example)[found[1]]
        if len(index) == array.ndim and all(i < size for i, size in zip(index, array.shape, strict=True)):
            return float(array[index])
    raise ConfigError(
        f"the worked example has no entry '{one_line(quantity)}': write dV[row,column], dc[k], dW[i,j], db[j]"
    )
