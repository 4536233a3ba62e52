"""From the options of `chainrule train` to what is trained: everything is checked before the first step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import nn, optim
from chainrule.cli._options import (
    naming,
    parse_batch,
    parse_hidden,
    parse_path,
    parse_rates,
    parse_seed_choice,
)
from chainrule.cli._success import SuccessRule, check_rule, default_rule, parse_success, with_metric
from chainrule.data import DataSource, Split, load, split
from chainrule.data.tables import is_table
from chainrule.engines import ENGINES
from chainrule.errors import ConfigError, one_line, unknown_name
from chainrule.metrics import metric
from chainrule.nn import Network, mlp
from chainrule.population import TrainingConfig, bind_to_data

DEFAULT_SEEDS = 10
PRINTED_LINES = 10
CURVE_POINTS = (200, 2000)  # points kept of a history, at least and at most
HISTORY_VALUES = 100_000  # points kept of all histories together, roughly


@dataclass(frozen=True)
class Request:
    """The options of `chainrule train` as they were typed; the command's help says what each means."""

    data: str
    target: str | None
    data_dir: str | None
    validation: float
    test: float
    stratify: bool
    class_weight: str | None
    hidden: str
    activation: str
    output: str | None
    weight_init: str | None
    bias_init: str
    no_bias: bool
    dropout: float
    l1: float
    l2: float
    normalize: bool
    loss: str
    optimizer: str
    lr: str
    schedule: str
    batch: str
    epochs: int
    stop: list[str] | None
    no_shuffle: bool
    clip_norm: float | None
    clip_value: float | None
    dtype: str
    engine: str
    seeds: int | None
    seed_list: str | None
    show_seed: int | None
    success: str | None
    metric: list[str] | None
    log_every: int | None
    window: int
    out: str
    no_pictures: bool


@dataclass(frozen=True)
class Plan:
    """What is trained, and what is shown of it.

    Attributes
    ----------
    network : Network
        Not yet bound to the data.
    config : TrainingConfig
        With the first of the learning rates.
    source : DataSource
        The data.
    parts : Split
        The data of the shown seed.
    seeds, rates : tuple
        One member for each pair.
    shown : int
        The seed whose predictions are shown.
    print_every : int
        Epochs between two printed lines.
    rule : SuccessRule or None
        What counts as success.
    engine : str
        Name of the engine.
    out : Path
        The folder to be written.
    pictures : bool
        Whether pictures are drawn.
    """

    network: Network
    config: TrainingConfig
    source: DataSource
    parts: Split
    seeds: tuple[int, ...]
    rates: tuple[float, ...]
    shown: int
    print_every: int
    rule: SuccessRule | None
    engine: str
    out: Path
    pictures: bool


def make_plan(request: Request) -> Plan:
    """Check every option and load the data; nothing is trained or written yet.

    Raises
    ------
    ChainruleError
        One line that names the option.
    """
    out = parse_path(request.out, "--out")
    network = _network(request)
    rates = parse_rates(request.lr)
    config = _config(request, rates)
    seeds = parse_seed_choice(request.seeds, request.seed_list, DEFAULT_SEEDS)
    shown = seeds[0] if request.show_seed is None else request.show_seed
    if shown not in seeds:
        raise ConfigError(f"--show-seed: {shown} is not among the seeds trained ({_range(seeds)})")
    if request.engine not in ("auto", *ENGINES):
        raise ConfigError(f"--engine: {unknown_name('engine', request.engine, ['auto', *ENGINES])}")
    given = None if request.success is None else _named("--success", parse_success, request.success)
    source = load_source(request.data, request.data_dir, request.target)
    parts = split(source.draw(shown), shown, config.validation, config.test, config.stratify)
    task = parts.train.task
    bind_to_data(network, parts, config)
    rule = given or default_rule(config, task, parts.validation is not None)
    if rule is not None:
        there = {name for name in ("validation", "test") if getattr(parts, name) is not None}
        with naming("--success"):
            check_rule(rule, config, there)
    config = with_metric(config, rule, task)
    print_every = _print_every(request)
    config = config.replace(log_every=kept_every(print_every, config.epochs, len(seeds) * len(rates)))
    return Plan(
        network,
        config,
        source,
        parts,
        seeds,
        rates,
        shown,
        print_every,
        rule,
        request.engine,
        out,
        not request.no_pictures,
    )


def load_source(spec: str, data_dir: str | None, target: str | None) -> DataSource:
    """Return the data source of ``--data``, ``--data-dir`` and ``--target``."""
    if not spec.strip() or "\0" in spec:
        raise ConfigError("--data: name a data set (`chainrule data` lists them) or a table FILE?target=COLUMN")
    if target is not None and not is_table(spec):
        raise ConfigError(f"--target: only a table has columns, '{one_line(spec)}' is none")
    with naming("--data"):
        folder = None if data_dir is None else parse_path(data_dir, "--data-dir")
        return load(spec, folder) if target is None else load(spec, folder, target=target)


def _network(request: Request) -> Network:
    """Build the network, naming the option at fault."""
    hidden = parse_hidden(request.hidden)
    for option, lookup, spec in (
        ("--activation", nn.activation, request.activation),
        ("--output", nn.activation, request.output),
        ("--weight-init", nn.initializer, request.weight_init),
        ("--bias-init", nn.initializer, request.bias_init),
    ):
        if spec is not None:
            _named(option, lookup, spec)
    with naming("--l1"):
        nn.Dense(1, l1=request.l1)
    with naming("--l2"):
        nn.Dense(1, l2=request.l2)
    with naming("--dropout"):
        nn.Dropout(request.dropout)
    return mlp(
        hidden,
        request.activation,
        request.output,
        bias=not request.no_bias,
        weight_init=request.weight_init,
        bias_init=request.bias_init,
        l1=request.l1,
        l2=request.l2,
        dropout=request.dropout,
        normalize=request.normalize,
    )


def _config(request: Request, rates: Sequence[float]) -> TrainingConfig:
    """Build the training configuration, naming the option at fault."""
    for option, lookup, specs in (
        ("--loss", nn.loss, [request.loss]),
        ("--optimizer", optim.optimizer, [request.optimizer]),
        ("--schedule", optim.schedule, [request.schedule]),
        ("--stop", optim.stopping_rule, request.stop or []),
        ("--metric", metric, request.metric or []),
    ):
        for spec in specs:
            _named(option, lookup, spec)
    base = TrainingConfig(
        loss=request.loss,
        optimizer=request.optimizer,
        schedule=request.schedule,
        stopping=tuple(request.stop or ()),
        metrics=tuple(dict.fromkeys(request.metric or ())),
        stratify=request.stratify,
        shuffle=not request.no_shuffle,
    )
    checked: list[tuple[str, dict[str, Any]]] = [("--lr", {"learning_rate": rate}) for rate in reversed(rates)]
    checked += [
        ("--batch", {"batch_size": parse_batch(request.batch)}),
        ("--epochs", {"epochs": request.epochs}),
        ("--clip-norm", {"clip_norm": request.clip_norm}),
        ("--clip-value", {"clip_value": request.clip_value}),
        ("--validation", {"validation": request.validation}),
        ("--test", {"test": request.test}),
        ("--dtype", {"dtype": request.dtype}),
        ("--class-weight", {"class_weight": request.class_weight}),
        ("--window", {"window": request.window}),
    ]
    for option, change in checked:
        with naming(option):
            base = base.replace(**change)
    return base


def _print_every(request: Request) -> int:
    """Return the epochs between two printed lines."""
    if request.log_every is None:
        return nice_step(request.epochs, PRINTED_LINES)
    if request.log_every < 1:
        raise ConfigError(f"--log-every: a whole number of epochs of at least 1, got {request.log_every}")
    return request.log_every


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


def _range(seeds: Sequence[int]) -> str:
    """Name many seeds in few words."""
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds[:8])) + (", ..." if len(seeds) > 8 else "")
