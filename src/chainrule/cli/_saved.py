"""Reading a saved run back: which of its runs, its data, its classes."""

from __future__ import annotations

import json

from chainrule.cli._options import naming, parse_path
from chainrule.cli._training import CLASSES_NOTE
from chainrule.data import DataSource, load
from chainrule.errors import ChainruleError, ConfigError, RunError
from chainrule.runs import Run, Runs


def load_runs(folder: str) -> Runs:
    """Load a saved run; at least one network is in it."""
    runs = Runs.load(parse_path(folder, "RUN"))
    if not len(runs):
        raise RunError(f"the run saved in {folder} holds no networks")
    return runs


def choose_rate(runs: Runs, rate: float | None) -> Runs:
    """Return the runs of one learning rate: the one asked for, or the first."""
    rates = list(dict.fromkeys(run.member.config.learning_rate for run in runs))
    wanted = rates[0] if rate is None else rate
    if wanted not in rates:
        raise ConfigError(f"--lr: no run has rate {wanted:g} (rates here: {', '.join(f'{r:g}' for r in rates)})")
    return runs.where(lambda run: run.member.config.learning_rate == wanted)


def choose_seed(runs: Runs, seed: int | None) -> Run:
    """Return the run of one seed: the one asked for, or the first."""
    with naming("--seed"):
        return runs[0] if seed is None else runs.with_seed(seed)


def classes_of(runs: Runs) -> tuple[str, ...]:
    """Return what the class numbers of a run stand for, as far as it was saved."""
    for note in runs.notes:
        if note.startswith(CLASSES_NOTE):
            try:
                return tuple(map(str, json.loads(note.removeprefix(CLASSES_NOTE))))
            except ValueError:
                return ()
    return ()


def task_of(run: Run, classes: tuple[str, ...]) -> str:
    """Return what a network was trained for, by its outputs and the saved classes."""
    outputs = run.member.network.output_shape[-1]
    if classes:
        return "binary" if len(classes) == 2 and outputs == 1 else "multiclass"
    return {"softmax": "multiclass", "sigmoid": "binary"}.get(run.member.network.output_activation.name, "regression")


def source_of(runs: Runs, data_dir: str | None) -> DataSource | str:
    """Return the data that runs were trained on, or one line that says why they are not to be had."""
    try:
        return load(runs.source, None if data_dir is None else parse_path(data_dir, "--data-dir"))
    except ChainruleError as error:
        return str(error)
