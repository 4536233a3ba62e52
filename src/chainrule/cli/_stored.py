"""What `chainrule store list` shows: settings, groups along axes, single runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chainrule.cli._console import Output, clean, count, number, pairs, share, table

if TYPE_CHECKING:
    from chainrule.experiments.store import Group, Store

MOST_AXES = 4
"""Varying axes that a table of settings shows, those with the most values first."""

MOST_MACHINES = 4

FIRST_AXES = (
    "data.source",
    "network.activation",
    "network.hidden",
    "training.batch_size",
    "training.learning_rate",
    "training.optimizer",
)
"""Those shown first of axes with as many values."""

CONVERGED = "converged"
NO_RULE = "no rule"
RULES = f"{NO_RULE}: no stopping rule says what success is; give --success, as 'accuracy>=0.99'"
"""What is told in place of a rate of 0 %."""
NO_VALUE = "no value"

RUN_COLUMNS = ("seed", "source", "layers", "optimizer", "learning_rate", "stop_reason", "epochs_run")


def size(n_bytes: int) -> str:
    """Write a number of bytes: ``12.3 MB``."""
    value, unit = float(n_bytes), "bytes"
    for unit in ("bytes", "kB", "MB", "GB"):  # noqa: B007
        if value < 1000:
            break
        value /= 1000
    return f"{n_bytes:,} bytes" if unit == "bytes" else f"{value:.3g} {unit}"


def show_settings(output: Output, store: Store, limit: int) -> None:
    """Show what a store holds."""
    n, n_settings, axes = store.count(), store.count_settings(), store.axes()
    facts = {"store": store.redacted, "runs": n, "settings": n_settings, "bytes": store.size}
    rows = [
        {
            **info.place,
            "n": info.n,
            "converged": info.converged,
            "can_converge": info.can_converge,
            "key": info.setting.key,
        }
        for info in store.settings(limit)
    ]
    made = store.machines()
    makers = [{"runs": one.n, "first": one.first, "last": one.last, **one.facts} for one in made]
    values = {"metrics": store.metrics(), "axes": axes, "machines": makers}
    output.json({"command": "store list", **facts, **values, "listed": rows})
    told = {"store": store.redacted, "runs": f"{n:,}", "settings": f"{n_settings:,}", "size": size(store.size)}
    if axes:
        told["what varies"] = ", ".join(f"{axis} ({count(k, 'value')})" for axis, k in axes.items())
    for k, one in enumerate(made[:MOST_MACHINES]):
        told["made on" if len(made) == 1 else f"machine {k + 1}"] = f"{one.words} ({count(one.n, 'run')})"
    if len(made) > MOST_MACHINES:
        told["machines"] = f"{len(made):,}; --json tells all"
    output.result(pairs(told))
    named = sorted(axes, key=lambda axis: (-axes[axis], axis not in FIRST_AXES, axis))[:MOST_AXES] or ["data.source"]
    cells = [
        [*(_word(row.get(axis)) for axis in named), f"{row['n']:,}", share(row["converged"] / row["n"], 1)]
        if row["can_converge"]
        else [*(_word(row.get(axis)) for axis in named), f"{row['n']:,}", NO_RULE]
        for row in rows
    ]
    if rows:
        output.detail(table([*map(_short, named), "runs", "converged"], cells, "l" * len(named) + "r"))
    if not all(row["can_converge"] for row in rows):
        output.detail(RULES)
    _note_rest(output, n_settings, limit, "setting")


def show_groups(
    output: Output, store: Store, by: Sequence[str], metric: str, success: str, where: Mapping[str, Any], limit: int
) -> None:
    """Show how runs ended along some axes."""
    groups = store.aggregate(by, metric, success, where)
    output.json(
        {
            "command": "store list",
            "store": store.redacted,
            "by": list(by),
            "metric": metric,
            "success": success,
            "groups": [_group_facts(group) for group in groups],
        }
    )
    if not groups:
        output.result(f"no runs lie there; {clean(store.redacted)} has {count(store.count(), 'run')}")
        return
    lack = NO_RULE if success == CONVERGED else NO_VALUE
    cells = [_group_cells(group, by, lack) for group in groups[:limit]]
    columns = [*map(_short, by), "runs", "success", "95 % interval", f"median {metric}", f"mean {metric}"]
    output.result(table(columns, cells, "l" * len(by) + "r"))
    output.detail(f"success: {clean(success)}; {clean(store.redacted)}")
    if left := sum(group.n - group.judged for group in groups):
        why = (
            RULES if success == CONVERGED else f"{NO_VALUE}: the settings do not record what {clean(success)} asks for"
        )
        output.detail(f"{why}; {count(left, 'run')} without it {_are(left)} left out of the rates")
    _note_rest(output, len(groups), limit, "group")


def _group_facts(group: Group) -> dict[str, Any]:
    from chainrule.stats import success_rate

    facts: dict[str, Any] = {"n": group.n, "successes": group.successes, "judged": group.judged}
    if group.judged:
        rate = success_rate(group.successes, group.judged)
        facts |= {"rate": rate.rate, "low": rate.low, "high": rate.high}
    else:
        facts |= {"rate": None, "low": None, "high": None}
    return {"place": group.place, **facts, "counted": group.counted, "mean": group.mean, "median": group.median}


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _group_cells(group: Group, by: Sequence[str], lack: str) -> list[str]:
    facts = _group_facts(group)
    judged = [share(facts["rate"], 1), f"{share(facts['low'], 1)} to {share(facts['high'], 1)}"]
    values = [number(group.median), number(group.mean)]
    return [
        *(_word(group.place[axis]) for axis in by),
        f"{group.n:,}",
        *(judged if group.judged else [lack, "-"]),
        *values,
    ]


def show_runs(output: Output, store: Store, where: Mapping[str, Any], rules: Sequence[str], limit: int) -> None:
    """Show single runs."""
    rows = store.rows(where, rules, limit)
    output.json({"command": "store list", "store": store.redacted, "runs": rows})
    if not rows:
        output.result(f"no runs are so; {clean(store.redacted)} has {count(store.count(), 'run')}")
        return
    finals = list(dict.fromkeys(name for row in rows for name in row if name.startswith("final_")))[:3]
    named = [*RUN_COLUMNS, *finals]
    cells = [[_word(row.get(name)) for name in named] for row in rows]
    output.result(
        table([name.removeprefix("final_").replace("_", " ") for name in named], cells, "rllrrlr", tight=True)
    )
    if len(rows) == limit:
        output.detail(f"the first {limit:,}; --limit shows more")


def _note_rest(output: Output, n: int, limit: int, what: str) -> None:
    if n > limit:
        output.detail(f"{limit:,} of {count(n, what)}; --limit shows more")


def _short(axis: str) -> str:
    """Leave the table's name out of an axis where its own is enough."""
    return axis.partition(".")[2] if axis.startswith(("training.", "network.")) else axis


def _word(value: Any) -> str:
    """Write a value for a table."""
    if isinstance(value, list):
        plain = all(isinstance(part, int) for part in value)
        return "x".join(map(str, value)) if plain and value else clean(json.dumps(value))
    if isinstance(value, float):
        return number(value)
    return "-" if value is None else clean(value)
