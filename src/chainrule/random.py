"""Named random streams: all randomness in chainrule comes from here.

A member's seed is one integer. Each thing that is random about the member draws from a stream of its
own, so that members with equal seeds share data, split and batch order whatever their setting, and
drawing more of one thing never shifts another.

The generator is Philox (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011), a counter-based generator: a stream is its 128-bit key, here a BLAKE2b hash of seed and name.

To ask how much of the spread between runs each purpose causes, purposes must vary one without the other. A *crossed
seed* holds a small seed for each of them in one integer (`crossed_seed`), so that whatever takes a seed, keeps it or
sends it on takes a crossed one too:

    bit 62            set
    bits 0 to 11      seed of ``init``
    bits 12 to 23     seed of ``data`` (and of ``noise``, which belongs to the data)
    bits 24 to 35     seed of ``split``
    bits 36 to 47     seed of ``order`` (and of ``augment``, which goes on in that order)
    bits 48 to 59     seed of ``dropout``

A stream of a crossed seed is that of the small seed of its purpose: ``crossed_seed(s, s, s, s, s)`` trains bit for
bit like the plain seed s.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from chainrule.errors import ConfigError, show

StreamName = Literal["init", "data", "split", "order", "dropout", "noise", "augment", "bootstrap"]

PLAIN_SEEDS = 2**62
"""Plain seeds are smaller than this."""

SOURCES = ("init", "data", "split", "order", "dropout")
"""What a crossed seed has a seed of its own for, from the lowest bits up."""

CROSSED_BITS = 12
CROSSED_SEEDS = 1 << CROSSED_BITS
"""Each seed within a crossed one is smaller than this."""

_SHIFT: Mapping[str, int] = MappingProxyType(
    {
        **{name: CROSSED_BITS * place for place, name in enumerate(SOURCES)},
        "noise": CROSSED_BITS,
        "augment": 3 * CROSSED_BITS,
    }
)


def stream(seed: int, name: StreamName, part: int = 0) -> np.random.Generator:
    """Return the independent generator of one named purpose of one seed.

    Parameters
    ----------
    seed : int
        A whole number from 0 to 2**62 - 1, or one that `crossed_seed` made (so that every table format can hold it).
    name : str
        The purpose: ``init``, ``data``, ``split``, ``order``, ``dropout``, ``noise``, ``augment`` or ``bootstrap``.
    part : int
        Which of several streams of that purpose; each is independent of the others.

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
        "state": {"counter": _ZEROS, "key": stream_key(seed, name, part)},
        "buffer": _ZEROS,
        "buffer_pos": len(_ZEROS),
        "has_uint32": 0,
        "uinteger": 0,
    }
    return np.random.Generator(bits)


def stream_key(seed: int, name: StreamName, part: int = 0) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return the two words that key a stream's Philox generator: a BLAKE2b hash of seed, name, and part from 1 on."""
    text = f"{seed_of(seed, name)}/{name}" + (f"/{part}" if part else "")
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


def seed_of(seed: int, name: StreamName) -> int:
    """Return the plain seed that a purpose draws from: the seed itself, or its part of a crossed one.

    Purposes that a crossed seed has no part for (``bootstrap``) draw from the whole number.
    """
    number = check_seed(seed)
    if number < PLAIN_SEEDS or name not in _SHIFT:
        return number
    return number >> _SHIFT[name] & CROSSED_SEEDS - 1


def crossed_seed(init: int = 0, data: int = 0, split: int = 0, order: int = 0, dropout: int = 0) -> int:
    """Return the one seed that draws each purpose from a seed of its own.

    Parameters
    ----------
    init, data, split, order, dropout : int
        The seed of initial weights, of the data (with their noise), of the split, of the batch order and of dropout:
        whole numbers from 0 to 4,095.

    Raises
    ------
    ConfigError
        If one of them is no such number.

    Examples
    --------
    >>> from chainrule.random import crossed_seed, seed_parts
    >>> seed_parts(crossed_seed(init=7, order=3))
    {'init': 7, 'data': 0, 'split': 0, 'order': 3, 'dropout': 0}
    """
    number = PLAIN_SEEDS
    for name, part in zip(SOURCES, (init, data, split, order, dropout), strict=True):
        small = check_seed(part)
        if small >= CROSSED_SEEDS:
            raise ConfigError(f"a seed within a crossed seed is below {CROSSED_SEEDS:,}, got {name}={show(part)}")
        number |= small << _SHIFT[name]
    return number


def seed_parts(seed: int) -> dict[str, int]:
    """Return the seed that each of `SOURCES` draws from: of a plain seed, the seed itself for all of them."""
    return {name: seed_of(seed, name) for name in SOURCES}  # type: ignore[arg-type]


def data_seed(seed: int) -> int:
    """Return a seed that draws the same data and the same split, and is equal for all seeds that do."""
    if not is_crossed(seed):
        return seed
    return crossed_seed(data=seed_of(seed, "data"), split=seed_of(seed, "split"))


def is_crossed(seed: int) -> bool:
    """Whether a seed was made by `crossed_seed`."""
    return check_seed(seed) >= PLAIN_SEEDS


class _NoEntropy(np.random.bit_generator.ISeedSequence):
    """Stands where NumPy would gather entropy from the system, only to see it replaced by the key."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> np.ndarray[Any, Any]:
        """Return zeros."""
        return np.zeros(n_words, dtype=dtype)


_NO_ENTROPY = _NoEntropy()
_ZEROS = np.zeros(4, dtype=np.uint64)


def check_seed(seed: object) -> int:
    """Return `seed` as an int, plain (0 to 2**62 - 1) or crossed, or raise `ConfigError`."""
    try:
        number = operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if number < 0 or isinstance(seed, bool):
        raise ConfigError(f"a seed is a whole number of at least 0, got {show(seed)}")
    if number >= PLAIN_SEEDS and number >> CROSSED_BITS * len(SOURCES) != _CROSSED_MARK:
        raise ConfigError("a seed is a whole number below 2**62 (4.6e18), or made by crossed_seed; got a larger one")
    return number


_CROSSED_MARK = PLAIN_SEEDS >> CROSSED_BITS * len(SOURCES)
