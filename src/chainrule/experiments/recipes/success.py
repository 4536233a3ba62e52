"""What counts as success, and how often it happened."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from chainrule.errors import ConfigError, one_line
from chainrule.experiments.recipes.quantities import values_of
from chainrule.metrics import for_task, metric
from chainrule.optim import stopping_rule
from chainrule.population import TrainingConfig
from chainrule.runs import Run, Runs
from chainrule.spec import spec_of

CONVERGED = "converged"
NOTE = "success: "
PARTS = ("validation_", "test_")
LEARNED, GENERALIZED = "accuracy>=0.99", "validation_accuracy>=0.95"

_RULE = re.compile(r"\s*(?P<key>.+?)\s*(?P<test>>=|<=)\s*(?P<bound>[^\s<>=]+)\s*")


@dataclass(frozen=True)
class SuccessRule:
    """A rule on the final weights (``accuracy>=0.99``), or that a stopping rule held (``converged``).

    Attributes
    ----------
    key : str
        The name of a final value, or ``converged``.
    at_least : bool
        Whether the bound is a lower one.
    bound : float
        What the value is compared with.
    """

    key: str
    at_least: bool = True
    bound: float = 0.0

    @property
    def text(self) -> str:
        """The rule as `parse_success` reads it."""
        return CONVERGED if self.key == CONVERGED else f"{self.key}{'>=' if self.at_least else '<='}{self.bound!r}"

    def told(self, config: TrainingConfig) -> str:
        """Return the rule in words, for runs of a configuration."""
        if self.key == CONVERGED:
            rules = [spec for spec in config.stopping if stopping_rule(spec).converged]
            return f"stopped by {' or '.join(rules)}"
        return f"final {self.key.replace('_', ' ', 1)} {'>=' if self.at_least else '<='} {self.bound:g}"

    @property
    def needed(self) -> str | None:
        """The metric that must be measured for it, if any."""
        base = _split(self.key)[1]
        return None if base in (CONVERGED, "loss") else base

    def holds(self, run: Run) -> bool:
        """Whether a run succeeded; one that diverged never did."""
        if run.stop_reason == "diverged":
            return False
        if self.key == CONVERGED:
            return run.converged
        value = run.final.get(self.key, math.nan)
        return value >= self.bound if self.at_least else value <= self.bound


def parse_success(text: str) -> SuccessRule:
    """Read ``converged``, ``accuracy>=0.99`` or ``validation_loss<=0.1``.

    Raises
    ------
    ConfigError
        If the text has neither form, names no metric, or its bound is no value that the metric can have.
    """
    if text.strip() == CONVERGED:
        return SuccessRule(CONVERGED)
    found = _RULE.fullmatch(text)
    try:
        bound = float(found["bound"]) if found else math.nan
    except ValueError:
        bound = math.nan
    if found is None or not math.isfinite(bound):
        raise ConfigError(f"cannot read '{one_line(text)}'; write METRIC>=NUMBER, METRIC<=NUMBER or {CONVERGED}")
    part, base = _split(found["key"].strip())
    if base == "loss":
        return SuccessRule(part + base, found["test"] == ">=", bound)
    measured = metric(base)
    low, high = measured.bounds
    if not low <= bound <= high:
        reach = (
            f"lies between {low:g} and {high:g}"
            if math.isfinite(high - low)
            else (f"is at least {low:g}" if math.isfinite(low) else f"is at most {high:g}")
        )
        raise ConfigError(f"'{one_line(text)}': {measured.name} {reach}, so a bound of {bound:g} says nothing")
    return SuccessRule(part + spec_of(measured), found["test"] == ">=", bound)


def default_rule(config: TrainingConfig, task: str, has_validation: bool) -> SuccessRule | None:
    """Return what counts as success when nobody says so; None for regression, where any bound depends on units."""
    if any(stopping_rule(spec).converged for spec in config.stopping):
        return SuccessRule(CONVERGED)
    if task == "regression":
        return None
    return parse_success(GENERALIZED if has_validation else LEARNED)


def check_rule(rule: SuccessRule, config: TrainingConfig, parts: set[str]) -> None:
    """Refuse a rule that no run of this configuration can satisfy.

    Parameters
    ----------
    rule : SuccessRule
        The rule.
    config : TrainingConfig
        How it is trained.
    parts : set of str
        ``validation`` and ``test``, as far as there are such samples.
    """
    part = _split(rule.key)[0].removesuffix("_")
    if part and part not in parts:
        raise ConfigError(f"'{rule.text}' needs a {part} part: add --{part} 0.2")
    if rule.key == CONVERGED and not any(stopping_rule(spec).converged for spec in config.stopping):
        raise ConfigError("'converged' needs a rule that can be met, e.g. --stop 'loss_below(0.001)'")


def with_metric(config: TrainingConfig, rule: SuccessRule | None, task: str) -> TrainingConfig:
    """Return the configuration that also measures what the rule asks for."""
    needed = rule.needed if rule else None
    if needed is None or needed in (*for_task(task), *config.metrics):
        return config
    return config.replace(metrics=(*config.metrics, needed))


def rule_of(runs: Runs) -> SuccessRule | None:
    """Return the rule that was saved with runs."""
    for note in runs.notes:
        if note.startswith(NOTE):
            return parse_success(note.removeprefix(NOTE))
    return None


def epochs_to_success(runs: Runs, rule: SuccessRule) -> list[float]:
    """Return, for each successful run, the epoch at which it got there.

    That is where a stopping rule ended it, or else the first kept epoch at which the rule held; the history has no
    test values, so a rule on those gives an empty list.
    """
    won = runs.where(rule.holds)
    if not len(won) or rule.key.startswith("test_"):
        return []
    if rule.key == CONVERGED:
        return [float(run.epochs) for run in won]
    values = values_of(f"first {rule.text}", won)
    return [float(value) for value in values if math.isfinite(value)]


def _split(key: str) -> tuple[str, str]:
    for part in PARTS:
        if key.startswith(part):
            return part, key.removeprefix(part)
    return "", key
