"""Augmented batches for the members of a cohort."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.cohorts import Cohort
from chainrule.data import augment, augmentation, sample_shape
from chainrule.engines._cohort_data import Samples
from chainrule.nn import Array
from chainrule.random import stream


def augment_streams(seed: int, parts: int) -> list[np.random.Generator]:
    """Return the generators of a seed, one for each part of an augmentation."""
    return [stream(seed, "augment", part) for part in range(parts)]


class Augmenting:
    """Changes the samples of training steps at random; members with equal seeds get equal samples.

    Parameters
    ----------
    cohort : Cohort
        The members, with their data and a configuration that augments.
    """

    def __init__(self, cohort: Cohort) -> None:
        self.parts = [augmentation(spec) for spec in cohort.config.augment]
        self.shape = sample_shape(cohort.splits[0].train, self.parts)
        self.generators = {seed: augment_streams(seed, len(self.parts)) for seed in dict.fromkeys(cohort.seeds)}

    def of(self, batch: Samples, seeds: Sequence[int]) -> Samples:
        """Return the batch as it is used in this step; `seeds` are those of the members still in training."""
        changed: dict[int, Array] = {}
        for k, seed in enumerate(seeds):
            if seed not in changed:
                own = batch.X if batch.shared else batch.X[k]
                changed[seed] = augment(own, self.shape, self.parts, self.generators[seed])
        if batch.shared and len(changed) == 1:
            return Samples(changed[seeds[0]], batch.Y, batch.weight, True)
        X = np.stack([changed[seed] for seed in seeds])
        if not batch.shared:
            return Samples(X, batch.Y, batch.weight, False)
        Y, weight = (None if a is None else np.broadcast_to(a, (len(seeds), *a.shape)) for a in (batch.Y, batch.weight))
        assert Y is not None, "only weights may be missing"
        return Samples(X, Y, weight, False)
