"""Samples as the gemm kernel wants them: dense, or as lists of the inputs that are not zero; made once per array."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np

from chainrule.engines.compiled.block import Part
from chainrule.engines.compiled.cache import kernel
from chainrule.engines.gemm.records import Data
from chainrule.engines.gemm.sparse_kernel import BLOCK_INPUTS
from chainrule.nn import Array

LOOKED_AT = 256
"""Samples that are looked at to see whether most inputs are zeros."""
LEAST_ZEROS = 0.5
LEAST_FEATURES = 32
"""With fewer inputs than that, lists cost more than zeros."""

Lists = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], Array]
_made: dict[int, tuple[weakref.ref[Array], Lists]] = {}
_lock = threading.Lock()


@kernel
def _count_nonzeros(X: Any, block: int, starts: Any) -> None:
    """Set starts[s, j + 1] to the number of nonzero inputs of sample s in block j."""
    for s in range(X.shape[0]):
        for j in range(starts.shape[1] - 1):
            count = 0
            for i in range(j * block, min((j + 1) * block, X.shape[1])):
                count += X[s, i] != 0
            starts[s, j + 1] = count


@kernel
def _list_nonzeros(X: Any, starts: Any, inputs: Any, values: Any) -> None:
    """Write the nonzero inputs of each sample; the lists have one entry to spare, for what is written in vain."""
    for s in range(X.shape[0]):
        p = starts[s, 0]
        for i in range(X.shape[1]):
            inputs[p], values[p] = i, X[s, i]
            p += X[s, i] != 0


def is_sparse(X: Array) -> bool:
    """Whether most inputs are zeros, by a look at some of the samples."""
    n, d = X.shape
    looked_at = X[:: max(n // LOOKED_AT, 1)]
    return d >= LEAST_FEATURES and bool(np.count_nonzero(looked_at) <= (1.0 - LEAST_ZEROS) * looked_at.size)


def lists_of(X: Array) -> Lists:
    """Return starts, inputs and values (see `records.Data`) of an array; kept as long as the array lives."""
    with _lock:
        known = _made.get(id(X))
        if known is not None and known[0]() is X:
            return known[1]
        lists = _make_lists(X)
        key = id(X)
        _made[key] = weakref.ref(X, lambda _: _made.pop(key, None)), lists
        return lists


def _make_lists(X: Array) -> Lists:
    n, d = X.shape
    blocks = -(-d // BLOCK_INPUTS)
    counts = np.zeros((n, blocks + 1), dtype=np.int64)
    _count_nonzeros(X, BLOCK_INPUTS, counts)
    ends = np.cumsum(counts[:, 1:].ravel()).reshape(n, blocks)
    starts = counts
    starts[1:, 0] = ends[:-1, -1]
    starts[:, 1:] = ends
    inputs, values = np.zeros(ends[-1, -1] + 1, dtype=np.int32), np.zeros(ends[-1, -1] + 1, dtype=X.dtype)
    _list_nonzeros(X, starts, inputs, values)
    return starts, inputs, values


def make_data(part: Part, sparse: bool | None = None) -> Data:
    """Return the samples of one member.

    Parameters
    ----------
    part : Part
        Samples that all members of the block share, or those of its only one.
    sparse : bool, optional
        Whether inputs are read from lists; None lets their zeros decide. The results have the same bits.
    """
    X, Y, w = (array if array is None or part.shared else array[0] for array in (part.X, part.Y, part.weight))
    assert X is not None, "only weights may be missing"
    assert Y is not None, "only weights may be missing"
    lists = is_sparse(X) if sparse is None else sparse
    none = np.zeros((1, 1), dtype=np.int64), np.zeros(1, dtype=np.int32), np.zeros(1, dtype=X.dtype)
    starts, inputs, values = lists_of(X) if lists else none
    return Data(
        X=np.ascontiguousarray(X),
        Y=np.ascontiguousarray(Y),
        w=np.zeros(1, dtype=X.dtype) if w is None else np.ascontiguousarray(w),
        n=part.n,
        weighted=w is not None,
        sparse=lists,
        starts=starts,
        inputs=inputs,
        values=values,
        rows=np.zeros(1, dtype=X.dtype),
        steps=np.zeros(1, dtype=np.int64),
        ways=np.zeros(1, dtype=np.int64),
    )


def no_data(like: Data) -> Data:
    """Return the samples of a part that there is not."""
    none = make_data(Part(like.X[:1], like.Y[:1], None, True), sparse=False)
    return none._replace(n=0)
