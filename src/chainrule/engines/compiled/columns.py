"""The names of the columns that kernels keep, in the order of the reference engine's histories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from chainrule.data import Split
from chainrule.engines.compiled.codes import (
    LEARNING_RATE,
    LOSS,
    METRIC,
    RUNNING_LOSS,
    VALIDATION_LOSS,
    VALIDATION_METRIC,
)
from chainrule.metrics import for_task

V = TypeVar("V")


def judged_columns(parts: Split) -> dict[str, int]:
    """Return the columns of losses and metrics by name."""
    metric = for_task(parts.train.task)[0]
    columns = {"loss": LOSS, metric: METRIC}
    if parts.validation is not None:
        columns |= {"validation_loss": VALIDATION_LOSS, f"validation_{metric}": VALIDATION_METRIC}
    return columns


def kept_columns(parts: Split) -> dict[str, int]:
    """Return all columns that are kept, by name."""
    return judged_columns(parts) | {"learning_rate": LEARNING_RATE, "running_loss": RUNNING_LOSS}


def in_order(values: Mapping[str, V], extra: Mapping[str, V]) -> dict[str, V]:
    """Put additional metrics behind those of the kernel, those of the training part before the others."""
    both = {**values, **extra}
    held_out = [name for name in both if name.startswith("validation_")]
    return {name: both[name] for name in [*(name for name in both if name not in held_out), *held_out]}
