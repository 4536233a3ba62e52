"""Data sets: named ones, tables and images; splits; facts.

``load("linear(n=100)").draw(seed=3)`` gives a `Dataset`, and `split` its training, validation and test part.
"""

from __future__ import annotations

from chainrule.data._base import Dataset, DataSource, FixedSource, Task, infer_task
from chainrule.data.facts import class_weights, facts
from chainrule.data.mnist import fetch_mnist, mnist_available
from chainrule.data.preprocess import FittedPreprocessing, Preprocessing
from chainrule.data.registry import DATASETS, load
from chainrule.data.splits import Split, split
from chainrule.data.tables import load_table, table_inputs

__all__ = [
    "DATASETS",
    "DataSource",
    "Dataset",
    "FittedPreprocessing",
    "FixedSource",
    "Preprocessing",
    "Split",
    "Task",
    "class_weights",
    "facts",
    "fetch_mnist",
    "infer_task",
    "load",
    "load_table",
    "mnist_available",
    "split",
    "table_inputs",
]
