"""Images of one's own: an NPZ file with ``X`` (n, height, width) or (n, height, width, channels) and labels."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.data._base import Dataset, FixedSource
from chainrule.data._checking import Array, Task
from chainrule.data.columns import npz_arrays
from chainrule.data.tables import table_spec
from chainrule.errors import ChainruleError, ConfigError, DataError, one_line, unknown_name

IMAGES = "X"
"""What the array of images is called."""


def holds_images(path: str | Path) -> bool:
    """Whether a file is an NPZ archive whose ``X`` has 3 or 4 axes; looks at its header only."""
    if Path(path).suffix.lower() != ".npz":
        return False
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{IMAGES}.npy") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError):
        return False  # what is wrong with it is for the reader of tables to say
    return len(shape) in (3, 4) and dtype.kind in "biuf"


def read_images(path: str | Path) -> tuple[Array, dict[str, npt.NDArray[Any]]]:
    """Read a file of which `holds_images` is true.

    Returns
    -------
    (array (n, height, width, channels), dict)
        The images, whole numbers of 8 bits divided by 255 as float32, all others as they are; and the other arrays.

    Raises
    ------
    DataError
        If the file is damaged, or there is no image.
    """
    where = f"'{one_line(path, 200)}'"
    try:
        arrays = npz_arrays(Path(path), where)
    except OSError as error:
        raise DataError(f"cannot read images {where}: {one_line(error.strerror or error)}") from None
    X = arrays.pop(IMAGES)
    if 0 in X.shape:
        raise DataError(f"images {where}: at least one image and one pixel are needed, got X of shape {X.shape}")
    if X.dtype == np.uint8:
        X = X.astype(np.float32) / np.float32(255)
    elif X.dtype != np.float64:
        X = X.astype(np.float32)
    return X if X.ndim == 4 else X[..., None], arrays


def load_images(path: str | Path, target: str | None = None, task: Task | None = None, **other: Any) -> FixedSource:
    """Read a file of images with labels as a data source.

    Parameters
    ----------
    path : path
        An NPZ file with ``X`` (n, height, width[, channels]) and labels (n,), numbers or words.
    target : str, optional
        The array of labels; ``y`` when left out.
    task : str, optional
        As `load_table` takes it.
    **other
        Options of tables, all refused: images have no columns.

    Raises
    ------
    DataError, ShapeError
        If the file is damaged, or images and labels do not fit together.
    ConfigError
        For an array that is not in the file, or an option of tables.
    """
    where = f"images '{one_line(path, 200)}'"
    if other:
        raise ConfigError(f"{where}: {', '.join(other)}: only a table has columns")
    images, arrays = read_images(path)
    target = target or "y"
    if target not in arrays:
        raise ConfigError(f"{where}: {unknown_name('array of labels', target, arrays)}")
    n, height, width, channels = images.shape
    told = f"{n:,} images of {height} x {width} pixels, {channels} channel{'s' if channels > 1 else ''}"
    try:
        dataset = Dataset.from_arrays(
            images.reshape(n, -1),
            arrays[target],
            task,
            Path(path).stem,
            image_shape=(height, width),
            provenance=f"{told}, from {Path(path).name}",
        )
    except ChainruleError as error:
        raise type(error)(f"{where}: {error}") from None
    return FixedSource(dataset, table_spec(path, target, task=task))
