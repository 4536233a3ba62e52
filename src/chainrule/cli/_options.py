"""Options that several commands share, and what reads their text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from chainrule.errors import ChainruleError, ConfigError, one_line
from chainrule.population import parse_seeds
from chainrule.resources import Resources, check_threads, parse_memory, resources_from

MAX_SEEDS = 1_000_000
MAX_WIDTH = 1_000_000
NO_LIMIT = 2**62

QUIET = "Print the result only: no progress, notes or details."
JSON = "Write one JSON document to stdout instead of text."
ENGINE = "auto (the fastest that can), reference (plain NumPy, the judge), lanes or gemm."
THREADS = "Threads that compute; no result depends on them \\[default: $CHAINRULE_THREADS, else the usable cores]"
MEMORY = (
    "Of the networks in training at a time, as 2GiB \\[default: $CHAINRULE_MEMORY, else a quarter of what there is]"
)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", metavar="", help=QUIET)]
Json = Annotated[bool, typer.Option("--json", metavar="", help=JSON)]
EngineName = Annotated[str, typer.Option("--engine", metavar="NAME", help=ENGINE)]
Threads = Annotated[int | None, typer.Option("--threads", metavar="N", help=THREADS)]
Memory = Annotated[str | None, typer.Option("--memory", metavar="SIZE", help=MEMORY)]
RunFolder = Annotated[
    str, typer.Argument(metavar="RUN", help="Folder that `chainrule train --out` wrote.", show_default=False)
]
DataDir = Annotated[
    str | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="Where MNIST's files (or a table) are looked for first; then $CHAINRULE_DATA, then the user's cache.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option("--target", metavar="COLUMN", help="For a table: the column to predict. Same as FILE?target=COLUMN."),
]
MISSING = "Missing values in a table: error refuses them, impute fills in medians and commonest words."
Missing = Annotated[
    str | None,
    typer.Option("--missing", metavar="error|impute", help=f"{MISSING} Same as FILE?missing=impute."),
]
Rate = Annotated[
    float | None,
    typer.Option("--lr", metavar="RATE", help="Which rate, for a run that tried several \\[default: the first]"),
]


@contextmanager
def naming(option: str) -> Iterator[None]:
    """Put the option's name in front of an error that its value causes."""
    try:
        yield
    except ChainruleError as error:
        raise type(error)(f"{option}: {error}") from None


def parse_hidden(text: str) -> tuple[int, ...]:
    """Read the widths of the hidden layers: ``4,4``, or ``none``."""
    if text.strip().lower() in ("none", ""):
        return ()
    return tuple(
        _whole(word, 1, MAX_WIDTH, "--hidden", "widths such as 4,4 (or none for no hidden layer)")
        for word in text.split(",")
    )


def parse_rates(text: str) -> tuple[float, ...]:
    """Read one learning rate or several: ``0.3`` or ``0.3,0.1,0.03``; each once."""
    rates = []
    for word in text.split(","):
        try:
            rates.append(float(word))
        except ValueError:
            raise ConfigError(
                f"--lr: '{one_line(word)}' is not a number; write a rate such as 0.3, or several as 0.3,0.1"
            ) from None
    if len(set(rates)) < len(rates):
        raise ConfigError(f"--lr: a rate is given twice in '{one_line(text)}'")
    return tuple(rates)


def parse_batch(text: str) -> int | str:
    """Read the batch size: ``full`` or a whole number of at least 1."""
    if text.strip().lower() == "full":
        return "full"
    return _whole(text, 1, NO_LIMIT, "--batch", "full, or the samples per step")


def parse_seed_choice(count: int | None, listed: str | None, default: int) -> tuple[int, ...]:
    """Read ``--seeds N`` (0 to N-1) or ``--seed-list 3,7,10-19``."""
    if count is not None and listed is not None:
        raise ConfigError("--seeds counts seeds and --seed-list names them: give one of the two")
    if listed is None:
        number = default if count is None else count
        if not 1 <= number <= MAX_SEEDS:
            raise ConfigError(f"--seeds: a number of seeds from 1 to {MAX_SEEDS:,}, got {number}")
        return tuple(range(number))
    seeds: list[int] = []
    for word in listed.split(","):
        low, dash, high = word.strip().partition("-")
        first = _whole(low, 0, NO_LIMIT, "--seed-list", "seeds such as 3,7 or 10-19")
        last = _whole(high, first, NO_LIMIT, "--seed-list", f"a range as {first}-{first + 9}") if dash else first
        if last - first >= MAX_SEEDS - len(seeds):
            raise ConfigError(f"--seed-list: at most {MAX_SEEDS:,} seeds")
        seeds.extend(range(first, last + 1))
    with naming("--seed-list"):
        return parse_seeds(seeds)


def parse_resources(threads: int | None, memory: str | None) -> Resources:
    """Read ``--threads`` and ``--memory``; what is not given comes from the environment, else from the machine."""
    with naming("--threads"):
        number = None if threads is None else check_threads(threads)
    with naming("--memory"):
        size = None if memory is None else parse_memory(memory)
    return resources_from(number, size)


def parse_path(text: str, option: str) -> Path:
    """Read a path; an empty one is a slip, as is the URL of a store, and a NUL byte no system accepts."""
    if not text.strip() or "\0" in text:
        raise ConfigError(f"{option}: '{one_line(text)}' is no path")
    if text.lstrip().lower().startswith(("postgresql:", "postgres:", "postgresql+psycopg:")):
        raise ConfigError(f"{option}: a path is needed, and this is the URL of a store: write it behind --store")
    return Path(text)


def _whole(word: str, low: int, high: int, option: str, wanted: str) -> int:
    try:
        number = int(word)
    except ValueError:
        raise ConfigError(f"{option}: '{one_line(word)}' is not a whole number; write {wanted}") from None
    if not low <= number <= high:
        allowed = f"at least {low}" if high == NO_LIMIT else f"from {low} to {high:,}"
        raise ConfigError(f"{option}: must be {allowed}, got {one_line(word)}; write {wanted}")
    return number
