"""Intervals, comparisons, sequences and rankings: numbers in, statements out."""

from chainrule.stats.audit import Chance, order_chance
from chainrule.stats.best_set import BestSet, best_set
from chainrule.stats.importance import Importance, axis_importance
from chainrule.stats.intervals import (
    Interval,
    RateInterval,
    bootstrap_interval,
    median_interval,
    percentile_of,
    quantiles,
    success_rate,
)
from chainrule.stats.paired import (
    MIN_PAIRS,
    MetricComparison,
    RateComparison,
    compare_metric,
    compare_rates,
    holm,
    sign_flip_p,
    sign_order_interval,
    sign_test_p,
)
from chainrule.stats.ranking import Ranking, Score, WinnerScores, WinRate, prob_better, rank_groups, winner_scores
from chainrule.stats.sequential import MeanSequence, MedianSequence, PairedSequence, decide, paired_differences
from chainrule.stats.variance import Component, CrossedComponents, crossed_components

__all__ = [
    "MIN_PAIRS",
    "BestSet",
    "Chance",
    "Component",
    "CrossedComponents",
    "Importance",
    "Interval",
    "MeanSequence",
    "MedianSequence",
    "MetricComparison",
    "PairedSequence",
    "Ranking",
    "RateComparison",
    "RateInterval",
    "Score",
    "WinRate",
    "WinnerScores",
    "axis_importance",
    "best_set",
    "bootstrap_interval",
    "compare_metric",
    "compare_rates",
    "crossed_components",
    "decide",
    "holm",
    "median_interval",
    "order_chance",
    "paired_differences",
    "percentile_of",
    "prob_better",
    "quantiles",
    "rank_groups",
    "sign_flip_p",
    "sign_order_interval",
    "sign_test_p",
    "success_rate",
    "winner_scores",
]
