"""The data sets that have a name, and the one door to all data: `load`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from chainrule.data._base import Dataset, DataSource, FixedSource
from chainrule.data.columns import SUFFIXES
from chainrule.data.image_files import holds_images, load_images
from chainrule.data.images import Digits
from chainrule.data.mnist import Mnist
from chainrule.data.points import Ellipse, Linear, Xor
from chainrule.data.shapes import Circles, Curve, Gaussians, Moons, Parity, Spirals
from chainrule.data.tables import OPTIONS, is_table, load_table, parse_table_spec
from chainrule.errors import ConfigError, one_line, unknown_name
from chainrule.spec import build

_SOURCES: tuple[type[DataSource], ...] = (
    Linear,
    Xor,
    Ellipse,
    Circles,
    Moons,
    Spirals,
    Gaussians,
    Parity,
    Curve,
    Digits,
    Mnist,
)

_FILE_LIKE = re.compile(r"[/\\]|^[^()]+\.[A-Za-z][A-Za-z0-9]{0,7}$")  # a separator, or a suffix: notes.docx

TABLE_ARGUMENTS = (*OPTIONS, "preprocess", "classes")
DATASETS: dict[str, type[DataSource]] = {str(source.name): source for source in _SOURCES}


def load(
    spec: str | Path | DataSource | Dataset,
    data_dir: str | Path | None = None,
    *,
    download: bool = True,
    **table: Any,
) -> DataSource:
    """Return the data source that a spec describes.

    Parameters
    ----------
    spec : str, path, DataSource or Dataset
        The name of a data set with its values, such as ``"xor"`` or ``"linear(n=100)"``; or a table file with its
        target, such as ``"iris.csv?target=species"`` (``table:`` may stand in front); or images,
        ``"faces.npz"`` with ``X`` (n, height, width[, channels]) and ``y``. A source is returned as it is, and a
        data set is wrapped.
    data_dir : path, optional
        Where to look for files first: MNIST's, or a table that is not at its path.
    download : bool
        Whether MNIST may be downloaded when it is nowhere at hand.
    **table
        `load_table`'s options: ``target``, ``task``, ``drop``, ``missing``, ``categorical``, ``encoding``.

    Raises
    ------
    ConfigError
        For an unknown name (with the nearest known one) or impossible values.
    DataError
        For a table that cannot be read or used. MNIST's files are looked for when it is drawn.
    """
    if isinstance(spec, Path) or (isinstance(spec, str) and is_table(spec)):
        path, options = parse_table_spec(str(spec))
        for key in table:
            if key not in TABLE_ARGUMENTS:
                raise ConfigError(f"table '{one_line(path, 200)}': {unknown_name('option', key, TABLE_ARGUMENTS)}")
        given = {key: value for key, value in table.items() if value is not None}
        place = _find_table(path, data_dir)
        return (load_images if holds_images(place) else load_table)(place, **(options | given))
    if table:
        raise ConfigError(f"{', '.join(table)}: only a table file has such options, '{one_line(spec)}' is none")
    if isinstance(spec, DataSource):
        return spec
    if isinstance(spec, Dataset):
        return FixedSource(spec)
    try:
        source = build(DATASETS, spec, "data set")
    except ConfigError:
        if told := _why_no_table(spec):
            raise ConfigError(told) from None
        raise
    return source.located(data_dir, download) if isinstance(source, Mnist) else source


def _why_no_table(spec: str) -> str:
    """Say why a text that names no data set is no table either; nothing if it does not look like a file."""
    path = spec.rpartition("?")[0] or spec
    shown = f"'{one_line(path, 200)}'"
    known = f"tables end in {', '.join(SUFFIXES)}"
    try:
        if os.path.isdir(path):
            return f"{shown} is a folder; name a file in it ({known})"
        if os.path.exists(path) or _FILE_LIKE.search(path):
            return f"cannot tell what table {shown} is: {known}"
    except ValueError:  # a zero byte
        pass
    return ""


def _find_table(path: str, data_dir: str | Path | None) -> str:
    """Return the path itself, or the one in `data_dir` if only that exists."""
    if data_dir is not None and not os.path.exists(path):
        inside = os.path.join(data_dir, path)
        return inside if os.path.exists(inside) else path
    return path
