"""The main job: train everything the report needs, build its sections, write it."""

from __future__ import annotations

import datetime
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chainrule.errors import ChainruleError, ConfigError, unknown_name
from chainrule.experiments import RunnerEvent, make_jobs, run_jobs
from chainrule.experiments.running.jobs import job_cost
from chainrule.files import check_folder
from chainrule.lab.context import LabContext
from chainrule.lab.plan import SECTIONS, LabSection
from chainrule.lab.replication import verdict_counts
from chainrule.report.records import (
    FigureRecord,
    ReportRecord,
    SectionRecord,
    TableRecord,
    TextRecord,
    VerdictRecord,
)
from chainrule.resources import Resources, resources_from

Progress = Callable[[float, float, str], None]
"""Called with (done, total, what is going on)."""


@dataclass(frozen=True)
class LabResult:
    """What the lab leaves behind.

    Attributes
    ----------
    path : Path
        The report's ``index.html``.
    sections : tuple of str
        What is in it.
    missing : tuple of str
        What is not, and why: interrupted or failed settings, data that were not at hand.
    interrupted : bool
        Whether Ctrl-C ended training early.
    verdict_counts : dict of str to int
        How many replicated figures got which verdict.
    members : int
        Networks trained.
    seconds : float
        Wall time.
    """

    path: Path
    sections: tuple[str, ...]
    missing: tuple[str, ...] = ()
    interrupted: bool = False
    verdict_counts: dict[str, int] = field(default_factory=dict)
    members: int = 0
    seconds: float = 0.0


def run_lab(
    out: Path | str = "lab-report",
    seeds: int | None = None,
    quick: bool = False,
    only: Sequence[str] = (),
    data_dir: Path | str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    engine: str = "auto",
    resources: Resources | None = None,
) -> LabResult:
    """Train, analyse and write the report.

    Parameters
    ----------
    out : path
        Folder of the report.
    seeds : int, optional
        Seeds per setting instead of the recipes' own numbers (MNIST keeps its few).
    quick : bool
        Few seeds and short training: a look at everything in under a minute.
    only : sequence of str
        Sections to make; empty makes all.
    data_dir : path, optional
        Where to look for data files first.
    workers : int, optional
        Processes; by default one per thread. They share threads and memory.
    progress : callable, optional
        Hears (done, total, text).
    engine : str
        ``"auto"`` or the name of an engine.
    resources : Resources, optional
        Threads and memory of all processes together; by default those of `resources_from`.

    Returns
    -------
    LabResult
        After Ctrl-C too: the report then holds what had finished and says what is missing.

    Raises
    ------
    ConfigError, RunError
        For an unknown section, an impossible number, or a folder that cannot be written.
    """
    started = time.perf_counter()
    chosen = choose_sections(only)
    if seeds is not None and seeds < 1:
        raise ConfigError(f"seeds must be at least 1, got {seeds}")
    resources = resources or resources_from()
    folder = Path(out)
    check_folder(folder)
    context = LabContext(quick=quick, seeds=seeds, data_dir=None if data_dir is None else Path(data_dir))
    context.open_data()
    jobs = make_jobs([work for section in chosen for work in section.work(context)])
    jobs.sort(key=job_cost)  # shortest first: what a Ctrl-C leaves is then most of the report
    heard = None if progress is None else _tell_jobs(progress)
    where = None if data_dir is None else str(data_dir)
    context.results = run_jobs(jobs, workers or resources.threads, heard, where, engine, resources)
    if progress is not None:
        progress(0.99, 1.0, "drawing the report")
    report = build_report(context, chosen)
    path = _write(report, folder, context.results.interrupted)
    return LabResult(
        path=path,
        sections=tuple(section.id for section in chosen),
        missing=report.missing,
        interrupted=context.results.interrupted,
        verdict_counts=verdict_counts(context.replication),
        members=sum(len(runs) for runs in context.results.runs.values()),
        seconds=time.perf_counter() - started,
    )


def _write(report: ReportRecord, folder: Path, interrupted: bool) -> Path:
    """Write the report; an interrupted one goes beside a complete one that is already there."""
    from chainrule.report import write_report

    if interrupted and (folder / "index.html").exists():
        folder = folder.with_name(f"{folder.name}-interrupted")
    try:
        return write_report(report, folder)
    except KeyboardInterrupt:  # the work is done: draw it all the same; a second Ctrl-C ends it
        return write_report(report, folder)


def choose_sections(only: Sequence[str]) -> list[LabSection]:
    """Return the sections asked for, in the report's order.

    Raises
    ------
    ConfigError
        For a section that does not exist; the message suggests the nearest.
    """
    known = [section.id for section in SECTIONS]
    for name in only:
        if name not in known:
            raise ConfigError(unknown_name("section", name, known))
    return [section for section in SECTIONS if not only or section.id in only]


def _tell_jobs(progress: Progress) -> Callable[[RunnerEvent], None]:
    """Translate the runner's events."""

    def heard(event: RunnerEvent) -> None:
        done = f"{event.done} of {event.total} populations trained"
        progress(event.fraction, 1.0, done if event.failed is None else f"{done}; one failed: {event.failed}")

    return heard


def build_report(context: LabContext, chosen: Sequence[LabSection]) -> ReportRecord:
    """Build every chosen section from the runs at hand, and say what is missing."""
    sections = [_build(section, context) for section in chosen]
    missing = [*_lost(context, chosen), *dict.fromkeys(context.notes)]
    mode = "quick look: few seeds, short training" if context.quick else "full run"
    if context.results.interrupted:
        mode += ", interrupted"
    return ReportRecord(
        title="The neural-network laboratory",
        subtitle=f"Small networks, hand-derived backpropagation, and answers with error bars ({mode}).",
        sections=tuple(sections),
        created=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        missing=tuple(missing),
    )


def _lost(context: LabContext, chosen: Sequence[LabSection]) -> list[str]:
    """Say, section by section, how many settings have no runs or not all, and why."""
    lost = []
    for section in chosen:
        keys = {cell.setting.key for cell, _ in section.work(context)}
        reasons = Counter(context.results.missing[key] for key in keys if key in context.results.missing)
        lost += [f"{section.id}: {count} of {len(keys)} settings lack runs: {why}." for why, count in reasons.items()]
    return lost


def _build(section: LabSection, context: LabContext) -> SectionRecord:
    """Build a section; one that cannot be built, or has no runs (interrupted before its turn), says so."""
    try:
        record = section.build(context)
    except ChainruleError as error:
        context.notes.append(f"{section.id}: {error}")
        return SectionRecord(
            id=section.id, title=section.title, items=(TextRecord(paragraphs=(f"This section failed: {error}",)),)
        )
    if any(isinstance(item, FigureRecord | TableRecord | VerdictRecord) for item in record.walk()):
        return record
    text = TextRecord(paragraphs=("None of this section's runs finished, so there is nothing to show.",))
    return SectionRecord(id=record.id, title=record.title, lead=record.lead, items=(text, *record.items))
