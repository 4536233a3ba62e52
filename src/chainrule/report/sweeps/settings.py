"""What a sweep trained, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from chainrule.experiments.recipes.grid import freeze
from chainrule.experiments.recipes.words import axis_word
from chainrule.experiments.sweeps.summary import SweepSummary
from chainrule.report.records import TextRecord
from chainrule.report.sweeps.words import count, level_word, listed, trained_words

MOST_VALUES = 12


def setting_record(summary: SweepSummary) -> TextRecord:
    """Return data, network, training, what varied, seeds, and how the runs came about, as a list."""
    recipe = summary.result.recipe
    points = [f"Recipe: *{recipe.title}* (`{recipe.id}`)"]
    if recipe.data is not None:
        points.append(f"Data: `{recipe.data.source}`")
    points += _fixed(summary, "Network", "network", recipe.network)
    points += _fixed(summary, "Training", "training", recipe.training)
    points += _cut_short(summary)
    for axis, values in summary.axes.items():
        points.append(f"Varied: {axis_word(axis)} in {listed([f'`{level_word(v)}`' for v in values], MOST_VALUES)}")
    if summary.constant:
        points.append(f"The same in all cells: {settings_words(summary.constant)}")
    points.append(_seeds(summary))
    points.append(_came_about(summary))
    about = " ".join(recipe.about.split())
    return TextRecord(paragraphs=(about,) if about else (), points=tuple(points))


def _fixed(summary: SweepSummary, name: str, table: str, settings: Mapping[str, Any]) -> list[str]:
    """Say the settings of one table that no axis replaces."""
    axes = {*summary.axes, *summary.constant}
    kept = {key: value for key, value in settings.items() if f"{table}.{key}" not in axes}
    return [f"{name}: {settings_words(kept)}"] if kept else []


def _cut_short(summary: SweepSummary) -> list[str]:
    """Say that a quick run trained for fewer epochs than the recipe says."""
    cut = {(one.cell.setting.config.epochs, one.cell.full_epochs) for one in summary.result}
    told = sorted(f"{epochs:,} of {full:,} epochs" for epochs, full in cut if epochs < full)
    return [f"Quick run: trained for {listed(told)}"] if told else []


def settings_words(settings: Mapping[str, Any]) -> str:
    """Write settings as ``name value`` pairs."""
    return ", ".join(f"{axis_word(key)} `{level_word(freeze(value))}`" for key, value in settings.items())


def _seeds(summary: SweepSummary) -> str:
    """Say which seeds were used."""
    seeds = {seed for one in summary.result for seed in one.seeds}
    fresh = {run.seed for runs in summary.result.fresh.values() for run in runs}
    if not seeds:
        return "Seeds: none"
    told = f"Seeds: {count(len(seeds), 'seed')} ({min(seeds)} to {max(seeds)})"
    return told + (f"; fresh ones for the best cell: {len(fresh)} ({min(fresh)} to {max(fresh)})" if fresh else "")


def _came_about(summary: SweepSummary) -> str:
    """Say how many runs were trained now, by what, and in how long."""
    result = summary.result
    stops = Counter(run.stop_reason for one in result for run in one.runs)
    engines = Counter(run.engine for one in result for run in one.runs)
    ended = ", ".join(f"{n:,} by `{reason}`" for reason, n in stops.most_common())
    by = ", ".join(f"{n:,} by `{engine}`" for engine, n in engines.most_common())
    told = f"{trained_words(result)}; {result.seconds:,.1f} s"
    return told + (f". Runs of cells ended: {ended}. Trained: {by}" if stops else "")
