"""Data sets: named ones, tables and images; splits; facts.

``load("linear(n=100)").draw(seed=3)`` gives a `Dataset`, and `split` its training, validation and test part.
"""

from __future__ import annotations

from chainrule.data._base import Dataset, DataSource, FixedSource
from chainrule.data._checking import Task, infer_task
from chainrule.data.augment import AUGMENTATIONS, Augmentation, augment, augmentation, sample_shape
from chainrule.data.facts import class_weight_text, class_weights, facts, parse_class_weights
from chainrule.data.mnist import fetch_mnist, forget_mnist, mnist_available
from chainrule.data.preprocess import FittedPreprocessing, Preprocessing
from chainrule.data.registry import DATASETS, load
from chainrule.data.splits import Split, split
from chainrule.data.tables import load_table, table_inputs

__all__ = [
    "AUGMENTATIONS",
    "DATASETS",
    "Augmentation",
    "DataSource",
    "Dataset",
    "FittedPreprocessing",
    "FixedSource",
    "Preprocessing",
    "Split",
    "Task",
    "augment",
    "augmentation",
    "class_weight_text",
    "class_weights",
    "facts",
    "fetch_mnist",
    "forget_mnist",
    "infer_task",
    "load",
    "load_table",
    "mnist_available",
    "parse_class_weights",
    "sample_shape",
    "split",
    "table_inputs",
]
