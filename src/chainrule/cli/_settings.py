"""The options of `chainrule train` that make up a setting: network, training, and how often it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule import nn, optim
from chainrule.cli._options import naming, parse_batch, parse_hidden
from chainrule.data import augmentation
from chainrule.errors import ChainruleError, ConfigError
from chainrule.metrics import metric
from chainrule.nn import Network, mlp, parse_layers
from chainrule.population import TrainingConfig

HIDDEN = "4,4"  # what is trained if nothing is said
PRINTED_LINES = 10
CURVE_POINTS = (200, 2000)  # points kept of a history, at least and at most
HISTORY_VALUES = 100_000  # points kept of all histories together, roughly

_D = TrainingConfig()
DEFAULTS = {
    "optimizer": _D.optimizer,
    "lr": f"{_D.learning_rate:g}",
    "batch": str(_D.batch_size),
    "epochs": _D.epochs,
    "dtype": _D.dtype,
}
"""What an option is that was not given."""

IMAGE_DEFAULTS = {"optimizer": "adam", "batch": "64", "dtype": "float32"}
"""The same for a network that begins with layers for images: those of the small problems would take it days."""

IMAGE_RATES = {"adam": "0.001", "adamw": "0.001", "rmsprop": "0.001"}
"""Its learning rate by the optimizer's name, where none is given and that of `DEFAULTS` would be too large."""

IMAGES_SHOWN = 600_000
"""Epochs of such a network, where none are given: as many as show it so many images, at least 10 and at most 1,000."""

IMAGE_LOSSES = {"binary": "binary_cross_entropy", "multiclass": "softmax_cross_entropy"}
"""The loss of such a network by the task, where neither loss nor output activation is given."""


@dataclass(frozen=True)
class Settings:
    """The options as they were typed; the command's help says what each means."""

    validation: float
    test: float
    stratify: bool
    class_weight: str | None
    hidden: str | None
    layers: str | None
    activation: str | None
    output: str | None
    weight_init: str | None
    bias_init: str
    no_bias: bool
    dropout: float
    l1: float
    l2: float
    normalize: bool
    loss: str | None
    optimizer: str
    lr: str
    schedule: str
    batch: str
    epochs: int | None
    stop: list[str] | None
    no_shuffle: bool
    augment: list[str] | None
    clip_norm: float | None
    clip_value: float | None
    dtype: str
    metric: list[str] | None
    window: int


def takes_images(layers: str | None) -> bool:
    """Whether a text describes a network for images; what is wrong with it is for `build_network` to say."""
    try:
        return layers is not None and parse_layers(layers).input_axes == 3
    except ChainruleError:
        return False


def fill_defaults(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of ``chainrule train`` with the defaults of those that were not given."""
    images = takes_images(options["layers"])
    defaults = DEFAULTS | (IMAGE_DEFAULTS if images else {})
    rule = str(options["optimizer"] or defaults["optimizer"]).partition("(")[0].strip().lower()
    if images and rule in IMAGE_RATES:
        defaults["lr"] = IMAGE_RATES[rule]
    if images:
        del defaults["epochs"]  # once the number of images is known
    return options | {key: value for key, value in defaults.items() if options[key] is None}


def suited_to_images(settings: Settings, config: TrainingConfig, task: str, n: int) -> TrainingConfig:
    """Return the configuration with the loss and the epochs that suit n images, unless they were given."""
    if not takes_images(settings.layers):
        return config
    if settings.loss is None and settings.output is None:
        config = config.replace(loss=IMAGE_LOSSES.get(task, config.loss))
    if settings.epochs is None:
        config = config.replace(epochs=min(max(IMAGES_SHOWN // n, 10), _D.epochs))
    return config


def build_network(settings: Settings) -> Network:
    """Build the network, naming the option at fault."""
    hidden = parse_hidden(HIDDEN if settings.hidden is None else settings.hidden)
    for option, lookup, spec in (
        ("--activation", nn.activation, settings.activation),
        ("--output", nn.activation, settings.output),
        ("--weight-init", nn.initializer, settings.weight_init),
        ("--bias-init", nn.initializer, settings.bias_init),
    ):
        if spec is not None:
            _named(option, lookup, spec)
    with naming("--l1"):
        nn.Dense(1, l1=settings.l1)
    with naming("--l2"):
        nn.Dense(1, l2=settings.l2)
    with naming("--dropout"):
        nn.Dropout(settings.dropout)
    shared: dict[str, Any] = {
        "output": settings.output,
        "bias": not settings.no_bias,
        "weight_init": settings.weight_init,
        "bias_init": settings.bias_init,
        "l1": settings.l1,
        "l2": settings.l2,
    }
    if settings.layers is not None:
        _refuse_with_layers(settings)
        return parse_layers(settings.layers, settings.activation or "relu", **shared)
    more: dict[str, Any] = {"dropout": settings.dropout, "normalize": settings.normalize}
    return mlp(hidden, settings.activation or "sigmoid", **shared, **more)


def _refuse_with_layers(settings: Settings) -> None:
    """Refuse options that say what `--layers` says."""
    given = {"--hidden": settings.hidden is not None, "--dropout": settings.dropout, "--normalize": settings.normalize}
    words = {"--hidden": "dense 4, dense 4", "--dropout": f"dropout {settings.dropout:g}", "--normalize": "norm"}
    for option, there in given.items():
        if there:
            raise ConfigError(f"{option}: --layers describes the whole network: write '{words[option]}' in it instead")


def build_config(settings: Settings, rates: Sequence[float]) -> TrainingConfig:
    """Build the training configuration, naming the option at fault."""
    for option, lookup, specs in (
        ("--loss", nn.loss, [] if settings.loss is None else [settings.loss]),
        ("--optimizer", optim.optimizer, [settings.optimizer]),
        ("--schedule", optim.schedule, [settings.schedule]),
        ("--stop", optim.stopping_rule, settings.stop or []),
        ("--metric", metric, settings.metric or []),
        ("--augment", augmentation, settings.augment or []),
    ):
        for spec in specs:
            _named(option, lookup, spec)
    base = TrainingConfig(
        loss=_D.loss if settings.loss is None else settings.loss,
        optimizer=settings.optimizer,
        schedule=settings.schedule,
        stopping=tuple(settings.stop or ()),
        metrics=tuple(dict.fromkeys(settings.metric or ())),
        stratify=settings.stratify,
        shuffle=not settings.no_shuffle,
        augment=tuple(settings.augment or ()),
    )
    checked: list[tuple[str, dict[str, Any]]] = [("--lr", {"learning_rate": rate}) for rate in reversed(rates)]
    checked += [
        ("--batch", {"batch_size": parse_batch(settings.batch)}),
        ("--epochs", {"epochs": _D.epochs if settings.epochs is None else settings.epochs}),
        ("--clip-norm", {"clip_norm": settings.clip_norm}),
        ("--clip-value", {"clip_value": settings.clip_value}),
        ("--validation", {"validation": settings.validation}),
        ("--test", {"test": settings.test}),
        ("--dtype", {"dtype": settings.dtype}),
        ("--class-weight", {"class_weight": settings.class_weight}),
        ("--window", {"window": settings.window}),
    ]
    for option, change in checked:
        with naming(option):
            base = base.replace(**change)
    return base


def printed_every(log_every: int | None, epochs: int) -> int:
    """Return the epochs between two printed lines: those asked for, or a round number that gives about ten lines."""
    if log_every is None:
        return nice_step(epochs, PRINTED_LINES)
    if log_every < 1:
        raise ConfigError(f"--log-every: a whole number of epochs of at least 1, got {log_every}")
    return log_every


def nice_step(length: int, lines: int) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50, ... that cuts `length` into at most `lines` steps."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if factor * size * lines >= length:
                return factor * size
        size *= 10


def kept_every(print_every: int, epochs: int, members: int) -> int:
    """Return how many epochs lie between two kept ones: a divisor of `print_every` that keeps curves short enough."""
    low, high = CURVE_POINTS
    wanted = epochs / min(max(HISTORY_VALUES // members, low), high)
    divisors = [d for d in range(1, min(print_every, 100_000) + 1) if print_every % d == 0 and d >= wanted]
    return divisors[0] if divisors else print_every


def _named(option: str, lookup: Callable[[Any], Any], value: Any) -> Any:
    """Look a value up; an error names the option."""
    with naming(option):
        return lookup(value)
