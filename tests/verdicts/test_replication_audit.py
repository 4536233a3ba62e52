"""The audit of the orders that the reports state, on runs made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chainrule import TrainingConfig, mlp, train
from chainrule.experiments import Results
from chainrule.lab.replication import replication_recipes
from chainrule.lab.replication_audit import (
    SEEDS,
    STUDIES,
    audit_section,
    audit_studies,
    audit_work,
    study_cells,
)
from chainrule.runs import Runs

RECIPES = {recipe.id: recipe for recipe in replication_recipes()}


def made(epochs: list[int]) -> Runs:
    """Return runs that took so many epochs."""
    runs = train(mlp([1]), "xor", TrainingConfig(epochs=0), seeds=len(epochs))
    return replace(runs, runs=tuple(replace(run, epochs=n) for run, n in zip(runs, epochs, strict=True)))


def test_every_study_is_about_cells_that_exist() -> None:
    assert {study.id for study in STUDIES} == {"A8", "A9", "C9", "D2", "D5"}
    for study in STUDIES:
        cells = study_cells(study, RECIPES)
        assert len({cell.setting for cell in cells}) == len(study.places)
        assert len({cell.setting.source for cell in cells}) == 1
        for place, cell in zip(study.places, cells, strict=True):
            assert cell.variant == place.variant


def test_only_the_full_run_trains_more_seeds_and_only_where_a_study_has_several_runs() -> None:
    assert audit_work(quick=True) == []
    assert audit_work(seeds=10) == []
    work = audit_work()
    assert {cell.recipe for cell, _ in work} == {"A8", "A9"}
    assert {len(seeds) for _, seeds in work} == {SEEDS}


def test_chances_are_those_of_the_runs() -> None:
    study = next(one for one in STUDIES if one.id == "A8")
    fast, slow = study_cells(study, RECIPES)
    rng = np.random.default_rng(0)
    results = Results({
        fast.setting.key: made(rng.integers(100, 200, 40).tolist()),
        slow.setting.key: made(rng.integers(1000, 2000, 40).tolist()),
    })  # fmt: skip
    ((found, verdict),) = audit_studies(results)
    assert found is study
    assert verdict.numbers["chance"]["shows"] == pytest.approx(1.0)
    assert verdict.numbers["runs"] == 5
    assert verdict.n_seeds == 40
    section = audit_section(results)
    assert section is not None
    assert section.id == "replication-audit"
    assert "Of 1 orders" in section.items[-1].sentence  # type: ignore[union-attr]
    assert "1 would be shown by at least nine of ten such studies, 0 less often." in section.items[-1].sentence  # type: ignore[union-attr]


def test_without_runs_there_is_no_section() -> None:
    assert audit_section(Results()) is None
    assert audit_section(Results(), quick=True) is None
