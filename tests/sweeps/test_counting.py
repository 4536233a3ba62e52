"""Counting runs over the parts of a command: each once."""

from __future__ import annotations

from chainrule.experiments.recipes.grid import make_setting
from chainrule.experiments.running.counting import CountingKeeper
from chainrule.experiments.running.obtain import obtain
from chainrule.nn import mlp
from chainrule.population import TrainingConfig
from tests.sweeps.conftest import Memory

ONE = make_setting("xor", mlp([3], "tanh"), TrainingConfig(epochs=20))


def test_a_run_is_trained_or_found_and_never_both(memory: Memory) -> None:
    obtain([(ONE, range(4))], store=memory)  # an earlier command
    counting = CountingKeeper(memory)
    obtain([(ONE, range(2, 7))], store=counting)
    assert (counting.trained, counting.found) == (3, 2)
    obtain([(ONE, range(1, 7))], store=counting)  # a later part of the same command: seed 1 alone is news
    assert (counting.trained, counting.found) == (3, 3)
    obtain([(ONE, range(1, 7))], store=counting)
    assert counting.trained + counting.found == len(range(1, 7))
