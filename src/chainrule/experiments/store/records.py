"""A run as it is kept: everything about it as numbers, texts and bytes, with none of a store's own numbers in it.

Saving, loading, checking, merging two stores and migrating an old one all go through `Record`.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chainrule.data import FittedPreprocessing
from chainrule.experiments.recipes.grid import Setting
from chainrule.experiments.running.tasks import Task
from chainrule.experiments.store.packing import pack, unpack
from chainrule.nn import Array, Network, Params
from chainrule.population import Member, TrainingConfig
from chainrule.runs import STOP_REASONS, Divergence, Run

NOTHING = np.empty(0)


@dataclass(frozen=True)
class Record:
    """A run in plain values.

    Attributes
    ----------
    task : Task
        Setting, seed, data and arithmetic; its key is the run's.
    network, training : str
        The member's own description as JSON: its network is bound to the data.
    final : bytes
        The final values, float64, in the order of `names` (a JSON list).
    divergence, preprocessing : str or None
        As JSON.
    weights, curves : bytes or None
        Packed arrays; None where they were not kept.
    digest : bytes
        Hash (8 bytes) of everything that training determines: two runs with equal digests are equal to the last bit,
        whatever of their arrays was kept. Wall time and the engine's name are not part of it.
    """

    task: Task
    network: str
    training: str
    stop_reason: str
    converged: bool
    epochs: int
    seconds: float
    engine: str
    engine_reason: str
    fingerprint: str
    names: str
    final: bytes
    divergence: str | None
    preprocessing: str | None
    weights: bytes | None
    curves: bytes | None
    digest: bytes

    @property
    def values(self) -> dict[str, float]:
        """The final values by name."""
        numbers = np.frombuffer(self.final, "<f8").tolist()
        return dict(zip(json.loads(self.names), numbers, strict=True))


def record_of(task: Task, run: Run, keep_weights: bool = True, keep_histories: bool = True) -> Record:
    """Return what a store keeps of a run."""
    weights, curves = _weights_of(run), _curves_of(run)
    network, training = describe(run.member.network), describe(run.member.config)
    final = np.array([float(value) for value in run.final.values()], dtype="<f8").tobytes()
    plain = {
        "network": network,
        "training": training,
        "stop_reason": str(run.stop_reason),
        "converged": bool(run.converged),
        "epochs": int(run.epochs),
        "fingerprint": str(run.fingerprint),
        "names": json.dumps(list(run.final)),
        "divergence": None if run.divergence is None else json.dumps(asdict(run.divergence), sort_keys=True),
        "preprocessing": None if run.preprocessing is None else json.dumps(run.preprocessing.state(), sort_keys=True),
    }
    return Record(
        task=task,
        seconds=float(run.seconds) + 0.0,  # SQLite knows no negative zero
        engine=str(run.engine),
        engine_reason=str(run.engine_reason),
        final=final,
        weights=pack(weights) if keep_weights else None,
        curves=pack(curves) if keep_histories else None,
        digest=digest_of(plain, final, weights, curves),
        **plain,  # type: ignore[arg-type]
    )


@functools.lru_cache(maxsize=256)
def describe(part: Network | TrainingConfig) -> str:
    """Return a network's or a configuration's description as canonical JSON."""
    return json.dumps(part.describe(), sort_keys=True)


def digest_of(
    plain: Mapping[str, Any], final: bytes, weights: Mapping[str, Array], curves: Mapping[str, Array]
) -> bytes:
    """Return the hash of what training determines."""
    digest = hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=8)
    digest.update(final)
    for name, array in (*weights.items(), *curves.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def verify(record: Record) -> None:
    """Raise `ValueError` unless the arrays of a record are those that were saved."""
    weights = None if record.weights is None else unpack(record.weights)
    curves = None if record.curves is None else unpack(record.curves)
    if weights is not None and curves is not None and _digest_again(record, weights, curves) != record.digest:
        raise ValueError("the arrays of a run are not its own")


def _digest_again(record: Record, weights: Mapping[str, Array], curves: Mapping[str, Array]) -> bytes:
    fields = ("network", "training", "stop_reason", "converged", "epochs", "fingerprint", "names")
    plain = {name: getattr(record, name) for name in (*fields, "divergence", "preprocessing")}
    return digest_of(plain, record.final, weights, curves)


def run_of(record: Record, arrays: bool = True) -> Run:
    """Rebuild the run; arrays that were not kept, or are not wanted, are empty."""
    if record.stop_reason not in STOP_REASONS:
        raise ValueError(f"stop reason {record.stop_reason!r}")
    network, config = _built(record.network, record.training)
    weights = unpack(record.weights) if arrays and record.weights is not None else {}
    curves = unpack(record.curves) if arrays and record.curves is not None else {}
    theta = weights.get("theta", NOTHING)
    if "theta" in weights and theta.shape != (network.n_parameters,):
        raise ValueError(f"weights of shape {theta.shape} for a network of {network.n_parameters}")
    divergence, fitted = record.divergence, record.preprocessing
    return Run(
        member=Member(network, config, record.task.seed),
        stop_reason=record.stop_reason,
        converged=record.converged,
        epochs=record.epochs,
        final=record.values,
        history=_group(curves, "history/"),
        windows=_group(curves, "windows/"),
        theta=theta,
        divergence=None if divergence is None else Divergence(**json.loads(divergence)),
        fingerprint=record.fingerprint,
        seconds=record.seconds,
        engine=record.engine,
        engine_reason=record.engine_reason,
        preprocessing=None if fitted is None else _fitted(fitted),
        normalization=_normalization(weights),
    )


def row_of(record: Record) -> dict[str, Any]:
    """Return a run as one flat row: its key and its data, then what `Run.to_row` tells."""
    task = record.task
    told = {"key": task.key.hex(), "source": task.setting.source, "data": task.data, "numerics": task.numerics}
    return told | run_of(record, arrays=False).to_row()


@functools.lru_cache(maxsize=1024)
def _built(network: str, training: str) -> tuple[Network, TrainingConfig]:
    return Network.from_description(json.loads(network)), TrainingConfig.from_description(json.loads(training))


@functools.lru_cache(maxsize=256)
def _fitted(state: str) -> FittedPreprocessing:
    return FittedPreprocessing.from_state(json.loads(state))


def _weights_of(run: Run) -> dict[str, Array]:
    """Name the arrays that predictions need."""
    arrays = {"theta": run.theta}
    if run.normalization is not None:
        arrays["layers"] = np.array([len(run.normalization)])
        for number, layer in enumerate(run.normalization):
            arrays |= {f"{number}/{name}": array for name, array in layer.items()}
    return arrays


def _curves_of(run: Run) -> dict[str, Array]:
    """Name the arrays that tell how training went."""
    curves = {f"history/{name}": array for name, array in run.history.items()}
    return curves | {f"windows/{name}": array for name, array in run.windows.items()}


def _group(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _normalization(weights: Mapping[str, Array]) -> Params | None:
    """Undo the naming of `_weights_of`."""
    if "layers" not in weights:
        return None
    layers: list[dict[str, Array]] = [{} for _ in range(int(weights["layers"][0]))]
    for key, array in weights.items():
        number, slash, name = key.partition("/")
        if slash:
            layers[int(number)][name] = array
    return tuple(layers)


def machine_text() -> str:
    """Return the versions and the hardware of this process as canonical JSON."""
    from chainrule.machine import this_machine

    return json.dumps(this_machine().to_dict(), sort_keys=True)


def task_of(texts: Sequence[str], seed: int) -> Task:
    """Return the task of a series' texts (source, network, training, data, numerics) and a seed."""
    source, network, training, data, numerics = texts
    return Task(Setting(source, network, training), seed, data, numerics)
