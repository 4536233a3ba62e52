"""NumPy's linear algebra with one thread."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager[object]:
    """Let BLAS use one thread: how it cuts a large product for its threads changes the last bits of the result.

    Small products, which most of ours are, are no faster with more; on a busy machine they are many times slower.
    """
    limited: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limited


@functools.cache
def _controller() -> ThreadpoolController:
    """Find the BLAS library that NumPy has loaded, once."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
