"""Aggregates against the same numbers worked out run by run in plain Python."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ConfigError
from chainrule.experiments.running.tasks import make_tasks
from chainrule.experiments.store import Rule, Store, parse_rule
from chainrule.experiments.store.axes import axes_of
from chainrule.nn import Network, mlp, parse_layers
from chainrule.nn._describe import describe_layer
from tests.store.conftest import Open, Pairs, setting_of, train

RATES, WIDTHS = (0.1, 1.0, 3.0), ((3,), (2, 2))


@pytest.fixture(scope="module")
def grid() -> Pairs:
    """A grid over two axes, with unequal numbers of seeds."""
    pairs: Pairs = []
    for number, (rate, hidden) in enumerate((rate, hidden) for rate in RATES for hidden in WIDTHS):
        setting = setting_of(learning_rate=rate, hidden=hidden, epochs=6, stopping="loss_below(0.25)")
        pairs += train(make_tasks([(setting, range(number + 2))]))
    return pairs


@pytest.fixture
def filled(store: Store, grid: Pairs) -> Store:
    """A store of the grid, saved in pieces that fit nothing."""
    for start in range(0, len(grid), 5):
        store.save(grid[start : start + 5])
    return store


def expected(pairs: Pairs, metric: str, rule: Any) -> tuple[int, int, float, float]:
    runs = [run for _, run in pairs]
    values = [float(run.final[metric]) for run in runs]
    return len(runs), sum(map(rule, runs)), statistics.fmean(values), statistics.median(values)


@pytest.mark.parametrize(
    ("axis", "value_of"),
    [
        ("training.learning_rate", lambda run: run.member.config.learning_rate),
        ("network.hidden", lambda run: [describe_layer(layer)["units"] for layer in run.member.network.layers[:-1]]),
        ("data.source", lambda run: "xor"),
        ("network.activation", lambda run: "tanh"),
        ("training.stopping", lambda run: ["loss_below(threshold=0.25)"]),
    ],
)
def test_each_axis_is_aggregated(filled: Store, grid: Pairs, axis: str, value_of: Any) -> None:
    groups = filled.aggregate(axis, success="loss<=0.25")
    wanted: dict[str, Pairs] = {}
    for pair in grid:
        wanted.setdefault(json.dumps(value_of(pair[1])), []).append(pair)
    assert [json.dumps(group.place[axis]) for group in groups] == sorted(wanted)
    for group in groups:
        n, successes, mean, median = expected(
            wanted[json.dumps(group.place[axis])], "loss", lambda run: run.final["loss"] <= 0.25
        )
        assert (group.n, group.successes, group.counted) == (n, successes, n)
        assert group.rate == successes / n
        assert group.mean == pytest.approx(mean, rel=1e-14)
        assert group.median == pytest.approx(median, rel=1e-15)


def test_two_axes_and_a_filter(filled: Store, grid: Pairs) -> None:
    axes = ("network.hidden", "training.learning_rate")
    groups = filled.aggregate(axes, metric="epochs", where={"training.learning_rate": {0.1, 3.0}})
    assert [tuple(group.place.values()) for group in groups] == [([2, 2], 0.1), ([2, 2], 3.0), ([3], 0.1), ([3], 3.0)]
    assert [group.n for group in groups] == [3, 7, 2, 6]
    for group in groups:
        assert group.successes == sum(
            run.converged
            for task, run in grid
            if task.setting.config.learning_rate == group.place[axes[1]]
            and [describe_layer(layer)["units"] for layer in task.setting.net.layers[:-1]] == group.place[axes[0]]
        )


def test_all_together(filled: Store, grid: Pairs) -> None:
    (whole,) = filled.aggregate()
    assert (whole.place, whole.n) == ({}, len(grid))
    assert whole.median == statistics.median(run.final["loss"] for _, run in grid)


def test_numbers_that_are_none_do_not_count(store: Store, grid: Pairs) -> None:
    task, run = grid[0]
    store.save([(task, replace(run, final={"loss": math.nan, "extra": 3.0})), *grid[1:3]])
    (group,) = store.aggregate(success="loss<=100")
    assert (group.n, group.successes, group.counted) == (3, 2, 2)
    assert group.mean == pytest.approx(statistics.fmean(run.final["loss"] for _, run in grid[1:3]))
    (extra,) = store.aggregate(metric="extra", success="extra>=3")
    assert (extra.n, extra.successes, extra.counted, extra.median) == (3, 1, 1, 3.0)
    empty = store.aggregate(metric="loss", where={"training.learning_rate": 77.0})
    assert empty == []


def test_infinite_values_are_numbers(store: Store, grid: Pairs) -> None:
    values = [math.inf, 1.0, -math.inf]
    store.save([(task, replace(run, final={"loss": v})) for (task, run), v in zip(grid, values, strict=False)])
    (group,) = store.aggregate()
    assert (group.counted, group.median) == (3, 1.0)
    assert math.isnan(group.mean)


def test_random_groupings_agree_with_numpy() -> None:
    from chainrule.experiments.store.queries import _group

    random = np.random.default_rng(5)
    code, values = random.integers(0, 40, 5000), random.normal(size=5000)
    values[random.random(5000) < 0.1] = np.nan
    passed = random.random(5000) < 0.3
    judged = passed | (random.random(5000) < 0.5)
    for k, (n, successes, known, counted, mean, median) in enumerate(_group(code, 41, values, passed, judged)):
        mine, here = values[code == k], code == k
        assert (n, successes, known) == (mine.size, passed[here].sum(), judged[here].sum())
        assert counted == (~np.isnan(mine)).sum()
        if counted:
            assert mean == pytest.approx(np.nanmean(mine), rel=1e-12)
            assert median == np.nanmedian(mine)
        else:
            assert math.isnan(mean)
            assert math.isnan(median)


def test_rows_are_filtered(filled: Store, grid: Pairs) -> None:
    rows = filled.rows({"training.learning_rate": 3.0}, ["loss<=0.25", "epochs>=1"])
    wanted = [
        task
        for task, run in grid
        if task.setting.config.learning_rate == 3.0 and run.final["loss"] <= 0.25 and run.epochs
    ]
    assert [row["key"] for row in rows] == [task.key.hex() for task in wanted]
    assert [row["seed"] for row in rows] == [task.seed for task in wanted]
    assert filled.rows({"training.learning_rate": 3.0}, ["loss<=0.25", "epochs>=1"], limit=1) == rows[:1]
    assert len(filled.rows()) == len(grid)
    row = filled.rows(limit=1)[0]
    assert row["final_loss"] == grid[0][1].final["loss"]
    assert (row["source"], row["learning_rate"], row["numerics"]) == ("xor", 0.1, grid[0][0].numerics)


def test_settings_axes_and_metrics_are_listed(filled: Store, grid: Pairs) -> None:
    told = filled.settings()
    assert [info.n for info in told] == [2, 3, 4, 5, 6, 7]
    assert [info.setting for info in told] == list(dict.fromkeys(task.setting for task, _ in grid))
    assert sum(info.converged for info in told) == sum(run.converged for _, run in grid)
    assert len(filled.settings(limit=2)) == 2
    assert filled.axes() == {"network.hidden": 2, "network.layers": 2, "training.learning_rate": 3}
    assert {"seed", "converged", "epochs", "loss"} <= set(filled.metrics())


def test_runs_without_a_rule_are_not_failures(store: Store, grid: Pairs) -> None:
    setting = setting_of(learning_rate=3.0, stopping="patience(3)", validation=0.25)
    without = train(make_tasks([(setting, range(4))]))
    store.save([*grid, *without])
    assert [info.can_converge for info in store.settings()] == [True] * 6 + [False]
    at_three = [run.converged for task, run in grid if task.setting.config.learning_rate == 3.0]
    (group,) = store.aggregate(where={"training.learning_rate": 3.0})
    assert (group.n, group.judged, group.successes) == (len(at_three) + 4, len(at_three), sum(at_three))
    assert group.rate == sum(at_three) / len(at_three)
    (alone,) = store.aggregate(where={"training.validation": 0.25})
    assert (alone.n, alone.judged, alone.successes) == (4, 0, 0)
    assert math.isnan(alone.rate)
    (by_rule,) = store.aggregate(success="epochs>=0", where={"training.learning_rate": 3.0})
    assert (by_rule.judged, by_rule.rate) == (len(at_three) + 4, 1.0)


def test_settings_that_do_not_record_a_value_are_no_failures(store: Store, grid: Pairs) -> None:
    held = train(make_tasks([(setting_of(validation=0.25), range(5))]))
    task, run = held[0]
    held[0] = task, replace(run, stop_reason="diverged", final=dict.fromkeys(run.final, math.nan))
    lost = train(make_tasks([(setting_of(validation=0.5), range(2))]))
    lost = [(task, replace(run, stop_reason="diverged", final={})) for task, run in lost]
    store.save([*grid, *held, *lost])
    good = sum(run.final["validation_accuracy"] >= 0.5 for _, run in held)
    groups = store.aggregate("training.validation", success="validation_accuracy>=0.5")
    told = [(group.place["training.validation"], group.n, group.judged, group.successes) for group in groups]
    assert told == [(0.0, len(grid), 0, 0), (0.25, 5, 5, good), (0.5, 2, 2, 0)]
    assert math.isnan(groups[0].rate)
    (together,) = store.aggregate(success="validation_accuracy>=0.5")
    assert (together.n, together.judged, together.successes) == (len(grid) + 7, 7, good)
    assert store.aggregate(success="loss<=inf")[0].judged == len(grid) + 7


def test_an_empty_store_answers(store: Store) -> None:
    assert (store.settings(), store.axes(), store.rows()) == ([], {}, [])
    assert store.aggregate() == []


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda s: s.aggregate("training.learning_rat"), "unknown axis 'training.learning_rat'; did you mean"),
        (lambda s: s.aggregate("rubbish"), "unknown axis 'rubbish'"),
        (lambda s: s.aggregate(metric="los"), "unknown final value 'los'; did you mean 'loss'"),
        (lambda s: s.aggregate(success="accuracy>0.5"), "cannot read the rule 'accuracy>0.5'"),
        (lambda s: s.rows(having=["accurate>=0.5"]), "unknown final value 'accurate'"),
        (lambda s: s.rows(having=["accuracy>=e-e"]), "'e-e' is not a number"),
        (lambda s: s.rows({"seed": 3}), "unknown axis 'seed'"),
    ],
)
def test_what_is_not_there_is_named(filled: Store, ask: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        ask(filled)


def test_rules_are_read() -> None:
    assert parse_rule("tolerance_accuracy(0.4) >= 1e-1") == Rule("tolerance_accuracy(0.4)", True, 0.1)
    assert parse_rule("loss<=inf") == Rule("loss", False, math.inf)
    assert parse_rule("converged") == Rule("converged", True, 1.0)


def test_runs_of_one_setting_on_other_data_are_told_apart(opened: Open, grid: Pairs) -> None:
    store = opened()
    store.save(grid[:2])
    other = [(replace(task, data="elsewhere"), run) for task, run in grid[:2]]
    store.save(other)
    assert [group.n for group in store.aggregate("data.fingerprint")] == [2, 2]
    assert [group.n for group in store.aggregate("data.fingerprint", where={"data.fingerprint": "elsewhere"})] == [2]
    assert store.count() == 4


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (mlp([]), {"network.hidden": [], "network.layers": "dense", "network.activation": None}),
        (
            mlp([4, 3], "tanh", dropout=0.1, normalize=True, l2=0.5),
            {"network.hidden": [4, 3], "network.activation": "tanh", "network.normalize": True, "network.dropout": 0.1},
        ),
        (
            parse_layers("conv 8 5 tanh, pool 2, dense 6 tanh, dropout 0.2"),
            {
                "network.layers": "conv2d 8 5x5 tanh, max_pool2d 2x2, flatten, dense 6 tanh, dropout 0.2, dense",
                "network.activation": "tanh",
                "network.hidden": "absent",
                "network.normalize": False,
            },
        ),
    ],
)
def test_axes_are_read_off_a_network(network: Network, expected: dict[str, Any]) -> None:
    found = axes_of("network", json.dumps(network.describe(), sort_keys=True))
    assert {name: json.loads(found.get(name, '"absent"')) for name in expected} == expected
