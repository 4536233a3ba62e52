"""Texts kept once: each has a number in a store, and is found by its hash, which also shows whether it was damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, insert, select

from chainrule.experiments.store.owners import parts_of
from chainrule.experiments.store.tables import words

MOST = 200_000
"""Texts remembered in memory at most."""


def hash_of(text: str) -> bytes:
    """Return the hash (16 bytes) of a text."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def tag_of(*numbers: int) -> int:
    """Return a check on some numbers of a row, 31 bits."""
    return int(tags_of(*(np.array([number]) for number in numbers))[0])


def tags_of(*numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the checks on many rows at once: arrays (n_rows,), one for each number of a row.

    Multiplying by a large odd number and folding mixes every bit into the low ones (Knuth, The Art of Computer
    Programming, volume 3, section 6.4: multiplicative hashing).
    """
    mixed = np.full(len(numbers[0]), 0x2545F4914F6CDD1D, dtype=np.uint64)
    for column in numbers:
        mixed = (mixed ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return (mixed >> np.uint64(33)).astype(np.int64)


class Words:
    """The numbers of texts in one store, remembered as far as transactions were kept."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: dict[int, str] = {}

    def forget(self) -> None:
        """Forget everything: a transaction that may have written new texts has failed."""
        self._numbers.clear()
        self._texts.clear()

    def put(self, connection: Connection, texts: Iterable[str]) -> dict[str, int]:
        """Return the number of each text; those that the store lacks are written."""
        wanted = set(texts)
        missing = [text for text in wanted if text not in self._numbers]
        if len(self._numbers) > MOST:
            self.forget()
            missing = list(wanted)
        self._find(connection, missing)
        new = sorted(text for text in missing if text not in self._numbers)
        if new:
            connection.execute(insert(words), [{"hash": hash_of(text), "text": text} for text in new])
            self._find(connection, new)
        return {text: self._numbers[text] for text in wanted}

    def find(self, connection: Connection, texts: Iterable[str]) -> dict[str, int]:
        """Return the numbers of those texts that the store has."""
        wanted = list(dict.fromkeys(texts))
        self._find(connection, [text for text in wanted if text not in self._numbers])
        return {text: self._numbers[text] for text in wanted if text in self._numbers}

    def _find(self, connection: Connection, texts: list[str]) -> None:
        by_hash = {hash_of(text): text for text in texts}
        for part in parts_of(list(by_hash)):
            for number, key in connection.execute(select(words.c.id, words.c.hash).where(words.c.hash.in_(part))):
                self._numbers[by_hash[bytes(key)]] = number

    def get(self, connection: Connection, numbers: Iterable[int]) -> dict[int, str]:
        """Return the text of each number.

        Raises
        ------
        ValueError
            If one is not there, or is not what was written.
        """
        wanted = set(numbers)
        if len(self._texts) > MOST:
            self._texts.clear()
        missing = [number for number in wanted if number not in self._texts]
        for part in parts_of(missing):
            for number, key, text in connection.execute(select(words).where(words.c.id.in_(part))):
                if hash_of(text) != key:
                    raise ValueError(f"text {number} has changed")
                self._texts[number] = text
        for number in wanted:
            if number not in self._texts:
                raise ValueError(f"text {number} is missing")
        return {number: self._texts[number] for number in wanted}
