"""The optimizer contract: a pure step over flat parameters with a leading member axis.

A population of m networks with P parameters each is one array ``theta (m, P)``. An optimizer keeps no
hidden memory: what it must remember is the `State`, a dict of arrays which all have the member axis
first, so an engine can drop finished members by indexing axis 0 of everything. Every rule works element
by element (or row by row), hence a member takes bitwise the same step alone and among ten thousand.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
State = dict[str, npt.NDArray[Any]]

MOST = 10**9
"""The largest whole number that a part accepts for a count of epochs, steps or times."""


@dataclass(frozen=True)
class Optimizer(ABC):
    """How a gradient becomes a step.

    The caller applies the step: ``theta += step`` (the step already points downhill). Nothing that is
    passed in is changed. Steps have the gradient's dtype: float32 stays float32. Overflow in a diverging
    member follows IEEE arithmetic; callers that expect it wrap the call in ``np.errstate``.
    """

    name: ClassVar[str]

    @abstractmethod
    def init(self, theta: Array, slots: Sequence[slice] = ()) -> State:
        """Return the state before the first step.

        Parameters
        ----------
        theta : (m, P) array
            The parameters; only shape and dtype matter.
        slots : sequence of slice
            Where each parameter array (a weight matrix, a bias vector) lies in the P axis. Only rules that
            treat arrays as wholes read it.
        """

    @abstractmethod
    def update(self, grad: Array, state: State, lr: Array, theta: Array) -> tuple[Array, State]:
        """Return the step and the next state.

        Parameters
        ----------
        grad : (m, P) array
            The gradient of the loss at `theta`.
        state : dict of arrays
            What `init` or the previous `update` returned.
        lr : (m, 1) array
            The learning rate of each member.
        theta : (m, P) array
            The parameters (weight decay needs them).

        Returns
        -------
        step : (m, P) array
            To be added to `theta`.
        state : dict of arrays
            The state for the next step.
        """


def rate(lr: Array, grad: Array) -> Array:
    """Return the learning rates in the gradient's dtype, so that float32 stays float32."""
    return lr.astype(grad.dtype, copy=False)
