"""A training run's summary as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from chainrule.cli._console import Output, clean, count, number, pairs, share, table
from chainrule.cli._summary import RateSummary, Spread
from chainrule.experiments.recipes.success import SuccessRule
from chainrule.metrics import metric
from chainrule.runs import Run, Runs

MAX_CAUSES = 5
SHARES = ("accuracy", "tolerance_accuracy", "median_threshold_accuracy")


def show_settings(output: Output, runs: Runs) -> None:
    """Print what was trained."""
    run = runs[0]
    config, network = run.member.config, run.member.network
    rates = list(dict.fromkeys(one.member.config.learning_rate for one in runs))
    seeds = list(dict.fromkeys(one.seed for one in runs))
    facts = {
        "data": runs.source,
        "network": describe_network(run),
        "weights": f"{network.n_parameters:,}",
        "loss": config.loss,
        "optimizer": f"{config.optimizer}, learning rate {', '.join(f'{rate:g}' for rate in rates)}"
        + (f", schedule {config.schedule}" if config.schedule != "constant" else ""),
        "batch": "full" if config.batch_size == "full" else f"{config.batch_size}",
        "epochs": f"at most {config.epochs:,}" + "".join(f", {rule}" for rule in config.stopping),
        "seeds": f"{len(seeds)} ({seeds[0]} to {seeds[-1]})" if len(seeds) > 1 else str(seeds[0]),
        "engine": ", ".join(dict.fromkeys(describe_engine(one) for one in runs)),
    }
    output.detail(pairs(facts))


def describe_engine(run: Run) -> str:
    """Write which engine trained a run, and why that one."""
    return f"{run.engine}: {run.engine_reason}" if run.engine_reason else run.engine


def describe_network(run: Run) -> str:
    """Write a network in one line: ``2 - 4 sigmoid - 1 sigmoid``."""
    network = run.member.network
    parts = ["x".join(map(str, network.shapes[0]))]
    for layer, shape in zip(network.layers, network.shapes[1:], strict=True):
        if layer.name == "dropout":
            parts.append(f"dropout {getattr(layer, 'rate', 0):g}")
        elif layer.name == "standardize":
            parts.append(f"standardize {getattr(layer, 'activation', '')}".strip())
        else:
            bias = "" if getattr(layer, "bias", True) else ", no bias"
            parts.append(f"{'x'.join(map(str, shape))} {getattr(layer, 'activation', '')}{bias}".strip())
    return " - ".join(parts)


def show_history(output: Output, summary: RateSummary) -> None:
    """Print the lines of the training: the shown seed's values, and the medians over all seeds."""
    keys, n = summary.history.keys, len(summary.runs)
    several = n > 1
    own = f"seed {summary.shown.seed}" if summary.shown.seed < 1000 else "seed"
    columns = ["epoch", *(f"{own}\n{short(key)}" for key in keys)]
    columns += [f"median\n{short(key)}" for key in keys] if several else []
    rows = []
    for epoch, values, medians in summary.history.rows:
        shown = (*values, *(medians if several else ()))
        rows.append([f"{epoch:,}", *(written(key, v, 1) for key, v in zip(keys * 2, shown, strict=False))])
    if not keys:
        output.heading(f"Training, learning rate {summary.rate:g}: the loss was never finite")
        return
    told = f"Training: seed {summary.shown.seed}" + (f" and the median over {count(n, 'seed')}" if several else "")
    output.heading(f"{told}, learning rate {summary.rate:g}")
    output.detail(table(columns, rows, tight=len(columns) > 5))


def show_finals(output: Output, summary: RateSummary) -> None:
    """Print the final values: the shown seed's, and median and middle 90 % over all seeds."""
    output.heading(f"Final values, learning rate {summary.rate:g}")
    n = len(summary.runs)
    rows = []
    for key, (value, spread) in summary.final.items():
        cells = [key, written(key, value)]
        if n > 1:
            cells += [written(key, v) for v in (spread.median, spread.low, spread.high)]
        rows.append(cells)
    columns = ["", f"seed {summary.shown.seed}", *(("median", "5 %", "95 %") if n > 1 else ())]
    output.detail(table(columns, rows, "lrrrr"))


def show_verdict(output: Output, summary: RateSummary, rule: SuccessRule | None, several: bool) -> None:
    """Print the success rate with its interval, epochs to success, stop reasons and divergences."""
    before = f"learning rate {summary.rate:g}: " if several else ""
    if summary.success is not None and rule is not None:
        told = rule.told(summary.shown.member.config)
        output.result(f"{before}{success_line(summary)}; success: {told}", "bold")
    elif rule is not None:
        n = len(summary.runs)
        finished = n - summary.stop_reasons["interrupted"]
        output.result(f"{before}no success rate: only {finished} of {count(n, 'network')} finished", "bold")
    else:
        output.result(f"{before}no success rule for regression; state one, e.g. --success 'loss<=0.01'")
        _show_loss(output, summary)
    if (needed := summary.to_success) is not None and rule is not None:
        step = summary.shown.member.config.log_every
        exact = "" if step == 1 or rule.key == "converged" else f" (looked at every {step} epochs)"
        output.result(f"  epochs to success: {_spread(needed)}{exact}")
    ends = ", ".join(f"{n} {_REASONS.get(reason, reason)}" for reason, n in summary.stop_reasons.items())
    output.result(f"  ended: {ends}")
    causes = summary.divergences
    for cause in causes[:MAX_CAUSES]:
        when = f"epoch {cause['first_epoch']:,}"
        when += f" to {cause['last_epoch']:,}" if cause["last_epoch"] != cause["first_epoch"] else ""
        n = len(cause["seeds"])
        where = f"{cause['layer']}: {cause['quantity']} not finite"
        output.result(f"  diverged: {count(n, 'seed')}, {when}, {where}; {cause['cause']}", "red")
    if len(causes) > MAX_CAUSES:
        output.result(f"  and {len(causes) - MAX_CAUSES} other causes (--json lists them)")


_REASONS = {
    "epochs": "after all epochs",
    "loss_below": "by loss_below",
    "patience": "by patience",
    "target": "by target",
}


def success_line(summary: RateSummary) -> str:
    """Write the success rate with its exact interval."""
    found = summary.success
    assert found is not None, "only called where there is a rate"
    return (
        f"success rate {100 * found.rate:.1f} % ({found.successes} of {count(found.n, 'seed')}, "
        f"{100 * found.level:.0f} % interval {100 * found.low:.1f} to {100 * found.high:.1f} %)"
    )


def show_saved(output: Output, folder: Path, files: Sequence[str]) -> None:
    """Print where the run lies."""
    output.result(f"saved in {clean(folder)}: {', '.join(files)}")


def _show_loss(output: Output, summary: RateSummary) -> None:
    """Without a success rule, say how the loss is spread."""
    key = "validation_loss" if "validation_loss" in summary.final else "loss"
    output.result(f"  final {key.replace('_', ' ')}: {_spread(summary.final[key][1])}")


def _spread(spread: Spread) -> str:
    """Write a sample's middle."""
    if spread.n == 1:
        return number(spread.median)
    return (
        f"median {number(spread.median)}, 90 % between {number(spread.low)} and {number(spread.high)} (n = {spread.n})"
    )


def short(key: str) -> str:
    """Write a quantity's name above a narrow column."""
    return key.replace("validation_", "val ").replace("accuracy", "acc.")


def written(key: str, value: float | None, decimals: int = 2) -> str:
    """Write a value as its kind asks: shares as per cent."""
    if value is None or not math.isfinite(value):
        return number(value)
    base = key.removeprefix("validation_").removeprefix("test_")
    return share(value, decimals) if base != "loss" and metric(base).name in SHARES else number(value)
