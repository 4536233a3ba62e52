"""Which machines and versions made the runs of a store, and when."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from chainrule.experiments.store.database import plain_rows
from chainrule.experiments.store.tables import batches
from chainrule.experiments.store.words import Words, tags_of

SHOWN = {"chainrule": "chainrule", "numpy": "NumPy"}
"""Versions that are told in words, by their key among the facts."""


@dataclass(frozen=True)
class MachineInfo:
    """A machine with certain versions of its software.

    Attributes
    ----------
    facts : dict
        As `chainrule.machine.this_machine` found them: versions, processor, cores, memory in bytes, platform.
    n : int
        Runs that it made.
    first, last : int
        When it saved the first and the last of them, in seconds since 1970. Joining small saves keeps one time of each.
    """

    facts: dict[str, Any]
    n: int
    first: int
    last: int

    @property
    def words(self) -> str:
        """The machine in a few words."""
        facts = self.facts
        days = list(dict.fromkeys(f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d}" for t in (self.first, self.last)))
        told = [
            str(facts.get("cpu", "")),
            f"{facts['cores']} core{'s' * (facts['cores'] != 1)}" if "cores" in facts else "",
        ]
        told += [f"{name} {facts[key]}" for key, name in SHOWN.items() if key in facts]
        return ", ".join([*filter(None, told), " to ".join(days)])


def machines(connection: Connection, known: Words) -> list[MachineInfo]:
    """Return the machines of a store, the one with the most runs first.

    Raises
    ------
    ValueError
        If a row is not what was written.
    """
    rows = plain_rows(connection, select(batches.c.saved, batches.c.machine_id, batches.c.n, batches.c.tag))
    if not rows:
        return []
    saved, machine, n, tag = np.array(rows, dtype=np.int64).T
    if (tags_of(saved, machine, n) != tag).any():
        raise ValueError("what is known of a save has changed")
    texts = known.get(connection, np.unique(machine).tolist())
    found = []
    for number, text in texts.items():
        here = machine == number
        times = saved[here]
        found.append(MachineInfo(json.loads(text), int(n[here].sum()), int(times.min()), int(times.max())))
    return sorted(found, key=lambda one: (-one.n, one.first))
