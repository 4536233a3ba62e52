"""The store: every finished run under its key, in an SQLite file or a PostgreSQL database."""

from chainrule.experiments.store.checking import CheckReport
from chainrule.experiments.store.compacting import CompactReport
from chainrule.experiments.store.machines import MachineInfo
from chainrule.experiments.store.merging import MergeReport
from chainrule.experiments.store.queries import Group, Rule, SeriesInfo, parse_rule
from chainrule.experiments.store.store import Store

__all__ = [
    "CheckReport",
    "CompactReport",
    "Group",
    "MachineInfo",
    "MergeReport",
    "Rule",
    "SeriesInfo",
    "Store",
    "parse_rule",
]
