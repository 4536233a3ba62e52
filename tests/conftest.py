"""The climate of every test: warnings fail, hypothesis is repeatable, one BLAS thread."""

from __future__ import annotations

import importlib.util
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable", derandomize=True, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

# The comparison with PyTorch is a group of its own (`make oracle`); it can only be collected where PyTorch is.
collect_ignore = [] if importlib.util.find_spec("torch") else ["oracle"]
