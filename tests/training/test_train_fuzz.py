"""Whatever is given to `train`: our own errors, or runs that are well formed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule import ChainruleError, Dense, Dropout, Network, Runs, TrainingConfig, mlp, train
from chainrule.metrics import METRICS
from chainrule.nn import Standardize
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.initializers import INITIALIZERS
from chainrule.nn.losses import LOSSES
from chainrule.optim import OPTIMIZERS, SCHEDULES
from chainrule.runs import STOP_REASONS

ARGUMENTS = ("", "(1)", "(0.5)", "(2, 0.5)", "(0)", "(-1)", "(3, reduction=sum)", "(nan)")


def specs(names: Any) -> st.SearchStrategy[str]:
    """Specs of registered parts, with values that may or may not be theirs; mostly they are."""
    return st.builds(str.__add__, st.sampled_from(sorted(names)), st.sampled_from(("",) * 30 + ARGUMENTS))


ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 50), st.floats(), st.text(max_size=5), st.just([]), st.just({}),
    st.just(np.zeros(2)), st.just(10**400), st.just(1j), st.just(b"x"), st.just(TrainingConfig),
)  # fmt: skip
RULES = st.sampled_from(
    ["loss_below(0.3)", "loss_below(1e9, 3)", "patience(2)", "patience(1, monitor=loss)", "target(0.8)"]
) | st.sampled_from(["target(0.1, metric=validation_mse)", "patience(1, 0.5, 'validation_accuracy')"])
SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "loss": specs(LOSSES),
    "optimizer": specs(OPTIMIZERS),
    "learning_rate": st.sampled_from([1e-3, 0.1, 1.0, 30.0, 1e10, 1e150, 9e299, 5e-324]),
    "schedule": specs(SCHEDULES),
    "batch_size": st.integers(1, 9) | st.just("full"),
    "stopping": st.lists(RULES, max_size=2),
    "clip_norm": st.sampled_from([None, 1e-3, 1.0, 1e200]),
    "clip_value": st.sampled_from([None, 1e-3, 1.0, 1e200]),
    "validation": st.sampled_from([0.0, 0.2, 0.4, 0.01]),
    "test": st.sampled_from([0.0, 0.3]),
    "stratify": st.booleans(),
    "metrics": st.lists(specs(METRICS), max_size=2),
    "log_every": st.integers(1, 4),
    "dtype": st.sampled_from(["float64", "float32"]),
    "class_weight": st.sampled_from([None, "balanced"]),
    "shuffle": st.booleans(),
    "window": st.integers(0, 4),
}


@st.composite
def sensible(draw: st.DrawFn) -> dict[str, Any]:
    """Some settings of the right kind."""
    names = draw(st.lists(st.sampled_from(sorted(SETTINGS)), max_size=6, unique=True))
    return {name: draw(SETTINGS[name]) for name in names} | {"epochs": draw(st.integers(0, 5))}


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Networks that make sense or not, as far as their own checks let them through."""
    activation, init = specs(ACTIVATIONS), st.none() | specs(INITIALIZERS)
    if draw(st.integers(0, 2)):
        return mlp(
            draw(st.lists(st.integers(1, 4), max_size=2)), draw(activation), draw(st.none() | st.none() | activation),
            draw(st.booleans()), draw(init), l1=draw(st.sampled_from([0.0, 0.1])),
            l2=draw(st.sampled_from([0.0, 0.1, 1e300])), dropout=draw(st.sampled_from([0.0, 0.3])),
            normalize=draw(st.booleans()),
        )  # fmt: skip
    dense = st.builds(Dense, st.integers(1, 3), activation, st.booleans(), init)
    layer = st.one_of(dense, st.builds(Standardize, activation), st.builds(Dropout, st.sampled_from([0.0, 0.5])))
    last = st.one_of(st.just(Dense(None, None)), dense, st.builds(Standardize, activation))
    return Network((*draw(st.lists(layer, max_size=3)), draw(last)))


@st.composite
def tables(draw: st.DrawFn) -> Any:
    """Small data: the library's own, and arrays that are mostly fine, with values of any size."""
    if draw(st.integers(0, 2)):
        return draw(st.sampled_from(["xor", "linear(n=9)", "curve(n=7)", "gaussians(n=12)", "parity(2)"]))
    n, d = draw(st.integers(2, 9)), draw(st.integers(1, 3))
    numbers = st.floats(-3, 3, width=32) | st.sampled_from([0.0, 1e30, -1e200, 1e300])
    X = draw(hnp.arrays(np.float64, (n, d), elements=numbers))
    y = draw(
        st.one_of(
            hnp.arrays(np.int64, n, elements=st.integers(0, 1), fill=st.nothing()),
            hnp.arrays(np.int64, n, elements=st.integers(0, 3), fill=st.nothing()),
            hnp.arrays(np.float64, (n, draw(st.integers(1, 2))), elements=numbers, fill=st.nothing()),
            st.just(np.arange(n) * 0.3),
        )
    )
    return X, y


def check_well_formed(runs: Runs, epochs: int, members: int) -> None:
    assert len(runs) == members
    assert not runs.interrupted
    for run in runs:
        config, network = run.member.config, run.member.network
        assert run.stop_reason in STOP_REASONS
        assert 0 <= run.epochs <= epochs
        assert run.converged == (run.stop_reason in ("loss_below", "target"))
        assert (run.divergence is not None) == (run.stop_reason == "diverged")
        assert run.theta.shape == (network.n_parameters,)
        assert run.theta.dtype == np.dtype(config.dtype)
        rows = run.history["epoch"]
        assert all(values.shape == rows.shape for values in run.history.values())
        assert (np.diff(rows) > 0).all()
        assert np.isfinite(run.history["loss"]).all()
        if run.divergence is None:
            assert rows[-1] == run.epochs
            assert np.isfinite(run.theta).all()
            assert math.isfinite(run.final["loss"])
        else:
            assert run.divergence.epoch == run.epochs
            assert len(str(run.divergence).splitlines()) == 1
        assert set(run.history) - {"epoch", "learning_rate", "running_loss"} <= set(run.final)
        assert run.to_row()["epochs_run"] == run.epochs


def attempt(call: Callable[[], Runs]) -> Runs | None:
    """Train; None if an error of our own comes out, which is one line."""
    try:
        return call()
    except ChainruleError as error:
        line = str(error)
    assert len(line.splitlines()) == 1, line
    return None


FUZZ = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@FUZZ
@given(st.data(), tables(), sensible())
def test_sensible_settings(data: st.DataObject, table: Any, config: dict[str, Any]) -> None:
    try:
        network = data.draw(networks())
    except ChainruleError:
        return
    runs = attempt(lambda: train(network, table, seeds=2, **config))
    if runs is not None:
        check_well_formed(runs, config["epochs"], 2)


@FUZZ
@given(sensible(), st.dictionaries(st.sampled_from([*SETTINGS, "epochs", "seeds", "learning_rates"]), ODD, max_size=2))
def test_settings_of_any_kind(config: dict[str, Any], odd: dict[str, Any]) -> None:
    runs = attempt(lambda: train(mlp([2]), "xor", **{**config, **odd}))
    if runs is not None:
        check_well_formed(runs, runs[0].member.config.epochs, len(runs))


ARRAYS = st.one_of(
    hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
    hnp.arrays(hnp.unicode_string_dtypes(max_len=3), hnp.array_shapes(max_dims=2, max_side=4)),
    hnp.arrays(
        np.float64, hnp.array_shapes(max_dims=2, max_side=5), elements=st.floats() | st.sampled_from([0.0, 1.0])
    ),
    st.lists(st.none() | st.integers(0, 2) | st.text(max_size=2) | st.lists(st.floats(), max_size=2), max_size=4),
    ODD,
)


@FUZZ
@given(ARRAYS, ARRAYS)
def test_arrays_of_any_kind(X: Any, y: Any) -> None:
    runs = attempt(lambda: train(mlp([2]), (X, y), epochs=1))
    if runs is not None:
        check_well_formed(runs, 1, 1)


@FUZZ
@given(hnp.arrays(hnp.scalar_dtypes(), (4, 2)), hnp.arrays(hnp.scalar_dtypes(), 4))
def test_arrays_of_any_numbers(X: Any, y: Any) -> None:
    runs = attempt(lambda: train(mlp([2]), (X, y), epochs=1))
    if runs is not None:
        check_well_formed(runs, 1, 1)


@FUZZ
@given(ODD | st.text(max_size=12) | st.lists(ODD, max_size=3) | st.tuples(ODD, ODD), ODD, ODD)
def test_arguments_of_any_kind(data: Any, network: Any, engine: Any) -> None:
    calls: list[Callable[[], Runs]] = [
        lambda: train(mlp([2]), data, epochs=1),
        lambda: train(network, "xor", epochs=1),
        lambda: train(mlp([2]), "xor", epochs=1, engine=engine),
    ]
    for call in calls:
        runs = attempt(call)
        if runs is not None:
            check_well_formed(runs, 1, 1)
