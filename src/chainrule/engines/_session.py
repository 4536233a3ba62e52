"""One training session of the reference engine: a chunk of members from their first epoch to their last."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.cohorts import Cohort
from chainrule.engines._augmenting import Augmenting
from chainrule.engines._base import Progress, ProgressEvent
from chainrule.engines._cohort_data import Batches, Samples, gather
from chainrule.engines._divergence import diagnose, finite_members
from chainrule.engines._evaluation import Evaluation
from chainrule.engines._finishing import Ended, Outcome, make_runs
from chainrule.engines._history import Recorder
from chainrule.nn import Array, Forward, Params, loss
from chainrule.optim import clip_by_norm, clip_by_value, optimizer, schedule, stopping_rule
from chainrule.random import stream
from chainrule.runs import Run

Index = np.ndarray[Any, np.dtype[np.intp]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
State = dict[str, Array]
SECONDS_BETWEEN_EVENTS = 0.1


class Session:
    """The state of a chunk in training; every array has a leading axis over the members still in it.

    Epoch numbers count completed epochs: the loop evaluates the weights after `e` epochs, lets stopping rules
    judge them, and only then trains epoch `e`. The caller silences NumPy's warnings of overflow.
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
        self.memory: State = self.optimizer.init(self.theta, [slot.slice for slot in network.slots])
        self.clock: State = self.schedule.init(cohort.learning_rates)
        self.verdicts: list[State] = [rule.init(self.m) for rule in self.rules]
        self.best = self.theta.copy() if any(rule.restore_best for rule in self.rules) else None
        self.train_part = self._gather("train")
        self.validation_part = gather(cohort, "validation")
        self.evaluation = Evaluation(network, config, cohort.splits[0].train.task)
        self.batches = Batches(cohort.seeds, self.train_part.n, config.batch_size, config.shuffle)
        self.augmenting = Augmenting(cohort) if config.augment else None
        self.dropout = [stream(seed, "dropout") for seed in cohort.seeds]
        self.history, self.windows = Recorder(self.m), Recorder(self.m)
        self.window_sum, self.window_steps = np.zeros(self.m), 0
        self.running_loss = np.full(self.m, np.nan)
        self.running: Params = ()  # averages after the step under way, for networks that have some
        self.sound = np.ones(self.m, dtype=bool)  # whose step losses have been finite in this epoch
        self.epoch, self.interrupted = 0, False
        self.runs: list[Run] = []  # what came of the members, at the end
        self.final_theta = self.theta.copy()
        self.outcome: dict[int, Outcome] = {}
        self.started = self.last_event = time.perf_counter()

    def _gather(self, part: str) -> Samples:
        samples = gather(self.cohort, part)
        assert samples is not None, "every split has a training part"
        return samples

    def run(self) -> list[Run]:
        """Train to the end, or to a Ctrl-C, and return a run per member.

        A Ctrl-C may come at any moment, also while the runs are put together: what is left is then retired as it
        is, and the runs are put together again.
        """
        try:
            self._train()
            self.runs = self._finish()
        except KeyboardInterrupt:
            self.interrupted = True
            self._retire(self.places[~(self.sound & finite_members(self.theta))], "diverged")
            self._retire(self.places, "interrupted")
            self.runs = self._finish()
        return self.runs

    def _train(self) -> None:
        """Evaluate and train in turns until no member is left."""
        for epoch in range(self.config.epochs + 1):
            self.epoch = epoch
            forward = self._judge()
            if epoch < self.config.epochs and len(self.places):
                self._train_epoch(forward)
            if not len(self.places):
                return
        self._retire(self.places, "epochs")

    # -- evaluating and stopping ---------------------------------------------------------------------------

    def _judge(self) -> Forward | None:
        """Evaluate the weights after `epoch` epochs, keep a row, and retire members that are to stop.

        Returns the training forward pass if the next step can use it again.
        """
        epoch, last = self.epoch, self.epoch == self.config.epochs
        kept = epoch % self.config.log_every == 0 or last
        if not (kept or self.rules):
            return None
        record, forward = self.evaluation.record(self.params, self.train_part, self.validation_part)
        record |= {"learning_rate": self.clock["lr"], "running_loss": self.running_loss}
        sound = np.isfinite(record["loss"])
        stops = self._ask_rules(record, sound)
        row = {"epoch": np.full(len(self.places), epoch), **record}
        rows = sound & np.any([np.full(len(self.places), kept), *(stop for stop, _, _ in stops)], axis=0)
        self.history.add(self.places[rows], {name: value[rows] for name, value in row.items()})
        if kept:
            self._tell(row)
        # Only training finds divergence, or how often one looks would matter; but there is no more of it at the end.
        ends = [(self.places[~sound], "diverged", False)] if last else []
        ends += [(self.places[stop], reason, converged) for stop, reason, converged in stops]
        left = len(self.places)
        for who, reason, converged in ends:
            self._retire(who, reason, converged)
        again = self.batches.full and len(self.places) == left and self.augmenting is None
        return forward if again else None

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

    def _retire(self, who: Index, reason: str, converged: bool = False) -> None:
        """Take members out of training, with their weights as they are, or at their best if a rule keeps those.

        A member that met success keeps the weights that met it; one that diverged those that show where.
        """
        leaving = np.isin(self.places, who)
        if not leaving.any():
            return
        for k in np.flatnonzero(leaving):
            place = int(self.places[k])
            if place in self.outcome:
                continue  # retired just before a Ctrl-C
            best = None if converged or reason == "diverged" else self.best
            theta = self.theta[k] if best is None else best[k]
            divergence = None
            if reason == "diverged":
                divergence = diagnose(self.cohort.take([place]), theta, self.epoch, float(self.clock["lr"][k]))
            self.final_theta[place] = theta
            self.outcome[place] = Outcome(reason, converged, self.epoch, divergence)
        self._keep(np.flatnonzero(~leaving))

    def _keep(self, keep: Index) -> None:
        """Compact every array to the members that stay, so that the others cost nothing."""
        places, theta = self.places[keep], self.theta[keep]
        params = self.network.unpack(theta)
        memory = {name: array[keep] for name, array in self.memory.items()}
        clock = {name: array[keep] for name, array in self.clock.items()}
        verdicts = [{name: array[keep] for name, array in state.items()} for state in self.verdicts]
        best = None if self.best is None else self.best[keep]
        train_part = self.train_part.take_members(keep)
        validation_part = self.validation_part and self.validation_part.take_members(keep)
        dropout = [self.dropout[k] for k in keep]
        sums = self.window_sum[keep], self.running_loss[keep], self.sound[keep]
        # First all are made, then all are put in place, without a call between: no Ctrl-C finds them at odds.
        self.places, self.theta, self.params = places, theta, params
        self.memory, self.clock, self.verdicts, self.best = memory, clock, verdicts, best
        self.train_part, self.validation_part, self.dropout = train_part, validation_part, dropout
        self.window_sum, self.running_loss, self.sound = sums

    # -- training ------------------------------------------------------------------------------------------

    def _train_epoch(self, forward: Forward | None) -> None:
        """Train one epoch, then retire members whose loss or weights became non-finite in it."""
        self.clock = self.schedule.on_epoch(self.clock, self.epoch, self.config.epochs)
        self.sound = np.ones(len(self.places), dtype=bool)
        total, steps = np.zeros(len(self.places)), 0
        seeds = [self.cohort.seeds[place] for place in self.places]
        for rows in self.batches.epoch(seeds):
            batch = self.train_part if rows is None else self.train_part.batch(rows)
            if self.augmenting is not None:
                batch = self.augmenting.of(batch, seeds)
            step_loss, grad = self._gradient(batch, forward)
            self.sound &= np.isfinite(step_loss)
            self._step(grad, step_loss)
            total += step_loss
            steps += 1
            if self.progress and time.perf_counter() - self.last_event > SECONDS_BETWEEN_EVENTS:
                self._tell(None, steps / self.batches.steps)
        self.running_loss = total / steps
        self._retire(self.places[~(self.sound & finite_members(self.theta))], "diverged")

    def _gradient(self, batch: Samples, forward: Forward | None) -> tuple[Array, Array]:
        """Return each member's loss (m,) and flat gradient (m, P) on a batch, clipped as configured."""
        dropout = self.dropout if self.network.has_dropout else None
        if forward is None:
            forward = self.network.forward(self.params, batch.X, dropout, training=True)
        self.running = self.network.running(self.params, forward) if self.network.has_running else ()
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
        if not self.sound.all():  # the weights with which the loss broke stay as they are, to be looked at
            step = np.where(self.sound[:, None], step, 0.0)
        self.theta += step
        self._follow()
        if self.schedule.needs_step_loss:
            self.clock = self.schedule.on_step(self.clock, step_loss)
        if self.config.window:
            self._count_in_window(step_loss)

    def _follow(self) -> None:
        """Set the running averages of members whose loss is sound: they follow the data, not a gradient."""
        for weights, averages in zip(self.params, self.running, strict=False):
            for key, values in averages.items():
                weights[key][self.sound] = values[self.sound]

    def _count_in_window(self, step_loss: Array) -> None:
        """Add a step to the window, and keep the mean and the learning rate when it is full."""
        self.window_sum += step_loss
        self.window_steps += 1
        if self.window_steps < self.config.window:
            return
        means, rates = self.window_sum / self.window_steps, self.clock["lr"]
        rows = np.isfinite(means)
        self.windows.add(self.places[rows], {"loss": means[rows], "learning_rate": rates[rows]})
        self.window_sum, self.window_steps = np.zeros(len(self.places)), 0

    # -- telling and finishing -----------------------------------------------------------------------------

    def _tell(self, record: Mapping[str, Array] | None, part: float = 0.0) -> None:
        """Report progress; `part` is the share of the current epoch that is done."""
        if self.progress is None:
            return
        self.last_event = time.perf_counter()
        ended = list(self.outcome.values())
        alive = len(self.places) / self.m
        event = ProgressEvent(
            epoch=self.epoch,
            epochs=self.config.epochs,
            members=self.m,
            converged=sum(outcome.converged for outcome in ended),
            diverged=sum(outcome.reason == "diverged" for outcome in ended),
            finished=len(ended),
            fraction=1.0 - alive * (1.0 - (self.epoch + part) / max(self.config.epochs, 1)),
            record=record,
            places=tuple(self.places.tolist()),
        )
        self.progress(event)

    def _finish(self) -> list[Run]:
        """Evaluate the final weights of every member and make the runs."""
        ended = Ended(
            thetas=[theta.copy() for theta in self.final_theta],
            outcomes=[self.outcome[place] for place in range(self.m)],
            histories=self.history.split(),
            windows=self.windows.split(),
        )
        seconds = (time.perf_counter() - self.started) / self.m
        runs = make_runs(self.cohort, ended, seconds, self.engine)
        if not self.interrupted:
            self._tell(None)
        return runs
