"""From the options of `chainrule train` to what is trained: everything is checked before the first step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.cli._options import naming, parse_path, parse_rates, parse_resources, parse_seed_choice
from chainrule.cli._settings import (
    Settings,
    build_config,
    build_network,
    kept_every,
    printed_every,
    suited_to_images,
)
from chainrule.cohorts import bind_to_data
from chainrule.data import DataSource, Split, load, split
from chainrule.data.preprocess import MISSING
from chainrule.data.tables import is_table
from chainrule.engines import ENGINES
from chainrule.errors import ConfigError, ShapeError, one_line, unknown_name
from chainrule.experiments.recipes.success import SuccessRule, check_rule, default_rule, parse_success, with_metric
from chainrule.nn import Network
from chainrule.nn.layer_language import point_at_layer
from chainrule.population import TrainingConfig
from chainrule.resources import Resources

DEFAULT_SEEDS = 10


@dataclass(frozen=True)
class Request(Settings):
    """The options of `chainrule train` as they were typed; the command's help says what each means."""

    data: str
    target: str | None
    missing: str | None
    data_dir: str | None
    engine: str
    threads: int | None
    memory: str | None
    certify: bool
    seeds: int | None
    seed_list: str | None
    show_seed: int | None
    success: str | None
    log_every: int | None
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
    resources : Resources
        Threads and memory that it may take.
    certify : bool
        Whether the last run is certified.
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
    resources: Resources
    certify: bool
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
    network = build_network(request)
    rates = parse_rates(request.lr)
    config = build_config(request, rates)
    seeds = parse_seed_choice(request.seeds, request.seed_list, DEFAULT_SEEDS)
    shown = seeds[0] if request.show_seed is None else request.show_seed
    if shown not in seeds:
        raise ConfigError(f"--show-seed: {shown} is not among the seeds trained ({_range(seeds)})")
    check_engine(request.engine)
    resources = parse_resources(request.threads, request.memory)
    with naming("--success"):
        given = None if request.success is None else parse_success(request.success)
    source = load_source(request.data, request.data_dir, request.target, request.missing)
    parts = split(source.draw(shown), shown, config.validation, config.test, config.stratify)
    task = parts.train.task
    config = suited_to_images(request, config, task, parts.train.n)
    try:
        bind_to_data(network, parts, config)
    except ShapeError as error:
        raise error if request.layers is None else point_at_layer(request.layers, error) from None
    rule = given or default_rule(config, task, parts.validation is not None)
    if rule is not None:
        there = {name for name in ("validation", "test") if getattr(parts, name) is not None}
        with naming("--success"):
            check_rule(rule, config, there)
    config = with_metric(config, rule, task)
    print_every = printed_every(request.log_every, config.epochs)
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
        resources,
        request.certify,
        out,
        pictures=not request.no_pictures,
    )


def check_engine(name: str) -> None:
    """Refuse an engine that does not exist; whether it can train this is for `choose` to say."""
    if name not in ("auto", *ENGINES):
        raise ConfigError(f"--engine: {unknown_name('engine', name, ['auto', *ENGINES])}")


def load_source(spec: str, data_dir: str | None, target: str | None = None, missing: str | None = None) -> DataSource:
    """Return the data source of ``--data``, ``--data-dir``, ``--target`` and ``--missing``."""
    if not spec.strip() or "\0" in spec:
        raise ConfigError("--data: name a data set (`chainrule data` lists them) or a table FILE?target=COLUMN")
    if not is_table(spec):
        for option, value in (("--target", target), ("--missing", missing)):
            if value is not None:
                raise ConfigError(f"{option}: only a table has columns, '{one_line(spec)}' is none")
    if missing is not None and missing not in MISSING:
        raise ConfigError(f"--missing: {unknown_name('way with missing values', missing, MISSING)}")
    folder = None if data_dir is None else parse_path(data_dir, "--data-dir")
    table: dict[str, Any] = {
        key: value for key, value in (("target", target), ("missing", missing)) if value is not None
    }
    with naming("--data"):
        return load(spec, folder, **table)


def _range(seeds: Sequence[int]) -> str:
    """Name many seeds in few words."""
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds[:8])) + (", ..." if len(seeds) > 8 else "")
