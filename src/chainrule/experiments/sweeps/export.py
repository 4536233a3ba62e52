"""A sweep as a table for other programs: a row a run, in CSV, JSON or Parquet."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError, ConfigError, one_line
from chainrule.experiments.recipes.words import value_word
from chainrule.experiments.running.tasks import make_tasks
from chainrule.experiments.sweeps.result import CellResult, SweepResult
from chainrule.run_tables import write_csv_rows, write_json_rows, write_parquet_rows
from chainrule.runs import Run, Runs

WRITERS: dict[str, Callable[[list[dict[str, Any]], Path], Path]] = {
    ".csv": write_csv_rows,
    ".json": write_json_rows,
    ".parquet": functools.partial(write_parquet_rows, what="a Parquet export"),
}
"""How a table is written, by the ending of its name."""


def export(result: SweepResult, path: str | Path, *, engine: str = "auto", data_dir: str | None = None) -> Path:
    """Write every run of a sweep as one row of a table.

    Columns: ``cell`` (the cell in words), one per axis under its dotted key, ``variant`` where there is one, ``seed``,
    ``fresh`` (whether the seed played no part in choosing), ``success``, ``stop_reason``, ``converged``,
    ``epochs_run``, ``final_*`` (values of the final weights), ``diverged_epoch`` and ``diverged_cause``,
    ``pruned_after`` where halving gave cells up, ``seconds``, ``engine`` and ``key``, the run's key in a store.

    Parameters
    ----------
    result : SweepResult
        Finished or interrupted.
    path : path
        Ends in ``.csv``, ``.json`` or ``.parquet`` (which needs the tables extra).
    engine, data_dir
        As the sweep was run with them; the keys depend on them.

    Returns
    -------
    Path
        The file: complete, or not there.

    Raises
    ------
    ConfigError
        For any other ending, or Parquet without pyarrow.
    RunError
        If the file cannot be written.
    """
    file = Path(path)
    writer = WRITERS.get(file.suffix.lower())
    if writer is None:
        raise ConfigError(f"cannot tell the kind of table from '{one_line(file.name)}': end it in {', '.join(WRITERS)}")
    return writer(export_rows(result, engine, data_dir), file)


def export_rows(result: SweepResult, engine: str = "auto", data_dir: str | None = None) -> list[dict[str, Any]]:
    """Return the rows of the table, every row with the same columns; see `export`."""
    rows = []
    halved = any(one.pruned_after is not None for one in result)
    variants = any(one.cell.variant for one in result)
    axes = list(dict.fromkeys(axis for one in result for axis, _ in one.cell.place))
    as_numbers = {axis for axis in axes if all(_is_number(dict(one.cell.place).get(axis)) for one in result)}
    for one in result:
        place = dict(one.cell.place)
        where = {"cell": one.label} | {axis: _shown(place.get(axis), axis in as_numbers) for axis in axes}
        where |= {"variant": one.cell.variant} if variants else {}
        more = {"pruned_after": one.pruned_after} if halved else {}
        fresh = result.fresh.get(one.cell.setting.key)
        for runs, is_fresh in ((one.runs, False), (fresh, True)):
            if runs is None or not len(runs):
                continue
            keys = _keys(one, runs, engine, data_dir)
            held = result.successes(runs)
            for run, success in zip(runs, held, strict=True):
                outcome = {"seed": run.seed, "fresh": is_fresh, "success": bool(success), **_outcome(run), **more}
                rows.append(where | outcome | {"key": keys.get(run.seed)})
    finals = dict.fromkeys(name for row in rows for name in row if name.startswith("final_"))
    return [_ordered(row, finals) for row in rows]


def _outcome(run: Run) -> dict[str, Any]:
    """Return what became of a run."""
    divergence = run.divergence
    return {
        "stop_reason": run.stop_reason,
        "converged": run.converged,
        "epochs_run": run.epochs,
        **{f"final_{name}": value for name, value in run.final.items()},
        "diverged_epoch": None if divergence is None else divergence.epoch,
        "diverged_cause": None if divergence is None else divergence.cause,
        "seconds": run.seconds,
        "engine": run.engine,
    }


def _ordered(row: dict[str, Any], finals: dict[str, None]) -> dict[str, Any]:
    """Give a row all final values, in the place where they belong; those that its run did not measure are missing."""
    out: dict[str, Any] = {}
    for name, value in row.items():
        if name.startswith("final_"):
            continue
        out[name] = value
        if name == "epochs_run":
            out |= {final: row.get(final) for final in finals}
    return out


def _keys(one: CellResult, runs: Runs, engine: str, data_dir: str | None) -> dict[int, str]:
    """Return the keys of a cell's runs by seed; none where the data are not at hand any more."""
    try:
        tasks = make_tasks([(one.cell.setting, [run.seed for run in runs])], engine, data_dir)
    except ChainruleError:
        return {}
    return {task.seed: task.key.hex() for task in tasks}


def _is_number(value: Any) -> bool:
    """Whether an axis's value is a number, or a single width; a missing one is no obstacle."""
    plain = value[0] if isinstance(value, tuple) and len(value) == 1 else value
    return plain is None or (isinstance(plain, int | float) and not isinstance(plain, bool))


def _shown(value: Any, as_number: bool) -> Any:
    """Return an axis's value for a table: numbers as they are, widths as words."""
    if as_number and isinstance(value, tuple):
        return value[0]
    return value_word(value) if isinstance(value, tuple) else value
