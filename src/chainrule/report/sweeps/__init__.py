"""The report of a sweep: tables, figures and sentences from its summary.

Records only: nothing here loads what draws them. `write_sweep` writes the page.
"""

from chainrule.report.sweeps.build import sweep_report, write_sweep
from chainrule.report.sweeps.tables import PlainTable, plain_tables

__all__ = ["PlainTable", "plain_tables", "sweep_report", "write_sweep"]
