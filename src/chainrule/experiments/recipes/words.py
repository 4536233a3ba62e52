"""How the axes of a sweep and their values read in tables, figures and sentences."""

from __future__ import annotations

from typing import Any


def axis_word(axis: str) -> str:
    """Return the last word of a dotted key, with spaces: ``training.learning_rate`` is ``learning rate``."""
    return axis.split(".")[-1].replace("_", " ")


def value_word(value: Any) -> str:
    """Show an axis value: widths as (4, 4) or 4, numbers short, specs as they are."""
    if isinstance(value, tuple):
        return str(value[0]) if len(value) == 1 else "(" + ", ".join(map(str, value)) + ")"
    if isinstance(value, bool):
        return "with" if value else "without"
    return f"{value:g}" if isinstance(value, float) else str(value)


def metric_word(key: str) -> str:
    """Show a recorded metric: ``validation_accuracy`` is ``held-out accuracy``, ``test_loss`` is ``test loss``."""
    name = key.replace("validation_", "held-out ").replace("test_", "test ")
    return name.replace("_", " ")
