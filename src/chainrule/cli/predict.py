"""`chainrule predict`: what a saved run says about data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli._console import Output, clean, count
from chainrule.cli._help import Command
from chainrule.cli._options import DataDir, Json, Quiet, Rate, RunFolder, parse_path
from chainrule.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from chainrule.cli._predictions import Predictions
    from chainrule.runs import Run

EPILOG = """\
A table goes through the preprocessing that the run saved; its target column
may be missing. A table for a run on named data holds the inputs as numbers,
in their order, and perhaps the truth in the column --target (or behind the
file, as new.csv?target=species). Of data with a held-out part of their own
(mnist) it is that part that is predicted.

Examples:

  chainrule predict chainrule-run --data xor
  chainrule predict chainrule-run --data new.csv --out predictions.csv
  chainrule predict chainrule-run --data new.csv --ensemble
  chainrule predict chainrule-run --data 'moons(n=500)' --data-seed 99"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command, epilog=EPILOG)(predict)


def predict(
    run: RunFolder,
    data: Annotated[
        str,
        typer.Option("--data", metavar="SPEC|FILE", help="A data set or a table to predict.", show_default=False),
    ],
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="K", help="Which seed's network \\[default: the first]")
    ] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", metavar="", help="The mean over all seeds' networks, with their range.")
    ] = False,
    lr: Rate = None,
    data_seed: Annotated[
        int | None,
        typer.Option("--data-seed", metavar="K", help="Which draw of data that vary \\[default: the network's seed]"),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="COLUMN", help="The table's column that holds the truth.")
    ] = None,
    data_dir: DataDir = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE.csv", help="Also write every prediction as CSV.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Predict with a saved run: one network, or all of them together."""
    from chainrule.cli._predict import Question, ask
    from chainrule.cli._predictions import show_predictions
    from chainrule.cli._saved import choose_rate, choose_seed, load_runs

    if seed is not None and ensemble:
        raise ConfigError("--seed is one network and --ensemble is all of them: give one of the two")
    path = None if out is None else parse_path(out, "--out")
    output = Output(quiet, as_json)
    runs = choose_rate(load_runs(run), lr)
    chosen = choose_seed(runs, seed)
    members = [one for one in runs if one.divergence is None] if ensemble else [chosen]
    if not members:
        raise ConfigError("--ensemble: every network of this run diverged")
    predictions = ask(Question(runs, tuple(members), data, data_seed, target, data_dir))
    who = f"the mean of {count(len(members), 'network')}" if ensemble else f"seed {chosen.seed}"
    left_out = len(runs) - len(members) if ensemble else 0
    if path is not None:
        _write(predictions, path)
    output.json(_document(data, members, left_out, predictions))
    for note in predictions.notes:
        output.note(note)
    show_predictions(output, predictions, f"Predictions of {who} for {clean(data)}")
    if left_out:
        output.note(f"{count(left_out, 'network')} that diverged left out")
    if path is not None:
        output.result(f"{count(predictions.n, 'prediction')} written to {clean(path)}")
    elif quiet:
        _short(output, predictions)


def _document(data: str, members: list[Run], left_out: int, predictions: Predictions) -> dict[str, Any]:
    """Return what ``--json`` writes."""
    return {
        "command": "predict",
        "data": data,
        "seeds": [run.seed for run in members],
        "learning_rate": members[0].member.config.learning_rate,
        "left_out_diverged": left_out,
        "right": None if predictions.right is None else int(predictions.right.sum()),
        "samples": predictions.n,
        "notes": list(predictions.notes),
        "predictions": predictions.to_rows(),
    }


def _short(output: Output, predictions: Predictions) -> None:
    """Under ``--quiet``, print a prediction a line."""
    for row in predictions.to_rows():
        output.result(str(row["predicted"]) if "predicted" in row else f"{row['outputs'][0]!r}")


def _write(predictions: Predictions, path: Path) -> None:
    """Write a line for every sample."""
    import csv

    from chainrule.files import write_whole

    def cells(row: dict[str, Any]) -> dict[str, Any]:
        flat = {key: value for key, value in row.items() if not isinstance(value, list)}
        flat |= {f"x{k + 1}": value for k, value in enumerate(row.get("input", []))}
        for key, name in (("outputs", "output"), ("lowest", "lowest"), ("highest", "highest")):
            values = row.get(key, [])
            flat |= {name if len(values) == 1 else f"{name} {predictions.label(k)}": v for k, v in enumerate(values)}
        return flat

    def write(temporary: Path) -> None:
        rows = [cells(row) for row in predictions.to_rows()]
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)), restval="")
            writer.writeheader()
            writer.writerows(rows)

    write_whole(path, write)
