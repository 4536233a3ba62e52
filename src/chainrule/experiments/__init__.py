"""Recipes, grids and the runner that trains them."""

from chainrule.experiments.recipes.grid import Cell, Setting, expand, find_cell, make_setting, seeds_of
from chainrule.experiments.recipes.quantities import Quantity, parse_quantity, values_of
from chainrule.experiments.recipes.recipe import load_recipe, parse_recipe
from chainrule.experiments.running.jobs import Job, make_jobs
from chainrule.experiments.running.runner import Results, RunnerEvent, run_jobs
from chainrule.experiments.sweeps.experiment import Experiment
from chainrule.experiments.sweeps.export import export
from chainrule.experiments.sweeps.result import CellResult, SweepResult
from chainrule.experiments.sweeps.summary import SweepSummary, summarise

__all__ = [
    "Cell",
    "CellResult",
    "Experiment",
    "Job",
    "Quantity",
    "Results",
    "RunnerEvent",
    "Setting",
    "SweepResult",
    "SweepSummary",
    "expand",
    "export",
    "find_cell",
    "load_recipe",
    "make_jobs",
    "make_setting",
    "parse_quantity",
    "parse_recipe",
    "run_jobs",
    "seeds_of",
    "summarise",
    "values_of",
]
