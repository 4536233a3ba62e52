"""The order of the samples: what the kernel draws is what NumPy draws."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.engines.compiled import orders
from chainrule.engines.compiled.orders import Orders, Shuffles, kernel_agrees
from chainrule.random import stream


def drawn(shuffles: Shuffles, members: list[int], epochs: int, threads: int = 1) -> Orders:
    for task in shuffles.draw(members, epochs, threads):
        task()
    return shuffles.of(members)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 21, 64, 65, 1000, 65537])
@pytest.mark.parametrize("by_kernel", [True, False])
def test_orders_are_the_permutations_of_the_stream(n: int, by_kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernel_agrees()
    monkeypatch.setattr(orders, "kernel_agrees", lambda: by_kernel)
    seeds = [7, 0, 2**62 - 1]
    generators = [stream(seed, "order") for seed in seeds]
    shuffles = Shuffles(seeds, n)
    for epochs in (3, 1, 2):  # the generators go on from stretch to stretch
        table = drawn(shuffles, [0, 1, 2], epochs)
        assert table.dtype == np.int32
        assert table.shape == (epochs, 3, n)
        for e in range(epochs):
            for k, generator in enumerate(generators):
                np.testing.assert_array_equal(table[e, k], generator.permutation(n))


def test_members_of_one_seed_share_an_order_and_those_that_left_disturb_nobody() -> None:
    shuffles = Shuffles([4, 9, 4, 9, 5], 30)
    assert drawn(shuffles, [0, 1, 2, 3, 4], 2, threads=3).shape == (2, 5, 30)
    shared = drawn(shuffles, [1, 3], 3, threads=2)
    assert shared.shape == (3, 1, 30)
    generator = stream(9, "order")
    expected = [generator.permutation(30) for _ in range(5)][2:]
    np.testing.assert_array_equal(shared[:, 0], expected)


def test_no_epochs_are_no_orders() -> None:
    assert drawn(Shuffles([1, 2], 9), [0, 1], 0).shape == (0, 2, 9)
