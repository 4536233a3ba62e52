"""Class weights weigh the training samples; other parts are measured with the data's own weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Dataset, mlp, train
from chainrule.data import split
from chainrule.errors import ConfigError

X = np.linspace(-1, 1, 40)[:, None] ** 3
LABELS = (np.arange(40) % 4 == 0).astype(int)
OWN = np.linspace(0.5, 2, 40)
SETTINGS: dict[str, Any] = {"epochs": 5, "validation": 0.25, "test": 0.25, "learning_rate": 0.5}
DATA = Dataset("uneven", X, LABELS, "binary", classes=("no", "yes"), sample_weight=OWN)


@pytest.mark.parametrize(
    ("given", "by_label"),
    [("no=1,yes=3", [1.0, 3.0]), ({"yes": 0.25}, [1.0, 0.25]), ("balanced", None), (None, [1, 1])],
)
def test_only_the_training_loss_is_weighed(given: Any, by_label: list[float] | None) -> None:
    run = train(mlp([3], "tanh"), DATA, class_weight=given, seeds=2, **SETTINGS)[1]
    parts = split(DATA, 1, 0.25, 0.25)
    assert parts.train.sample_weight is not None
    if by_label is None:  # n / (2 x the class's count), by the definition
        by_label = [len(parts.train.y) / (2 * int((parts.train.y == c).sum())) for c in (0, 1)]
    weights = {"train": parts.train.sample_weight * np.array(by_label)[parts.train.y]}
    for name, prefix in (("train", ""), ("validation", "validation_"), ("test", "test_")):
        part: Dataset = getattr(parts, name)
        errors = (run.predict(part.X)[:, 0] - part.y) ** 2
        own = weights.get(name, part.sample_weight)
        assert run.final[f"{prefix}loss"] == pytest.approx(float(np.average(errors, weights=own)), rel=1e-12)
    assert run.history["validation_loss"][-1] == pytest.approx(run.final["validation_loss"], rel=1e-12)


def test_a_weight_is_a_repetition() -> None:
    few = Dataset("few", X[:5], np.array([0, 1, 0, 1, 0]), "binary")
    rows = [0, 1, 1, 1, 2, 3, 3, 3, 4]
    repeated = Dataset("more", X[rows], few.y[rows], "binary")
    weighed = train(mlp([3], "tanh"), few, class_weight={0: 1, 1: 3}, epochs=20)[0]
    np.testing.assert_allclose(weighed.theta, train(mlp([3], "tanh"), repeated, epochs=20)[0].theta, rtol=1e-11)


def test_a_label_that_is_no_class_is_refused_before_training() -> None:
    with pytest.raises(ConfigError, match=r"class_weight: unknown class 'yess'; did you mean 'yes'"):
        train(mlp([3]), DATA, class_weight="yess=2")
