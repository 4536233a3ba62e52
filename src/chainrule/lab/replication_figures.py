"""A reported number against the runs of its setting."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from chainrule.data import Dataset, Split, load, split
from chainrule.experiments import Quantity, parse_quantity, values_of
from chainrule.lab.replication_judging import Judgement, Reported, Values, impossible_share, judge_figure
from chainrule.runs import Run, Runs

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Figure

NAN_IS_CLASS_0 = ("accuracy", "median_threshold_accuracy")
"""Metrics that test "output > threshold": a comparison with NaN is false, so a diverged network says class 0."""


def unit_of(quantity: str) -> str:
    """Return ``"%"`` for shares of samples, which reports give as per cent."""
    return "%" if parse_quantity(quantity).counted else ""


def better_of(quantity: Quantity, given: str | None) -> str:
    """Return which direction is better: more for shares of samples, less for everything else."""
    return given or ("higher" if quantity.counted else "lower")


def judge_reported(figure: Figure, runs: Runs) -> tuple[Judgement, float, str]:
    """Judge a figure.

    Returns
    -------
    Judgement
        With median and interval as shares of 1 or in the quantity's own unit.
    float
        What to multiply them with to get the row's unit.
    str
        The row's unit.
    """
    quantity = parse_quantity(figure.quantity)
    scale = 100.0 if quantity.counted else 1.0
    values = report_values(figure.quantity, runs)
    reported = Reported(
        figure.value / scale,
        figure.tolerance / scale,
        better_of(quantity, figure.better),
        figure.runs,
    )
    judged = judge_figure(values, reported)
    if (why := _impossible(figure, quantity, reported, values, runs)) is not None:
        judged = replace(judged, verdict="cannot occur", why=why)
    if judged.share:
        return judged, 100.0, "% of seeds"
    return judged, scale, "%" if quantity.counted else ""


def _impossible(figure: Figure, quantity: Quantity, reported: Reported, values: Values, runs: Runs) -> str | None:
    """Say why the number cannot come from this setting, or return None."""
    if quantity.counted and figure.runs == 1 and (n := counted_samples(quantity, runs)):
        why = impossible_share(reported.value, reported.tolerance, n)
        if why is not None:
            return why
    near = np.abs(values - reported.value) <= reported.tolerance * (1 + 1e-9)
    return None if near.any() else figure.cannot_occur


def counted_samples(quantity: Quantity, runs: Runs) -> int:
    """Return of how many samples the quantity is a share; 0 if they are not at hand."""
    parts = _parts(runs, runs[0])
    if parts is None:
        return 0
    held = parts.validation.n if parts.validation is not None else 0
    if quantity.kind == "all":
        return parts.train.n + held
    return held if quantity.key.startswith("validation_") else parts.train.n


def _parts(runs: Runs, run: Run) -> Split | None:
    """Return the data that a run saw, or None for data that live in files (their parts are large)."""
    source = load(runs.source)
    if source.name == "mnist":
        return None
    config = run.member.config
    return split(source.draw(run.seed), run.seed, config.validation, config.test, config.stratify)


def report_values(text: str, runs: Runs) -> Values:
    """Return a quantity of every run as the reports' programs would have printed it.

    Ours counts a NaN output as wrong. The reports' test ``output > 0.5`` is false for NaN, so a network whose weights
    have overflowed says class 0 everywhere, and its accuracy is the share of label 0.
    """
    quantity = parse_quantity(text)
    values = values_of(text, runs)
    if quantity.kind not in ("at", "final") or quantity.base_key.split("(")[0] not in NAN_IS_CLASS_0:
        return values
    values = values.copy()
    for k, run in enumerate(runs):
        if _outputs_nan(run, quantity) and (parts := _parts(runs, run)) is not None:
            part = parts.validation if quantity.key.startswith("validation_") else parts.train
            values[k] = _share_of_label_0(part, float(values[k]))
    return values


def _outputs_nan(run: Run, quantity: Quantity) -> bool:
    """Return whether a run's outputs had overflowed when the quantity was taken."""
    if run.divergence is None or (run.divergence.quantity == "loss" and np.isfinite(run.theta).all()):
        return False
    return quantity.kind == "final" or quantity.high >= run.epochs


def _share_of_label_0(part: Dataset | None, otherwise: float) -> float:
    if part is None or part.task != "binary":
        return otherwise
    return float(np.mean(part.y == 0))
