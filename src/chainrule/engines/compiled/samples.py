"""The samples of a chunk in the training dtype, each data set converted once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.data import Dataset
from chainrule.engines._cohort_data import arrays_of
from chainrule.engines.compiled.block import Part
from chainrule.nn import Array

Arrays = tuple[Array, Array, Array | None]


class SampleStore:
    """Converts data sets and puts together the parts of blocks."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[int, str | None, str], Arrays] = {}
        self._shared: dict[tuple[int, str | None, str], Part] = {}
        self._held: list[Dataset] = []  # numbers of objects are keys above: none may be given away

    def part(self, datasets: Sequence[Dataset], class_weights: Sequence[str | None], dtype: str) -> Part:
        """Return the samples of a block's members: one data set and one kind of class weights for each."""
        keys = [(id(dataset), weight, dtype) for dataset, weight in zip(datasets, class_weights, strict=True)]
        if len(set(keys)) == 1:
            if keys[0] not in self._shared:
                self._shared[keys[0]] = Part(*self._convert(datasets[0], class_weights[0], dtype), shared=True)
            return self._shared[keys[0]]
        found = [self._convert(*one, dtype) for one in zip(datasets, class_weights, strict=True)]
        X, Y, weights = zip(*found, strict=True)
        weighted: Any = None if weights[0] is None else np.stack(weights)
        return Part(np.stack(X), np.stack(Y), weighted, shared=False)

    def _convert(self, dataset: Dataset, class_weight: str | None, dtype: str) -> Arrays:
        key = (id(dataset), class_weight, dtype)
        if key not in self._arrays:
            self._held.append(dataset)
            self._arrays[key] = arrays_of(dataset, class_weight, np.dtype(dtype))
        return self._arrays[key]
