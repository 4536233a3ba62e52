"""The work is chainrule's own: its initial weights, its batches; and parts of it are parts."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases import CASES, Share, mixed, xor
from benchmarks.padding import Padded
from benchmarks.unified import corrections, rule_of
from benchmarks.work import Work, split_layers
from chainrule import train_members
from chainrule.engines._cohort_data import Batches


def test_initial_weights_are_those_of_the_engine(mixture: Work) -> None:
    runs = train_members(mixture.with_config(epochs=0).members, mixture.dataset, engine="reference")
    for k, run in enumerate(runs):
        np.testing.assert_array_equal(run.theta, mixture.theta(k))


def test_batches_are_those_of_the_engine(minibatches: Work) -> None:
    for k, member in enumerate(minibatches.members):
        batches = Batches([member.seed], minibatches.dataset.n, 20, shuffle=True)
        expected = [rows for _ in range(2) for rows in batches.epoch([member.seed])]
        found = minibatches.batches(k)
        assert len(found) == len(expected) == 20
        for ours, theirs in zip(found, expected, strict=True):
            assert theirs is not None
            np.testing.assert_array_equal(ours, theirs)


def test_full_batches_have_no_order(population: Work) -> None:
    assert population.full_batch
    assert population.orders == {}


def test_judged_losses_are_the_runs_own(minibatches: Work) -> None:
    runs = train_members(minibatches.members, minibatches.dataset, engine="reference")
    losses = minibatches.losses([np.asarray(run.theta) for run in runs])
    np.testing.assert_allclose(losses, [run.final["loss"] for run in runs], rtol=1e-6)


def test_uniform_means_one_shape_and_plain_descent(population: Work, mixture: Work) -> None:
    assert population.uniform
    assert not mixture.uniform
    assert not population.with_config(optimizer="adam").uniform


def test_the_mixture_is_one() -> None:
    work = mixed(1000, 1)
    sizes = {shape.sizes for shape in work.shapes}
    assert all(1 <= width <= 16 for shape in sizes for width in shape[1:3])
    assert len(sizes) > 200
    assert {shape.activations[0] for shape in work.shapes} == {"sigmoid", "tanh", "relu", "elu"}
    assert len({member.config.optimizer for member in work.members}) == 5
    assert len({member.config.learning_rate for member in work.members}) == 10


@pytest.mark.parametrize(
    ("share", "factor", "told"),
    [
        (Share(), 1.0, ""),
        (Share(members=2, epochs=10), 12.5 * 10 / 2 / 1.25 * 1.0, "2 of 5 members, 10 of 50 epochs; times 12.5"),
        (Share(samples=7), 3.0, "7 of 21 samples; times 3"),
    ],
)
def test_parts_say_what_they_leave_out(share: Share, factor: float, told: str) -> None:
    work = xor(5, 50)
    assert share.told(work) == told
    if told:
        assert share.factor(work) == float(told.rpartition(" ")[2])
    else:
        assert share.factor(work) == factor


def test_a_program_per_shape_compiles_for_every_shape() -> None:
    work = mixed(60, 10)
    share = Share(shapes=4, epochs=5)
    kinds = len({shape.sizes for shape in work.shapes})
    assert len({shape.sizes for shape in share.of(work).shapes}) == 4
    assert share.compile_factor(work) == kinds / 4
    assert share.factor(work) == 2 * 60 / len(share.of(work))


def test_padding_can_be_taken_off(mixture: Work) -> None:
    padded = Padded(mixture)
    for k, flat in enumerate(padded.flat(padded.layers)):
        np.testing.assert_array_equal(flat, mixture.theta(k))
    for name, part in padded.groups:
        assert {mixture.shapes[k].activations[0] for k in padded.order[part]} == {name}


def test_layers_of_flat_weights(mixture: Work) -> None:
    member, flat = mixture.members[0], mixture.theta(0)
    expected = member.network.unpack(flat)
    for (W, b), layer in zip(split_layers(mixture.shapes[0], flat), expected, strict=True):
        np.testing.assert_array_equal(W, layer["W"])
        np.testing.assert_array_equal(b, layer["b"])


def test_adams_corrections() -> None:
    np.testing.assert_allclose(corrections(2), [[0.1, 0.001], [0.19, 0.001999]], rtol=1e-6)


def test_coefficients_follow_the_members(mixture: Work) -> None:
    rule = rule_of(mixture)
    for k, member in enumerate(mixture.members):
        assert rule.corrected[k] == (member.config.optimizer == "adam")
        assert rule.adaptive[k] == (member.config.optimizer in ("adam", "rmsprop", "adagrad"))
        assert rule.rate[k] == np.float32(member.config.learning_rate)


def test_case_names_and_bars() -> None:
    assert [case.name for case in CASES] == ["W1", "W2", "W2m", "W3", "W4", "W5", "C1", "C2"]
    for case in CASES:
        names = [entry.contestant for entry in case.entries]
        assert names[0] == "chainrule"
        assert len(set(names)) == len(names)
        assert not case.usual or case.usual in names
        assert all(against == "best peer" or against in names for against, _ in case.bars)
