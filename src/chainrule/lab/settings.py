"""What was trained, in words: a recipe's setting beside the pictures it gave."""

from __future__ import annotations

from chainrule.experiments.recipes.grid import freeze
from chainrule.experiments.recipes.words import axis_word, value_word
from chainrule.lab.context import LabContext, section_recipe
from chainrule.report.records import TextRecord
from chainrule.report.sweeps.settings import settings_words


def setting_record(context: LabContext, *names: str) -> TextRecord:
    """Return the settings of recipes as a list: data, network, training, what varies, seeds."""
    points = [f"*{section_recipe(name).title}*. {_setting(context, name)}" for name in names if context.seeds_of(name)]
    return TextRecord(title="What was trained", paragraphs=(), points=tuple(points))


def _setting(context: LabContext, name: str) -> str:
    """Write one recipe's setting in sentences."""
    recipe = section_recipe(name)
    assert recipe.data is not None, "the sections' recipes train"
    training = recipe.training | (
        {key.removeprefix("training."): value for key, value in recipe.quick.items()} if context.quick else {}
    )
    axes = [(axis_word(axis), [value_word(freeze(value)) for value in values]) for axis, values in recipe.axes.items()]
    seeds = context.seeds_of(name)
    parts = [
        f"Data: `{recipe.data.source}`" if not any("data.source" in case for case in recipe.cases.values()) else "",
        f"Network: {settings_words(recipe.network)}" if recipe.network else "",
        f"Training: {settings_words(training)}",
        *(f"Varied: {axis} in {', '.join(values)}" for axis, values in axes),
        *(f"Case {case}: {settings_words(settings)}" for case, settings in recipe.cases.items()),
        f"Seeds: {len(seeds)} ({seeds[0]} to {seeds[-1]})",
    ]
    about = " ".join(recipe.about.split())
    return ". ".join(part for part in parts if part) + "." + (f" {about}" if about else "")
