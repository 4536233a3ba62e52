"""The proof of equal work: every contestant's final losses against those of the reference engine in float64."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import chainrule
from benchmarks.cases import Tolerance
from benchmarks.contestants import contestant
from benchmarks.work import Work
from chainrule.files import write_whole

Values = npt.NDArray[np.float64]
JUDGES = ("nn", "optim", "data", "random.py", "cohorts.py", "engines/reference.py", "engines/_*.py")


@dataclass(frozen=True)
class Verdict:
    """How near a contestant's final losses came.

    Attributes
    ----------
    within : float
        Share of the members within the tolerance.
    median, largest : float
        Relative differences of single members.
    mean : float
        Relative difference of the mean over members.
    holds : bool
        Whether the work was equal.
    """

    within: float
    median: float
    largest: float
    mean: float
    holds: bool

    def __str__(self) -> str:
        return (
            f"{self.within:.1%} of members within the tolerance, median difference {self.median:.1e}, "
            f"largest {self.largest:.1e}, of the mean {self.mean:.1e}"
        )


def compare(found: Values, reference: Values, tolerance: Tolerance) -> Verdict:
    """Return how final losses compare with the reference's, relative to them."""
    if found.shape != reference.shape:
        return Verdict(0.0, np.inf, np.inf, np.inf, holds=False)
    both_broken = ~np.isfinite(found) & ~np.isfinite(reference)
    with np.errstate(invalid="ignore"):
        difference = np.abs(found - reference) / np.maximum(np.abs(reference), np.finfo(np.float32).tiny)
    difference = np.where(both_broken, 0.0, np.nan_to_num(difference, nan=np.inf))
    sound = np.isfinite(reference)
    expected = float(np.mean(reference[sound])) if sound.any() else 0.0
    mean = abs(float(np.mean(found[sound])) - expected) / expected if expected else 0.0
    within = float(np.mean(difference <= tolerance.each))
    holds = within >= tolerance.share and mean <= tolerance.mean
    return Verdict(within, float(np.median(difference)), float(np.max(difference)), mean, holds)


def reference_losses(work: Work, folder: Path) -> Values:
    """Train the work with the reference engine in float64, or return what an earlier run of the same found."""
    path = folder / f"{_key(work)}.npy"
    if path.is_file():
        kept: Values = np.load(path)
        return kept
    judge = contestant("reference")(work)
    judge.train()
    losses = work.losses(judge.weights())
    write_whole(path, lambda temporary: np.save(temporary, losses))
    return losses


def _key(work: Work) -> str:
    """Hash everything that the reference's result depends on: members, data, and the code that trains them."""
    digest = hashlib.blake2b(work.dataset.fingerprint.encode(), digest_size=12)
    for member in work.members:
        setting = [member.network.describe(), member.config.describe(), member.seed]
        digest.update(json.dumps(setting, sort_keys=True).encode())
    root = Path(chainrule.__file__).parent
    for pattern in JUDGES:
        for place in sorted(root.glob(pattern)):
            for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
                digest.update(path.read_bytes())
    return digest.hexdigest()
