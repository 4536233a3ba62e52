"""The laboratory: every question of the five reports, answered with error bars."""

from chainrule.lab.run import LabResult, run_lab

__all__ = ["LabResult", "run_lab"]
