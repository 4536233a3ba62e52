"""Threads and memory: sizes in every unit, defaults, and refusals in one line."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ConfigError, show
from chainrule.machine import this_machine
from chainrule.resources import (
    LEAST_MEMORY,
    MOST_MEMORY,
    MOST_THREADS,
    Resources,
    default_memory,
    default_threads,
    memory_text,
    parse_memory,
    resources_from,
)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_THREADS", raising=False)
    monkeypatch.delenv("CHAINRULE_MEMORY", raising=False)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2 GiB", 2_147_483_648),
        ("2GiB", 2_147_483_648),
        ("2g", 2_147_483_648),
        ("2 GB", 2_000_000_000),
        ("500MB", 500_000_000),
        ("1.5 MiB", 1_572_864),
        (".5 mib", 524_288),
        ("0.25t", 274_877_906_944),
        ("100 KiB", 102_400),
        ("100 kB", 100_000),
        ("70000 B", 70_000),
        ("1000000", 1_000_000),
        ("  64 KiB ", 65_536),
        (65_536, 65_536),
        (2**60, 2**60),
        (np.int64(10**7), 10**7),
    ],
)
def test_sizes(text: Any, size: int) -> None:
    assert parse_memory(text) == size


@given(st.integers(100, 10**6), st.sampled_from([("kB", 10**3), ("MB", 10**6), ("KiB", 2**10), ("MiB", 2**20)]))
def test_a_whole_number_of_a_unit_is_exact(number: int, unit: tuple[str, int]) -> None:
    name, factor = unit
    assert parse_memory(f"{number} {name}") == number * factor
    assert parse_memory(f"{number}{name.lower()}") == number * factor


@given(st.integers(LEAST_MEMORY, MOST_MEMORY))
def test_a_size_is_written_to_three_digits(size: int) -> None:
    number, unit = memory_text(size).split()
    power = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].index(unit)
    assert abs(Fraction(number) * 1024**power - size) <= Fraction(size, 150)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2 GX", "unknown unit of memory 'GX': write B, kB, MB"),
        ("2 gibi", "unknown unit of memory 'gibi'"),
        ("much", "memory must be a size such as 2 GiB, 500 MB or a number of bytes, got 'much'"),
        ("", "memory must be a size such as"),
        ("-1 GiB", "memory must be a size such as 2 GiB"),
        ("1e9", "memory must be a size such as 2 GiB"),
        ("1,5 GiB", "memory must be a size such as 2 GiB"),
        ("nan GiB", "memory must be a size"),
        ("١ GiB", "memory must be a size"),
        ("2 GiB\nof it", "memory must be a size such as 2 GiB, 500 MB or a number of bytes, got '2 GiB"),
        ("0 GiB", "memory must be from 64 KiB to 1 EiB, got '0 GiB'"),
        ("2", "memory must be from 64 KiB to 1 EiB, or with a unit such as 2 GiB, got '2'"),
        (2, "memory must be from 64 KiB to 1 EiB, or with a unit such as 2 GiB, got 2"),
        (0, "memory must be from 64 KiB"),
        (-5, "memory must be from 64 KiB"),
        ("9" * 500 + " TiB", "memory must be from 64 KiB to 1 EiB"),
        (10**5000, "memory must be from 64 KiB to 1 EiB"),
        (1e9, "memory must be a whole number of bytes or text such as '2 GiB', got 1000000000.0"),
        (True, "memory must be a whole number of bytes"),
        ([1], "memory must be a whole number of bytes"),
        (np.zeros(3), "memory must be a whole number of bytes"),
    ],
    ids=lambda value: show(value, 20),
)
def test_what_is_no_size(value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_memory(value)
    assert str(error.value).startswith(message)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "value", [0, -1, -(10**30), 1025, 10**5000, 1.0, 2.5, "2", "two", True, None, [2], np.nan], ids=show
)
def test_what_is_no_number_of_threads(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^threads must be a whole number from 1 to 1,024, got .*$"):
        Resources(value, 2**30)


def test_resources_are_what_was_asked_for() -> None:
    assert resources_from(3, "1 GiB") == Resources(3, 2**30)
    assert resources_from(np.int32(MOST_THREADS), 2**20) == Resources(1024, 2**20)  # type: ignore[arg-type]
    assert type(resources_from(np.int32(2), 2**20).threads) is int  # type: ignore[arg-type]


@given(st.integers(1, 64), st.integers(LEAST_MEMORY, MOST_MEMORY), st.integers(1, 64))
def test_shares_together_take_no_more_than_the_whole(threads: int, memory: int, parts: int) -> None:
    share = Resources(threads, memory).share(parts)
    assert share.threads >= 1
    assert share.threads * parts <= max(threads, parts)
    assert share.memory * parts <= max(memory, LEAST_MEMORY * parts)


def test_a_share_of_one_is_the_whole() -> None:
    assert Resources(5, 10**6).share(1) == Resources(5, 10**6)
    assert Resources(5, 10**6).share(2) == Resources(2, 500_000)
    assert Resources(1, 10**5).share(3) == Resources(1, LEAST_MEMORY)


def test_defaults_are_the_machines() -> None:
    machine = this_machine()
    assert 1 <= default_threads() <= machine.usable_cores
    assert default_memory() == machine.memory // 4
    assert resources_from() == Resources(default_threads(), default_memory())


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot bind a process to cores")
def test_a_process_bound_to_one_core_uses_one_thread() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert default_threads() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_variables_are_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_THREADS", " 7 ")
    monkeypatch.setenv("CHAINRULE_MEMORY", "300 MB")
    assert resources_from() == Resources(7, 300_000_000)
    assert resources_from(2, 2**21) == Resources(2, 2**21)
    assert default_threads({}) == default_threads({"CHAINRULE_THREADS": ""})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("CHAINRULE_THREADS", "0", "CHAINRULE_THREADS: threads must be a whole number from 1 to 1,024, got 0"),
        ("CHAINRULE_THREADS", "-2", "CHAINRULE_THREADS: threads must be a whole number from 1 to 1,024, got -2"),
        ("CHAINRULE_THREADS", "all", "CHAINRULE_THREADS: threads must be a whole number from 1 to 1,024, got 'all'"),
        ("CHAINRULE_THREADS", "9" * 50, "CHAINRULE_THREADS: threads must be a whole number from 1 to 1,024, got '999"),
        ("CHAINRULE_MEMORY", "lots", "CHAINRULE_MEMORY: memory must be a size such as 2 GiB"),
        ("CHAINRULE_MEMORY", "12", "CHAINRULE_MEMORY: memory must be from 64 KiB"),
        ("CHAINRULE_MEMORY", "2 XB", "CHAINRULE_MEMORY: unknown unit of memory 'XB'"),
    ],
)
def test_variables_that_say_nothing_useful(monkeypatch: pytest.MonkeyPatch, name: str, text: str, message: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigError) as error:
        resources_from()
    assert str(error.value).startswith(f"environment variable {message}")
