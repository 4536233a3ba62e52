"""One file for a table of runs: settings as JSON, histories and weights as arrays, no pickle.

``runs.npz`` holds everything `load` needs, so that it appears whole or not at all. Beside it lie
``config.json`` and ``runs.csv`` for people. Arrays of all runs are laid end to end with their offsets,
which keeps the archive at a handful of entries however many runs there are.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data import FittedPreprocessing
from chainrule.errors import RunError, one_line
from chainrule.files import write_text, write_whole
from chainrule.nn import Array, Network, Params
from chainrule.population import Member, TrainingConfig
from chainrule.runs import STOP_REASONS, Divergence, Run, Runs

FORMAT = 1
FILE_NAME = "runs.npz"


def save(runs: Runs, folder: Path) -> Path:
    """Write ``runs.npz``, ``config.json`` and ``runs.csv`` into `folder`, each whole."""
    settings: dict[tuple[Network, TrainingConfig], int] = {}
    rows = []
    for run in runs:
        place = settings.setdefault((run.member.network, run.member.config), len(settings))
        rows.append(_row(run, place))
    described = [{"network": network.describe(), "training": config.describe()} for network, config in settings]
    header = {"format": FORMAT, "source": runs.source, "interrupted": runs.interrupted, "notes": list(runs.notes)}
    arrays = _lay_out("theta", [{"theta": run.theta} for run in runs])
    arrays |= _lay_out("history", [run.history for run in runs])
    arrays |= _lay_out("windows", [run.windows for run in runs])
    arrays |= _lay_out("normalization", [_flat(run.normalization) for run in runs])
    # the names are listed too, so that none can go missing unnoticed
    text = json.dumps({**header, "settings": described, "runs": rows, "arrays": list(arrays)})
    arrays["json"] = np.frombuffer(text.encode(), dtype=np.uint8)
    write_whole(folder / FILE_NAME, lambda temporary: _write_npz(temporary, arrays))
    write_text(folder / "config.json", json.dumps({**header, "settings": described}, indent=1) + "\n")
    runs.to_csv(folder / "runs.csv")
    return folder


def _write_npz(path: Path, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    """Write the archive through a file handle, so that numpy does not add a suffix of its own."""
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _row(run: Run, setting: int) -> dict[str, Any]:
    """Return what a run has besides its setting and its arrays."""
    return {
        "setting": setting,
        "seed": run.seed,
        "stop_reason": run.stop_reason,
        "converged": run.converged,
        "epochs": run.epochs,
        "final": run.final,
        "divergence": asdict(run.divergence) if run.divergence else None,
        "fingerprint": run.fingerprint,
        "seconds": run.seconds,
        "engine": run.engine,
        "engine_reason": run.engine_reason,
        "preprocessing": run.preprocessing.state() if run.preprocessing else None,
    }


def _flat(normalization: Params | None) -> dict[str, Array]:
    """Name each array by its layer: ``1/mean``."""
    layers = () if normalization is None else normalization
    return {f"{number}/{name}": array for number, layer in enumerate(layers) for name, array in layer.items()}


def _by_layer(arrays: dict[str, Array], network: Network, dtype: str) -> Params | None:
    """Undo `_flat`; a name or a length that does not fit the network is damage."""
    if not arrays:
        return None
    layers: list[dict[str, Array]] = [{} for _ in network.layers]
    for key, array in arrays.items():
        number, _, name = key.partition("/")
        if array.shape != network.shapes[int(number)] or name not in ("mean", "scale"):
            raise ValueError(f"normalization {key} of shape {array.shape} does not fit the network")
        layers[int(number)][name] = array.astype(dtype)
    if any(len(layer) == 1 for layer in layers):
        raise ValueError("normalization lacks a mean or a scale")
    return tuple(layers)


def _lay_out(group: str, records: Sequence[dict[str, Array]]) -> dict[str, np.ndarray[Any, Any]]:
    """Lay the arrays of all runs end to end: one flat array and one offsets array per name."""
    names = list(dict.fromkeys(name for record in records for name in record))
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for name in names:
        # -1 marks a run that lacks the name, as opposed to one whose array is empty
        arrays[f"{group}/{name}/sizes"] = np.array([len(r[name]) if name in r else -1 for r in records])
        arrays[f"{group}/{name}"] = np.concatenate([r[name] for r in records if name in r])
    return arrays


def _collect(archive: Any, group: str, n_runs: int) -> list[dict[str, Array]]:
    """Undo `_lay_out`."""
    records: list[dict[str, Array]] = [{} for _ in range(n_runs)]
    prefix, suffix = f"{group}/", "/sizes"
    for key in archive.files:
        if not (key.startswith(prefix) and key.endswith(suffix)):
            continue
        name, sizes = key[len(prefix) : -len(suffix)], archive[key]
        flat, offset = archive[prefix + name], 0
        for record, size in zip(records, sizes, strict=True):
            if size >= 0:
                record[name] = flat[offset : offset + size]
                offset += int(size)
    return records


def load(folder: Path) -> Runs:
    """Read what `save` wrote.

    Raises
    ------
    RunError
        If there is no saved run, or it is damaged or of a later format.
    """
    path = folder / FILE_NAME if folder.is_dir() else folder
    if not path.is_file():
        raise RunError(f"no saved run at {one_line(folder, 200)}: expected a folder with {FILE_NAME}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # opened here, because np.load leaves a file open that turns out to be no archive
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                header = json.loads(bytes(archive["json"]))
                if header["format"] > FORMAT:
                    later = f"format {one_line(header['format'])}, this one reads up to {FORMAT}"
                    raise RunError(f"{one_line(path, 200)} was written by a later chainrule ({later}): update it")
                if sorted(archive.files) != sorted([*header["arrays"], "json"]):
                    raise ValueError("an array is missing")
                return _read(header, archive)
    except RunError:
        raise
    except Exception as error:  # whatever else goes wrong here is in the bytes: zip, zlib, npy and JSON have many ways
        reason = one_line(error) or type(error).__name__
        raise RunError(f"{one_line(path, 200)} is damaged or no saved run: {reason}") from None


def _read(header: dict[str, Any], archive: Any) -> Runs:
    """Rebuild the runs from the header and the arrays."""
    settings = [
        (Network.from_description(s["network"]), TrainingConfig.from_description(s["training"]))
        for s in header["settings"]
    ]
    n_runs = len(header["runs"])
    parts = [_collect(archive, group, n_runs) for group in ("theta", "history", "windows", "normalization")]
    runs = []
    for row, theta, history, windows, normalization in zip(header["runs"], *parts, strict=True):
        network, config = settings[row.pop("setting")]
        if row["stop_reason"] not in STOP_REASONS:
            raise ValueError(f"stop reason {row['stop_reason']!r}")
        if theta["theta"].shape != (network.n_parameters,):
            raise ValueError(f"weights of shape {theta['theta'].shape} for a network of {network.n_parameters}")
        divergence, fitted = row.pop("divergence"), row.pop("preprocessing")
        runs.append(
            Run(
                member=Member(network, config, row.pop("seed")),
                theta=theta["theta"].astype(config.dtype),  # laid end to end with others they may have become float64
                history=history,
                windows=windows,
                divergence=Divergence(**divergence) if divergence else None,
                preprocessing=FittedPreprocessing.from_state(fitted) if fitted else None,
                normalization=_by_layer(normalization, network, config.dtype),
                **row,
            )
        )
    return Runs(tuple(runs), header["source"], header["interrupted"], tuple(header["notes"]))
