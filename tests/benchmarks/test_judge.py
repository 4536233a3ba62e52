"""Equal work is proven, and unequal work is found out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import Tolerance
from benchmarks.judge import compare, reference_losses
from benchmarks.work import Work
from chainrule import train_members

REFERENCE = np.array([1.0, 2.0, 4.0, 1.0])


@pytest.mark.parametrize(
    ("found", "tolerance", "holds"),
    [
        ([1.0, 2.0, 4.0, 1.0], Tolerance(1e-6), True),
        ([1.0, 2.0, 4.004, 1.0], Tolerance(1e-3), True),
        ([1.0, 2.0, 4.005, 1.0], Tolerance(1e-3), False),
        ([1.0, 2.0, 4.5, 1.0], Tolerance(1e-3, share=0.75, mean=0.1), True),
        ([1.0, 2.0, 4.5, 1.0], Tolerance(1e-3, share=0.75, mean=0.05), False),  # of the mean: 0.5 / 8
        ([1.0, 2.5, 4.5, 1.0], Tolerance(1e-3, share=0.75, mean=0.5), False),
        ([1.0, 2.0, np.nan, 1.0], Tolerance(1e-3), False),
        ([1.0, 2.0, np.inf, 1.0], Tolerance(1e-3, share=0.75), False),
    ],
)
def test_compare(found: list[float], tolerance: Tolerance, holds: bool) -> None:
    assert compare(np.array(found), REFERENCE, tolerance).holds is holds


def test_a_member_that_breaks_in_both_is_equal() -> None:
    verdict = compare(np.array([1.0, np.nan]), np.array([1.0, np.inf]), Tolerance(1e-6))
    assert verdict.holds
    assert not compare(np.array([1.0, 2.0]), np.array([1.0, np.inf]), Tolerance(1e-6)).holds


def test_fewer_losses_are_no_proof() -> None:
    assert not compare(REFERENCE[:3], REFERENCE, Tolerance(1.0, share=0.0, mean=9.0)).holds


def test_reference_is_float64_and_kept(population: Work, tmp_path: Path) -> None:
    expected = train_members(population.with_config(dtype="float64").members, population.dataset, engine="reference")
    found = reference_losses(population, tmp_path)
    np.testing.assert_allclose(found, [run.final["loss"] for run in expected], rtol=1e-9)
    (kept,) = tmp_path.iterdir()
    np.save(kept, found + 1)
    np.testing.assert_array_equal(reference_losses(population, tmp_path), found + 1)  # read, not trained again
    reference_losses(population.with_config(epochs=3), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
