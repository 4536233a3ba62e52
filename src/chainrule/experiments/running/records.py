"""What obtaining runs needs and gives: a place to keep runs, what is told on the way, and what there is in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chainrule.errors import ConfigError
from chainrule.experiments.recipes.grid import Setting
from chainrule.experiments.running.tasks import Task
from chainrule.runs import Run, Runs

Work = Iterable[tuple[Setting, Sequence[int]]]


class RunKeeper(Protocol):
    """What `obtain` needs of a store. Every method may raise `chainrule.errors.StoreError`."""

    def claim(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the tasks that are neither stored nor in work elsewhere, reserved for this process."""

    def release(self, tasks: Sequence[Task]) -> None:
        """Give back the reservation of tasks; those that are not reserved are passed over."""

    def save(self, runs: Sequence[tuple[Task, Run]]) -> None:
        """Keep finished runs, all or none, and give back their reservation."""

    def load(self, tasks: Sequence[Task], arrays: bool = True) -> dict[Task, Run]:
        """Return the stored runs of tasks; without arrays, their weights, histories and windows are empty."""


@dataclass(frozen=True)
class ObtainEvent:
    """What is told at the start, after each chunk, and a few times a second in between.

    Attributes
    ----------
    runs : sequence of (Task, Run)
        The runs that are new since the last event.
    done, total : int
        Runs there are, and runs asked for.
    seconds : float
        Since the start.
    trained : bool
        Whether `runs` were trained now; otherwise the store had them.
    failed : int
        Runs that cannot be had because their setting cannot be trained.
    elsewhere : int
        Runs left to other processes.
    left : float or None
        Seconds until the end is expected, at the deadline at the latest; None as long as nothing has been measured.
    """

    runs: Sequence[tuple[Task, Run]]
    done: int
    total: int
    seconds: float
    trained: bool = True
    failed: int = 0
    elsewhere: int = 0
    left: float | None = None


Hear = Callable[[ObtainEvent], None]


@dataclass
class Obtained:
    """Runs by setting, in the order of the seeds asked for, and how they came about.

    Attributes
    ----------
    runs : dict of str to Runs
        By `Setting.key`; settings without any run are left out.
    missing : dict of str to str
        By `Setting.key`: why seeds are lacking.
    computed, reused : int
        Runs trained now, and runs that the store had or got from another process.
    interrupted : bool
        Whether Ctrl-C ended it early.
    out_of_time : bool
        Whether the deadline did.
    seconds : float
        Wall time.
    """

    runs: dict[str, Runs] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    computed: int = 0
    reused: int = 0
    interrupted: bool = False
    out_of_time: bool = False
    seconds: float = 0.0

    @property
    def whole(self) -> bool:
        """Whether nothing ended it early."""
        return not (self.interrupted or self.out_of_time)


class UntrainableError(ConfigError):
    """A setting cannot be trained; the message says why.

    Attributes
    ----------
    setting : Setting
        The setting, which whoever knows the cells can name.
    """

    def __init__(self, setting: Setting, why: object) -> None:
        super().__init__(str(why))
        self.setting = setting
