"""One training session of the reference engine: a chunk of members from their first epoch to their last."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from chainrule.engines._base import Progress, ProgressEvent
from chainrule.engines._cohort_data import Batches, Samples, gather
from chainrule.engines._divergence import diagnose, finite_members
from chainrule.engines._evaluation import Evaluation
from chainrule.engines._history import Recorder
from chainrule.nn import Array, Forward, loss
from chainrule.optim import clip_by_norm, clip_by_value, optimizer, schedule, stopping_rule
from chainrule.population import Cohort
from chainrule.random import stream
from chainrule.runs import Divergence, Run

Index = np.ndarray[Any, np.dtype[np.intp]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
State = dict[str, Array]
SECONDS_BETWEEN_EVENTS = 0.1


class Session:
    """The state of a chunk in training; every array has a leading axis over the members still in it.

    Epoch numbers count completed epochs: the loop evaluates the weights after `e` epochs, lets stopping rules
    judge them, and only then trains epoch `e`.
    """

    def __init__(self, cohort: Cohort, engine: str, progress: Progress | None) -> None:
        config, network = cohort.config, cohort.network
        self.cohort, self.config, self.network, self.engine = cohort, config, network, engine
        self.progress = progress
        self.m = len(cohort)
        self.places: Index = np.arange(self.m)
        self.loss = loss(config.loss)
        self.optimizer, self.schedule = optimizer(config.optimizer), schedule(config.schedule)
        self.rules = [stopping_rule(spec) for spec in config.stopping]
        self.theta = np.stack([network.pack(network.init(stream(seed, "init"))) for seed in cohort.seeds])
        self.theta = self.theta.astype(config.dtype)
        self.params = network.unpack(self.theta)  # views: they follow every step of theta
        self.slots = [slot.slice for slot in network.slots]
        self.memory: State = self.optimizer.init(self.theta, self.slots)
        self.clock: State = self.schedule.init(cohort.learning_rates.astype(config.dtype))
        self.verdicts: list[State] = [rule.init(self.m) for rule in self.rules]
        self.best = self.theta.copy() if any(rule.restore_best for rule in self.rules) else None
        self.train_part = self._gather("train")
        self.validation_part = gather(cohort, "validation")
        self.evaluation = Evaluation(network, config, cohort.splits[0].train.task)
        self.batches = Batches(cohort.seeds, self.train_part.n, config.batch_size, config.shuffle)
        self.dropout = [stream(seed, "dropout") for seed in cohort.seeds]
        self.history, self.windows = Recorder(self.m), Recorder(self.m)
        self.window_sum, self.window_steps = np.zeros(self.m), 0
        self.running_loss = np.full(self.m, np.nan)
        self.final_theta = self.theta.copy()
        self.outcome: dict[int, tuple[str, bool, int, Divergence | None]] = {}
        self.started = self.last_event = time.perf_counter()

    def _gather(self, part: str) -> Samples:
        samples = gather(self.cohort, part)
        assert samples is not None, "every split has a training part"
        return samples

    def run(self) -> list[Run]:
        """Train to the end, or to a Ctrl-C, and return a run per member."""
        epoch = 0
        # Overflow is what the divergence guard looks for; it reports in its own words.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
            try:
                for epoch in range(self.config.epochs + 1):
                    forward = self._judge(epoch)
                    if epoch == self.config.epochs or not len(self.places):
                        break
                    self._train_epoch(epoch, forward)
                reason = "epochs"
            except KeyboardInterrupt:
                reason = "interrupted"
            self._retire(np.ones(len(self.places), dtype=bool), reason, False, epoch)
            return self._finish()

    # -- evaluating and stopping ---------------------------------------------------------------------------

    def _judge(self, epoch: int) -> Forward | None:
        """Evaluate the weights after `epoch` epochs, keep a row, and retire members that are to stop.

        Returns the training forward pass if the next step can use it again.
        """
        kept = epoch % self.config.log_every == 0 or epoch == self.config.epochs
        if not (kept or self.rules):
            return None
        record, forward = self.evaluation.record(self.params, self.train_part, self.validation_part)
        record |= {"learning_rate": self.clock["lr"], "running_loss": self.running_loss}
        broken = ~np.isfinite(record["loss"])
        stops = self._ask_rules(record, ~broken)
        row = {"epoch": np.full(len(self.places), epoch), **record}
        rows = np.full(len(self.places), kept)
        for stop, _, _ in stops:
            rows |= stop
        rows &= ~broken
        self.history.add(self.places[rows], {name: value[rows] for name, value in row.items()})
        self._tell(epoch, row if kept else None)
        left = len(self.places)
        gone = broken.copy()
        ends: list[tuple[Index, str, bool]] = [(self.places[broken], "diverged", False)]
        for stop, reason, converged in stops:
            ends.append((self.places[stop & ~gone], reason, converged))
            gone |= stop
        for who, reason, converged in ends:
            self._retire(np.isin(self.places, who), reason, converged, epoch)
        return forward if self.batches.full and len(self.places) == left else None

    def _ask_rules(self, record: dict[str, Array], sound: Mask) -> list[tuple[Mask, str, bool]]:
        """Let every stopping rule see the record; return who stops, why, and whether that is success."""
        stops = []
        for j, rule in enumerate(self.rules):
            stop, self.verdicts[j] = rule.update(self.verdicts[j], record)
            if self.best is not None and rule.restore_best:
                improved = self.verdicts[j]["improved"].astype(bool)
                self.best[improved] = self.theta[improved]
            stops.append((stop & sound, rule.reason, rule.converged))
        return stops

    def _retire(self, leaving: Mask, reason: str, converged: bool, epoch: int) -> None:
        """Take members out of training, with their weights as they are (or were, at their best)."""
        if not leaving.any():
            return
        for k in np.flatnonzero(leaving):
            place = int(self.places[k])
            theta = self.theta[k]
            divergence = None
            if reason == "diverged":
                divergence = diagnose(self.cohort.take([place]), theta, epoch)
            elif self.best is not None:
                theta = self.best[k]
            self.final_theta[place] = theta
            self.outcome[place] = (reason, converged, epoch, divergence)
        self._keep(~leaving)

    def _keep(self, staying: Mask) -> None:
        """Compact every array to the members that stay, so that the others cost nothing."""
        keep = np.flatnonzero(staying)
        self.places, self.theta = self.places[keep], self.theta[keep]
        self.params = self.network.unpack(self.theta)
        self.memory = {name: array[keep] for name, array in self.memory.items()}
        self.clock = {name: array[keep] for name, array in self.clock.items()}
        self.verdicts = [{name: array[keep] for name, array in state.items()} for state in self.verdicts]
        self.best = None if self.best is None else self.best[keep]
        self.train_part = self.train_part.take_members(keep)
        self.validation_part = self.validation_part and self.validation_part.take_members(keep)
        self.dropout = [self.dropout[k] for k in keep]
        self.window_sum, self.running_loss = self.window_sum[keep], self.running_loss[keep]

    # -- training ------------------------------------------------------------------------------------------

    def _train_epoch(self, epoch: int, forward: Forward | None) -> None:
        """Train one epoch, then retire members whose loss or weights became non-finite in it."""
        self.clock = self.schedule.on_epoch(self.clock, epoch, self.config.epochs)
        total, steps = np.zeros(len(self.places)), 0
        sound = np.ones(len(self.places), dtype=bool)
        frozen = self.theta
        seeds = [self.cohort.seeds[place] for place in self.places]
        for rows in self.batches.epoch(seeds):
            batch = self.train_part if rows is None else self.train_part.batch(rows)
            step_loss, grad = self._gradient(batch, forward)
            newly = sound & ~np.isfinite(step_loss)
            if newly.any():  # remember the weights with which the loss first broke
                frozen = self.theta.copy() if frozen is self.theta else frozen
                frozen[newly] = self.theta[newly]
                sound &= ~newly
            self._step(grad, step_loss)
            total += step_loss
            steps += 1
            if self.progress and time.perf_counter() - self.last_event > SECONDS_BETWEEN_EVENTS:
                self._tell(epoch, None, steps / self.batches.steps)
        self.running_loss = total / steps
        broken = ~sound | ~finite_members(self.theta)
        if broken.any():
            self.theta[~sound] = frozen[~sound]
            self._retire(broken, "diverged", False, epoch)

    def _gradient(self, batch: Samples, forward: Forward | None) -> tuple[Array, Array]:
        """Return each member's loss (m,) and flat gradient (m, P) on a batch, clipped as configured."""
        dropout = self.dropout if self.network.has_dropout else None
        if forward is None:
            forward = self.network.forward(self.params, batch.X, dropout)
        step_loss, gradients = self.network.gradients(self.params, forward, batch.Y, self.loss, batch.weight)
        grad = self.network.pack(gradients)
        if self.config.clip_value is not None:
            grad = clip_by_value(grad, self.config.clip_value)
        if self.config.clip_norm is not None:
            grad = clip_by_norm(grad, self.config.clip_norm)
        return step_loss, grad

    def _step(self, grad: Array, step_loss: Array) -> None:
        """Move every member's weights; count the step in schedules and windows."""
        rate = self.clock["lr"][:, None]
        step, self.memory = self.optimizer.update(grad, self.memory, rate, self.theta)
        self.theta += step
        if self.schedule.needs_step_loss:
            self.clock = self.schedule.on_step(self.clock, step_loss)
        if self.config.window:
            self.window_sum += step_loss
            self.window_steps += 1
            if self.window_steps == self.config.window:
                mean = self.window_sum / self.window_steps
                self.windows.add(self.places, {"loss": mean, "learning_rate": self.clock["lr"]})
                self.window_sum, self.window_steps = np.zeros(len(self.places)), 0

    # -- telling and finishing -----------------------------------------------------------------------------

    def _tell(self, epoch: int, record: dict[str, Array] | None, part: float = 0.0) -> None:
        """Report progress: every kept row that somebody waits for, and otherwise a few times a second."""
        if self.progress is None:
            return
        now = time.perf_counter()
        if record is None and len(self.places) and now - self.last_event < SECONDS_BETWEEN_EVENTS:
            return
        self.last_event = now
        ended = [reason for reason, *_ in self.outcome.values()]
        converged = sum(success for _, success, *_ in self.outcome.values())
        alive = len(self.places) / self.m
        fraction = 1.0 - alive * (1.0 - (epoch + part) / max(self.config.epochs, 1))
        counts = {
            "members": self.m,
            "converged": converged,
            "diverged": ended.count("diverged"),
            "finished": len(ended),
        }
        places = tuple(int(place) for place in self.places)
        self.progress(
            ProgressEvent(epoch, self.config.epochs, fraction=fraction, record=record, places=places, **counts)
        )

    def _finish(self) -> list[Run]:
        """Evaluate the final weights of every member and make the runs."""
        finals = self.evaluation.finals(self.final_theta, self.cohort)
        self._tell(self.config.epochs, None)
        histories, windows = self.history.split(), self.windows.split()
        seconds = (time.perf_counter() - self.started) / self.m
        runs = []
        for place in range(self.m):
            reason, converged, epochs, divergence = self.outcome[place]
            train = self.cohort.splits[place].train
            runs.append(
                Run(
                    member=self.cohort.member(place),
                    stop_reason=reason,
                    converged=converged,
                    epochs=epochs,
                    final=finals[place],
                    history=histories[place],
                    windows=windows[place],
                    theta=self.final_theta[place].copy(),
                    divergence=divergence,
                    fingerprint=train.fingerprint,
                    seconds=seconds,
                    engine=self.engine,
                    preprocessing=train.preprocess,
                )
            )
        return runs
