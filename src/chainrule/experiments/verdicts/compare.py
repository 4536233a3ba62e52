"""`compare`: two settings, paired by seed, and one sentence that says what may be said."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chainrule.errors import ConfigError, show
from chainrule.experiments.recipes.selectors import Selector
from chainrule.experiments.running.records import RunKeeper
from chainrule.experiments.verdicts.bench import Bench, Hear, check_measure, open_store
from chainrule.experiments.verdicts.fair_tuning import Tuned, split_seeds, tune, tuning_words
from chainrule.experiments.verdicts.judging import Pair, Statistic, judge
from chainrule.experiments.verdicts.measures import Measure, Values, parse_measure
from chainrule.experiments.verdicts.pairing import check_same_data, pairing_of
from chainrule.experiments.verdicts.sides import Candidate, Side, named, side_of
from chainrule.experiments.verdicts.until_decided import run_until_decided
from chainrule.experiments.verdicts.verdict import Verdict, jsonable
from chainrule.population import MOST_SEEDS, parse_seeds
from chainrule.random import PLAIN_SEEDS
from chainrule.resources import resources_from
from chainrule.stats import MIN_PAIRS
from chainrule.stats.intervals import check_level

MAX_SEEDS = 5000


@dataclass(frozen=True)
class Terms:
    """On what terms two sides are compared.

    Attributes
    ----------
    level : float
        Confidence.
    margin : float or None
        Differences up to this size do not matter.
    until_decided : bool
        Add seeds until the comparison is decided.
    max_seeds : int
        Judging seeds at most.
    seeds : tuple of int, int or None
        Which seeds, or how many; None as the sides say.
    statistic : "mean" or "median"
        What is taken over the paired differences of a metric, on a fixed number of seeds.
    """

    level: float = 0.95
    margin: float | None = None
    until_decided: bool = False
    max_seeds: int = MAX_SEEDS
    seeds: tuple[int, ...] | int | None = None
    statistic: Statistic = "mean"

    def __post_init__(self) -> None:
        check_level(self.level)
        if self.margin is not None and not 0 <= self.margin < math.inf:
            raise ConfigError(f"margin is a number of at least 0, got {show(self.margin)}")
        whole = isinstance(self.max_seeds, int) and not isinstance(self.max_seeds, bool)
        if not whole or not 1 <= self.max_seeds <= MOST_SEEDS:
            raise ConfigError(f"max_seeds is a whole number from 1 to {MOST_SEEDS:,}, got {show(self.max_seeds)}")
        if self.statistic not in ("mean", "median"):
            raise ConfigError(f"statistic is 'mean' or 'median', got {show(self.statistic)}")


def compare(
    a: Any,
    b: Any,
    *,
    where_a: Selector | str | None = None,
    where_b: Selector | str | None = None,
    quantity: str = "success",
    seeds: int | Iterable[int] | None = None,
    store: RunKeeper | str | Path | None = None,
    level: float = 0.95,
    margin: float | None = None,
    until_decided: bool = False,
    max_seeds: int = MAX_SEEDS,
    statistic: Statistic = "mean",
    better: str | None = None,
    success: str | None = None,
    quick: bool = False,
    engine: str = "auto",
    threads: int | None = None,
    memory: int | str | None = None,
    data_dir: str | Path | None = None,
    progress: Hear | None = None,
) -> Verdict:
    """Compare two settings on the same seeds.

    If a side leaves several cells of its recipe open (an optimizer at each of its learning rates), both sides are
    tuned over theirs on the first half of the seeds and judged on the others; `until_decided`, all of those seeds tune
    and further ones judge.

    Parameters
    ----------
    a, b : path, Experiment, SweepResult, CellResult or Runs
        A path names a recipe file, a recipe file and a selector (``recipe.toml:optimizer=adam``), or a folder that
        ``chainrule train`` saved.
    where_a, where_b : mapping or str, optional
        Which cells of a recipe or sweep: ``{"optimizer": "adam"}`` or ``"optimizer=adam"``.
    quantity : str
        ``success``, or a quantity such as ``final validation_accuracy`` or ``epochs``.
    seeds : int or iterable of int, optional
        How many seeds, or which; by default as the recipe says, or those that both sides have.
    store : Store or path, optional
        Where runs are looked up and kept.
    level : float
        Confidence of every statement.
    margin : float, optional
        Differences up to this size do not matter: then the two can be practically equal.
    until_decided : bool
        Add seeds until the comparison is decided, with intervals that allow looking at any time.
    max_seeds : int
        Judging seeds at most, then.
    statistic : "mean" or "median"
        What is taken over the paired differences of a metric, on a fixed number of seeds.
    better : str, optional
        ``"lower"`` or ``"higher"``, if not the quantity's own direction.
    success : str, optional
        A success rule such as ``accuracy>=0.99`` for both sides, instead of their own.
    quick : bool
        Take the recipes' quick settings.
    engine, threads, memory, data_dir
        As for `chainrule.train`.
    progress : callable, optional
        Told what is done, and which share of it.

    Returns
    -------
    Verdict
        ``print`` it for its sentence; `decision` is ``"a"``, ``"b"``, ``"equal"``, ``"undecided"`` or
        ``"no verdict"`` (fewer than 6 pairs).

    Raises
    ------
    ChainruleError
        One line that says what cannot be compared.

    Examples
    --------
    >>> from chainrule import compare, mlp, train
    >>> a = train(mlp([4]), "xor", seeds=8, epochs=30, learning_rate=0.5)
    >>> b = train(mlp([4]), "xor", seeds=8, epochs=30, learning_rate=0.01)
    >>> compare(a, b, quantity="loss").decision
    'a'
    """
    measure = parse_measure(quantity, better)
    terms = Terms(level, margin, until_decided, max_seeds, _seeds(seeds), statistic)
    sides = named(side_of(a, where_a, success=success, quick=quick), side_of(b, where_b, success=success, quick=quick))
    with open_store(store) as keeper:
        bench = Bench(keeper, engine, resources_from(threads, memory), _folder(data_dir), progress)
        return compare_sides(*sides, measure, bench, terms)


def _seeds(seeds: int | Iterable[int] | None) -> tuple[int, ...] | int | None:
    if seeds is None:
        return None
    listed = parse_seeds(seeds)
    return len(listed) if isinstance(seeds, int) else listed


def _folder(data_dir: str | Path | None) -> str | None:
    return None if data_dir is None else str(data_dir)


def compare_sides(first: Side, second: Side, measure: Measure, bench: Bench, terms: Terms) -> Verdict:
    """Compare two named sides: tune them if there is something to tune, then judge."""
    check_sides(first, second, measure)
    if terms.until_decided and not (first.grows and second.grows):
        raise ConfigError("until decided means training further seeds, and saved runs cannot grow: give recipes")
    seeds = first_seeds((first, second), terms)
    tuning = max(len(first.candidates), len(second.candidates)) > 1
    choosing, judging = _split(seeds, terms) if tuning else ((), seeds)
    tuned = tune((first, second), measure, bench, choosing) if tuning else _untuned(first, second)
    if terms.until_decided:
        judging = _further(judging, seeds, terms.max_seeds)
    verdict = _judge(tuned, measure, bench, terms, judging)
    return _completed(verdict, tuned, choosing, measure, bench)


def _split(seeds: tuple[int, ...], terms: Terms) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the seeds that tune and those that judge: half and half, or all tune where further ones follow."""
    return (seeds, ()) if terms.until_decided else split_seeds(seeds)


def check_sides(first: Side, second: Side, measure: Measure) -> None:
    """Refuse what cannot be compared, before anything is trained."""
    for one in first.candidates:
        for other in second.candidates:
            check_same_data(one.setting, other.setting)
    for side in (first, second):
        try:
            check_measure(measure, side.candidates)
        except ConfigError as error:
            raise ConfigError(f"{side.name}: {error}") from None
    alike = {one.setting for one in first.candidates} == {other.setting for other in second.candidates}
    if alike and first.grows and second.grows:
        raise ConfigError(
            f"the two sides are the same setting{'s' if len(first.candidates) > 1 else ''} of '{first.title}': select "
            "different ones, such as --a optimizer=adam --b optimizer=sgd"
        )


def first_seeds(sides: Sequence[Side], terms: Terms) -> tuple[int, ...]:
    """Return the seeds to begin with: those asked for, or those that the sides name or have."""
    fixed = [set(side.seeds) for side in sides if not side.grows]
    if fixed:
        common = sorted(set.intersection(*fixed))
        if isinstance(terms.seeds, tuple):
            common = [seed for seed in terms.seeds if seed in set(common)]
        return tuple(common[: terms.seeds] if isinstance(terms.seeds, int) else common)
    if isinstance(terms.seeds, tuple):
        return terms.seeds
    longer = max((side.seeds for side in sides), key=len)
    if terms.seeds is None:
        return longer
    start = max(longer, default=-1) + 1
    return (*longer, *range(start, start + terms.seeds))[: terms.seeds]


def _further(judging: tuple[int, ...], used: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Return the judging seeds with those that follow, `most` in all."""
    start = min(max(used, default=-1) + 1, PLAIN_SEEDS - most)
    return (*judging, *range(start, start + most))[:most]


def _untuned(first: Side, second: Side) -> tuple[Tuned, ...]:
    return Tuned(first, first.candidates[0]), Tuned(second, second.candidates[0])


def _judge(tuned: Sequence[Tuned], measure: Measure, bench: Bench, terms: Terms, seeds: tuple[int, ...]) -> Verdict:
    """Get both sides' values and judge them."""
    names = (tuned[0].name, tuned[1].name)
    chosen = [one.chosen for one in tuned]

    def get(some: Sequence[int]) -> tuple[Values, Values]:
        table = bench.values(chosen, some, [measure])
        return table[0, measure.text], table[1, measure.text]

    if terms.until_decided:
        return run_until_decided(names, measure, seeds, get, terms.level, terms.margin or 0.0, _hear(bench, seeds))
    return judge(Pair(names, seeds, *get(seeds), measure), terms.level, terms.margin, terms.statistic)


def _hear(bench: Bench, seeds: Sequence[int]) -> Callable[[int, Any], None] | None:
    """Return what tells the bench's listener how far a comparison is."""
    listener = bench.hear
    if listener is None:
        return None
    bench.hear = None  # the share of a batch would jump to and fro
    return lambda n, interval: listener(f"{n:,} seeds, {interval.low:.3g} to {interval.high:.3g}", n / len(seeds))


def _completed(
    verdict: Verdict, tuned: Sequence[Tuned], choosing: tuple[int, ...], measure: Measure, bench: Bench
) -> Verdict:
    """Add to a verdict how its sides were tuned, what is paired, and where the runs came from."""
    first, second = tuned
    words = tuning_words(tuned, len(choosing))
    sentence = verdict.sentence
    if words and verdict.decision != "no verdict":
        sentence = f"{sentence.removesuffix('.')}; {words}."
    pairing = pairing_of(first.chosen.setting, second.chosen.setting, bench.data_dir)
    numbers = {
        **verdict.numbers,
        "tuning": {
            "words": words,
            "choosing_seeds": choosing,
            "scores": {one.side.name: jsonable(one.scores) for one in tuned if one.scores},
        },
        "shared": pairing.same,
        "not_shared": pairing.different,
        "computed": bench.computed,
        "reused": bench.reused,
    }
    notes = (*verdict.notes, *_rules(first.chosen, second.chosen, tuned, measure))
    if verdict.kind == "until decided" and verdict.decision == "undecided" and not verdict.numbers["margin"]:
        notes = (*notes, "Without a margin (--margin) the two can never be found practically equal.")
    if choosing and verdict.decision == "no verdict":
        notes = (*notes, f"The other {len(choosing)} seeds tuned: give at least {2 * MIN_PAIRS} seeds in all.")
    return replace(verdict, sentence=sentence, numbers=numbers, paired=pairing.sentence, notes=notes)


def _rules(a: Candidate, b: Candidate, tuned: Sequence[Tuned], measure: Measure) -> tuple[str, ...]:
    """Say when a run counts as a success."""
    if not measure.is_success:
        return ()
    if a.rule == b.rule:
        return (f"Success: {a.rule}.",)
    return (f"Success is not the same on both sides: {tuned[0].name} {a.rule}; {tuned[1].name} {b.rule}.",)
