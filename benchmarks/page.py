"""Puts the measured figures into docs/benchmarks.md, between two markers, and draws the picture.

``python -m benchmarks.page`` does both from build/bench.json without measuring anything.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks import picture, record
from benchmarks.table import HEAD, case_lines, summary_rows
from chainrule.files import write_text

PAGE = Path("docs/benchmarks.md")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def filled(text: str, measured: str) -> str:
    """Return a page with `measured` between its markers.

    Raises
    ------
    ValueError
        If the page does not have both markers, once and in order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"the page needs the lines {BEGIN} and {END}, once and in this order")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{measured.strip()}\n\n{END}{rest.partition(END)[2]}"


def measured(run: dict[str, Any]) -> str:
    """Return a run as Markdown: the machine, the table of bars, and every case as it was printed."""
    machine, rate = run["machine"], run["sgemm"].get("best")
    versions = ", ".join(f"{name} {number}" for name, number in machine["peers"].items())
    kind = "A quick look, not a measurement: " if run["quick"] else ""
    lines = [
        f"{kind}{run['when'][:10]}, {machine['cpu']}, {machine['usable_cores']} cores"
        + (f", sgemm {rate:.0f} GFLOP/s" if rate else "")
        + f"; Python {machine['python']}, {versions}.",
        "",
        "| " + " | ".join(HEAD) + " |",
        "| " + " | ".join("---" for _ in HEAD) + " |",
    ]
    lines += ["| " + " | ".join(row) + " |" for row in summary_rows(run["cases"])[1:]]
    if run["cases"].get("W6", {}).get("status") == "measured":
        lines += ["", f"![Time against members, width and samples](pictures/{picture.PICTURE.name})"]
    lines += ["", "```text"]
    for name, case in sorted(run["cases"].items()):
        lines += [*case_lines(name, case), ""]
    return "\n".join([*lines[:-1], "```"])


def publish(run: dict[str, Any], page: Path = PAGE, drawing: Path = picture.PICTURE) -> list[Path]:
    """Draw the picture, if there are curves to draw, and fill the page; return what was written."""
    written = []
    curves = run["cases"].get("W6", {})
    if curves.get("status") == "measured":
        written.append(picture.draw(curves, drawing))
    text = page.read_text(encoding="utf-8")
    return [*written, write_text(page, filled(text, measured(run)))]


def main(path: Path = Path("build/bench.json")) -> int:
    """Fill the page from a record."""
    run = record.read(path)
    if run is None:
        sys.stderr.write(f"there is no record in {path}: run 'make bench' first\n")
        return 2
    for written in publish(run):
        sys.stdout.write(f"written: {written}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
