"""The report's sections in order: what each one trains, and what builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chainrule.experiments import Cell
from chainrule.lab.context import LabContext
from chainrule.lab.sections import (
    backpropagation,
    convolution,
    data,
    dynamics,
    no_activation,
    questions,
    replication,
    results,
    sweeps,
    tuned,
)
from chainrule.report.records import SectionRecord


@dataclass(frozen=True)
class LabSection:
    """One section of the report.

    Attributes
    ----------
    id : str
        Its name for ``--only`` and its anchor in the page.
    about : str
        One line, for the command's help.
    build : callable
        Makes the section's record from the runs.
    recipes : tuple of str
        The recipes it runs; other sections may share them.
    more_work : callable or None
        Further cells with their seeds.
    """

    id: str
    about: str
    build: Callable[[LabContext], SectionRecord]
    recipes: tuple[str, ...] = ()
    more_work: Callable[[LabContext], list[tuple[Cell, tuple[int, ...]]]] | None = None

    @property
    def title(self) -> str:
        """Its name as a heading, for when the section could not be built."""
        return self.id.replace("-", " ").capitalize()

    def work(self, context: LabContext) -> list[tuple[Cell, tuple[int, ...]]]:
        """Return the cells this section needs, with their seeds."""
        cells = context.work(self.recipes)
        return cells if self.more_work is None else [*cells, *self.more_work(context)]


SECTIONS: tuple[LabSection, ...] = (
    LabSection("data", "the data, drawn; the machine", data.data),
    LabSection("backpropagation", "one step with its numbers; the gradient check", backpropagation.backpropagation),
    LabSection("results", "does it learn? curves and success rates", results.results, results.RECIPES),
    LabSection("learning-rates", "which rates work", sweeps.learning_rates, sweeps.LEARNING_RATES),
    LabSection("hidden-units", "how many units are needed", sweeps.hidden_units, sweeps.HIDDEN_UNITS),
    LabSection("no-activation", "networks without activation", no_activation.no_activation, no_activation.RECIPES),
    LabSection("optimizers", "seven optimizers, each tuned", tuned.optimizers, tuned.OPTIMIZERS),
    LabSection("activations", "eight activations, each tuned", tuned.activations, tuned.ACTIVATIONS),
    LabSection("schedules", "seven learning-rate schedules", sweeps.schedules, sweeps.SCHEDULES),
    LabSection("batch-size", "single samples, minibatches, full batch", sweeps.batch_size, sweeps.BATCH_SIZE),
    LabSection("loss-windows", "windowed mean and spread of the loss", dynamics.loss_windows, dynamics.LOSS_WINDOWS),
    LabSection("train-validation", "overfitting", dynamics.train_validation, dynamics.TRAIN_VALIDATION),
    LabSection(
        "convolution",
        "moved images, filters, activations",
        convolution.convolution,
        convolution.RECIPES,
        more_work=convolution.work,
    ),
    LabSection("questions", "three questions, by experiment", questions.questions, questions.RECIPES),
    LabSection(
        "replication",
        "every reported figure, in our distribution",
        replication.replication,
        more_work=replication.work,
    ),
)
