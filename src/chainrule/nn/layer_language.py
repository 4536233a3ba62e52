"""Networks in a few words: ``conv 8 5, pool 2, conv 16 5, pool 2, dense 64``.

A layer is its name, its numbers in order, and whatever differs from the defaults, as plain words (an activation, a
padding) or as ``key=value``; layers are separated by commas. The output layer is added by itself, and so is the
flattening below the first dense layer.

=========================  ======================================================================================
``dense UNITS``            fully connected
``conv FILTERS KERNEL``    convolution over images; ``conv1d`` over sequences and the features of a table
``pool SIZE``              largest of each window (``maxpool``); ``avgpool SIZE`` the mean; ``pool1d``, ``avgpool1d``
``globalpool``             mean of each channel over all places; ``globalmaxpool`` the largest
``flatten``                all features in a row
``norm``                   batch normalisation; ``norm relu`` with the activation after it
``dropout RATE``           units switched off in training; ``dropout 0.2 channels`` whole channels
=========================  ======================================================================================

Sizes are ``5`` or ``5x3`` (height x width); ``conv 8 5 stride=2 same tanh`` shows the rest.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from chainrule.errors import ChainruleError, ConfigError, ShapeError, one_line, unknown_name
from chainrule.nn._base import Layer
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.batch_norm import BatchNorm
from chainrule.nn.conv import Conv1D, Conv2D
from chainrule.nn.dense import Dense
from chainrule.nn.dropout import Dropout
from chainrule.nn.network import Network
from chainrule.nn.pooling import AvgPool1D, AvgPool2D, MaxPool1D, MaxPool2D
from chainrule.nn.reshape import Flatten, GlobalAvgPool, GlobalMaxPool
from chainrule.nn.windows import PADDINGS

MOST_LAYERS = 100


@dataclass(frozen=True)
class _Kind:
    """A word of the language: the layer it makes, and the fields that its plain numbers stand for."""

    layer: type[Layer]
    numbers: tuple[str, ...] = ()
    optional: int = 0

    @property
    def fields(self) -> dict[str, Any]:
        """The layer's fields with their types as text."""
        return {f.name: str(f.type) for f in dataclasses.fields(self.layer) if f.name != "axes"}  # type: ignore[arg-type]


_POOL = ("size", "stride")
KINDS: dict[str, _Kind] = {
    "dense": _Kind(Dense, ("units",)),
    "conv": _Kind(Conv2D, ("filters", "kernel")),
    "conv1d": _Kind(Conv1D, ("filters", "kernel")),
    "conv2d": _Kind(Conv2D, ("filters", "kernel")),
    "pool": _Kind(MaxPool2D, _POOL, 2),
    "maxpool": _Kind(MaxPool2D, _POOL, 2),
    "avgpool": _Kind(AvgPool2D, _POOL, 2),
    "pool1d": _Kind(MaxPool1D, _POOL, 2),
    "avgpool1d": _Kind(AvgPool1D, _POOL, 2),
    "globalpool": _Kind(GlobalAvgPool),
    "globalmaxpool": _Kind(GlobalMaxPool),
    "flatten": _Kind(Flatten),
    "norm": _Kind(BatchNorm),
    "dropout": _Kind(Dropout, ("rate",), 1),
}
_OTHER_WORDS = {
    "batchnorm": "norm",
    "bn": "norm",
    "fc": "dense",
    "linear": "dense",
    "gap": "globalpool",
    "max": "maxpool",
    "avg": "avgpool",
    "convolution": "conv",
    "reshape": "flatten",
}
"""What others call these layers."""
_SHARED = ("bias", "weight_init", "bias_init", "l1", "l2")
_WORD = re.compile(r"[^\s,()=]+(?:\([^()]*\))?(?:\s*=\s*(?:[^\s,()]+(?:\([^()]*\))?))?")


@dataclass(frozen=True)
class _Word:
    """A word and its place in the text, so that a message can point at it."""

    text: str
    start: int
    whole: str

    def wrong(self, why: str) -> ConfigError:
        """Return an error that marks the word in its text."""
        stop = self.start + len(self.text)
        shown = f"{self.whole[max(self.start - 60, 0) : self.start]}»{self.text}«{self.whole[stop : stop + 60]}"
        return ConfigError(f'layers: {why}, in "{one_line(shown, 200)}"')


def parse_layers(
    text: str,
    activation: str = "relu",
    output: str | None = None,
    units: int | None = None,
    **shared: Any,
) -> Network:
    """Return the network that a text describes, with the output layer, to be bound to data.

    Parameters
    ----------
    text : str
        Layers, as the module describes them.
    activation : str
        Spec of the activation of dense and convolutional layers that name none.
    output : str or None
        Spec of the output activation; None takes the one that the data ask for.
    units : int or None
        Number of outputs; None takes as many as the targets have.
    **shared
        bias, weight_init, bias_init, l1, l2 of every dense and convolutional layer that does not name its own.

    Raises
    ------
    ConfigError
        For anything that is not of the language: one line that marks the word.

    Examples
    --------
    >>> parse_layers("conv 8 5, pool 2, dense 64").bind((28, 28, 1), 10, "softmax").n_parameters
    74650
    """
    if not isinstance(text, str):
        raise ConfigError(f"layers must be a text such as 'conv 8 5, pool 2, dense 64', got {one_line(repr(text))}")
    for key in shared:
        if key not in _SHARED:
            raise ConfigError(
                f"layers: '{one_line(key)}' cannot be set for all layers: write it in the layer's own words"
            )
    layers = [layer for layer, _ in _read(text, activation, shared)]
    if _axes_after(layers):
        layers.append(Flatten())
    return Network((*layers, Dense(units, output, **shared)))


def point_at_layer(text: str, error: ShapeError) -> ChainruleError:
    """Return an error of `Network.bind` that marks the layer in the text, where it is about one of its layers."""
    phrases = [words for _, words in _read(text, "relu", {})]
    if error.layer is None or error.layer >= len(phrases) or not phrases[error.layer]:
        return error
    first, last = phrases[error.layer][0], phrases[error.layer][-1]
    marked = _Word(text[first.start : last.start + len(last.text)], first.start, text)
    return marked.wrong(str(error).partition(": ")[2])


def _read(text: str, activation: str, shared: dict[str, Any]) -> list[tuple[Layer, list[_Word]]]:
    """Return the layers of a text, each with its words; the flattening that is added by itself has none."""
    phrases = [phrase for phrase in _phrases(text) if phrase]
    if len(phrases) > MOST_LAYERS:
        raise ConfigError(f"layers: {len(phrases)} layers; at most {MOST_LAYERS} are allowed")
    layers: list[tuple[Layer, list[_Word]]] = []
    for phrase in phrases:
        layer = _layer(phrase, activation, shared)
        axes = _axes_after([below for below, _ in layers])
        if isinstance(layer, Dense) and axes:
            layers.append((Flatten(), []))
        _check_axes(phrase[0], layer, axes)
        layers.append((layer, phrase))
    return layers


def _check_axes(head: _Word, layer: Layer, axes: int | None) -> None:
    """Refuse a layer for images or sequences above one whose outputs are none, whatever the data."""
    wanted = (layer.input_axes or 1) - 1
    if axes is None or not wanted or axes == wanted:
        return
    given = ("all features in a row", "sequences", "images")[axes]
    kinds = ("", "sequences", "images")[wanted]
    raise head.wrong(f"'{head.text}' takes {kinds}, but what comes before it gives {given}")


def _phrases(text: str) -> Iterable[list[_Word]]:
    """Yield the words of each layer. A comma within parentheses, as in ``normal(0, 1)``, separates nothing."""
    depth, start, parts = 0, 0, []
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth <= 0:
            parts.append((start, place))
            start = place + 1
    parts.append((start, len(text)))
    for first, last in parts:
        words, end = [], first
        for found in _WORD.finditer(text, first, last):
            if between := text[end : found.start()].strip():
                advice = ": write sizes as 5 or 5x3" if between.startswith("=") else ""
                raise _Word(between, text.index(between, end), text).wrong(f"cannot read '{one_line(between)}'{advice}")
            words.append(_Word(found.group(), found.start(), text))
            end = found.end()
        if rest := text[end:last].strip():
            raise _Word(rest, text.index(rest, end), text).wrong(f"cannot read '{one_line(rest)}'")
        if not words and len(parts) > 1:
            raise _Word("", first, text).wrong("a layer is missing beside a comma")
        yield words


def _layer(words: list[_Word], activation: str, shared: dict[str, Any]) -> Layer:
    """Make one layer of its words."""
    head, *rest = words
    kind = KINDS.get(head.text.lower())
    if kind is None:
        raise head.wrong(_no_layer(head.text))
    values: dict[str, Any] = {}
    origin: dict[str, _Word] = {}
    for word in rest:
        key, value = _meaning(word, kind, values)
        if key in values:
            raise word.wrong(f"{key} is given twice")
        values[key], origin[key] = value, word
    for name in kind.numbers[: len(kind.numbers) - kind.optional]:
        if name not in values:
            raise head.wrong(f"'{head.text}' needs its {name}: write {head.text} {' '.join(_needed(kind))}")
    defaults = {"activation": activation, **shared} if issubclass(kind.layer, Dense | Conv1D | Conv2D) else {}
    try:
        return kind.layer(**{**defaults, **values})
    except ChainruleError as error:
        raise _blamed(kind, defaults, values, origin, str(error), head).wrong(str(error)) from None


def _no_layer(word: str) -> str:
    """Say that a word names no layer, and what may have been meant."""
    name = word.split("(")[0].lower()
    if name in ACTIVATIONS:
        return f"'{one_line(word)}' is an activation: write it behind its layer, as in 'conv 8 5 {one_line(word)}'"
    if name in KINDS:
        return f"layers take no parentheses: write {' '.join([name, *_needed(KINDS[name])])}"
    if name.isdigit():
        return f"a layer begins with its kind: write 'dense {name}' for {name} units"
    if name in _OTHER_WORDS:
        return f"unknown layer '{one_line(word)}': here it is called '{_OTHER_WORDS[name]}'"
    return unknown_name("layer", word, KINDS)


def _blamed(
    kind: _Kind, defaults: dict[str, Any], values: dict[str, Any], origin: dict[str, _Word], why: str, head: _Word
) -> _Word:
    """Return the word that an error is about: the one without which there is none, or whose field it names."""
    for key, word in origin.items():
        try:
            kind.layer(**{**defaults, **{name: value for name, value in values.items() if name != key}})
        except (ChainruleError, TypeError):  # TypeError: a number that it needs
            continue
        return word
    return next((word for key, word in origin.items() if key in why), head)


def _meaning(word: _Word, kind: _Kind, values: dict[str, Any]) -> tuple[str, Any]:
    """Return the field that a word sets, and its value."""
    name, equals, value = (part.strip() for part in word.text.partition("="))
    if equals:
        if name not in kind.fields:
            raise word.wrong(unknown_name("value of this layer", name, kind.fields))
        return name, _value(word, value, kind.fields[name])
    if name.lower() in PADDINGS and "padding" in kind.fields:
        return "padding", name.lower()
    if name.split("(")[0] in ACTIVATIONS and "activation" in kind.fields:
        return "activation", name
    if kind.fields.get(name.lower()) == "bool":
        return name.lower(), True
    if name[0].isdigit() or name[0] in "-+.":
        free = [field for field in kind.numbers if field not in values]
        if not free:
            needed = " ".join(_needed(kind))
            raise word.wrong(f"one number too many: {needed} is all there is" if needed else "it takes no number")
        return free[0], _value(word, name, kind.fields[free[0]])
    if name.lower() in KINDS:
        raise word.wrong("a comma is missing before this layer")
    lacking = [field for field in kind.numbers[: len(kind.numbers) - kind.optional] if field not in values]
    options = [*(ACTIVATIONS if "activation" in kind.fields else ()), *(PADDINGS if "padding" in kind.fields else ())]
    if lacking and not get_close_matches(name, options, 1):
        raise word.wrong(f"'{one_line(name)}' must be the {lacking[0]}, a number: {' '.join(_needed(kind))}")
    raise word.wrong(unknown_name("word of this layer", name, [*options, *(f"{key}=" for key in kind.fields)]))


def _value(word: _Word, text: str, kind: str) -> Any:
    """Read a value in its field's type: words stay words, 5x3 is a pair."""
    if text.lower() in ("true", "false") and "bool" in kind:
        return text.lower() == "true"
    try:
        if "int" in kind or "Numbers" in kind:
            sizes = tuple(int(part) for part in text.lower().split("x"))
            return sizes[0] if len(sizes) == 1 else sizes
        if "float" in kind:
            return float(text)
    except ValueError:
        if "str" not in kind and "Padding" not in kind:
            wanted = (
                "a number"
                if "float" in kind
                else "a whole number" + (", or two such as 5x3" if "Numbers" in kind else "")
            )
            raise word.wrong(f"'{one_line(text)}' must be {wanted}") from None
    return text


def _needed(kind: _Kind) -> list[str]:
    return [name.upper() for name in kind.numbers]


def _axes_after(layers: list[Layer]) -> int | None:
    """Spatial axes of what comes out of the layers so far, as far as their kinds tell; None if only the data do."""
    for layer in reversed(layers):
        if isinstance(layer, Dense | Flatten | GlobalAvgPool | GlobalMaxPool):
            return 0
        if layer.input_axes in (2, 3):
            return layer.input_axes - 1
    return None
