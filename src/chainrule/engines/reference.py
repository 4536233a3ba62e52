"""The reference engine: NumPy, vectorised over members, calling ``nn`` and ``optim`` literally.

It is the judge of every compiled engine, so it is kept readable. No operation in it mixes members, so a
member's result does not depend on how many neighbours it has or how the population is cut into chunks.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from chainrule.cohorts import Cohort
from chainrule.engines._base import Engine, Progress, Trained, WholeProgress
from chainrule.engines._blas import one_blas_thread
from chainrule.engines._evaluation import SLICE
from chainrule.engines._session import Session
from chainrule.runs import Run

# Members are trained together up to this many bytes of their samples, weights and activations; beyond it,
# stacking saves no time and costs memory.
CHUNK_BYTES = 192 * 2**20


class ReferenceEngine(Engine):
    """Trains any cohort in NumPy, float64 or float32; repeatable to the last bit."""

    name: ClassVar[str] = "reference"

    def unsupported(self, cohort: Cohort) -> str | None:
        """Return None: the reference engine trains everything."""
        return None

    def member_bytes(self, cohort: Cohort) -> int:
        """Estimate the bytes of one member's data, weights and activations."""
        return sum(_bytes(cohort))

    def train(self, cohort: Cohort, progress: Progress | None = None) -> Trained:
        """Train all members to their end; on Ctrl-C, return those that had started."""
        runs: dict[int, Run] = {}
        whole = None if progress is None else WholeProgress(progress, len(cohort))
        interrupted, under_way = False, None
        try:
            # Overflow is what the divergence guard looks for; it reports in its own words.
            with one_blas_thread(), np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
                for index in chunks(cohort, self.resources.memory):
                    session = Session(cohort.take(index), self.name, None if whole is None else whole.part(index))
                    under_way = session, index
                    runs.update(zip(index, session.run(), strict=True))
                    if session.interrupted:
                        interrupted = True
                        break
        except KeyboardInterrupt:  # between two chunks, or for the second time in one
            interrupted = True
            if under_way is not None and under_way[0].runs:  # it came just before they were put down
                runs.update(zip(under_way[1], under_way[0].runs, strict=True))
        return Trained(runs, interrupted)


def chunks(cohort: Cohort, memory: int | None = None) -> list[list[int]]:
    """Cut a cohort into chunks of bounded memory, keeping members that see the same data together."""
    most = CHUNK_BYTES if memory is None else min(CHUNK_BYTES, memory)
    groups: dict[int, list[int]] = {}
    for k, number in enumerate(cohort.draws):
        groups.setdefault(number, []).append(k)
    data, own = _bytes(cohort)
    mixed = most // (data + own)  # members with different data: each has a copy of its own
    alike = max(most // own, 1)  # members with the same data share it
    result: list[list[int]] = [[]]
    for group in groups.values():
        if len(result[-1]) + len(group) <= mixed:
            result[-1] += group
        else:
            result += [group[start : start + alike] for start in range(0, len(group), alike)]
    return [chunk for chunk in result if chunk]


def _bytes(cohort: Cohort) -> tuple[int, int]:
    """Estimate the bytes of one member's data, and of its weights (with moments) and activations."""
    network, parts = cohort.network, cohort.splits[0]
    n, itemsize = parts.train.n, np.dtype(cohort.config.dtype).itemsize
    batch = cohort.config.batch_size
    rows = n if isinstance(batch, str) else min(n, max(batch, SLICE))  # that pass through the layers at a time
    units = sum(math.prod(shape) for shape in network.shapes[1:])
    samples = sum(part.X.size for part in (parts.train, parts.validation, parts.test) if part is not None)
    outputs = 2 * n * math.prod(network.output_shape)
    return samples * itemsize, (8 * network.n_parameters + 3 * rows * units + outputs) * itemsize
