"""What both compiled engines do alike. Numba and the kernels are imported when training begins, not before."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule.cohorts import Cohort
from chainrule.engines._base import Engine, Progress, Trained
from chainrule.engines.compiled.bundles import facts
from chainrule.engines.compiled.plan import why_not

if TYPE_CHECKING:
    from chainrule.engines.compiled.making import Maker


class CompiledEngine(Engine):
    """Trains networks of dense layers, convolutions and poolings in compiled code, repeatable to the last bit."""

    @abstractmethod
    def maker(self) -> Maker:
        """Return what makes the engine's blocks."""

    def unsupported(self, cohort: Cohort) -> str | None:
        """Return why no compiled engine can train the cohort, or None."""
        return why_not(cohort)

    def member_bytes(self, cohort: Cohort) -> int:
        """Estimate the bytes of one member: samples, weights, history."""
        known = facts(cohort)
        return known.own_bytes + known.data_bytes

    def train(self, cohort: Cohort, progress: Progress | None = None) -> Trained:
        """Train all members to their end."""
        return self.train_together([cohort], progress)

    def train_together(
        self, cohorts: Sequence[Cohort], progress: Progress | None = None, reasons: Sequence[str] = ()
    ) -> Trained:
        """Train the members of all cohorts side by side; see `Engine.train_together`."""
        from chainrule.engines.compiled.session import Session

        return Session(self.name, self.maker(), self.resources, cohorts, reasons, progress).train()
