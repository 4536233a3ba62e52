"""Named random streams: all randomness in chainrule comes from here.

A member's seed is one integer. Each thing that is random about the member draws from a stream of its
own, so that members with equal seeds share data, split and batch order whatever their setting, and
drawing more of one thing never shifts another.

The generator is Philox (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011), a counter-based generator: a stream is its 128-bit key, here a BLAKE2b hash of seed and name.
"""

from __future__ import annotations

import hashlib
import operator
from typing import Any, Literal

import numpy as np

from chainrule.errors import ConfigError, show

StreamName = Literal["init", "data", "split", "order", "dropout", "noise", "bootstrap"]


def stream(seed: int, name: StreamName) -> np.random.Generator:
    """Return the independent generator of one named purpose of one seed.

    Parameters
    ----------
    seed : int
        Any whole number from 0 to 2**63 - 1 (so that every table format can hold it).
    name : str
        The purpose: ``init``, ``data``, ``split``, ``order``, ``dropout``, ``noise`` or ``bootstrap``.

    Returns
    -------
    numpy.random.Generator
        A fresh Philox generator; equal arguments give equal draws on every machine.

    Raises
    ------
    ConfigError
        If `seed` is no such number.
    """
    bits = np.random.Philox(_NO_ENTROPY)  # type: ignore[arg-type]  # it takes more than its types say
    bits.state = {
        "bit_generator": "Philox",
        "state": {"counter": _ZEROS, "key": stream_key(seed, name)},
        "buffer": _ZEROS,
        "buffer_pos": len(_ZEROS),
        "has_uint32": 0,
        "uinteger": 0,
    }
    return np.random.Generator(bits)


def stream_key(seed: int, name: StreamName) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return the two words that key a stream's Philox generator: a BLAKE2b hash of seed and name."""
    digest = hashlib.blake2b(f"{check_seed(seed)}/{name}".encode(), digest_size=16).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


class _NoEntropy(np.random.bit_generator.ISeedSequence):
    """Stands where NumPy would gather entropy from the system, only to see it replaced by the key."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray[Any, Any]:
        """Return zeros."""
        return np.zeros(n_words, dtype=dtype)


_NO_ENTROPY = _NoEntropy()
_ZEROS = np.zeros(4, dtype=np.uint64)


def check_seed(seed: object) -> int:
    """Return `seed` as an int from 0 to 2**63 - 1, or raise `ConfigError`."""
    try:
        number = operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if number < 0 or isinstance(seed, bool):
        raise ConfigError(f"a seed is a whole number of at least 0, got {show(seed)}")
    if number >= 2**63:
        raise ConfigError("a seed is a whole number below 2**63 (9.2e18), got a larger one")
    return number
