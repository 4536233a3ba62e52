"""Section 6."""

from __future__ import annotations

from chainrule.experiments import Cell
from chainrule.lab.context import LabContext
from chainrule.report.records import SectionRecord


def replication(context: LabContext) -> SectionRecord:
    return SectionRecord(id="replication", title="Replication")


def work(context: LabContext) -> list[tuple[Cell, tuple[int, ...]]]:
    return []
