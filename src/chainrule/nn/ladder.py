"""The same network three times: one number at a time, one sample at a time, one batch at a time.

The network has one hidden sigmoid layer and a softmax output with cross-entropy:

    z_j = sum_i x_i w_ij + b_j      h_j = sigmoid(z_j)
    s_k = sum_j h_j v_jk + c_k      y_k = exp(s_k) / sum_i exp(s_i)      L = -log y_target

The first rung uses Python floats and loops only, so that every index of the derivation is visible. The
second writes each loop as a matrix product, the third takes all samples at once. All three give the same
loss and gradients, and so does a `Network` with these layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.nn._types import Array
from chainrule.nn.activations import shifted_exp, stable_sigmoid

Vector = list[float]
Matrix = list[list[float]]


@dataclass(frozen=True)
class ScalarStep:
    """Loss, outputs and gradients of one sample, as nested lists of floats."""

    loss: float
    y: Vector
    dW: Matrix  # noqa: N815
    db: Vector
    dV: Matrix  # noqa: N815
    dc: Vector


@dataclass(frozen=True)
class Step:
    """Loss, outputs and gradients as arrays; over a batch, loss and gradients are means over the samples."""

    loss: float
    Y: Array
    dW: Array  # noqa: N815
    db: Array
    dV: Array  # noqa: N815
    dc: Array


@dataclass(frozen=True)
class ScalarNetwork:
    """The first rung: loops and floats, nothing else.

    Parameters
    ----------
    W : list of rows
        Weights from input i to hidden unit j, W[i][j].
    b : list
        Bias of hidden unit j.
    V : list of rows
        Weights from hidden unit j to output k, V[j][k].
    c : list
        Bias of output k.
    """

    W: Matrix
    b: Vector
    V: Matrix
    c: Vector

    def hidden(self, x: Sequence[float]) -> Vector:
        """Return h_j = sigmoid(sum_i x_i w_ij + b_j)."""
        h = []
        for j in range(len(self.b)):
            z = self.b[j]
            for i in range(len(x)):
                z += x[i] * self.W[i][j]
            # both forms are the sigmoid; each is used where its exp cannot overflow
            h.append(1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z)))
        return h

    def logits(self, h: Sequence[float]) -> Vector:
        """Return s_k = sum_j h_j v_jk + c_k."""
        s = []
        for k in range(len(self.c)):
            total = self.c[k]
            for j in range(len(h)):
                total += h[j] * self.V[j][k]
            s.append(total)
        return s

    def step(self, x: Sequence[float], target: int) -> ScalarStep:
        """Return loss, outputs and every gradient for one sample of class `target`."""
        h = self.hidden(x)
        s = self.logits(h)
        largest = max(s)
        total = 0.0
        for value in s:
            total += math.exp(value - largest)
        y = [math.exp(value - largest) / total for value in s]
        loss = largest + math.log(total) - s[target]
        # dL/ds_k = y_k - 1[k = target]
        dc = [y[k] - (1.0 if k == target else 0.0) for k in range(len(y))]
        # s_k = sum_j h_j v_jk + c_k, so dL/dv_jk = h_j dL/ds_k
        dV = [[h[j] * dc[k] for k in range(len(y))] for j in range(len(h))]
        # dL/dh_j = sum_k v_jk dL/ds_k, and dh_j/dz_j = h_j (1 - h_j)
        db = []
        for j in range(len(h)):
            dh = 0.0
            for k in range(len(y)):
                dh += self.V[j][k] * dc[k]
            db.append(dh * h[j] * (1 - h[j]))
        # z_j = sum_i x_i w_ij + b_j, so dL/dw_ij = x_i dL/dz_j
        dW = [[x[i] * db[j] for j in range(len(h))] for i in range(len(x))]
        return ScalarStep(loss, y, dW, db, dV, dc)


def vectorised_step(W: Array, b: Array, V: Array, c: Array, x: npt.ArrayLike, target: int) -> Step:
    """Return the second rung: one sample, the loops written as products of vectors and matrices.

    Parameters
    ----------
    W, b, V, c : array (d, h), (h,), (h, k), (k,)
        The weights.
    x : array (d,)
        The sample.
    target : int
        Its class.
    """
    x = np.asarray(x, dtype=np.float64)
    h = stable_sigmoid(x @ W + b)
    s, e, total = shifted_exp(h @ V + c)
    y = e / total
    dc = y - np.eye(len(c))[target]
    db = (V @ dc) * h * (1 - h)
    loss = float(np.log(total)[0] - s[target])
    return Step(loss, y, np.outer(x, db), db, np.outer(h, dc), dc)


def batched_step(W: Array, b: Array, V: Array, c: Array, X: npt.ArrayLike, targets: npt.ArrayLike) -> Step:
    """Return the third rung: all samples at once, loss and gradients averaged over them.

    Parameters
    ----------
    W, b, V, c : array (d, h), (h,), (h, k), (k,)
        The weights.
    X : array (n, d)
        The samples.
    targets : array of int (n,)
        Their classes.
    """
    X = np.asarray(X, dtype=np.float64)
    classes = np.asarray(targets, dtype=np.intp)
    n = len(X)
    H = stable_sigmoid(X @ W + b)
    S, E, total = shifted_exp(H @ V + c)
    Y = E / total
    delta2 = (Y - np.eye(len(c))[classes]) / n
    delta1 = (delta2 @ V.T) * H * (1 - H)
    loss = float(np.mean(np.log(total)[:, 0] - S[np.arange(n), classes]))
    return Step(loss, Y, X.T @ delta1, delta1.sum(axis=0), H.T @ delta2, delta2.sum(axis=0))
