"""What a training may take of the machine: threads and memory, from arguments, the environment or the machine."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from chainrule.control_groups import cpu_quota
from chainrule.errors import ConfigError, one_line, show
from chainrule.machine import usable_cores, usable_memory

THREADS_VARIABLE, MEMORY_VARIABLE = "CHAINRULE_THREADS", "CHAINRULE_MEMORY"
MOST_THREADS = 1024
LEAST_MEMORY, MOST_MEMORY = 64 * 2**10, 2**60
MEMORY_SHARE = 4  # by default a training takes at most one part in so many
MEMORY_UNKNOWN = 2**30  # the default where the system does not say how much there is

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([A-Za-z]*)", re.ASCII)
_DECIMAL = {f"{letter}b": 1000**power for power, letter in enumerate(["", "k", "m", "g", "t"])}
_BINARY = {f"{letter}{end}": 1024**power for power, letter in enumerate("kmgt", 1) for end in ("", "ib")}
UNITS: Mapping[str, int] = {"": 1} | _DECIMAL | _BINARY
"""Bytes by unit in small letters. As elsewhere, MB is 1000 * 1000, while MiB and a lone M are 1024 * 1024."""


@dataclass(frozen=True)
class Resources:
    """What a training may take.

    Attributes
    ----------
    threads : int
        Threads that compute at the same time. It never changes a result.
    memory : int
        Bytes that engines may use for members in training; populations are cut into chunks that stay below it.

    Raises
    ------
    ConfigError
        For numbers that cannot work.
    """

    threads: int
    memory: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "threads", check_threads(self.threads))
        object.__setattr__(self, "memory", parse_memory(self.memory))

    def share(self, parts: int) -> Resources:
        """Return what each of several processes may take."""
        return Resources(max(self.threads // parts, 1), max(self.memory // parts, LEAST_MEMORY))


def resources_from(threads: int | None = None, memory: int | str | None = None) -> Resources:
    """Return what was asked for; what was not comes from the environment, else from the machine.

    Parameters
    ----------
    threads : int, optional
        By default ``CHAINRULE_THREADS``, else `default_threads`.
    memory : int or str, optional
        Bytes, or text such as ``"2 GiB"``; by default ``CHAINRULE_MEMORY``, else `default_memory`.

    Raises
    ------
    ConfigError
        One line that says what cannot work, and which variable says so.
    """
    return Resources(
        default_threads() if threads is None else check_threads(threads),
        default_memory() if memory is None else parse_memory(memory),
    )


def default_threads(environment: Mapping[str, str] = os.environ) -> int:
    """Return ``CHAINRULE_THREADS``, else the cores this process may use.

    A control group's share of processor time counts in whole cores: a thread for the rest would keep the others
    waiting for it.
    """
    if text := environment.get(THREADS_VARIABLE, "").strip():
        with _naming(THREADS_VARIABLE):
            return check_threads(int(text) if re.fullmatch(r"[+-]?[0-9]{1,9}", text) else text)
    cores, quota = usable_cores(), cpu_quota()
    return min(cores if quota is None else max(min(cores, int(quota)), 1), MOST_THREADS)


def default_memory(environment: Mapping[str, str] = os.environ) -> int:
    """Return ``CHAINRULE_MEMORY`` in bytes, else a quarter of the memory this process may use."""
    if text := environment.get(MEMORY_VARIABLE, "").strip():
        with _naming(MEMORY_VARIABLE):
            return parse_memory(text)
    total = usable_memory()
    return max(total // MEMORY_SHARE, LEAST_MEMORY) if total else MEMORY_UNKNOWN


def check_threads(value: object) -> int:
    """Return a number of threads, or say why it is none."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # which is what is found out here
    except TypeError:
        number = 0
    if isinstance(value, bool) or not 1 <= number <= MOST_THREADS:
        raise ConfigError(f"threads must be a whole number from 1 to {MOST_THREADS:,}, got {show(value)}")
    return number


def parse_memory(value: object) -> int:
    """Return a size in bytes.

    Parameters
    ----------
    value : int or str
        Bytes, or a number with a unit: ``"2 GiB"``, ``"500MB"``, ``"1.5g"``; see `UNITS`.

    Raises
    ------
    ConfigError
        For what is no size, an unknown unit, or a size that no training could work with.
    """
    size = _size(value)
    if not LEAST_MEMORY <= size <= MOST_MEMORY:
        bounds = f"from {memory_text(LEAST_MEMORY)} to {memory_text(MOST_MEMORY)}"
        hint = "" if isinstance(value, str) and value.strip()[-1:].isalpha() else ", or with a unit such as 2 GiB"
        raise ConfigError(f"memory must be {bounds}{hint}, got {show(value)}")
    return size


def _size(value: object) -> int:
    """Return the bytes that a number or a text means, whether or not that many make sense."""
    if isinstance(value, str):
        found = _SIZE.fullmatch(value.strip())
        if found is None:
            raise ConfigError(f"memory must be a size such as 2 GiB, 500 MB or a number of bytes, got {show(value)}")
        number, unit = found.groups()
        if unit.lower() not in UNITS:
            raise ConfigError(
                f"unknown unit of memory '{one_line(unit)}': write B, kB, MB, GB, TB, KiB, MiB, GiB or TiB"
            )
        return int(min(float(number) * UNITS[unit.lower()], 2.0 * MOST_MEMORY))
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ConfigError(
            f"memory must be a whole number of bytes or text such as '2 GiB', got {show(value)}"
        ) from None


def memory_text(size: int) -> str:
    """Write a size as people do: ``64 KiB``, ``1.5 GiB``."""
    value, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.3g} {units[0]}" if value < 1000 else f"{value:.0f} {units[0]}"


@contextmanager
def _naming(variable: str) -> Iterator[None]:
    """Put a variable's name in front of an error that its value causes."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"environment variable {variable}: {error}") from None
