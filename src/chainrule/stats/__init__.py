"""Intervals and paired comparisons: numbers in, statements out."""

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

__all__ = [
    "MIN_PAIRS",
    "Interval",
    "MetricComparison",
    "RateComparison",
    "RateInterval",
    "bootstrap_interval",
    "compare_metric",
    "compare_rates",
    "holm",
    "median_interval",
    "percentile_of",
    "quantiles",
    "sign_flip_p",
    "sign_order_interval",
    "sign_test_p",
    "success_rate",
]
