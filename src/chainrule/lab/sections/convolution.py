"""What a convolution is for: moved images, the filters as they are learned, and what they make of an image."""

from __future__ import annotations

import dataclasses

import numpy as np

from chainrule.data import Dataset
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

RECIPES = ("convolution", "convolution_mnist")
CONVOLUTION, DENSE = "convolution", "dense"
"""The recipes' cases."""

MOST_IMAGES = 500
"""Held-out images of a seed that are moved and looked into, at most: all 10,000 of MNIST would take minutes."""

FILTER_EPOCHS = (0, 1, 2, 5, 10)
"""When the filters are drawn, besides the end."""


def convolution(context: LabContext) -> SectionRecord:
    """Compare a convolutional network with a dense one of the same size, and look into it."""
    items: list[Item] = []
    for recipe in _wanted(context):
        levels = _levels(context, recipe)
        if levels is not None:
            items.append(_shift_section(context, recipe, levels))
            items.append(_inside_section(context, recipe, levels[0]))
            items.append(_mistakes_section(context, recipe, levels[0]))
    return SectionRecord(
        id="convolution",
        title="What a convolution is for",
        lead="A convolution looks at every place of an image with the same few weights. Two networks with as nearly "
        "the same number of weights as whole layers allow, one convolutional and one dense: what does it gain, most "
        "of all on images that are not where they were in training?",
        items=(*items, setting_record(context, *_wanted(context))),
    )


def _wanted(context: LabContext) -> list[str]:
    """Return the recipes that run here; MNIST only in the full lab, where it is at hand."""
    return [name for name in RECIPES if context.wanted(name)]


def work(context: LabContext) -> list[tuple[Cell, tuple[int, ...]]]:
    """Return the shorter trainings of one seed whose filters are drawn: the same training, ended earlier."""
    return [
        (cell, _first_seed(context, recipe)) for recipe in _wanted(context) for cell in shorter_cells(context, recipe)
    ]


def shorter_cells(context: LabContext, recipe: str) -> list[Cell]:
    """Return the convolutional network's cell with fewer epochs, for those of `FILTER_EPOCHS` before its end."""
    cells = []
    for cell in context.cells(recipe):
        config = cell.setting.config
        for epochs in FILTER_EPOCHS if cell.at({"case": CONVOLUTION}) else ():
            if epochs < config.epochs:
                shorter = dataclasses.replace(config, epochs=epochs)
                setting = make_setting(cell.setting.source, cell.setting.net, shorter)
                cells.append(dataclasses.replace(cell, setting=setting))
    return cells


def _first_seed(context: LabContext, recipe: str) -> tuple[int, ...]:
    return context.seeds_of(recipe)[:1]


def _levels(context: LabContext, recipe: str) -> tuple[Level, Level] | None:
    """Return the runs of both networks on the seeds that both have; None if there are none."""
    found = [level for case in (CONVOLUTION, DENSE) for level in context.levels(recipe, case=case)]
    if len(found) < 2:
        return None
    both = {run.seed for run in found[0].runs} & {run.seed for run in found[1].runs}
    first, second = (level.on(both).called(name) for level, name in zip(found, (CONVOLUTION, DENSE), strict=True))
    return (first, second) if both else None


def _shift_section(context: LabContext, recipe: str, levels: tuple[Level, Level]) -> SectionRecord:
    """Show both networks' accuracy against the distance by which held-out images are moved."""
    table = measure_shifts(context, levels)
    ident, name = recipe.replace("_", "-"), data_name(recipe)
    n = len(levels[0].runs)
    sizes = " and ".join(f"{level.runs[0].theta.size:,} ({level.name})" for level in levels)
    caption = (
        f"Weights: {sizes}. Each seed's held-out images, the first {MOST_IMAGES:,} at most, moved left, right, up and "
        "down; what comes in is empty. Neither network was trained on moved images; guessing gets a tenth right."
    )
    accuracy = fan(
        f"{ident}-accuracy",
        f"{name}: accuracy on held-out images during training",
        [("", list(levels))],
        "validation_accuracy",
        "Images as they are.",
    )
    items: list[Item] = [
        shift_figure(f"{ident}-shift", f"{name}: accuracy on moved images", table, caption),
        direction_figure(f"{ident}-directions", f"{name}: the same, direction by direction", table, ""),
        accuracy,
        shift_table(
            f"{ident}-table",
            f"{name}: accuracy by distance, over four directions",
            table,
            f"Medians over {n} seeds, and the mean difference of the pairs, with 95 % intervals; p of paired sign "
            "flips, corrected for four distances (Holm). Ink left is the share of all brightness that is still in the "
            "picture.",
        ),
        *_shift_verdicts(name, table),
    ]
    return SectionRecord(id=f"{ident}-moved", title=f"Moved images: {name}", items=tuple(items))


def data_name(recipe: str) -> str:
    """Return what readers call a recipe's data."""
    return "MNIST" if recipe.endswith("mnist") else "digits"


def measure_shifts(context: LabContext, levels: tuple[Level, Level]) -> ShiftTable:
    """Return both networks' accuracies on the moved held-out images of each seed, `MOST_IMAGES` at most."""
    tables: list[list[Values]] = [[], []]
    ink = []
    for seed in [run.seed for run in levels[0].runs]:
        images = _first(held_out(context, levels[0].runs.with_seed(seed), levels[0]), MOST_IMAGES)
        ink.append(ink_left(images))
        with one_blas_thread():  # for products as small as these several threads only wait for each other
            for table, level in zip(tables, levels, strict=True):
                table.append(shift_accuracy(level.runs.with_seed(seed).predict, images))
    return ShiftTable((levels[0].name, levels[1].name), np.array(tables[0]), np.array(tables[1]), np.mean(ink, axis=0))


def _first(images: Dataset, most: int) -> Dataset:
    return dataclasses.replace(images, X=images.X[:most], y=images.y[:most], held_out=None, is_part=True)


def _shift_verdicts(name: str, table: ShiftTable) -> list[Item]:
    """Compare the networks on images as they are and on images moved by one pixel."""
    still, by_one = table.compared()[:2]
    start = name[0].upper() + name[1:]
    if still.n < MIN_PAIRS:
        words = f"{start}: no verdict; {still.n} seeds, and fewer than {MIN_PAIRS} pairs decide nothing."
        return [VerdictRecord(sentence=words, n_seeds=still.n, kind="question")]
    told = [one.verdict_sentence() for one in (still, by_one)]
    sentences = [f"{start}: {words.replace('No ', 'no ', 1) if words.startswith('No ') else words}" for words in told]
    return [comparison_verdict(words, one) for words, one in zip(sentences, (still, by_one), strict=True)]


def _inside_section(context: LabContext, recipe: str, level: Level) -> SectionRecord:
    """Show the filters of one seed as they are learned, and what the trained network makes of one image."""
    items: list[Item] = []
    ident, name = recipe.replace("_", "-"), data_name(recipe)
    runs = [run for run in filter_runs(context, recipe, level) if run.stop_reason != "diverged"]
    if runs:
        items.append(filters_figure(f"{ident}-filters", name, runs))
    if runs and runs[-1].epochs == level.runs[0].member.config.epochs:
        unseen = _first(held_out(context, runs[-1], level), MOST_IMAGES)
        image = middle_image(runs[-1].predict(unseen.X), unseen)
        items.append(activations_figure(f"{ident}-activations", name, runs[-1], unseen, image))
    text = (
        "The network of the first seed, not of a chosen one. Filters of earlier epochs are from the same training, "
        "ended earlier."
    )
    return SectionRecord(id=f"{ident}-inside", title=f"Inside: {name}", lead=text, items=tuple(items))


def filter_runs(context: LabContext, recipe: str, level: Level) -> list[Run]:
    """Return the first seed's runs by their number of epochs: those that end earlier, and the one of the level."""
    (seed,) = _first_seed(context, recipe)
    shorter = [_of(context.results, cell, seed) for cell in shorter_cells(context, recipe)]
    found = [run for run in shorter if run is not None]
    return sorted([*found, *(run for run in level.runs if run.seed == seed)], key=lambda run: run.epochs)


def _of(results: Results, cell: Cell, seed: int) -> Run | None:
    runs = results.of(cell, (seed,))
    return None if runs is None else runs[0]


def _mistakes_section(context: LabContext, recipe: str, level: Level) -> SectionRecord:
    """Show what the convolutional network of the median seed takes for what."""
    run = typical_run(level, "validation_loss")
    unseen = held_out(context, run, level)
    ident, name, outputs = recipe.replace("_", "-"), data_name(recipe), run.predict(unseen.X)
    items = (
        mistakes(f"{ident}-mistakes", f"{name}, convolution", run, unseen, outputs=outputs),
        confusion(f"{ident}-confusion", f"{name}, convolution", run, unseen, outputs=outputs),
    )
    return SectionRecord(id=f"{ident}-wrong", title=f"What it still gets wrong: {name}", items=items)
