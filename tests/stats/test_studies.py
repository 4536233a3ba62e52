"""The studies judge thousands of sequences at once: here the classes say the same, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.stats import MeanSequence, MedianSequence, PairedSequence
from studies._sequences import JUDGES, NEVER, Verdicts
from studies.false_verdicts import OUTSIDE, SAME

N = 250


def first_verdict(
    kind: str, differences: np.ndarray[tuple[int], np.dtype[np.float64]], margin: float
) -> tuple[str, int]:
    """Return what the class says first, looked at after every observation."""
    sequence: MeanSequence | MedianSequence | PairedSequence
    sequence = {"mean": MeanSequence, "median": MedianSequence, "paired": PairedSequence}[kind]()
    names = {"a": "above", "b": "below", "equal": "equal"}
    for n, value in enumerate(differences, 1):
        sequence.update([value])
        said = sequence.decide(margin, "higher")
        if said != "undecided":
            return names[said], n
    return "none", NEVER


@pytest.mark.parametrize(
    "name",
    [
        "success, both 50 %",
        "loss, three values, ties",
        "loss, three values, ties, by the median",
        "success 30 % and 50.1 %",
    ],
)
def test_the_studies_say_what_the_classes_say(name: str) -> None:
    kind, margin, draw = (*SAME[name][:1], 0.3, SAME[name][1]) if name in SAME else OUTSIDE[name]
    differences = draw(np.random.default_rng(1), (8, N))
    verdicts = JUDGES[kind](differences, margin)
    for i, row in enumerate(differences):
        said, when = first_verdict(kind, row, margin)
        one = Verdicts(verdicts.above[[i]], verdicts.below[[i]], verdicts.equal[[i]])
        assert one.first[0] == when
        assert one.count(said) == (said != "none")


@pytest.mark.parametrize("name", list(SAME))
def test_peeking_gives_few_false_verdicts_on_every_kind_of_data(name: str) -> None:
    kind, draw = SAME[name]
    verdicts = JUDGES[kind](draw(np.random.default_rng(2), (300, 400)))
    assert verdicts.count("above", "below") <= 25  # 26 of 300 would be significantly more than 5 %


@pytest.mark.parametrize("name", list(OUTSIDE))
def test_differences_that_matter_are_seldom_called_equal(name: str) -> None:
    kind, margin, draw = OUTSIDE[name]
    verdicts = JUDGES[kind](draw(np.random.default_rng(3), (200, 1500)), margin)
    assert verdicts.count("equal", "below") <= 18  # 19 of 200 would be significantly more than 5 %
