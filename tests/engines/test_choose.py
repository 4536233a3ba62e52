"""Which engine trains what, and why; what cannot work is said before anything is trained."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from typing import Any

import pytest

from chainrule import Member, Runs, TrainingConfig, mlp, train, train_members
from chainrule.engines import choose_all
from chainrule.engines.choose import LANES_MEMBERS, LANES_UNITS
from chainrule.errors import ConfigError
from chainrule.nn import Dense, Network, parse_layers


def engines(runs: Runs) -> list[tuple[str, str]]:
    return [(run.engine, run.engine_reason) for run in runs]


def short(network: Any, data: Any = "xor", **settings: Any) -> Runs:
    return train(network, data, **{"epochs": 1, **settings})


def test_small_networks_in_company_share_lanes() -> None:
    for run in short(mlp([4, 4]), seeds=LANES_MEMBERS):
        assert run.engine == "lanes"
        assert run.engine_reason == f"auto: 4 networks of at most {LANES_UNITS} units share SIMD lanes"


def test_few_networks_and_wide_ones_do_not() -> None:
    assert engines(short(mlp([4]))) == [("gemm", "auto: 1 network would leave most SIMD lanes idle")]
    wide = short(mlp([300]), seeds=9)
    assert set(engines(wide)) == {("gemm", "auto: with 300 units the network fills vectors by itself")}
    heavy = short(mlp([60, 60, 60]), seeds=9)
    assert set(engines(heavy)) == {("gemm", "auto: with 7,561 weights the network fills vectors by itself")}


@pytest.mark.parametrize(
    ("members", "batch", "dtype", "engine"),
    [
        (16, 4, "float32", "lanes"), (16, 16, "float32", "gemm"), (16, 17, "float32", "lanes"),
        (1, 1, "float32", "gemm"), (2, 1, "float32", "lanes"), (4, 4, "float64", "gemm"),
        (8, 4, "float64", "lanes"), (8, "full", "float64", "gemm"),
    ],
)  # fmt: skip
def test_images_go_where_vectors_are_fuller(members: int, batch: int | str, dtype: str, engine: str) -> None:
    network = parse_layers("conv 2 3, pool 2")
    settings: dict[str, Any] = {"loss": "softmax_cross_entropy", "batch_size": batch, "dtype": dtype, "epochs": 0}
    runs = short(network, "digits", seeds=members, **settings)
    assert {run.engine for run in runs} == {engine}
    why = "networks share SIMD lanes, batches of" if engine == "lanes" else "the samples of a batch share SIMD lanes"
    assert why in runs[0].engine_reason


def test_members_of_different_settings_are_company_if_they_can_share_blocks() -> None:
    config = TrainingConfig(epochs=1)
    members = [
        *(
            Member(mlp([width]), config.replace(schedule=spec), 3)
            for width in (2, 3)
            for spec in ("constant", "step(1)")
        ),
        *(Member(mlp([width], "relu"), config, 3) for width in (2, 3)),
    ]
    runs = train_members(members, "xor")
    assert [run.engine for run in runs] == ["lanes"] * 4 + ["gemm"] * 2
    assert [run.member.network.layers[0].units for run in runs] == [2, 2, 3, 3, 2, 3]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("network", "settings", "why"),
    [
        (mlp([3], dropout=0.1), {}, "layer 'dropout' is computed by the reference engine only"),
        (mlp([3], normalize=True), {}, "layer 'standardize' is computed by the reference engine only"),
        (mlp([3], "softmax"), {}, "softmax in a hidden layer is computed by the reference engine only"),
        (
            mlp([3]),
            {"schedule": "warmup(2, then='loss_ratio(3)')"},
            "schedule 'warmup(epochs=2, then='loss_ratio(3)')'",
        ),
        (mlp([3]), {"stopping": ("target(0.9, metric=f1)",)}, "stopping rules that watch 'f1'"),
    ],
)
def test_what_only_the_reference_computes_goes_there(
    caplog: pytest.LogCaptureFixture, network: Network, settings: dict[str, Any], why: str
) -> None:
    with caplog.at_level(logging.INFO, logger="chainrule"):
        runs = short(network, seeds=5, **settings)
    for engine, reason in engines(runs):
        assert engine == "reference"
        assert reason.startswith(f"auto: {why}")
    (line,) = [record for record in caplog.records if "reference engine trains" in record.getMessage()]
    assert (line.levelno, why in line.getMessage()) == (logging.INFO, True)
    for engine in ("lanes", "gemm"):
        with pytest.raises(ConfigError, match=re.escape(f"engine '{engine}' cannot train this: {why}")):
            short(network, engine=engine, **settings)


def test_one_line_for_each_reason(caplog: pytest.LogCaptureFixture) -> None:
    config = TrainingConfig(epochs=1)
    networks = [mlp([width], dropout=0.1) for width in (2, 3, 4)] + [mlp([2], normalize=True), mlp([2])]
    with caplog.at_level(logging.INFO, logger="chainrule"):
        train_members([Member(network, config, seed) for network in networks for seed in range(2)], "xor")
    lines = [record.getMessage() for record in caplog.records if "reference engine trains" in record.getMessage()]
    assert lines == [
        "auto: the reference engine trains 6 networks: layer 'dropout' is computed by the reference engine only",
        "auto: the reference engine trains 2 networks: layer 'standardize' is computed by the reference engine only",
    ]


@pytest.mark.parametrize("engine", ["reference", "lanes", "gemm"])
def test_what_was_asked_for(engine: str) -> None:
    assert set(engines(short(mlp([3]), seeds=2, engine=engine))) == {(engine, "asked for")}


@pytest.mark.parametrize("engine", ["auto", "reference", "lanes", "gemm"])
def test_too_little_memory_for_one_member(engine: str) -> None:
    with pytest.raises(
        ConfigError, match=r"one network takes about .* in training, more than memory allows \(64 KiB\)"
    ):
        short(mlp([300]), "digits", loss="softmax_cross_entropy", engine=engine, memory="64 KiB")


def test_nothing_is_trained_if_one_cohort_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    def trained(*_: Any) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr("chainrule.engines.compiled.engine.CompiledEngine.train_together", trained)
    config = TrainingConfig(epochs=1)
    members = [Member(mlp([2]), config, 0), Member(mlp([2], dropout=0.5), config, 0)]
    with pytest.raises(ConfigError, match="engine 'lanes' cannot train this: layer 'dropout'"):
        train_members(members, "xor", engine="lanes")
    with pytest.raises(ConfigError, match="one network takes about"):
        train_members([members[0], Member(mlp([5000]), config, 0)], "xor", memory="100 KiB")


def test_a_softmax_output_needs_its_loss() -> None:
    network = Network((Dense(3, "tanh"), Dense(3, "softmax")))
    data = ([[0.0], [1.0], [2.0]], ["a", "b", "c"])
    assert short(network, data, loss="softmax_cross_entropy")[0].engine == "gemm"
    assert short(network, data, loss="mse")[0].engine == "reference"


def test_an_unknown_engine_is_refused_for_nothing_too() -> None:
    from chainrule.resources import resources_from

    with pytest.raises(ConfigError, match="unknown engine 'gpu'"):
        choose_all("gpu", [], resources_from())
    assert choose_all("auto", [], resources_from()) == []


def test_numba_is_imported_for_the_compiled_engines_only() -> None:
    """It takes longer to import than all the rest."""
    code = (
        "import sys, chainrule as c; c.train(c.mlp([3], dropout=0.1), 'xor', epochs=1); "
        "assert 'numba' not in sys.modules; c.train(c.mlp([3]), 'xor', epochs=1); assert 'numba' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
