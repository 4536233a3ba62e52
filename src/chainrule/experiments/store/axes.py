"""The axes of settings: what can be grouped and filtered by, with dotted names as in recipes.

``training.*`` are the fields of `TrainingConfig`, ``network.*`` the arguments of `chainrule.nn.mlp` as far as a
network's layers tell them, ``data.source`` the data. Values are canonical JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

SHARED = ("bias", "weight_init", "bias_init", "l1", "l2")
"""Fields of dense layers that `mlp` sets for the whole network."""


def axes_of(kind: str, text: str) -> dict[str, str]:
    """Return the value on each axis of one part of a setting.

    Parameters
    ----------
    kind : str
        ``source``, ``network`` or ``training``.
    text : str
        The part as `Setting` keeps it.
    """
    if kind == "source":
        found: dict[str, Any] = {"data.source": text}
    elif kind == "training":
        found = {f"training.{name}": value for name, value in json.loads(text).items()}
    else:
        found = _network_axes(json.loads(text))
    return {axis: json.dumps(value, sort_keys=True) for axis, value in found.items()}


def _network_axes(described: dict[str, Any]) -> dict[str, Any]:
    """Read off the layers what `mlp` was given."""
    layers: list[dict[str, Any]] = described["layers"]
    dense = [layer for layer in layers if layer.get("layer") == "dense"]
    found: dict[str, Any] = {"network.layers": len(layers)}
    if not dense:
        return found
    normal = [layer for layer in layers if layer.get("layer") == "standardize"]
    dropped = [layer.get("rate") for layer in layers if layer.get("layer") == "dropout"]
    found["network.hidden"] = [layer.get("units") for layer in dense[:-1]]
    found["network.activation"] = _common([layer.get("activation") for layer in normal or dense[:-1]])
    found["network.output"] = dense[-1].get("activation")
    found["network.units"] = dense[-1].get("units")
    found["network.normalize"] = bool(normal)
    found["network.dropout"] = _common(dropped) if dropped else 0.0
    return found | {f"network.{name}": _common([layer.get(name) for layer in dense]) for name in SHARED}


def _common(values: Sequence[Any]) -> Any:
    """Return the value that all layers share, or all values."""
    if not values:
        return None
    return values[0] if all(value == values[0] for value in values) else list(values)
