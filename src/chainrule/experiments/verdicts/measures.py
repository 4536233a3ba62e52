"""Measures: what settings are compared by, which direction is better, and which values it can have.

A measure is ``success`` (a run succeeded or not, by the rule of its recipe) or one of the quantities of
`experiments.recipes.quantities`. The name of a loss or metric alone (``loss``, ``validation_accuracy``) means its
value for the final weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from chainrule.errors import ConfigError, one_line, unknown_name
from chainrule.experiments.recipes.quantities import PLAIN, Quantity, parse_quantity
from chainrule.metrics import METRICS, higher_is_better, metric
from chainrule.spec import parse_spec

Values = npt.NDArray[np.float64]
Better = Literal["lower", "higher"]

SUCCESS = "success"
UNITS = (0.0, 1.0)


@dataclass(frozen=True)
class Measure:
    """What is compared.

    Attributes
    ----------
    text : str
        ``success`` or a quantity, see `chainrule.experiments.recipes.quantities`.
    better : str
        ``"lower"`` or ``"higher"``.
    bounds : (float, float) or None
        The smallest and the largest value; None if there are none.
    """

    text: str
    better: Better
    bounds: tuple[float, float] | None = None

    @property
    def is_success(self) -> bool:
        """Whether it is the success rate."""
        return self.text == SUCCESS

    @property
    def is_share(self) -> bool:
        """Whether a value is 1 or 0, so that its mean is a share of seeds."""
        return self.text in (SUCCESS, "converged", "diverged")

    @property
    def worst(self) -> float:
        """What a run without a value counts as where only the order matters."""
        if self.bounds is not None:
            return self.bounds[0] if self.better == "higher" else self.bounds[1]
        return -math.inf if self.better == "higher" else math.inf

    @property
    def sign(self) -> float:
        """Factor that makes larger better."""
        return 1.0 if self.better == "higher" else -1.0

    @property
    def words(self) -> str:
        """The measure in a sentence: ``final validation accuracy``."""
        return "success rate" if self.is_success else self.text.replace("_", " ", 1)

    def with_worst(self, values: Values) -> Values:
        """Return values with the worst in place of those that a diverged run lacks."""
        return np.where(np.isnan(values), self.worst, values)


def parse_measure(text: str, better: str | None = None) -> Measure:
    """Read a measure.

    Parameters
    ----------
    text : str
        ``success``, a quantity, or the name of a loss or metric for its final value.
    better : str, optional
        ``"lower"`` or ``"higher"``, where the measure's own direction is not meant.

    Raises
    ------
    ConfigError
        If the text is none of these, or the quantity has many values.
    """
    if better not in (None, "lower", "higher"):
        raise ConfigError(f"better is 'lower' or 'higher', got '{one_line(better)}'")
    if text == SUCCESS:
        if better == "lower":
            raise ConfigError("better = 'lower' cannot be: of success rates the higher one is better")
        return Measure(SUCCESS, "higher", UNITS)
    full = f"final {text}" if _is_key(text) else text
    try:
        quantity = parse_quantity(full)
    except ConfigError as error:
        if text.isidentifier():  # one word: a misspelt name rather than a misspelt form
            raise ConfigError(unknown_name("quantity", text, [SUCCESS, "loss", *METRICS, *PLAIN])) from None
        raise ConfigError(f"{error}, or success") from None
    if quantity.kind == "windows":
        raise ConfigError(f"quantity '{one_line(text)}' has many values a run; a comparison needs one")
    direction: Better = "lower" if better == "lower" else "higher" if better == "higher" else _better(quantity)
    return Measure(full, direction, _bounds(quantity))


@lru_cache(maxsize=256)
def _is_key(text: str) -> bool:
    """Whether a text is the name of a loss or metric and nothing more."""
    if text in PLAIN or "@" in text:
        return False
    name = text.removeprefix("validation_").removeprefix("test_")
    try:
        return name == "loss" or parse_spec(name, "metric")[0] in METRICS
    except ConfigError:
        return False


def _better(quantity: Quantity) -> Better:
    """Return which direction is better: of epochs, losses and swings less is."""
    if quantity.kind == "converged":
        return "higher"
    if quantity.kind not in ("at", "final", "all", "change") or _name(quantity) not in METRICS:
        return "lower"
    return "higher" if higher_is_better(quantity.base_key) else "lower"


def _bounds(quantity: Quantity) -> tuple[float, float] | None:
    """Return the values that a quantity cannot leave, if there are such."""
    if quantity.kind in ("converged", "diverged"):
        return UNITS
    if quantity.kind not in ("at", "final", "all") or _name(quantity) not in METRICS:
        return None
    low, high = metric(quantity.base_key).bounds
    return (low, high) if math.isfinite(high - low) else None


def _name(quantity: Quantity) -> str:
    """Return the name of the metric, without its values."""
    return quantity.base_key.partition("(")[0]
