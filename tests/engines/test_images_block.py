"""The images kernels by themselves: their arithmetic, threads, chunks, and stretches cut anywhere.

The order of every sum is part of the engines' contract; here it is written once more, number by number, with sums of
exact products rounded once. None of the ways of computing may change a bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from chainrule import Dataset, Member, TrainingConfig, certify, train
from chainrule.cohorts import Cohort, make_cohorts
from chainrule.data import FixedSource
from chainrule.engines._cohort_data import gather
from chainrule.engines.compiled.block import Course, Part, Stretch, make_tracking
from chainrule.engines.compiled.plan import make_plan
from chainrule.engines.images import block as images_block
from chainrule.engines.images import tables
from chainrule.engines.images.block import ImagesBlock
from chainrule.nn import Array, parse_layers
from chainrule.random import stream

DEEP = "conv 5 3 same tanh, pool 3 stride=2, conv 18 2 groups=1 relu, avgpool 2, dense 20 silu, dense 7"


def images(n: int, height: int = 8, width: int = 9) -> FixedSource:
    """Noise in three classes."""
    rng = np.random.default_rng(n)
    data = Dataset.from_arrays(rng.normal(size=(n, height * width)), np.arange(n) % 3, image_shape=(height, width))
    return FixedSource(data)


def cohort_of(words: str, source: FixedSource, **settings: Any) -> Cohort:
    """Return the cohort of one member."""
    settings = {"epochs": 4, "learning_rate": 0.1, "loss": "softmax_cross_entropy", "batch_size": 40, **settings}
    ((_, cohort),) = make_cohorts([Member(parse_layers(words), TrainingConfig(**settings), 3)], source)
    return cohort


def make_block(cohort: Cohort, threads: int = 1) -> ImagesBlock:
    """Return a block as the session makes it."""
    config, plan = cohort.config, make_plan(cohort)
    parts = [gather(cohort, name) for name in ("train", "validation")]
    train_part, validation = (None if part is None else Part(*vars(part).values()) for part in parts)
    assert train_part is not None
    batch = train_part.n if isinstance(config.batch_size, str) else min(config.batch_size, train_part.n)
    course = Course(config.epochs, config.log_every, batch, batch >= train_part.n, config.window)
    rate = float(cohort.learning_rates[0])
    tracking = make_tracking([plan], [rate], course, config.epochs + 1, train_part.n)
    theta = cohort.network.pack(cohort.network.init(stream(3, "init"))).astype(config.dtype)
    return ImagesBlock(plan, 0, theta, rate, course, train_part, validation, tracking, threads)


def trained(block: ImagesBlock, cuts: Sequence[int] = ()) -> tuple[bytes, ...]:
    """Train to the end, in stretches that begin at `cuts` too; return what must have the same bits."""
    course, n = block.course, block.data.n
    rng, cancel = stream(3, "order"), np.zeros(1, dtype=np.int64)
    orders = np.array([rng.permutation(n) for _ in range(course.epochs + 1)], dtype=np.int32)[:, None]
    for first, stop in itertools.pairwise([0, *cuts, course.epochs + 1]):
        own = None if course.full else orders[first:stop]
        block.advance(Stretch(first, stop, block.tracking.rate[None, :].copy(), own), cancel)
    t = block.tracking
    return block.theta(0).tobytes(), t.values.tobytes(), t.running.tobytes(), t.status.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [40, 64, "full"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"clip_norm": 0.3, "optimizer": "adam"},
        {"clip_value": 0.05, "optimizer": "momentum"},
        {"optimizer": "array_normalized_gradient", "validation": 0.2},
    ],
)
def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch, dtype: str, batch: Any, settings: Any) -> None:
    monkeypatch.setattr(images_block, "LEAST_PRODUCTS", 0)
    cohort = cohort_of(DEEP, images(150), dtype=dtype, batch_size=batch, **settings)
    alone = trained(make_block(cohort))
    for threads in (2, 3):
        block = make_block(cohort, threads)
        assert block.threads == threads
        assert trained(block, cuts=(1, 3)) == alone


@pytest.mark.parametrize("batch", [50, "full"])
def test_chunks_change_no_bit(monkeypatch: pytest.MonkeyPatch, batch: Any) -> None:
    cohort = cohort_of(DEEP, images(150), batch_size=batch)
    block = make_block(cohort)
    outcome = trained(block)
    monkeypatch.setattr(images_block, "MOST_GROUPS", 1)
    other = make_block(cohort)
    assert other.net.chunk < block.net.chunk
    assert trained(other) == outcome


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [20, 72, "full"])
@pytest.mark.parametrize(
    "words",
    [
        DEEP,
        "conv 3 3 relu, pool 2, conv 20 2 same relu, dense 4 relu",  # a column of inputs lies in no window
        "conv 8 3x2 relu, pool 2, conv 16 2 relu, globalpool",  # every input lies in one
        "conv 4 1 relu, pool 3 stride=1, conv 2 2 bias=false",
    ],
)
def test_groups_side_by_side_change_no_bit(monkeypatch: pytest.MonkeyPatch, words: str, batch: Any, dtype: str) -> None:
    cohort = cohort_of(words, images(150), batch_size=batch, dtype=dtype)
    block = make_block(cohort)
    assert block.net.together > 2
    outcome = trained(block)
    for most in (1, 2):
        monkeypatch.setattr(tables, "MOST_TOGETHER", most)
        other = make_block(cohort)
        assert other.net.together == most
        assert trained(other) == outcome


def test_large_networks_pass_one_group_at_a_time() -> None:
    assert make_block(cohort_of("conv 16 3, conv 16 3", images(64, 8, 8))).net.together == 2
    assert make_block(cohort_of("conv 32 3 same", images(64, 9, 9))).net.together == 1


def test_small_batches_take_one_thread() -> None:
    assert make_block(cohort_of(DEEP, images(60), batch_size=8), 2).threads == 1
    assert make_block(cohort_of("conv 1 1", images(60), batch_size=30), 2).threads == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_member_alone_is_the_same_as_in_company(dtype: str) -> None:
    runs = train(
        parse_layers(DEEP), images(70), engine="gemm", seeds=3, epochs=3, batch_size=20, dtype=dtype, validation=0.2,
        loss="softmax_cross_entropy", learning_rates=[0.1, 0.02], threads=2,
    )  # fmt: skip
    assert certify(runs, 4).identical


# -- the contract, number by number -------------------------------------------------------------------------


def fma(a: float, b: float, c: float) -> float:
    """Return a * b + c, rounded once."""
    return float(Fraction(a) * Fraction(b) + Fraction(c))


def inputs_of(size: int, kernel: int, stride: int, dilation: int, before: int, place: int) -> Iterator[tuple[int, int]]:
    """Yield (entry, input) of a window along an axis."""
    for i in range(kernel):
        if 0 <= place * stride + i * dilation - before < size:
            yield i, place * stride + i * dilation - before


class Model:
    """conv 2 3x2 (stride 1x2, padding 1, dilation 1x2) relu, maxpool 2 stride 1, dense 1; half_mse, sgd, full batch."""

    words = "conv 2 3x2 stride=1x2 padding=1 dilation=1x2, pool 2 stride=1, dense 3 identity"

    def __init__(self, theta: Array, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.rows, self.columns = height, (width + 2 - 3) // 2 + 1
        counts = [12, 2, (self.rows - 1) * (self.columns - 1) * 2 * 3, 3, 3, 1]
        self.parts = [part.tolist() for part in np.split(theta, np.cumsum(counts)[:-1])]

    def windows(self) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
        """Yield y, x and (entry, input) pairs of each place of the convolution."""
        for y, x in itertools.product(range(self.rows), range(self.columns)):
            down = list(inputs_of(self.height, 3, 1, 1, 1, y))
            across = list(inputs_of(self.width, 2, 2, 2, 1, x))
            yield y, x, [(2 * i + j, r * self.width + q) for i, r in down for j, q in across]

    def forward(self, a: list[float]) -> tuple[list[float], list[float], list[float], float]:
        """Return the outputs of the four layers."""
        W, b, V, c, U, e = self.parts
        Z = [0.0] * (self.rows * self.columns * 2)
        for y, x, met in self.windows():
            for f in range(2):
                z = b[f]
                for entry, k in met:
                    z = fma(a[k], W[2 * entry + f], z)
                Z[(y * self.columns + x) * 2 + f] = max(z, 0.0)
        P = [max(Z[k] for k in four) for four in self.pools()]
        H = []
        for j in range(3):
            h = c[j]
            for i, p in enumerate(P):
                h = fma(p, V[3 * i + j], h)
            H.append(h)
        out: float = e[0]
        for i, h in enumerate(H):
            out = fma(h, U[i], out)
        return Z, P, H, out

    def pools(self) -> Iterator[list[int]]:
        """Yield the entries of each pooling window."""
        for y, x, f in itertools.product(range(self.rows - 1), range(self.columns - 1), range(2)):
            yield [((y + i) * self.columns + x + j) * 2 + f for i, j in itertools.product(range(2), range(2))]

    def step(self, X: list[list[float]], Y: list[float], rate: float) -> None:
        """Move the weights by the gradient of all samples."""
        V, U = self.parts[2], self.parts[4]
        G = [[0.0] * len(part) for part in self.parts]
        for a, y in zip(X, Y, strict=True):
            Z, P, H, out = self.forward(a)
            delta = (out - y) * 1.0 * (1.0 / len(X)) * 1.0
            for i, h in enumerate(H):
                G[4][i] = fma(h, delta, G[4][i])
            G[5][0] += delta
            d = [fma(delta, u, 0.0) for u in U]
            for (i, p), j in itertools.product(enumerate(P), range(3)):
                G[2][3 * i + j] = fma(p, d[j], G[2][3 * i + j])
            for j in range(3):
                G[3][j] += d[j]
            D = self.deltas(Z, P, d, V)
            self.add_gradient(a, D, G)
        for part, gradient in zip(self.parts, G, strict=True):
            for k, g in enumerate(gradient):
                part[k] = fma(-rate, g, part[k])

    def deltas(self, Z: list[float], P: list[float], d: list[float], V: list[float]) -> list[float]:
        """Return the deltas of the convolution."""
        D = [0.0] * len(Z)
        for k, four in enumerate(self.pools()):
            total = 0.0
            for j in range(3):
                total = fma(d[j], V[3 * k + j], total)
            D[next(q for q in four if Z[q] == P[k])] += total
        return [delta * (z > 0.0) for delta, z in zip(D, Z, strict=True)]

    def add_gradient(self, a: list[float], D: list[float], G: list[list[float]]) -> None:
        """Add a sample's gradient of the convolution."""
        own = [[0.0] * 12, [0.0] * 2]
        for y, x, met in self.windows():
            for f in range(2):
                delta = D[(y * self.columns + x) * 2 + f]
                own[1][f] += delta
                for entry, k in met:
                    own[0][2 * entry + f] = fma(a[k], delta, own[0][2 * entry + f])
        for to, gradient in zip(G, own, strict=False):
            for k, g in enumerate(gradient):
                to[k] += g


def test_every_sum_has_its_order() -> None:
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(11, 30)), rng.normal(size=11)
    source = FixedSource(Dataset.from_arrays(X, y, image_shape=(5, 6)))
    cohort = cohort_of(Model.words, source, loss="half_mse", batch_size="full", epochs=3, dtype="float64")
    block = make_block(cohort)
    model = Model(block.theta(0), 5, 6)
    trained(block)
    for _ in range(3):
        model.step(X.tolist(), y.tolist(), 0.1)
    np.testing.assert_array_equal(block.theta(0), np.concatenate(model.parts))
