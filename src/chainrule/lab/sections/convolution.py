"""What a convolution is for: moved images, the filters as they are learned, and what they make of an image."""

from __future__ import annotations

import dataclasses

import numpy as np

from chainrule.engines._blas import one_blas_thread
from chainrule.experiments import Cell, Results
from chainrule.experiments.recipes.grid import make_setting
from chainrule.lab.context import LabContext, Level, Values
from chainrule.lab.pictures import fan, typical_run
from chainrule.lab.sections._images import confusion, held_out, mistakes
from chainrule.lab.sections._inside import activations_figure, filters_figure, middle_image
from chainrule.lab.sections._shift import (
    ShiftTable,
    direction_figure,
    ink_left,
    shift_accuracy,
    shift_figure,
    shift_table,
)
from chainrule.lab.settings import setting_record
from chainrule.lab.verdicts import comparison_verdict
from chainrule.report.records import Item, SectionRecord, VerdictRecord
from chainrule.runs import Run
from chainrule.stats import MIN_PAIRS

RECIPES = ("convolution",)
CONVOLUTION, DENSE = "convolution", "dense"
"""The recipe's cases."""

FILTER_EPOCHS = (0, 1, 2, 5, 10)
"""When the filters are drawn, besides the end."""


def convolution(context: LabContext) -> SectionRecord:
    """Compare a convolutional network with a dense one of the same size, and look into it."""
    levels = _levels(context)
    items: list[Item] = []
    if levels is not None:
        items += [
            _shift_section(context, levels),
            _inside_section(context, levels[0]),
            _mistakes_section(context, levels[0]),
        ]
    return SectionRecord(
        id="convolution",
        title="What a convolution is for",
        lead="A convolution looks at every place of an image with the same few weights. Two networks with as nearly "
        "the same number of weights as whole layers allow, one convolutional and one dense: what does it gain, most "
        "of all on images that are not where they were in training?",
        items=(*items, setting_record(context, *RECIPES)),
    )


def work(context: LabContext) -> list[tuple[Cell, tuple[int, ...]]]:
    """Return the shorter trainings of one seed whose filters are drawn: the same training, ended earlier."""
    return [(cell, _first_seed(context)) for cell in shorter_cells(context)]


def shorter_cells(context: LabContext) -> list[Cell]:
    """Return the convolutional network's cell with fewer epochs, for those of `FILTER_EPOCHS` before its end."""
    cells = []
    for cell in context.cells("convolution"):
        config = cell.setting.config
        for epochs in FILTER_EPOCHS if cell.at({"case": CONVOLUTION}) else ():
            if epochs < config.epochs:
                shorter = dataclasses.replace(config, epochs=epochs)
                setting = make_setting(cell.setting.source, cell.setting.net, shorter)
                cells.append(dataclasses.replace(cell, setting=setting))
    return cells


def _first_seed(context: LabContext) -> tuple[int, ...]:
    return context.seeds_of("convolution")[:1]


def _levels(context: LabContext) -> tuple[Level, Level] | None:
    """Return the runs of both networks on the seeds that both have; None if there are none."""
    found = [level for case in (CONVOLUTION, DENSE) for level in context.levels("convolution", case=case)]
    if len(found) < 2:
        return None
    both = {run.seed for run in found[0].runs} & {run.seed for run in found[1].runs}
    first, second = (level.on(both).called(name) for level, name in zip(found, (CONVOLUTION, DENSE), strict=True))
    return (first, second) if both else None


def _shift_section(context: LabContext, levels: tuple[Level, Level]) -> SectionRecord:
    """Show both networks' accuracy against the distance by which held-out images are moved."""
    table = measure_shifts(context, levels)
    n = len(levels[0].runs)
    sizes = " and ".join(f"{level.runs[0].theta.size:,} ({level.name})" for level in levels)
    caption = (
        f"Weights: {sizes}. Each seed's held-out images, moved left, right, up and down; what comes in is empty. "
        "Neither network was trained on moved images; guessing gets a tenth right."
    )
    accuracy = fan(
        "convolution-accuracy",
        "digits: accuracy on held-out images during training",
        [("", list(levels))],
        "validation_accuracy",
        "Images as they are.",
    )
    items: list[Item] = [
        shift_figure("convolution-shift", "digits: accuracy on moved images", table, caption),
        direction_figure("convolution-directions", "digits: the same, direction by direction", table, ""),
        accuracy,
        shift_table(
            "convolution-table",
            "digits: accuracy by distance, over four directions",
            table,
            f"Medians over {n} seeds, and the mean difference of the pairs, with 95 % intervals; p of paired sign "
            "flips, corrected for four distances (Holm). Ink left is the share of all brightness that is still in the "
            "picture.",
        ),
        *_shift_verdicts(table),
    ]
    return SectionRecord(id="convolution-moved", title="Moved images", items=tuple(items))


def measure_shifts(context: LabContext, levels: tuple[Level, Level]) -> ShiftTable:
    """Return both networks' accuracies on the moved held-out images of each seed."""
    tables: list[list[Values]] = [[], []]
    ink = []
    for seed in [run.seed for run in levels[0].runs]:
        images = held_out(context, levels[0].runs.with_seed(seed), levels[0])
        ink.append(ink_left(images))
        with one_blas_thread():  # for products as small as these several threads only wait for each other
            for table, level in zip(tables, levels, strict=True):
                table.append(shift_accuracy(level.runs.with_seed(seed).predict, images))
    return ShiftTable((levels[0].name, levels[1].name), np.array(tables[0]), np.array(tables[1]), np.mean(ink, axis=0))


def _shift_verdicts(table: ShiftTable) -> list[Item]:
    """Compare the networks on images as they are and on images moved by one pixel."""
    still, by_one = table.compared()[:2]
    if still.n < MIN_PAIRS:
        told = f"Digits: no verdict; {still.n} seeds, and fewer than {MIN_PAIRS} pairs decide nothing."
        return [VerdictRecord(sentence=told, n_seeds=still.n, kind="question")]
    return [comparison_verdict(f"Digits: {one.verdict_sentence()}", one) for one in (still, by_one)]


def _inside_section(context: LabContext, level: Level) -> SectionRecord:
    """Show the filters of one seed as they are learned, and what the trained network makes of one image."""
    items: list[Item] = []
    seed = _first_seed(context)[0]
    runs = [run for run in filter_runs(context, level, seed) if run.stop_reason != "diverged"]
    if runs:
        items.append(filters_figure(runs))
    if runs and runs[-1].epochs == level.runs[0].member.config.epochs:
        unseen = held_out(context, runs[-1], level)
        items.append(activations_figure(runs[-1], unseen, middle_image(runs[-1].predict(unseen.X), unseen)))
    text = (
        "The network of the first seed, not of a chosen one. Filters of earlier epochs are from the same training, "
        "ended earlier."
    )
    return SectionRecord(id="convolution-inside", title="Inside", lead=text, items=tuple(items))


def filter_runs(context: LabContext, level: Level, seed: int) -> list[Run]:
    """Return one seed's runs by their number of epochs: those that end earlier, and the one of the level."""
    shorter = [_of(context.results, cell, seed) for cell in shorter_cells(context)]
    found = [run for run in shorter if run is not None]
    return sorted([*found, *(run for run in level.runs if run.seed == seed)], key=lambda run: run.epochs)


def _of(results: Results, cell: Cell, seed: int) -> Run | None:
    runs = results.of(cell, (seed,))
    return None if runs is None else runs[0]


def _mistakes_section(context: LabContext, level: Level) -> SectionRecord:
    """Show what the convolutional network of the median seed takes for what."""
    run = typical_run(level, "validation_loss")
    unseen = held_out(context, run, level)
    items = (
        mistakes("convolution-mistakes", "digits, convolution", run, unseen),
        confusion("convolution-confusion", "digits, convolution", run, unseen),
    )
    return SectionRecord(id="convolution-wrong", title="What it still gets wrong", items=items)
