"""Chunks: every task once, balanced over settings, as long as they should be."""

from __future__ import annotations

from collections import Counter

import pytest

from chainrule.experiments.recipes.grid import Setting, make_setting
from chainrule.experiments.running import chunks
from chainrule.experiments.running.chunks import SEED_BLOCK, Pace, Queue, kind_of, work_of
from chainrule.experiments.running.tasks import Task, make_tasks
from chainrule.nn import mlp, parse_layers
from chainrule.population import TrainingConfig


def setting(source: str = "xor", units: int = 3, **training: object) -> Setting:
    return make_setting(source, mlp([units], "tanh"), TrainingConfig().replace(**training))


def emptied(queue: Queue, pace: Pace, seconds: float = 0.001) -> list[list[Task]]:
    """Take every chunk, where each run takes `seconds`."""
    taken = []
    while chunk := queue.take():
        taken.append(chunk)
        pace.measured(chunk, seconds * len(chunk))
    return taken


SETTINGS = [setting(learning_rate=rate) for rate in (0.1, 0.2)] + [
    setting(units=5, optimizer="adam"),
    setting("linear(n=30)"),
    setting(epochs=2000),
]


def test_each_task_is_in_one_chunk_and_each_chunk_has_one_source() -> None:
    tasks = make_tasks((one, range(100)) for one in SETTINGS)
    pace = Pace()
    taken = emptied(Queue(tasks, pace), pace)
    assert Counter(task for chunk in taken for task in chunk) == Counter(tasks)
    assert all(len({task.setting.source for task in chunk}) == 1 for chunk in taken)


def test_every_setting_of_a_source_gets_a_block_of_seeds_before_any_gets_another() -> None:
    settings = [one for one in SETTINGS if one.source == "xor"]
    pace = Pace()
    order = [
        task for chunk in emptied(Queue(make_tasks((s, range(50)) for s in settings), pace), pace) for task in chunk
    ]
    blocks = [task.seed // SEED_BLOCK for task in order]
    assert blocks == sorted(blocks)
    for one in settings:
        assert [task.seed for task in order if task.setting == one] == list(range(50))


def cells(rates: int, optimizers: tuple[str, ...]) -> list[Setting]:
    return [setting(learning_rate=0.1 * (k + 1), optimizer=name) for k in range(rates) for name in optimizers]


@pytest.mark.parametrize("grid", [cells(9, ("sgd",)), cells(30, ("sgd",)), cells(3, ("sgd", "momentum", "adam"))])
def test_the_first_chunk_has_a_seed_of_every_cell_before_any_has_two_more(grid: list[Setting]) -> None:
    for balanced in (False, True):
        chunk = Queue(make_tasks((one, range(20)) for one in grid), Pace(), balanced).take()
        counts = Counter(task.setting for task in chunk)
        assert set(counts) == set(grid)
        assert max(counts.values()) == min(counts.values())
        assert [task.seed for task in chunk] == sorted(task.seed for task in chunk)


def test_a_first_chunk_that_ends_early_is_balanced_as_far_as_it_goes() -> None:
    pace = Pace()
    queue = Queue(make_tasks((one, range(20)) for one in cells(9, ("sgd",))), pace)
    pairs = [(task.setting, task.seed) for _ in range(12) for task in queue.take(1e-9)]
    assert pairs[:9] == [(one, 0) for one in cells(9, ("sgd",))]
    assert len(pairs) == 12


def test_with_a_deadline_seeds_double_so_that_no_cell_is_far_ahead() -> None:
    grid, pace, counts = cells(3, ("sgd", "adam")), Pace(), Counter[Setting]()
    queue = Queue(make_tasks((one, range(40)) for one in grid), pace, balanced=True)
    while chunk := queue.take(1e-9):
        pace.measured(chunk, 1.0)
        counts.update(task.setting for task in chunk)
        fewest = min(counts[one] for one in grid)
        assert max(counts.values()) <= (max(2 * fewest, 2) if fewest < SEED_BLOCK else fewest + SEED_BLOCK)
    assert set(counts.values()) == {40}


def test_sources_take_turns() -> None:
    pace = Pace()
    queue = Queue(make_tasks([(setting(), range(64)), (setting("linear(n=30)"), range(64))]), pace)
    taken = emptied(queue, pace, seconds=0.1)
    first = [
        next(k for k, chunk in enumerate(taken) if chunk[0].setting.source == source)
        for source in ("xor", "linear(n=30)")
    ]
    assert max(first) <= 2


def test_members_that_differ_in_rate_and_width_are_of_one_kind() -> None:
    assert kind_of(setting(learning_rate=0.3)) == kind_of(setting(units=9, learning_rate=0.1))
    assert kind_of(setting(learning_rate=0.3, schedule="cosine")) == kind_of(setting())
    for other in (setting(optimizer="adam"), setting(epochs=9), setting("linear(n=30)")):
        assert kind_of(other) != kind_of(setting())


@pytest.mark.parametrize("seconds", [0.0001, 0.01, 0.5, 20.0])
def test_chunks_come_to_take_the_time_they_should(seconds: float) -> None:
    pace = Pace()
    taken = emptied(Queue(make_tasks([(setting(), range(20_000 if seconds < 1 else 200))]), pace), pace, seconds)
    sizes = [len(chunk) for chunk in taken]
    wanted = min(max(chunks.TARGET_SECONDS / seconds, 1), chunks.MOST_RUNS)
    assert sizes[0] <= chunks.FIRST_RUNS
    assert all(later <= chunks.MOST_GROWTH * max(sizes[:k]) for k, later in enumerate(sizes) if k)
    settled = sizes[6:-1]
    assert settled
    assert all(0.5 * wanted <= size <= wanted + 1 for size in settled)


def test_expected_time_follows_what_was_measured() -> None:
    pace, tasks = Pace(), make_tasks([(setting(), range(10)), (setting(epochs=2000), range(10))])
    queue = Queue(tasks, pace)
    pace.measured(tasks[:10], 5.0)
    assert pace.seconds(tasks[0].setting) == pytest.approx(0.5)
    # a kind that was never seen: as fast as the others, for its work
    assert pace.seconds(tasks[-1].setting) == pytest.approx(
        0.5 * work_of(tasks[-1].setting) / work_of(tasks[0].setting)
    )
    assert queue.seconds == pytest.approx(5.0 + 10 * pace.seconds(tasks[-1].setting))


def test_a_limit_makes_chunks_smaller_but_never_empty() -> None:
    pace = Pace()
    queue = Queue(make_tasks([(setting(), range(100))]), pace)
    pace.measured(queue.take(1e-9) + queue.take(1e-9), 2.0)
    assert len(queue.take(0.01)) == 1
    assert len(queue.take(2.5)) == 2
    assert Queue([], pace).take() == []


def test_long_histories_bound_a_chunk() -> None:
    pace = Pace()
    one = setting(epochs=100_000)
    queue = Queue(make_tasks([(one, range(1000))]), pace)
    pace.measured(queue.take(), 1e-3)
    pace.measured(queue.take(), 1e-3)
    assert len(queue.take()) == chunks.MOST_BYTES // chunks.bytes_of(one)


def test_of_networks_whose_work_is_not_known_one_is_tried_first() -> None:
    network = parse_layers("conv 2 3, pool 2, dense 4")
    images = make_setting("digits", network, TrainingConfig(epochs=1))
    assert not kind_of(images).estimated
    assert kind_of(setting()).estimated
    tasks = make_tasks([(images, range(20))])
    pace = Pace()
    queue = Queue(tasks, pace)
    assert len(queue.take()) == 1
    pace.measured(tasks[:1], 0.1)
    assert len(queue.take()) == chunks.MOST_GROWTH
