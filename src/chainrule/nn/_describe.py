"""Networks in words: a layer's description for JSON and back, and the summary table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.errors import ConfigError, one_line, unknown_name
from chainrule.nn._base import Layer
from chainrule.nn.batch_norm import BatchNorm
from chainrule.nn.conv import Conv1D, Conv2D
from chainrule.nn.dense import Dense
from chainrule.nn.dropout import Dropout
from chainrule.nn.normalize import Standardize
from chainrule.nn.pooling import AvgPool1D, AvgPool2D, MaxPool1D, MaxPool2D
from chainrule.nn.reshape import Flatten, GlobalAvgPool, GlobalMaxPool

_CLASSES: tuple[type[Layer], ...] = (
    Dense, Dropout, Standardize, BatchNorm, Conv1D, Conv2D, MaxPool1D, MaxPool2D, AvgPool1D, AvgPool2D,
    GlobalAvgPool, GlobalMaxPool, Flatten,
)  # fmt: skip
LAYERS: dict[str, type[Layer]] = {cls.name: cls for cls in _CLASSES}


def describe_layer(layer: Layer) -> dict[str, Any]:
    """Return a layer's registry name and fields as plain values."""
    fields = dataclasses.fields(layer)  # type: ignore[arg-type]
    return {"layer": layer.name} | {f.name: getattr(layer, f.name) for f in fields}


def layer_from_description(description: Any) -> Layer:
    """Build the layer that `describe_layer` wrote down.

    Raises
    ------
    ConfigError
        For an unknown layer or field, or a value out of range.
    """
    if not isinstance(description, Mapping) or "layer" not in description:
        raise ConfigError(f"a layer's description needs 'layer' = its name, got {one_line(repr(description))}")
    name = description["layer"]
    if not isinstance(name, str) or name not in LAYERS:
        raise ConfigError(unknown_name("layer", str(name), LAYERS))
    cls: Any = LAYERS[name]
    known = [f.name for f in dataclasses.fields(cls)]
    values = {str(key): value for key, value in description.items() if key != "layer"}
    for key in values:
        if key not in known:
            raise ConfigError(f"layer '{name}': {unknown_name('field', key, known)}")
    for field in dataclasses.fields(cls):
        if field.default is dataclasses.MISSING and field.name not in values:
            raise ConfigError(f"layer '{name}' needs '{field.name}'")
    layer: Layer = cls(**values)
    return layer


def summary_table(layers: Sequence[Layer], shapes: Sequence[tuple[int, ...]]) -> str:
    """Return layer, output shape, activation and parameter count as aligned text, with the total.

    Parameters
    ----------
    layers : sequence of Layer
        The layers in order.
    shapes : sequence of tuple
        The feature axes before the first layer and after each one.
    """
    rows = [("layer", "output", "activation", "parameters"), ("input", _sizes(shapes[0]), "", "0")]
    total = 0
    for layer, shape_in, shape_out in zip(layers, shapes[:-1], shapes[1:], strict=True):
        arrays = layer.parameter_shapes(shape_in)
        count = sum(math.prod(shape) for shape in arrays.values())
        total += count
        detail = " + ".join(f"{key} {' x '.join(map(str, shape))}" for key, shape in arrays.items())
        act = "" if isinstance(layer, Dropout) else getattr(layer, "activation", "")
        rows.append((layer.name, _sizes(shape_out), act, f"{count}" + (f"  ({detail})" if detail else "")))
    rows.append(("total", "", "", str(total)))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]]) for row in rows]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _sizes(shape: tuple[int, ...]) -> str:
    """Write the shape of a batch of samples."""
    return f"(n, {', '.join(map(str, shape))})"
