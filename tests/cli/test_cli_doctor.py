"""`chainrule doctor`: the findings are printed, and kernels are compiled when asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.engines import warming
from chainrule.engines.compiled import cache


@pytest.fixture(autouse=True)
def _own_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep kernels in this test's folder, where none are compiled."""
    monkeypatch.setenv("CHAINRULE_KERNELS", str(tmp_path / "kernels"))


def test_the_document_holds_facts_and_findings(cli: Any, tmp_path: Path) -> None:
    document = cli("doctor", "--json").json()
    assert (document["command"], document["warmed"]) == ("doctor", None)
    assert (document["machine"]["numpy"], document["machine"]["cores"]) == (np.__version__, os.cpu_count())
    assert document["kernels"] == {
        "directory": str(cache.directory()),
        "writable": True,
        "warm": False,
        "problem": "",
    }
    assert Path(document["kernels"]["directory"]).parent == tmp_path / "kernels"
    assert document["product_rate"] > 0
    assert document["resources"]["threads"] >= 1
    assert {"what", "cost", "remedy"} == set(document["findings"][0])
    assert document["findings"][0]["what"] == "the kernels are not compiled yet"
    assert not (tmp_path / "kernels").exists()  # to look changes nothing


def test_the_text_has_a_line_for_each_finding(cli: Any) -> None:
    result = cli("doctor")
    assert (result.status, result.err) == (0, "")
    for name in ("processor", "vector units", "memory", "BLAS of NumPy", "matrix product", "Numba", "kernels"):
        assert f"\n{name}" in f"\n{result.out}"
    told = result.out[result.out.index("What slows this machine down") :].splitlines()[1:]
    assert told[0].startswith("- the kernels are not compiled yet: the first training takes some seconds more; ")
    assert all(line.startswith("- ") and line.count(": ") >= 1 and "; " in line for line in told)


def test_quiet_prints_findings_only(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_MEMORY", "a lot")
    result = cli("doctor", "--quiet")
    assert result.err == ""
    assert all(line.startswith("- ") for line in result.out.splitlines())
    assert "- environment variable CHAINRULE_MEMORY: memory must be a size such as 2 GiB" in result.out


def test_nothing_found(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.health.findings", lambda state: ())
    assert cli("doctor", "--quiet").out == "nothing found\n"


def compiles(seconds: dict[str, float]) -> Callable[..., dict[str, float]]:
    """Return what stands in for the compiling, which takes long."""

    def warm(report: Callable[[str], None] | None = None) -> dict[str, float]:
        for name in seconds:
            assert report is not None
            report(name)
            folder = cache.directory()
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.nbc").touch()
        return seconds

    return warm


def test_warm_compiles_every_kernel_and_says_how_long_it_took(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "warm", compiles({"lanes, float32": 2.5, "lanes, float64": 3.25}))
    result = cli("doctor", "--warm")
    assert result.status == 0
    assert result.err.splitlines() == ["note: compiling lanes, float32", "note: compiling lanes, float64"]
    assert f"kernels compiled in 5.8 s: {cache.directory()}" in result.out
    assert "3.2" in result.out
    assert "the kernels are not compiled yet" not in result.out
    again = cli("doctor", "--warm", "--quiet")
    assert f"kernels checked (they were compiled before) in 5.8 s: {cache.directory()}" in again.out
    assert again.err == ""
    document = cli("doctor", "--warm", "--json").json()
    assert document["warmed"] == {"lanes, float32": 2.5, "lanes, float64": 3.25}
    assert document["kernels"]["warm"] is True


def test_without_the_compiled_engines(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("chainrule.engines.compiled.cache")
    monkeypatch.setitem(sys.modules, "chainrule.engines.compiled.cache", None)  # as if Numba could not be imported
    result = cli("doctor", "--quiet")
    assert result.out.startswith("- the compiled engines cannot be used (")
    result = cli("doctor", "--warm")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("error: --warm: the compiled engines cannot be used here: ")
    assert len(result.err.splitlines()) == 1


def test_a_cache_that_cannot_be_written(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kernels").touch()
    told = cli("doctor", "--quiet").out
    assert f"- compiled kernels cannot be kept in {cache.directory()}: every process compiles them anew" in told
