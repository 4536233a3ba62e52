"""Settings: everything of a run but its seed, from a recipe's dotted keys to canonical text.

A key is ``TABLE.NAME``, such as ``training.epochs``. Where its value is a part's spec, the values in the brackets have
keys of their own, one dot further: ``training.optimizer.beta = 0.5`` makes ``momentum(0.9)`` a ``momentum(0.5)``, and
``data.source.n = 50`` makes ``moons(noise=0.1)`` a ``moons(n=50, noise=0.1)``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from chainrule.data import DATASETS, load
from chainrule.data.tables import is_table
from chainrule.errors import ConfigError, one_line, show, unknown_name
from chainrule.nn import ACTIVATIONS, INITIALIZERS, LAYERS, LOSSES, Network, mlp, parse_layers
from chainrule.optim import OPTIMIZERS, SCHEDULES
from chainrule.population import TrainingConfig
from chainrule.spec import parse_spec

TRAINING_KEYS = tuple(f.name for f in dataclasses.fields(TrainingConfig))
NETWORK_KEYS = (*inspect.signature(mlp).parameters, "layers")
NOT_WITH_LAYERS = ("hidden", "dropout", "normalize")
"""Keys that say what `network.layers`, the whole network in words, says too."""
DATA_KEYS = ("source",)
KNOWN_KEYS = tuple(
    f"{table}.{key}"
    for table, keys in (("data", DATA_KEYS), ("network", NETWORK_KEYS), ("training", TRAINING_KEYS))
    for key in keys
)

PARTS: dict[str, Mapping[str, type[Any]]] = {
    "data.source": DATASETS,
    "network.activation": ACTIVATIONS,
    "network.output": ACTIVATIONS,
    "network.weight_init": INITIALIZERS,
    "network.bias_init": INITIALIZERS,
    "training.loss": LOSSES,
    "training.optimizer": OPTIMIZERS,
    "training.schedule": SCHEDULES,
}
"""The keys whose value is one part's spec, and where its kind is registered."""

COUNTS = ("training.batch_size", "training.epochs", "training.log_every", "training.window", "network.units")
"""Keys whose values are whole numbers; `network.hidden` counts too, if it is written as one number."""

MOST_BUILT = 1 << 17
"""Settings remembered: the cells of the largest grid, full and quick, are built when it is read and when it is run."""


@dataclass(frozen=True)
class Setting:
    """Everything of a run but its seed, as canonical text: equal settings are equal, and it pickles in a few bytes.

    Attributes
    ----------
    source : str
        The data source's spec.
    network, training : str
        ``Network.describe`` and ``TrainingConfig.describe`` as JSON with sorted keys.
    """

    source: str
    network: str
    training: str

    @cached_property
    def key(self) -> str:
        """Hash (32 hex digits) of the setting: of its source and of all values that are not defaults.

        A field that later versions add, with a default that does what was done before, so leaves all keys as they are.
        A default must never change: it would make one key of two settings (see `chainrule.experiments.running.tasks`).
        """
        text = "\n".join((self.source, _network_without_defaults(self.network), _without_defaults(self.training)))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def cohort_key(self) -> str:
        """Hash of everything but the learning rate: settings that agree in it are trained in one population."""
        training = json.loads(self.training) | {"learning_rate": None}
        return Setting(self.source, self.network, json.dumps(training, sort_keys=True)).key

    @property
    def config(self) -> TrainingConfig:
        """The configuration."""
        return TrainingConfig.from_description(json.loads(self.training))

    @property
    def net(self) -> Network:
        """The network, not yet bound to data."""
        return Network.from_description(json.loads(self.network))


def make_setting(source: str, network: Network, config: TrainingConfig) -> Setting:
    """Return the canonical setting of built parts."""
    return Setting(source, *(_canonical(part) for part in (network, config)))


def _canonical(part: Network | TrainingConfig) -> str:
    return json.dumps(part.describe(), sort_keys=True)


@lru_cache(maxsize=1)
def _training_defaults() -> dict[str, Any]:
    defaults: dict[str, Any] = json.loads(_canonical(TrainingConfig()))
    return defaults


@lru_cache(maxsize=64)
def _layer_defaults(name: str) -> dict[str, Any]:
    fields = dataclasses.fields(LAYERS[name])  # type: ignore[arg-type]
    given = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    defaults: dict[str, Any] = json.loads(json.dumps(given))
    return defaults


def _differing(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that differ from the defaults, also in their type: 1 is not true."""
    return {key: value for key, value in values.items() if key not in defaults or show(value) != show(defaults[key])}


@lru_cache(maxsize=4096)
def _network_without_defaults(text: str) -> str:
    network = json.loads(text)
    layers = [_differing(layer, _layer_defaults(layer["layer"])) for layer in network["layers"]]
    return json.dumps(network | {"layers": layers}, sort_keys=True)


def _without_defaults(text: str) -> str:
    return json.dumps(_differing(json.loads(text), _training_defaults()), sort_keys=True)


def freeze(value: Any) -> Any:
    """Make lists hashable, all the way down."""
    return tuple(freeze(part) for part in value) if isinstance(value, list | tuple) else value


def flatten(table: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Write nested tables with dotted keys: ``{"training": {"epochs": 5}}`` is ``{"training.epochs": 5}``."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{path}{key}.")
        else:
            flat[f"{path}{key}"] = value
    return flat


def part_of(key: str) -> tuple[str, str]:
    """Split the key of a part's value: ``training.optimizer.beta`` is ``training.optimizer`` and ``beta``.

    Both are empty for any other key.
    """
    part, _, value = key.rpartition(".")
    return (part, value) if part in PARTS else ("", "")


@lru_cache(maxsize=64)
def values_of_part(part: str) -> Mapping[str, frozenset[str]]:
    """Return the values that any part of a key's kind has, with the names of their types: ``{"beta": {"float"}}``."""
    found: dict[str, frozenset[str]] = {}
    for cls in dict.fromkeys(PARTS[part].values()):
        for f in dataclasses.fields(cls):
            if f.init:
                found[f.name] = found.get(f.name, frozenset()) | set(str(f.type).split())
    return found


def is_known(key: str) -> bool:
    """Return whether a dotted key names a setting."""
    part, value = part_of(key)
    return key in KNOWN_KEYS or (part != "" and value in values_of_part(part))


def is_count(key: str) -> bool:
    """Return whether a key's values are whole numbers."""
    part, value = part_of(key)
    return key in COUNTS or key == "network.hidden" or (part != "" and "int" in values_of_part(part).get(value, ()))


def build_setting(settings: Mapping[str, Any]) -> Setting:
    """Build every part that dotted settings name and return the canonical setting.

    Parameters
    ----------
    settings : mapping
        Dotted key -> value, with ``data.source``; a single whole number for ``network.hidden`` is one layer.

    Raises
    ------
    ConfigError
        For an unknown key, an unknown part or an impossible value.
    """
    tables: dict[str, dict[str, Any]] = {"data": {}, "network": {}, "training": {}}
    inner: dict[str, dict[str, Any]] = {}
    for key, value in settings.items():
        part, name = part_of(key)
        if part:
            inner.setdefault(part, {})[name] = value
        elif key in KNOWN_KEYS:
            table, _, name = key.partition(".")
            tables[table][name] = freeze(value)
        else:
            raise ConfigError(unknown_name("setting", key, KNOWN_KEYS))
    for part, values in inner.items():
        table, _, name = part.partition(".")
        tables[table][name] = _with_values(part, tables[table].get(name, _default(part)), values)
    source = tables["data"]["source"]
    if not isinstance(source, str):
        raise ConfigError(f"data.source is a text such as 'xor', not {show(source)}")
    network, training = (_items(tables[name]) for name in ("network", "training"))
    try:
        return Setting(_source(source), _network(network), _training(training))
    except TypeError as error:  # what cannot be hashed, such as a table in a list
        raise ConfigError(one_line(error)) from None


Items = tuple[tuple[str, str, Any], ...]


def _items(table: dict[str, Any]) -> Items:
    """Return a table as the key of a cache; the texts keep apart what Python holds equal, such as 1 and true."""
    return tuple((key, show(value, 10_000), value) for key, value in sorted(table.items()))


@lru_cache(maxsize=4096)
def _source(text: str) -> str:
    return load(text).spec


@lru_cache(maxsize=4096)
def _network(items: Items) -> str:
    """Build a network of the arguments of `mlp` and return its canonical text."""
    arguments = {key: value for key, _, value in items}
    if "layers" in arguments:
        return _canonical(_in_words(arguments))
    hidden = arguments.get("hidden", ())
    if isinstance(hidden, int) and not isinstance(hidden, bool):
        arguments["hidden"] = (hidden,)
    elif not isinstance(hidden, tuple):
        raise ConfigError(f"hidden must be a list of units such as [4, 4], got {show(hidden)}")
    try:
        return _canonical(mlp(**arguments))
    except (TypeError, OverflowError) as error:
        raise ConfigError(f"network: {one_line(error)}") from None


def _in_words(arguments: dict[str, Any]) -> Network:
    """Build a network of the arguments of `parse_layers`."""
    for key in NOT_WITH_LAYERS:
        if key in arguments:
            raise ConfigError(
                f"network.layers is the whole network: leave out network.{key}, or write it in the layers"
            )
    return parse_layers(arguments.pop("layers"), **arguments)


@lru_cache(maxsize=MOST_BUILT)
def _training(items: Items) -> str:
    """Build a configuration and return its canonical text."""
    return _canonical(TrainingConfig().replace(**{key: value for key, _, value in items}))


def _default(part: str) -> Any:
    """Return the spec that a key has if no recipe sets it."""
    table, _, name = part.partition(".")
    if table == "training":
        return getattr(TrainingConfig(), name)
    return inspect.signature(mlp).parameters[name].default if table == "network" else None


def _with_values(part: str, spec: Any, values: Mapping[str, Any]) -> str:
    """Return a part's spec with some of its values replaced."""
    kind = part.partition(".")[2].replace("_", " ")
    if not isinstance(spec, str):
        raise ConfigError(f"{part} must be named for its value '{next(iter(values))}' to be set")
    if part == "data.source" and is_table(spec):
        raise ConfigError(f"data.source: a table file has no value '{next(iter(values))}'")
    name, positional, named = parse_spec(spec, kind)
    if name not in PARTS[part]:
        raise ConfigError(unknown_name(kind, name, PARTS[part]))
    fields = [f.name for f in dataclasses.fields(PARTS[part][name]) if f.init]
    for key in values:
        if key not in fields:
            has = f"it has {', '.join(fields)}" if fields else "it has none"
            raise ConfigError(f"{kind} '{name}' has no value '{one_line(key)}' ({has}): say where with `only`")
    if len(positional) > len(fields):
        raise ConfigError(f"{kind} '{one_line(spec)}': at most {len(fields)} values, got {len(positional)}")
    merged = dict(zip(fields, positional, strict=False)) | named | dict(values)
    return f"{name}({', '.join(f'{key}={_written(value)}' for key, value in merged.items())})"


def _written(value: Any) -> str:
    """Write a value as a spec does."""
    return repr(value).lower() if value is None or isinstance(value, bool) else repr(value)
