"""Counted arithmetic against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import flops
from benchmarks.cases import TWO_CONVOLUTIONS, convolutions, xor
from benchmarks.work import Shape, Work
from chainrule import Dataset, Member, TrainingConfig, mlp


def test_one_sample_of_a_small_network() -> None:
    # 2-4-4-1: 8 + 16 + 4 = 28 products forward, 28 for the weights, 16 + 4 = 20 backward; each two operations
    assert flops.per_sample(Shape((2, 4, 4, 1), ("sigmoid",) * 3)) == 2 * (28 + 28 + 20)


def test_one_sample_of_a_wide_network() -> None:
    # 784-300-10: 235,200 + 3,000 forward and for the weights, 3,000 backward
    assert flops.per_sample(Shape((784, 300, 10), ("sigmoid", "softmax"))) == 2 * (2 * 238_200 + 3_000)


def test_members_samples_and_epochs_multiply() -> None:
    assert flops.total(xor(3, 7)) == 152 * 21 * 3 * 7


@pytest.mark.parametrize(("zeros", "share"), [(0, 1.0), (3, (152 - 32 * 0.75) / 152), (4, (152 - 32) / 152)])
def test_zeros_skipped(zeros: int, share: float) -> None:
    """The first layer has 16 operations forward and 16 for the weights a sample: those of zeros go."""
    X = np.ones((2, 2))
    X.ravel()[:zeros] = 0
    dataset = Dataset("two points", X, np.array([0, 1]), "binary")
    work = Work.of([Member(mlp([4, 4]), TrainingConfig(), 0)], dataset)
    assert flops.share_without_zeros(work) == pytest.approx(share)


def test_one_sample_of_convolutions() -> None:
    # 8x8x1, 8 kernels of 3x3: 6x6 places x 72 = 2,592; 8 of 3x3x8: 4x4 places x 576 = 9,216; pooled to 2x2x8 = 32;
    # dense 32 x 32 = 1,024 and 32 x 10 = 320: 13,152 forward and for the weights, 10,560 backward
    work = convolutions(TWO_CONVOLUTIONS, "digits", 100, 2, 0.1, 3)
    assert flops.per_sample(work.shapes[0]) == 2 * (2 * 13_152 + 10_560)
    assert flops.total(work) == 2 * (2 * 13_152 + 10_560) * 100 * 2 * 3


def test_zeros_of_images_skipped() -> None:
    """The first convolution has 2,592 products forward and for the weights a sample."""
    work = convolutions(TWO_CONVOLUTIONS, "digits", 100, 1, 0.1, 1)
    zeros = np.mean(work.X == 0)
    dense = 2 * (2 * 13_152 + 10_560)
    assert flops.share_without_zeros(work) == pytest.approx(1 - 4 * 2_592 * zeros / dense)
