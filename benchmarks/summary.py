"""From turns to the record of a case: medians, ratios, compile time apart, and whether the bars are met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from benchmarks.cases import BEST, Case
from benchmarks.contestants import OURS
from benchmarks.rounds import Turn


@dataclass
class Measured:
    """What is known of one contestant in one case."""

    first: Turn
    turns: list[Turn]
    factor: float = 1.0
    compile_factor: float = 1.0
    told: str = ""
    about: str = ""
    differs: str = ""
    proof: str = ""
    start_seconds: float = 0.0
    peak_memory: int = 0
    # worked out from the above
    seconds: float = field(init=False)
    training: float = field(init=False)
    compile: float = field(init=False)

    def __post_init__(self) -> None:
        warm = median(turn.whole for turn in self.turns)
        self.seconds = warm * self.factor
        self.training = median(turn.training for turn in self.turns) * self.factor
        self.compile = max(self.first.whole - warm, 0.0) * self.compile_factor

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles of the call's seconds."""
        values = [turn.whole * self.factor for turn in self.turns]
        low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
        return low, high


def summarise(
    case: Case, measured: dict[str, Measured], operations: float, without_zeros: float, sgemm: float
) -> dict[str, Any]:
    """Return the record of a case as plain JSON values.

    Parameters
    ----------
    measured : dict of str to Measured
        By contestant, ours among them.
    operations, without_zeros : float
        Counted arithmetic of the work, and the share of it that skips zeros of the inputs.
    sgemm : float
        This machine's rate of large single-precision products, GFLOP/s.
    """
    ours = measured[OURS]
    rate = operations / ours.seconds / 1e9
    record: dict[str, Any] = {
        "status": "measured",
        "title": case.title,
        "seconds": {name: one.seconds for name, one in measured.items()},
        "training_seconds": {name: one.training for name, one in measured.items()},
        "compile_seconds": {name: one.compile for name, one in measured.items()},
        "first_call_seconds": {name: one.first.whole for name, one in measured.items()},
        "start_seconds": {name: one.start_seconds for name, one in measured.items()},
        "quartiles": {name: list(one.spread) for name, one in measured.items()},
        "repeats": {name: len(one.turns) for name, one in measured.items()},
        "peak_memory": {name: one.peak_memory for name, one in measured.items()},
        "measured_on": {name: one.told for name, one in measured.items() if one.told},
        "differs": {name: one.differs for name, one in measured.items() if one.differs},
        "about": {name: one.about for name, one in measured.items() if one.about},
        "proof": {"tolerance": str(case.tolerance), "epochs": case.proof_epochs, "samples": case.proof_samples}
        | {"found": {name: one.proof for name, one in measured.items()}},
        "gflop": operations / 1e9,
        "gflops": rate,
        "fraction_of_sgemm": rate / sgemm if sgemm else None,
        "share_without_zeros": without_zeros if case.counts == "sparse" else 1.0,
        "compile_included": case.compile_included,
    }
    return record | _against_peers(case, measured)


def _against_peers(case: Case, measured: dict[str, Measured]) -> dict[str, Any]:
    """Return the ratios that the case is about; a ratio above 1 means that chainrule is faster.

    A bar is met if both the whole call and the training alone reach it: neither what a call does beside training nor
    what peers are made to evaluate decides.
    """
    whole = {name: one.seconds + _compiling(case, one) for name, one in measured.items()}
    training = {name: one.training + _compiling(case, one) for name, one in measured.items()}
    warm = {name: one.seconds for name, one in measured.items()}
    peers = [name for name in measured if name != OURS]
    if not peers:
        return {"best_peer": None, "ratio_to_best_peer": None, "bars": []}

    def ratio(times: dict[str, float], rivals: Sequence[str]) -> float:
        return min(times[name] for name in rivals) / times[OURS]

    bars = []
    for against, factor in case.bars:
        rivals = peers if against == BEST else [name for name in peers if name == against]
        if rivals:
            reached, alone = ratio(whole, rivals), ratio(training, rivals)
            met = min(reached, alone) >= factor
            bars.append(
                {"against": against, "times": factor, "reached": reached, "in_training_only": alone, "met": met}
            )
    usual = [name for name in peers if name == case.usual]
    return {
        "best_peer": min(peers, key=whole.__getitem__),
        "ratio_to_best_peer": ratio(whole, peers),
        "ratio_in_training_only": ratio(training, peers),
        "ratio_without_compiling": ratio(warm, peers),
        "usual_peer": case.usual or None,
        "ratio_to_usual_peer": min(ratio(whole, usual), ratio(training, usual)) if usual else None,
        "bars": bars,
    }


def _compiling(case: Case, one: Measured) -> float:
    """Return the seconds of compilation that count: none, unless the case says so."""
    return one.compile if case.compile_included else 0.0
