"""The cases W1 to W5, C1 and C2: which work, which contestants, which bar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from benchmarks.work import Work
from chainrule import Member, TrainingConfig, load, mlp
from chainrule.nn import parse_layers

BEST = "best peer"
ACTIVATIONS = ("sigmoid", "tanh", "relu", "elu")
OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam")
REPORTED_RATES = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0001)  # of report E6


@dataclass(frozen=True)
class Share:
    """The part of the work that a slow contestant does; its time is multiplied by what was left out.

    Compilation is not multiplied, except for a program per shape, by the shapes left out.
    """

    members: int | None = None
    epochs: int | None = None
    samples: int | None = None
    shapes: int | None = None

    def of(self, work: Work) -> Work:
        """Return this part of the work."""
        if self.members is not None:
            work = work.first(self.members)
        if self.shapes is not None:
            work = work.first_shapes(self.shapes)
        if self.samples is not None:
            work = work.first_samples(self.samples)
        return work if self.epochs is None else work.with_config(epochs=min(self.epochs, work.epochs))

    def factor(self, work: Work) -> float:
        """Return by how much the time of this part is to be multiplied."""
        part = self.of(work)
        return len(work) / len(part) * work.epochs / part.epochs * work.dataset.n / part.dataset.n

    def compile_factor(self, work: Work) -> float:
        """Return by how much the compilation of this part is to be multiplied."""
        if self.shapes is None:
            return 1.0
        kinds, some = ({shape.sizes for shape in part.shapes} for part in (work, self.of(work)))
        return len(kinds) / len(some)

    def told(self, work: Work) -> str:
        """Say what was measured; nothing for the whole work."""
        part, told = self.of(work), []
        for name, some, every in (
            ("members", len(part), len(work)),
            ("epochs", part.epochs, work.epochs),
            ("samples", part.dataset.n, work.dataset.n),
        ):
            if some != every:
                told.append(f"{some:,} of {every:,} {name}")
        return f"{', '.join(told)}; times {self.factor(work):g}" if told else ""


@dataclass(frozen=True)
class Entry:
    """A contestant in a case.

    Attributes
    ----------
    contestant : str
        Its name.
    share, quick : Share
        What it does of the full, and of the quick work.
    changes : dict
        Settings in which its work differs, because it cannot do ours.
    differs : str
        The same in words.
    """

    contestant: str
    share: Share = Share()
    quick: Share = Share()
    changes: dict[str, Any] = field(default_factory=dict)
    differs: str = ""


@dataclass(frozen=True)
class Tolerance:
    """How near the final losses must be to those of the float64 reference, relative to them.

    Attributes
    ----------
    each : float
        The difference allowed to a member.
    share : float
        The share of the members that must keep it: rounding decides when a member leaves a plateau, or on which
        side of a relu's kink it falls.
    mean : float
        The difference allowed to the mean over all members.
    """

    each: float
    share: float = 1.0
    mean: float = 1e-2

    def __str__(self) -> str:
        who = "every member" if self.share == 1.0 else f"{self.share:.0%} of members"
        return f"{who} within {self.each:g} of the float64 reference, the mean within {self.mean:g}"


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes
    ----------
    make : callable
        Makes the work, in full or quick.
    bars : tuple of (against, times)
        How many times faster than which contestant (or `BEST`) chainrule must be.
    usual : str
        The contestant whose time the bar was written from: the framework as one writes it.
    proof_epochs : int or None
        Epochs after which equal work is proven, if not at the end.
    proof_samples : int or None
        Samples on which equal work is proven, if not on all: the first ones.
    """

    name: str
    title: str
    make: Callable[[bool], Work]
    entries: tuple[Entry, ...]
    bars: tuple[tuple[str, float], ...]
    tolerance: Tolerance
    usual: str = ""
    compile_included: bool = False
    needs_mnist: bool = False
    proof_epochs: int | None = None
    proof_samples: int | None = None
    counts: Literal["dense", "sparse"] = "dense"


def xor(members: int, epochs: int) -> Work:
    """Return networks of 2-4-4-1, sigmoid, on the 21 points of xor: full batch, squared error, SGD at rate 1."""
    config = TrainingConfig(epochs=epochs, learning_rate=1.0, dtype="float32", loss="mse")
    network = mlp([4, 4], "sigmoid")
    return Work.of([Member(network, config, seed) for seed in range(members)], load("xor").draw(0))


def mixed(members: int, epochs: int) -> Work:
    """Return members of 1 to 16 units in each of two layers, 4 activations, 5 optimizers and 10 rates, all drawn."""
    rng = np.random.default_rng(20220616)
    rates = np.geomspace(0.001, 0.05, 10)
    drawn = []
    for seed in range(members):
        network = mlp(rng.integers(1, 17, size=2).tolist(), str(rng.choice(ACTIVATIONS)))
        optimizer, rate = str(rng.choice(OPTIMIZERS)), float(rng.choice(rates))
        config = TrainingConfig(epochs=epochs, dtype="float32", loss="mse", optimizer=optimizer, learning_rate=rate)
        drawn.append(Member(network, config, seed))
    return Work.of(drawn, load("xor").draw(0))


def mnist(samples: int, batch: int, seeds: int = 1, rates: tuple[float, ...] = (0.1,), epochs: int = 1) -> Work:
    """Return networks of 784-300-10, sigmoid and softmax, on the first training images of MNIST."""
    full = load("mnist").draw(0)
    network = mlp([300], "sigmoid")
    members = [
        Member(
            network,
            TrainingConfig(
                epochs=epochs, learning_rate=rate, batch_size=batch, dtype="float32", loss="softmax_cross_entropy"
            ),
            seed,
        )
        for rate in rates
        for seed in range(seeds)
    ]
    return Work.of(members, full.take(np.arange(min(samples, full.n))))


def convolutions(layers: str, source: str, samples: int, members: int, rate: float, epochs: int) -> Work:
    """Return convolutional networks on the first images of a data set: relu, softmax, batches of 64."""
    full = load(source).draw(0)
    network = parse_layers(layers)
    config = TrainingConfig(
        epochs=epochs, learning_rate=rate, batch_size=64, dtype="float32", loss="softmax_cross_entropy"
    )
    part = full.take(np.arange(min(samples, full.n)))
    return Work.of([Member(network, config, seed) for seed in range(members)], part)


LENET = "conv 8 5, pool 2, conv 16 5, pool 2, dense 64"
TWO_CONVOLUTIONS = "conv 8 3, conv 8 3, pool 2, dense 32"
CROSS_ENTROPY = {"loss": "binary_cross_entropy"}
ITS_LOSS = "minimises the binary cross-entropy: it has no squared error after a sigmoid"
IMAGES, FEW_IMAGES = 60_000, 3_000

CASES: tuple[Case, ...] = (
    Case(
        "W1",
        "one 2-4-4-1 sigmoid network, xor, full batch, MSE, SGD lr 1, 10,000 epochs",
        lambda quick: xor(1, 500 if quick else 10_000),
        (
            Entry("chainrule"),
            Entry("numpy"),
            Entry("jax"),
            Entry("jax broadcast"),
            Entry("pytorch", Share(epochs=1000), Share(epochs=100)),
            Entry("scikit-learn", Share(epochs=1000), Share(epochs=100), CROSS_ENTROPY, ITS_LOSS),
        ),
        ((BEST, 5.0), ("numpy", 100.0)),
        Tolerance(1e-3),
        usual="jax",
    ),
    Case(
        "W2",
        "640 such networks",
        lambda quick: xor(64 if quick else 640, 300 if quick else 10_000),
        (
            Entry("chainrule"),
            Entry("numpy", Share(members=4, epochs=2500), Share(members=2)),
            Entry("jax", Share(epochs=1000)),
            Entry("jax lanes"),
            Entry("pytorch batched", Share(epochs=500), Share(epochs=100)),
            Entry("farias", Share(epochs=250), Share(epochs=100)),
        ),
        ((BEST, 20.0),),
        Tolerance(1e-2, 0.95, 2e-2),
        usual="jax",
    ),
    Case(
        "W2m",
        "1,000 members: widths 1 to 16 in each layer, 4 activations, 5 optimizers, 10 rates, 10,000 epochs",
        lambda quick: mixed(60 if quick else 1000, 200 if quick else 10_000),
        (
            Entry("chainrule"),
            Entry("numpy", Share(members=10, epochs=500), Share(members=5)),
            Entry("jax shapes", Share(shapes=8, epochs=1000), Share(shapes=2)),
            Entry("jax padded", Share(epochs=500)),
            Entry("jax lanes", Share(epochs=500)),
            Entry("pytorch batched", Share(epochs=100), Share(epochs=50)),
            Entry("farias", Share(epochs=100), Share(epochs=50)),
        ),
        ((BEST, 20.0),),
        Tolerance(1e-2, 0.95, 2e-2),
        compile_included=True,
        proof_epochs=200,
    ),
    Case(
        "W3",
        "MNIST 784-300-10, sigmoid and softmax, batch 50, lr 0.1, one epoch",
        lambda quick: mnist(FEW_IMAGES if quick else IMAGES, 50),
        (
            Entry("chainrule"),
            Entry("numpy"),
            Entry("jax"),
            Entry("pytorch"),
            Entry("scikit-learn"),
        ),
        ((BEST, 1.25),),
        Tolerance(1e-3),
        usual="jax",
        needs_mnist=True,
        counts="sparse",
    ),
    Case(
        "W4",
        "18 of W3: 6 rates x 3 seeds",
        lambda quick: mnist(FEW_IMAGES if quick else IMAGES, 50, seeds=3, rates=REPORTED_RATES),
        (
            Entry("chainrule"),
            Entry("numpy", Share(members=2), Share(members=2)),
            Entry("jax", Share(samples=12_000)),
            Entry("jax threads", Share(samples=12_000)),
            Entry("pytorch", Share(members=2), Share(members=2)),
        ),
        ((BEST, 2.0),),
        Tolerance(1e-3),
        usual="jax",
        needs_mnist=True,
        counts="sparse",
    ),
    Case(
        "W5",
        "MNIST 784-300-10, batch 1, lr 0.03, one epoch",
        lambda quick: mnist(FEW_IMAGES if quick else IMAGES, 1, rates=(0.03,)),
        (
            Entry("chainrule"),
            Entry("numpy", Share(samples=6_000), Share(samples=300)),
            Entry("jax", Share(samples=30_000)),
            Entry("pytorch", Share(samples=6_000), Share(samples=300)),
        ),
        ((BEST, 4.0),),
        Tolerance(1e-2),
        usual="jax",
        needs_mnist=True,
        counts="sparse",
    ),
    Case(
        "C1",
        "LeNet on MNIST (conv 8 5x5, pool, conv 16 5x5, pool, dense 64), batch 64, lr 0.1, one epoch",
        lambda quick: convolutions(LENET, "mnist", 1_000 if quick else IMAGES, 1, 0.1, 1),
        (
            Entry("chainrule"),
            Entry("pytorch images"),
            Entry("pytorch channels last"),
            Entry("jax images", Share(samples=12_000)),
            Entry("jax patches"),
        ),
        ((BEST, 3.0),),
        Tolerance(1e-3),
        usual="pytorch images",
        needs_mnist=True,
        proof_samples=2_000,
    ),
    Case(
        "C2",
        "32 networks with two convolutions on digits (conv 8 3x3, conv 8 3x3, pool, dense 32), batch 64, lr 0.05",
        lambda quick: convolutions(TWO_CONVOLUTIONS, "digits", 300 if quick else 1797, 32, 0.05, 2 if quick else 20),
        (
            Entry("chainrule"),
            Entry("pytorch grouped", Share(epochs=2)),
            Entry("pytorch images", Share(members=2, epochs=4), Share(members=2)),
            Entry("jax images", Share(epochs=2)),
            Entry("jax patches", Share(epochs=10)),
            Entry("jax patches threads"),
        ),
        ((BEST, 10.0),),
        Tolerance(1e-2, 0.9),
        usual="pytorch grouped",
        proof_epochs=2,
    ),
)
BY_NAME = {case.name: case for case in CASES}
