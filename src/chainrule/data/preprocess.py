"""From the columns of a table to a network's inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]


class FittedPreprocessing:
    """Placeholder."""

    def refit(self, raw: Array) -> FittedPreprocessing:
        """Fit again."""
        raise NotImplementedError

    def transform(self, raw: Array) -> Array:
        """Transform."""
        raise NotImplementedError
