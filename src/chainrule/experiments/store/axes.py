"""The axes of settings: what can be grouped and filtered by, with dotted names as in recipes.

``training.*`` are the fields of `TrainingConfig`, ``network.*`` the arguments of `chainrule.nn.mlp` as far as a
network's layers tell them, ``network.layers`` all layers in words, ``data.source`` the data. Values are canonical JSON.

What is returned here is stored: after a change here, old stores need a migration that writes it anew.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from chainrule.errors import one_line

SHARED = ("bias", "weight_init", "bias_init", "l1", "l2")
"""Fields of dense layers that `mlp` sets for the whole network."""


NORMAL = ("standardize", "batch_norm")
PERCEPTRON = ("dense", "dropout", *NORMAL)


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


def unknown_axis(name: str, known: Iterable[str]) -> str:
    """Say in a line that `name` is no axis, which is the nearest, and which there are, those of a part together."""
    names = sorted(known)
    near: dict[str, str] = {}
    for axis in names:
        near |= {axis.rpartition(".")[2]: axis, axis: axis}
    found = difflib.get_close_matches(one_line(name).lower(), near, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[found[0]]}'?" if found else ""
    told = []
    for part, some in groupby(names, lambda axis: axis.partition(".")[0]):
        shorts = [axis.partition(".")[2] for axis in some]
        told.append(part if shorts == [""] else f"{part}.{{{', '.join(shorts)}}}")
    return f"unknown axis '{one_line(name)}'{hint} (known: {', '.join(told)})"


def layers_of(text: str) -> str:
    """Return a setting's network in words: ``dense 4 tanh, dense``."""
    return ", ".join(map(_words, json.loads(text)["layers"]))


def _network_axes(described: dict[str, Any]) -> dict[str, Any]:
    """Read off the layers what `mlp` was given; of other networks only what fits."""
    layers: list[dict[str, Any]] = described["layers"]
    dense = [layer for layer in layers if layer.get("layer") == "dense"]
    normal = [layer for layer in layers if layer.get("layer") in NORMAL]
    dropped = [layer.get("rate") for layer in layers if layer.get("layer") == "dropout"]
    acting = [layer.get("activation") for layer in layers[:-1] if "activation" in layer]
    if normal:  # the activation comes after it
        acting = [layer.get("activation") for layer in normal]
    found: dict[str, Any] = {
        "network.layers": ", ".join(map(_words, layers)),
        "network.activation": _common(acting),
        "network.normalize": bool(normal),
        "network.dropout": _common(dropped) if dropped else 0.0,
    }
    if all(layer.get("layer") in PERCEPTRON for layer in layers):
        found["network.hidden"] = [layer.get("units") for layer in dense[:-1]]
    if layers and layers[-1] in dense:
        found |= {"network.output": layers[-1].get("activation"), "network.units": layers[-1].get("units")}
    for name in SHARED:
        values = [layer[name] for layer in layers if name in layer]
        found[f"network.{name}"] = _common(values)
    return found


def _words(layer: dict[str, Any]) -> str:
    """Return a layer in a few words: ``conv2d 8 5x5 relu``; an output layer that is still open is its name alone."""
    values = [layer.get(name) for name in ("units", "filters", "kernel", "size", "rate", "activation")]
    told = [
        "x".join(map(str, value)) if isinstance(value, list) else str(value) for value in values if value is not None
    ]
    return " ".join([str(layer.get("layer")), *told])


def _common(values: Sequence[Any]) -> Any:
    """Return the value that all layers share, or all values."""
    if not values:
        return None
    return values[0] if all(value == values[0] for value in values) else list(values)
