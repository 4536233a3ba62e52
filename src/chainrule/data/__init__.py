"""Data sets: named ones, tables and images; splits; facts.

``load("linear(n=100)").draw(seed=3)`` gives a `Dataset`, and `split` its training, validation and test part.
"""

from __future__ import annotations

from pathlib import Path

from chainrule.data._base import Dataset, DataSource, FixedSource, infer_task
from chainrule.data.registry import DATASETS
from chainrule.data.splits import Split, split
from chainrule.spec import build

__all__ = ["DATASETS", "DataSource", "Dataset", "FixedSource", "Split", "infer_task", "load", "split"]


def load(spec: str | DataSource | Dataset, data_dir: str | Path | None = None) -> DataSource:
    """Return the data source that a spec describes.

    Parameters
    ----------
    spec : str, DataSource or Dataset
        The name of a data set with its values, such as ``"xor"`` or ``"linear(n=100)"``. A source is returned as it
        is, and a data set is wrapped.
    data_dir : path, optional
        Where to look for files first.

    Raises
    ------
    ConfigError
        For an unknown name or impossible values.
    """
    if isinstance(spec, DataSource):
        return spec
    if isinstance(spec, Dataset):
        return FixedSource(spec)
    return build(DATASETS, spec, "data set")
