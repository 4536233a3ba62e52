"""MNIST: where its files are looked for, and how they become a data set."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from chainrule.data._base import Dataset, DataSource
from chainrule.data.idx import read_idx
from chainrule.data.images import pixel_names
from chainrule.errors import DataError, one_line
from chainrule.spec import require

DATA_VARIABLE = "CHAINRULE_DATA"
# MD5 of the decompressed content: the gzip wrapper differs between mirrors, the IDX content does not.
MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c629615203637",
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


@dataclass(frozen=True)
class Mnist(DataSource):
    """60,000 handwritten digits of 28 x 28 pixels in [0, 1], float32, with 10,000 held-out test images.

    Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits" (CC BY-SA 3.0). The files are
    looked for in `data_dir`, the folder in ``$CHAINRULE_DATA`` and the user's cache (in each also in its subfolder
    ``mnist``), and downloaded to the cache if `download` is true. `n` keeps the first n training images.
    """

    n: int | None = None
    name: ClassVar[str] = "mnist"
    data_dir: Path | None = field(default=None, init=False, compare=False)
    download: bool = field(default=True, init=False, compare=False)

    def __post_init__(self) -> None:
        require(self.n is None or self.n >= 1, f"mnist: n must be at least 1, got {self.n}")

    def located(self, data_dir: str | Path | None, download: bool) -> Mnist:
        """Return the same source looking in `data_dir` first; places are no part of the spec."""
        source = copy.copy(self)
        object.__setattr__(source, "data_dir", None if data_dir is None else Path(data_dir))
        object.__setattr__(source, "download", download)
        return source

    def draw(self, seed: int) -> Dataset:
        """Return the images, X (60000, 784), with `held_out` (10000, 784).

        Raises
        ------
        DataError
            If the files are nowhere to be had, or damaged.
        """
        files = find_mnist(self.data_dir)
        if files is None:
            files = self._downloaded()
        stamps = tuple((str(path), path.stat().st_mtime_ns) for path in files)
        return _read(stamps, self.n)

    def _downloaded(self) -> tuple[Path, ...]:
        lacking = [text for folder in _folders(self.data_dir) if (text := _what_lacks(folder))]
        if lacking:
            advice = f"; {'; '.join(lacking)}"
        else:
            looked = ", ".join(one_line(folder, 200) for folder in _folders(self.data_dir))
            advice = (
                f"; looked in {looked}; set --data-dir DIR or {DATA_VARIABLE} to a folder with "
                f"{next(iter(MNIST_MD5))}.gz etc."
            )
        if not self.download:
            raise DataError(f"MNIST is not at hand and downloading is off{advice}")
        try:
            folder = fetch_mnist()
        except DataError as error:
            raise DataError(f"MNIST is not at hand: {error}{advice}") from None
        return tuple(folder / f"{name}.gz" for name in MNIST_MD5)


def cache_folder() -> Path:
    """Return the folder that downloads go to."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("chainrule")) / "mnist"


def fetch_mnist(
    folder: str | Path | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
    mirrors: Sequence[str] = MIRRORS,
) -> Path:
    """Download what a folder lacks of MNIST's four files, and return the folder (by default the user's cache).

    `progress` is called as ``progress(file name, bytes so far, bytes in all or None)``. An interrupted download is
    continued by the next call; raises `DataError` if a file cannot be had from any mirror.
    """
    from chainrule.data.download import fetch

    return fetch(cache_folder() if folder is None else folder, MNIST_MD5, mirrors, progress)


def mnist_available(data_dir: str | Path | None = None) -> bool:
    """Tell whether MNIST's four files are at hand; never downloads."""
    return find_mnist(None if data_dir is None else Path(data_dir)) is not None


def find_mnist(data_dir: Path | None) -> tuple[Path, ...] | None:
    """Return the paths of the four files in the order of `MNIST_MD5`, from the first folder that has them all."""
    for folder in _folders(data_dir):
        found = [_find_file(folder, name) for name in MNIST_MD5]
        paths = tuple(path for path in found if path is not None)
        if len(paths) == len(found):
            return paths
    return None


def _folders(data_dir: Path | None) -> list[Path]:
    """Return the folders to look in, first come first served."""
    roots = [] if data_dir is None else [data_dir]
    if os.environ.get(DATA_VARIABLE):
        roots.append(Path(os.environ[DATA_VARIABLE]))
    return [folder for root in roots for folder in (root, root / "mnist")] + [cache_folder()]


def _what_lacks(folder: Path) -> str:
    """Say what a folder with some of MNIST's files lacks; nothing if it has none."""
    absent = [name for name in MNIST_MD5 if _find_file(folder, name) is None]
    if len(absent) == len(MNIST_MD5):
        return ""
    return f"'{one_line(folder, 200)}' has no {' and no '.join(absent)} (nor with .gz)"


def _find_file(folder: Path, name: str) -> Path | None:
    """Find one file under its official name, or with a dot before ``idx`` as some unpackers write it."""
    dotted = name.replace("-idx", ".idx")
    for candidate in (name, f"{name}.gz", dotted, f"{dotted}.gz"):
        if os.path.isfile(folder / candidate):
            return folder / candidate
    return None


# The key holds the files' times, so that a replaced file is read anew; 250 MB are kept once, not twice.
@lru_cache(maxsize=1)
def _read_all(stamps: tuple[tuple[str, int], ...]) -> Dataset:
    """Parse the four files."""
    train_images, train_labels, test_images, test_labels = (Path(path) for path, _ in stamps)
    held_out = _dataset("mnist test set", test_images, test_labels, None)
    return _dataset("mnist", train_images, train_labels, held_out)


@lru_cache(maxsize=2)
def _read(stamps: tuple[tuple[str, int], ...], n: int | None) -> Dataset:
    full = _read_all(stamps)
    if n is None or n >= full.n:
        return full
    return Dataset(
        f"mnist(n={n})",
        full.X[:n],
        full.y[:n],
        full.task,
        feature_names=full.feature_names,
        classes=full.classes,
        held_out=full.held_out,
        provenance=f"the first {n:,} of: {full.provenance}",
        image_shape=full.image_shape,
    )


def forget_mnist() -> None:
    """Give back the memory of images that were read; whoever still holds a data set of them keeps it."""
    _read.cache_clear()
    _read_all.cache_clear()


def _dataset(name: str, images: Path, labels: Path, held_out: Dataset | None) -> Dataset:
    """Make a data set of an image file and its label file."""
    pixels, y = read_idx(images, 3), read_idx(labels, 1)
    if len(pixels) != len(y):
        raise DataError(
            f"'{one_line(images, 200)}' holds {len(pixels):,} images, "
            f"but '{one_line(labels, 200)}' holds {len(y):,} labels: expected as many"
        )
    if y.size and y.max() > 9:
        row = int(np.argmax(y > 9))
        raise DataError(f"IDX file '{one_line(labels, 200)}': label {row} must be from 0 to 9, found {y[row]}")
    return Dataset(
        name,
        _scaled(pixels),
        y,
        "multiclass",
        feature_names=pixel_names(*pixels.shape[1:]),
        classes=tuple("0123456789"),
        held_out=held_out,
        provenance="MNIST handwritten digits (LeCun, Cortes, Burges), pixels / 255",
        image_shape=(pixels.shape[1], pixels.shape[2]),
        is_part=held_out is None,
    )


def _scaled(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the images as rows of float32 in [0, 1]: half the memory of float64, exact to 1e-7."""
    rows = pixels.reshape(len(pixels), int(np.prod(pixels.shape[1:])))
    return np.divide(rows, np.float32(255), dtype=np.float32)
