"""The array types that the whole floor shares."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating[Any]]
"""Any float array; what comes in as float32 goes out as float32."""

Params: TypeAlias = tuple[dict[str, Array], ...]
"""The weights of a network: one dict per layer, empty for a layer without weights."""
