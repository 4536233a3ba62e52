"""The contract every engine keeps, and how it reports progress."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

from chainrule.cohorts import Cohort
from chainrule.nn import Array
from chainrule.resources import Resources, resources_from
from chainrule.runs import Run


@dataclass(frozen=True)
class ProgressEvent:
    """What a training run tells while it goes on.

    Attributes
    ----------
    epoch : int
        Epochs completed by the members still in training.
    epochs : int
        Epochs asked for.
    members, converged, diverged, finished : int
        How many members there are, and how many of them have converged, diverged, or ended in any way.
    fraction : float
        Share of the whole work that is done, 0 to 1.
    record : mapping or None
        At a kept epoch: loss and metrics, one value per entry of `places`.
    places : tuple of int
        Which members of the population the record speaks of.
    """

    epoch: int
    epochs: int
    members: int
    converged: int
    diverged: int
    finished: int
    fraction: float
    record: Mapping[str, Array] | None = None
    places: tuple[int, ...] = ()


class Progress(Protocol):
    """Anything that wants to hear of the progress; called often, so it should return at once."""

    def __call__(self, event: ProgressEvent, /) -> None: ...


class WholeProgress:
    """Turns the progress of parts, trained one after the other to their end, into that of the whole.

    Parameters
    ----------
    progress : callable
        Hears of the whole.
    members : int
        How many members the whole has.
    """

    def __init__(self, progress: Progress, members: int) -> None:
        self.progress, self.members = progress, members
        self.latest = ProgressEvent(0, 0, members, 0, 0, 0, 0.0)
        self.begun = 0  # members of the parts so far

    def part(self, places: Sequence[int]) -> Progress:
        """Return what the next part reports to; `places` are its members' numbers in the whole."""
        before, ended = self.latest, self.begun
        self.begun += len(places)

        def heard(event: ProgressEvent) -> None:
            self.latest = replace(
                event,
                members=self.members,
                converged=before.converged + event.converged,
                diverged=before.diverged + event.diverged,
                finished=before.finished + event.finished,
                fraction=(ended + event.fraction * len(places)) / self.members,
                places=tuple(places[k] for k in event.places),
            )
            self.progress(self.latest)

        return heard


@dataclass(frozen=True)
class Trained:
    """What an engine hands back.

    Attributes
    ----------
    runs : dict of int to Run
        By the member's place in the cohort; all members, or after Ctrl-C those that had started.
    interrupted : bool
        Whether a Ctrl-C came, even if it came too late to stop any member.
    """

    runs: dict[int, Run]
    interrupted: bool = False


class Engine(ABC):
    """Trains cohorts.

    An engine must

    - return one `Run` per member, and never change the cohorts;
    - give member k the same weights whether it is trained alone or among others, with one thread or several, in one
      chunk or many (to the last bit, or within a tolerance that the engine states);
    - freeze a member that meets a non-finite value, without disturbing its neighbours, and say where and why;
    - end on `KeyboardInterrupt` by returning the members as they are, unfinished ones marked ``interrupted``,
      at whatever moment it comes; only a second one, while the first is being dealt with, may cost members;
    - draw randomness only from `chainrule.random.stream`.

    Parameters
    ----------
    resources : Resources, optional
        Threads and memory it may take; by default those of `resources_from`.
    """

    name: ClassVar[str]

    def __init__(self, resources: Resources | None = None) -> None:
        self.resources = resources_from() if resources is None else resources

    @abstractmethod
    def unsupported(self, cohort: Cohort) -> str | None:
        """Return why this engine cannot train the cohort, or None if it can."""

    @abstractmethod
    def member_bytes(self, cohort: Cohort) -> int:
        """Estimate the bytes that one member takes in training, with the data it sees."""

    @abstractmethod
    def train(self, cohort: Cohort, progress: Progress | None = None) -> Trained:
        """Train all members to their end."""

    def train_together(
        self, cohorts: Sequence[Cohort], progress: Progress | None = None, reasons: Sequence[str] = ()
    ) -> Trained:
        """Train several cohorts to their end, by default one after the other.

        Parameters
        ----------
        cohorts : sequence of Cohort
            What is to be trained.
        progress : callable, optional
            Hears of all cohorts as of one whole.
        reasons : sequence of str, optional
            For each cohort why this engine trains it, for `Run.engine_reason`.

        Returns
        -------
        Trained
            Runs by the member's place in the concatenation of the cohorts.
        """
        whole = None if progress is None else WholeProgress(progress, sum(map(len, cohorts)))
        runs: dict[int, Run] = {}
        start = 0
        for number, cohort in enumerate(cohorts):
            places = range(start, start + len(cohort))
            trained, interrupted = self.train(cohort, None if whole is None else whole.part(places)), False
            reason = reasons[number] if reasons else ""
            try:
                runs |= {places[k]: replace(run, engine_reason=reason) for k, run in trained.runs.items()}
            except KeyboardInterrupt:  # what is trained is kept, whenever it comes
                interrupted = True
                runs |= {places[k]: replace(run, engine_reason=reason) for k, run in trained.runs.items()}
            if trained.interrupted or interrupted:
                return Trained(runs, interrupted=True)
            start = places.stop
        return Trained(runs)
