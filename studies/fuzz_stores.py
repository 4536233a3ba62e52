"""Random damage to the bytes of a store: whatever is asked of it then gives the right answer, or one line.

    python -m studies.fuzz_stores [--count 2000] [--seed 0]

A small store is damaged in one of six ways: bytes flipped, bytes overwritten, a stretch zeroed, the file cut off, a
stretch moved, two stores mixed. Then everything that a store can be asked is asked, first to read and then to write.
An answer is right if it is the one that the sound store gives.
"""

from __future__ import annotations

import argparse
import faulthandler
import functools
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import StoreError, one_line
from chainrule.experiments.running.tasks import Task
from chainrule.experiments.store import Store
from chainrule.runs import Run

Pairs = list[tuple[Task, Run]]
Random = np.random.Generator
SLOW = 20.0
"""Seconds after which a single damaged store counts as a hang."""


def _flip(data: bytearray, random: Random) -> None:
    for place in random.integers(0, len(data), random.integers(1, 9)):
        data[place] ^= 1 << int(random.integers(8))


def _overwrite(data: bytearray, random: Random) -> None:
    for place in random.integers(0, len(data), random.integers(1, 65)):
        data[place] = int(random.integers(256))


def _zero(data: bytearray, random: Random) -> None:
    start, length = int(random.integers(len(data))), int(random.integers(1, 8192))
    data[start : start + length] = bytes(len(data[start : start + length]))


def _cut(data: bytearray, random: Random) -> None:
    del data[int(random.integers(1, len(data))) :]


def _move(data: bytearray, random: Random) -> None:
    length = min(int(random.choice([16, 100, 4096])), len(data) // 2)
    a, b = random.integers(0, len(data) - length, 2).tolist()
    data[a : a + length] = data[b : b + length]


def _page(data: bytearray, random: Random) -> None:
    """Let a page hold noise, as a disk does that gives back another sector."""
    page = int(random.integers(len(data) // 4096))
    data[4096 * page : 4096 * (page + 1)] = random.bytes(4096)


DAMAGES: tuple[Callable[[bytearray, Random], None], ...] = (_flip, _overwrite, _zero, _cut, _move, _page)


def fingerprint(value: Any) -> Any:
    """Return what makes two answers the same answer."""
    if isinstance(value, Run):
        arrays = [value.theta, *value.history.values(), *value.windows.values()]
        return value.to_row().__repr__(), [array.tobytes() for array in arrays]
    if isinstance(value, dict):
        return {str(key): fingerprint(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [fingerprint(one) for one in value]
    return repr(value)


def questions(tasks: list[Task]) -> dict[str, Callable[[Store], Any]]:
    """Return what is asked of every damaged store."""
    return {
        "count": lambda store: store.count(),
        "load": lambda store: store.load(tasks),
        "load without arrays": lambda store: {t: r.to_row() for t, r in store.load(tasks, arrays=False).items()},
        "aggregate": lambda store: store.aggregate("training.learning_rate", success="accuracy>=0.5"),
        "aggregate by data": lambda store: store.aggregate(("data.source", "numerics"), metric="epochs"),
        "filter": lambda store: store.rows({"network.activation": "tanh"}, ["loss<=0.3"]),
        "settings": lambda store: store.settings(),
        "axes": lambda store: store.axes(),
        "metrics": lambda store: store.metrics(),
    }


def missing_only(got: Any, right: Any) -> bool:
    """Return whether a loaded part of the runs is right as far as it goes: what is not found is trained again."""
    return isinstance(got, dict) and all(right.get(key) == value for key, value in got.items())


def try_store(path: Path, pairs: Pairs, right: dict[str, Any]) -> tuple[list[str], Counter[str]]:
    """Ask a damaged store everything; return what went wrong, and how often it answered or refused."""
    wrong: list[str] = []
    told: Counter[str] = Counter()

    def ask(name: str, question: Callable[[], Any]) -> None:
        try:
            answer = question()
        except StoreError as error:
            told["refused"] += 1
            if len(str(error).splitlines()) != 1:
                wrong.append(f"{name}: more than a line")
            return
        except Exception as error:  # what a user must never see
            wrong.append(f"{name}: {type(error).__name__}: {one_line(error)}")
            return
        told["answered"] += 1
        if name in right and fingerprint(answer) != right[name]:
            if name.startswith("load") and missing_only(fingerprint(answer), right[name]):
                told["some not found"] += 1
                return
            wrong.append(f"{name}: a wrong answer")

    for read_only in (True, False):
        _try_opened(ask, path, pairs, read_only)
    return wrong, told


Ask = Callable[[str, Callable[[], Any]], None]


def _try_opened(ask: Ask, path: Path, pairs: Pairs, read_only: bool) -> None:
    """Open a damaged store, and ask."""
    opened: list[Store] = []
    ask("open", lambda: opened.append(Store.open(path, read_only=read_only, timeout=0.5)))
    for store in opened:
        for name, question in questions([task for task, _ in pairs]).items():
            ask(name, functools.partial(question, store))
        ask("check", store.check)
        if not read_only:
            _write(ask, store, path, pairs)
        store.close()


def _write(ask: Ask, store: Store, path: Path, pairs: Pairs) -> None:
    """Use a damaged store as a sweep would."""
    tasks = [task for task, _ in pairs]
    ask("claim", lambda: store.claim(tasks))
    ask("save", lambda: store.save(pairs[::3]))
    ask("release", lambda: store.release(tasks))
    ask("export", lambda: store.export(path.with_name("out.csv")))
    with Store.open(path.with_name("new.db")) as new:
        ask("merge", lambda: new.merge(store))
        found = new.check()
        ask("merged", lambda: None if found.is_sound else 1 / 0)
    ask("compact", lambda: store.compact())


def fuzz(folder: Path, pairs: Pairs, count: int, seed: int) -> tuple[list[str], Counter[str]]:
    """Damage a store of some runs so many times; return everything that went wrong, and what was told."""
    sound, damaged = folder / "sound.db", folder / "damaged.db"
    for start in range(0, len(pairs), 5):
        with Store.open(sound) as store:
            store.save(pairs[start : start + 5])
    with Store.open(sound, read_only=True) as store:
        right = {name: fingerprint(ask(store)) for name, ask in questions([task for task, _ in pairs]).items()}
    wrong: list[str] = []
    told: Counter[str] = Counter()
    for k in range(count):
        random = np.random.default_rng([seed, k])
        faulthandler.dump_traceback_later(3 * SLOW, exit=True)
        data = bytearray(sound.read_bytes())
        damage = DAMAGES[k % len(DAMAGES)]
        damage(data, random)
        damaged.write_bytes(data)
        began = time.monotonic()
        found, said = try_store(damaged, pairs, right)
        told += said
        if time.monotonic() - began > SLOW:
            found.append("took too long")
        wrong += [f"damage {k} ({damage.__name__.strip('_')}): {one}" for one in found]
        for one in found:
            print(f"damage {k} ({damage.__name__.strip('_')}): {one}", flush=True)  # noqa: T201
        if (k + 1) % 250 == 0:
            print(f"  {k + 1:,} damaged stores: {dict(told)}; {len(wrong)} wrong", flush=True)  # noqa: T201
        for file in folder.iterdir():
            if file.name != sound.name:
                file.unlink()
    faulthandler.cancel_dump_traceback_later()
    return wrong, told


def main() -> int:
    """Fuzz and tell."""
    from tests.store.makers import made_up

    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        wrong, told = fuzz(Path(folder), made_up(0, 30), options.count, options.seed)
    print(f"{options.count:,} damaged stores in {time.monotonic() - began:.0f} s: {dict(told)}; {len(wrong)} wrong")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
