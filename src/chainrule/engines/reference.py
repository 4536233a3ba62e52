"""The reference engine: NumPy, vectorised over members, calling ``nn`` and ``optim`` literally.

It is the judge of every compiled engine, so it is kept readable. No operation in it mixes members, so a
member's result does not depend on how many neighbours it has or how the population is cut into chunks.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from chainrule.engines._base import Engine, Progress, WholeProgress
from chainrule.engines._session import Session
from chainrule.population import Cohort
from chainrule.runs import Run

# Members are trained together up to this many bytes of their own samples and weights; beyond it, stacking
# saves no time and costs memory.
CHUNK_BYTES = 192 * 2**20


class ReferenceEngine(Engine):
    """Trains any cohort in NumPy, float64 or float32; repeatable to the last bit."""

    name: ClassVar[str] = "reference"

    def unsupported(self, cohort: Cohort) -> str | None:
        """Return None: the reference engine trains everything."""
        return None

    def train(self, cohort: Cohort, progress: Progress | None = None) -> list[Run]:
        """Train all members to their end; on Ctrl-C, return those that had started."""
        runs: dict[int, Run] = {}
        whole = None if progress is None else WholeProgress(progress, len(cohort))
        for index in chunks(cohort):
            trained = Session(cohort.take(index), self.name, None if whole is None else whole.part(index)).run()
            runs.update(zip(index, trained, strict=True))
            if any(run.stop_reason == "interrupted" for run in trained):
                break
        return [runs[k] for k in sorted(runs)]


def chunks(cohort: Cohort) -> list[list[int]]:
    """Cut a cohort into chunks of bounded memory, keeping members that share samples together."""
    by_data: dict[int, list[int]] = {}
    for k, parts in enumerate(cohort.splits):
        by_data.setdefault(id(parts.train), []).append(k)
    itemsize = np.dtype(cohort.config.dtype).itemsize
    weights = 8 * cohort.network.n_parameters * itemsize
    result: list[list[int]] = [[]]
    used = 0
    for members in by_data.values():
        data = cohort.splits[members[0]].train.X.size * itemsize if len(by_data) > 1 else 0
        for k in members:
            cost = weights + data
            if result[-1] and used + cost > CHUNK_BYTES:
                result.append([])
                used = 0
            result[-1].append(k)
            used += cost
    return result
