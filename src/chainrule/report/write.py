"""Reports and single pictures written to disk: complete, or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chainrule.errors import ConfigError, RunError, one_line
from chainrule.report._base import is_safe_id
from chainrule.report.html import render_html
from chainrule.report.records import FigureRecord, ReportRecord
from chainrule.report.svg import render, render_png, render_svg

FORMAT = "chainrule-report-1"
"""Names the layout of `results.json`."""


def write_report(
    report: ReportRecord, out_dir: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
) -> Path:
    """Write a report: `index.html`, `results.json`, and every figure as SVG and PNG under `figures/`.

    Everything is first written to a hidden folder beside its place and moved when all of it is there: an older
    report stays whole until then, and an interruption leaves it as it was. Figures of the older report that the
    new one no longer has are removed; other files in the folder are left alone.

    Parameters
    ----------
    report : ReportRecord
        The report.
    out_dir : path
        The folder, made if necessary.
    progress : callable, optional
        Called with (figures drawn, figures in all) after each figure.

    Returns
    -------
    Path
        The path of `index.html`.

    Raises
    ------
    RunError
        When the folder cannot be made or written.
    """
    folder = Path(out_dir)
    with _one_line_errors(folder):
        if folder.exists() and not folder.is_dir():
            raise RunError(f"cannot write the report to '{one_line(folder)}': it is a file; name a folder")
        folder.mkdir(parents=True, exist_ok=True)
        waiting = Path(tempfile.mkdtemp(prefix=".report-", dir=folder))
        try:
            names = _write_all(report, waiting, progress)
            stale = _figures_of(folder / "results.json") - set(names)
            (folder / "figures").mkdir(exist_ok=True)
            for name in names:
                os.replace(waiting / name, folder / name)
            for name in stale:
                (folder / name).unlink(missing_ok=True)
        finally:
            shutil.rmtree(waiting, ignore_errors=True)
    return folder / "index.html"


def write_figure(record: FigureRecord, path: str | os.PathLike[str]) -> Path:
    """Write one figure to a file that ends in ``.svg`` or ``.png``, making its folder if necessary.

    Raises
    ------
    ConfigError
        For any other ending.
    RunError
        When the file cannot be written.
    """
    target = Path(path)
    kind = target.suffix.lower()
    if kind not in (".svg", ".png"):
        raise ConfigError(f"cannot tell the kind of picture from '{one_line(target.name)}': end it in .svg or .png")
    data = render_png(record) if kind == ".png" else render_svg(record).encode()
    with _one_line_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, waiting = tempfile.mkstemp(prefix=".picture-", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            _open_to_others(Path(waiting))
            os.replace(waiting, target)
        finally:
            Path(waiting).unlink(missing_ok=True)
    return target


def results(report: ReportRecord) -> dict[str, Any]:
    """Return what `results.json` holds: the ids of all figures, and every record in reading order."""
    return {"format": FORMAT, "figures": [figure.id for figure in report.figures()]} | report.to_json()


def _write_all(report: ReportRecord, folder: Path, progress: Callable[[int, int], None] | None) -> list[str]:
    """Write all files into a folder; return their names relative to it, the page last."""
    figures = report.figures()
    (folder / "figures").mkdir()
    drawings: dict[str, str] = {}
    names: list[str] = []
    for count, record in enumerate(figures, start=1):
        rendering = render(record)
        drawings[record.id] = rendering.inline
        for kind, data in (("svg", rendering.svg.encode()), ("png", rendering.png)):
            names.append(f"figures/{record.id}.{kind}")
            (folder / names[-1]).write_bytes(data)
        if progress is not None:
            progress(count, len(figures))
    text = json.dumps(results(report), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for name, content in (("results.json", text + "\n"), ("index.html", render_html(report, drawings))):
        names.append(name)
        (folder / name).write_text(content, encoding="utf-8")
    return names


def _figures_of(path: Path) -> set[str]:
    """Names of the figure files that an older `results.json` lists; none when there is no readable one."""
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
        ids = old["figures"] if old.get("format") == FORMAT else []
        return {f"figures/{name}.{kind}" for name in ids for kind in ("svg", "png") if is_safe_id(name)}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return set()


def _open_to_others(path: Path) -> None:
    """Give a temporary file, which only its owner may read, the permissions of an ordinary new file."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal into one line that names the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"cannot write '{one_line(path)}': {one_line(reason)}; choose another place") from error
