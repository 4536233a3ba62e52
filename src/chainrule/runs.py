"""Finished members: `Run`, one member's result, and `Runs`, the table of them.

Every floor above exchanges `Runs`. A row is a member: its setting, its seed, why it stopped, its final
metrics, its history and its weights. `chainrule.run_store` writes the table to one file and reads it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from chainrule.data import FittedPreprocessing
from chainrule.errors import ChainruleError, ConfigError, ShapeError, one_line, show, unknown_name
from chainrule.nn import Array, Params
from chainrule.population import Member

if TYPE_CHECKING:
    import pandas as pd

    from chainrule.certificate import Certificate, Retrain

STOP_REASONS = ("epochs", "loss_below", "patience", "target", "diverged", "interrupted")


@dataclass(frozen=True)
class Divergence:
    """Where a member first met a non-finite value, and why, as far as can be told.

    Attributes
    ----------
    epoch : int
        The epoch in which it was first seen, from 0: in a step of that epoch, or in its weights after it.
    layer : str
        The first layer concerned (``layer 2 (Dense)``) or ``loss``.
    quantity : str
        What was non-finite: ``Z``, ``A``, ``weights`` or ``loss``.
    cause : str
        The likely cause, one sentence.
    """

    epoch: int
    layer: str
    quantity: str
    cause: str

    def __str__(self) -> str:
        return f"epoch {self.epoch}, {self.layer}: {self.quantity} is not finite; {self.cause}"


@dataclass(frozen=True, eq=False)
class Run:
    """A finished member.

    Attributes
    ----------
    member : Member
        The setting (its network is bound to the data) and the seed.
    stop_reason : str
        ``epochs``, ``loss_below``, ``patience``, ``target``, ``diverged`` or ``interrupted``.
    converged : bool
        Whether a stopping rule that means success ended the run.
    epochs : int
        Epochs completed.
    final : dict of str to float
        Loss and metrics of the final weights: ``loss``, ``accuracy``, ``validation_loss``, ``test_loss``, ...
    history : dict of str to ndarray (T,)
        ``epoch`` and, at each kept epoch, loss, metrics, ``learning_rate`` and ``running_loss``. Row ``epoch = e``
        describes the weights after `e` epochs, so row 0 is the initial network; its learning rate and its running
        loss (the mean of the step losses, with penalties and dropout) are those of the epoch just trained, so in
        row 0 they are the base rate and NaN. A row whose loss is not finite is not kept.
    windows : dict of str to ndarray
        Means of the step loss over each window of steps (``loss``) and the learning rate at its end.
    theta : ndarray (P,)
        All weights, flat; `params` gives them by layer. With a patience rule those of the best epoch, unless a
        rule that means success ended the run.
    divergence : Divergence or None
        Set when the member met a non-finite value; its weights are those it had then.
    fingerprint : str
        Hash of the training data it saw.
    seconds : float
        Wall time of the members that were trained at the same time, divided by their number.
    engine : str
        The engine that trained it.
    engine_reason : str
        Why that engine; empty for runs saved before this was kept.
    preprocessing : FittedPreprocessing or None
        For tables: how raw rows become features, fitted on this run's training part.
    normalization : Params or None
        For a network with normalising layers: for each layer the ``mean`` and ``scale`` (features,) of the whole
        training part under the final weights (nothing for other layers). Predictions, and the final values for
        validation and test samples, use these.
    """

    member: Member
    stop_reason: str
    converged: bool
    epochs: int
    final: dict[str, float]
    history: dict[str, Array]
    windows: dict[str, Array]
    theta: Array
    divergence: Divergence | None = None
    fingerprint: str = ""
    seconds: float = 0.0
    engine: str = "reference"
    preprocessing: FittedPreprocessing | None = None
    normalization: Params | None = None
    engine_reason: str = ""

    @property
    def seed(self) -> int:
        """The member's seed."""
        return self.member.seed

    @property
    def params(self) -> Params:
        """The weights by layer: a tuple of ``{"W": (fan_in, fan_out), "b": (fan_out,)}``.

        A normalising layer has ``{"mean": (features,), "scale": (features,)}``, see `normalization`.
        """
        weights = self.member.network.unpack(self.theta)
        if self.normalization is None:
            return weights
        return tuple({**own, **more} for own, more in zip(weights, self.normalization, strict=True))

    def predict(self, X: Array) -> Array:
        """Return the network's outputs (n, k) for samples `X` (n, d); NaN where diverged weights give no number.

        Raises
        ------
        ShapeError
            If `X` holds no numbers, or does not have the network's number of features.
        """
        try:
            samples = np.asarray(X)
            if samples.dtype.kind == "c":
                raise TypeError("complex numbers")
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                return self.member.network.predict(self.params, samples.astype(self.theta.dtype, copy=False))
        except (TypeError, ValueError) as error:
            if isinstance(error, ChainruleError):
                raise
            raise ShapeError(f"X must be an array of numbers (n, features): {one_line(error)}") from None

    def to_row(self) -> dict[str, Any]:
        """Return the run as one flat row: setting, seed, outcome, final metrics.

        The loss that was minimised is ``loss_function``; its final value is ``final_loss``.
        """
        config = {"loss_function" if k == "loss" else k: v for k, v in self.member.config.describe().items()}
        for name in ("stopping", "metrics", "augment"):
            config[name] = " ".join(config[name])
        divergence = asdict(self.divergence) if self.divergence else dict.fromkeys(("epoch", "layer", "cause"))
        return {
            "seed": self.seed,
            "network": str(self.member.network),
            **config,
            "stop_reason": self.stop_reason,
            "converged": self.converged,
            "epochs_run": self.epochs,
            **{f"final_{name}": value for name, value in self.final.items()},
            **{f"diverged_{name}": divergence[name] for name in ("epoch", "layer", "cause")},
            "seconds": self.seconds,
            "engine": self.engine,
            "engine_reason": self.engine_reason,
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True, eq=False)
class Runs(Sequence[Run]):
    """Finished members, in the order they were asked for.

    Attributes
    ----------
    runs : tuple of Run
        The rows.
    source : str
        The spec of the data they were trained on.
    interrupted : bool
        Whether training was interrupted by a Ctrl-C.
    notes : tuple of str
        What whoever trained them wants to be saved with them, such as the success rule; a line each.
    retrain : callable or None
        Trains members again on the same data, for `certify`. Neither saved nor sent to other processes: it holds
        on to the data.
    """

    runs: tuple[Run, ...]
    source: str = ""
    interrupted: bool = False
    notes: tuple[str, ...] = ()
    retrain: Retrain | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "retrain": None}

    def __len__(self) -> int:
        return len(self.runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> Run | Runs:
        if isinstance(index, slice):
            return replace(self, runs=self.runs[index])
        return self.runs[index]

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def where(self, keep: Callable[[Run], bool]) -> Runs:
        """Return the runs for which `keep` holds."""
        return replace(self, runs=tuple(run for run in self.runs if keep(run)))

    def with_seed(self, seed: int) -> Run:
        """Return the first run of a seed; `ConfigError` names the seeds there are."""
        for run in self.runs:
            if run.seed == seed:
                return run
        raise ConfigError(f"no run has seed {seed} (seeds here: {_short_list(run.seed for run in self.runs)})")

    def column(self, name: str) -> np.ndarray[Any, Any]:
        """Return one column of the table as an array (n_runs,); missing values are NaN or None.

        `name` is a column of `to_rows`; a final metric may be named without its ``final_``: ``column("loss")`` holds
        the final losses, ``column("loss_function")`` what was minimised.
        """
        rows = self.to_rows()
        columns = {key for row in rows for key in row}
        key = f"final_{name}" if f"final_{name}" in columns else name
        if key not in columns:
            raise ConfigError(unknown_name("column", name, columns))
        values = [row.get(key) for row in rows]
        if all(value is None or isinstance(value, float) for value in values):
            return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        alike = len({type(value) for value in values}) == 1
        return np.array(values, dtype=None if alike else object)  # or NumPy would turn 10 and "full" into words

    def history(self, key: str) -> tuple[np.ndarray[Any, np.dtype[np.int64]], Array]:
        """Return the kept epochs (T,) and one history value per run (n_runs, T), NaN where a run has none."""
        known = sorted({name for run in self.runs for name in run.history})
        if key not in known:
            raise ConfigError(unknown_name("history", key, known))
        kept = [run.history["epoch"] for run in self.runs if "epoch" in run.history]  # none: interrupted at once
        epochs = np.unique(np.concatenate(kept)).astype(np.int64)
        table = np.full((len(self), len(epochs)), np.nan)
        for row, run in zip(table, self.runs, strict=True):
            if key in run.history:
                row[np.searchsorted(epochs, run.history["epoch"])] = run.history[key]
        return epochs, table

    def predict(self, X: Array, k: int | None = None) -> Array:
        """Return outputs for `X` (n, d): (n, k_outputs) of run `k`, or (n_runs, n, k_outputs) of all."""
        if k is not None:
            return self.runs[k].predict(X)
        if not self.runs:
            raise ConfigError("no runs to predict with")
        outputs = [run.predict(X) for run in self.runs]
        if len({output.shape for output in outputs}) > 1:
            shapes = sorted({output.shape for output in outputs})
            raise ShapeError(
                f"outputs of the runs differ in shape, {shapes[0]} and {shapes[-1]}: predict one at a time"
            )
        return np.stack(outputs)

    def params(self, k: int) -> Params:
        """Return the weights of run `k` by layer."""
        return self.runs[k].params

    def successes(self, rule: Callable[[Run], bool] | None = None) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return which runs succeeded (n_runs,): by `rule`, or by their own stopping rules."""
        return np.array([rule(run) if rule else run.converged for run in self.runs], dtype=bool)

    def certify(self, k: int) -> Certificate:
        """Train the member of run `k` again, alone, with the engine that trained it, and compare.

        Neither the neighbours of a member, nor its place among them, nor threads or chunks may change its result;
        the certificate shows whether that held here: for weights, final values, history and how the run ended.

        Parameters
        ----------
        k : int
            Which run; negative numbers count from the end.

        Returns
        -------
        Certificate
            ``print`` it for one sentence; ``holds`` is the verdict.

        Raises
        ------
        ConfigError
            If there is no such run, it was interrupted, or the data are not at hand because the runs were loaded
            or come from another process: `chainrule.certify` takes the data too.
        """
        from chainrule.certificate import certify_run

        place = self.place(k)
        if self.retrain is None:
            raise ConfigError(
                "these runs do not hold the data they were trained on: use chainrule.certify(runs, k, dataset)"
            )
        return certify_run(place, self.runs[place], self.retrain)

    def place(self, k: int) -> int:
        """Return the number of run `k` counted from the front; `ConfigError` if there is no such run."""
        whole = isinstance(k, int | np.integer) and not isinstance(k, bool)
        if not (whole and -len(self) <= k < len(self)):
            there = f"{len(self)}, from 0 to {len(self) - 1}" if len(self) else "none"
            raise ConfigError(f"no run {show(k)}: there are {there}")
        return int(k) % len(self)

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the table as a list of flat rows."""
        return [run.to_row() for run in self.runs]

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas DataFrame; needs pandas (``pip install 'chainrule[tables]'``)."""
        from chainrule.run_tables import to_frame

        return to_frame(self)

    def to_csv(self, path: str | Path) -> Path:
        """Write the table as CSV."""
        from chainrule.run_tables import write_csv

        return write_csv(self, Path(path))

    def to_json(self, path: str | Path) -> Path:
        """Write the table as JSON, a list of objects; non-finite numbers become null."""
        from chainrule.run_tables import write_json

        return write_json(self, Path(path))

    def to_parquet(self, path: str | Path) -> Path:
        """Write the table as Parquet; needs pyarrow (``pip install 'chainrule[tables]'``)."""
        from chainrule.run_tables import write_parquet

        return write_parquet(self, Path(path))

    def save(self, folder: str | Path) -> Path:
        """Save everything (settings, histories, weights) into `folder`; `Runs.load` reads it back."""
        from chainrule.run_store import save

        return save(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Runs:
        """Load what `save` wrote; `RunError` says what is missing or damaged."""
        from chainrule.run_store import load

        return load(Path(folder))


def _short_list(values: Iterable[int], limit: int = 8) -> str:
    """Show some of many numbers."""
    listed = [str(value) for value in values]
    return ", ".join(listed[:limit]) + (", ..." if len(listed) > limit else "")
