"""Engines: each trains a population; the reference engine is the truth."""

from chainrule.engines._base import Engine, Progress, ProgressEvent, Trained, WholeProgress
from chainrule.engines.choose import ENGINES, choose, choose_all
from chainrule.engines.reference import ReferenceEngine

__all__ = [
    "ENGINES",
    "Engine",
    "Progress",
    "ProgressEvent",
    "ReferenceEngine",
    "Trained",
    "WholeProgress",
    "choose",
    "choose_all",
]
