"""Images as rows of pixels: scikit-learn's bundled digits, and MNIST from its IDX files."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.data._base import Dataset, DataSource
from chainrule.data._checking import Array


def pixel_names(rows: int, columns: int) -> tuple[str, ...]:
    """Name the pixels of an image row by row."""
    return tuple(f"pixel {r},{c}" for r in range(rows) for c in range(columns))


@dataclass(frozen=True)
class Digits(DataSource):
    """1,797 handwritten digits of 8 x 8 pixels in [0, 1]: real data that need no download.

    The test part of E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits" (UCI, 1998), as bundled
    with scikit-learn; grey levels 0..16 are divided by 16.
    """

    name: ClassVar[str] = "digits"

    def draw(self, seed: int) -> Dataset:
        """Return the 1,797 images, X (1797, 64)."""
        return _digits()


@lru_cache(maxsize=1)
def _digits() -> Dataset:
    X, y = _bundled_digits()
    told = (
        "1,797 handwritten digits, 8 x 8 pixels / 16; UCI Optical Recognition of Handwritten Digits, via scikit-learn"
    )
    return Dataset(
        "digits", X / 16, y, "multiclass", feature_names=pixel_names(8, 8), provenance=told, image_shape=(8, 8)
    )


def _bundled_digits() -> tuple[Array, npt.NDArray[np.int64]]:
    """Return grey levels (1797, 64) and labels (1797,) from the file that scikit-learn brings along.

    Importing scikit-learn takes longer than the first training on its digits, so its file is read directly; where a
    version keeps it elsewhere, scikit-learn is asked.
    """
    package = find_spec("sklearn")
    folder = Path(package.origin).parent if package is not None and package.origin else Path()
    try:
        with gzip.open(folder / "datasets" / "data" / "digits.csv.gz", "rt", encoding="ascii") as file:
            table = np.loadtxt(file, delimiter=",")
    except OSError:
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        return X, y
    return table[:, :-1], table[:, -1].astype(np.int64)


def visible(dataset: Dataset, rows: slice | list[int]) -> Array:
    """Return some images to look at: (n, height, width), or (n, height, width, 3) with colours in [0, 1].

    Of images with another number of channels than 1 or 3 the mean over the channels is shown.
    """
    X = dataset.X[rows].reshape(-1, *dataset.feature_shape)
    if X.shape[-1] != 3:
        return np.asarray(X.mean(axis=-1))
    low, high = min(float(X.min()), 0.0), max(float(X.max()), 1.0)
    return np.asarray((X - low) / (high - low))
