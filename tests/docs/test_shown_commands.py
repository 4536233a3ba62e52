"""Every command and every example that README and CONTRIBUTING show works, in the order shown."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from chainrule.cli import main

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md")
OWN_TEST = ("recipes.md",)
"""Pages whose commands and examples have a test of their own, see tests/recipes/test_recipe_docs.py."""
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    return [body for name, body in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")) if name == language]


def commands(page: str) -> list[list[str]]:
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    assert all(line.startswith("$ ") for line in lines), f"{page}: console blocks hold commands only"
    return [shlex.split(line[2:], comments=True) for line in lines]


def run(argv: list[str]) -> int:
    try:
        return int(main(argv) or 0)
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    shown = [command for command in commands(page) if command[0] == "make"]
    assert shown
    for command in shown:
        # -n prints what make would run, and fails for a target that does not exist
        subprocess.run([*command, "-n"], cwd=ROOT, check=True, capture_output=True)


def test_ci_runs_what_the_page_says() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in ("make check", "make test", "make lab ARGS=--quick", "make oracle"):
        assert f"\n{command}\n" in script + "\n"


def test_readme_commands_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = []
    for command in [one for page in PAGES for one in commands(page) if one[0] == "chainrule"]:
        assert run(command[1:]) == 0, f"failed: {shlex.join(command)}\n{capsys.readouterr().err}"
        printed.append(capsys.readouterr().out)
    assert len(printed) >= 6
    assert (tmp_path / "lab-report" / "index.html").is_file()


GUIDES = [
    f"docs/{path.name}"
    for path in sorted((ROOT / "docs").glob("*.md"))
    if path.name not in OWN_TEST
    and re.search(r"^(\$ chainrule|```python)", path.read_text(encoding="utf-8"), re.MULTILINE)
]


def test_the_guides_are_found() -> None:
    assert {"docs/store.md", "docs/sweeps.md", "docs/verdicts.md", "docs/statistics.md"} <= set(GUIDES)


@pytest.mark.parametrize("page", GUIDES)
def test_what_a_guide_shows_works(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in commands(page):
        if command[0] == "chainrule":
            assert run(command[1:]) == 0, f"failed: {shlex.join(command)}\n{capsys.readouterr().err}"
    names: dict[str, object] = {}
    for example in blocks(page, "python"):  # one page is one session
        exec(compile(example, page, "exec"), names)


def shape(text: str) -> list[str]:
    """Reduce output to its words: numbers may differ between processors."""
    return [
        re.sub(r"\s+", " ", re.sub(r"[\d.,%e+-]+", "#", line)).strip() for line in text.splitlines() if line.strip()
    ]


def test_readme_shows_what_the_command_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = next(command for command in commands("README.md") if command[:2] == ["chainrule", "train"])
    assert run(command[1:]) == 0
    output = shape(capsys.readouterr().out)
    for line in shape(blocks("README.md", "text")[0]):
        assert line in output


def test_readme_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for example in blocks("README.md", "python"):
        exec(compile(example, "README.md", "exec"), {})
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 2
    assert "30" in lines[0]
    assert "paired seeds" in lines[1]
