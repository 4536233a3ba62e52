"""MNIST in the sections: the runs of report E's experiments, shown wherever their question is asked.

The replication trains them, in the full lab and when MNIST is at hand; a section that is made without it says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.experiments import expand
from chainrule.experiments.recipes.words import value_word
from chainrule.lab.context import LabContext, Level
from chainrule.lab.pictures import fan, interval_text
from chainrule.lab.replication import replication_recipes
from chainrule.report.records import Cell, Item, SectionRecord, TableRecord, TextRecord
from chainrule.stats import MIN_PAIRS


def mnist_levels(context: LabContext, experiment: str) -> list[Level]:
    """Return the runs of one of report E's experiments on MNIST, a level per cell; empty if there are none."""
    recipe = next(one for one in replication_recipes() if one.id == experiment)
    levels = []
    for cell in expand(recipe, context.quick):
        runs = context.results.of(cell)
        if runs is not None and len(runs):
            name = ", ".join(value_word(value) for _, value in cell.place) or experiment
            levels.append(Level(name, cell.place[0][1] if cell.place else None, runs, np.ones(len(runs), dtype=bool)))
    return levels


def mnist_block(
    context: LabContext,
    ident: str,
    experiment: str,
    noun: str,
    keys: Sequence[str],
    quantities: Sequence[str],
    extra: Sequence[Item] = (),
) -> SectionRecord:
    """Show one of report E's experiments: a fan per history key, and a table of final quantities.

    Parameters
    ----------
    ident : str
        Begins the ids of the records.
    experiment : str
        The replication recipe, e.g. ``"E6"``.
    noun : str
        What a level is.
    keys : sequence of str
        Histories to draw.
    quantities : sequence of str
        Columns of the table, see `chainrule.experiments.recipes.quantities`.
    extra : sequence of records
        What else to show.
    """
    levels = mnist_levels(context, experiment)
    if not levels:
        text = f"Report {experiment[0]}'s experiment {experiment} on MNIST runs in the full lab, with the replication."
        return SectionRecord(id=ident, title="MNIST", items=(TextRecord(paragraphs=(text,)),))
    n = max(len(level.runs) for level in levels)
    few = (
        f"Only {n} seeds: fewer than {MIN_PAIRS} pairs decide nothing, so no comparison is made."
        if n < MIN_PAIRS
        else ""
    )
    figures = [
        fan(f"{ident}-{key.replace('_', '-')}", f"MNIST: {key.replace('_', ' ')} by {noun}", [("", levels)], key, few)
        for key in keys
    ]
    rows: list[tuple[Cell, ...]] = [
        (level.name, len(level.runs), *(interval_text(level.values(quantity)) for quantity in quantities))
        for level in levels
    ]
    columns = (noun, "seeds", *(quantity.replace("_", " ") for quantity in quantities))
    table = TableRecord(
        id=f"{ident}-table",
        title=f"MNIST (experiment {experiment}): medians over seeds",
        columns=columns,
        rows=tuple(rows),
        align=("left", *("right" for _ in columns[1:])),
        caption=few,
    )
    return SectionRecord(id=ident, title="MNIST", items=(*figures, table, *extra))
