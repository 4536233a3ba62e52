"""`chainrule sweep`: what it shows, what it leaves behind, and what it says when something is wrong."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from chainrule import train
from chainrule.cli._console import Output, PipeConsole
from chainrule.cli._durations import duration_text, parse_duration
from chainrule.cli._sweep_live import SweepLive
from chainrule.errors import ConfigError
from chainrule.experiments.running.tasks import make_tasks
from chainrule.experiments.store import Store
from chainrule.experiments.sweeps.experiment import Experiment
from chainrule.experiments.sweeps.sweeper import SweepEvent, Watched
from tests.cli.conftest import run_in
from tests.sweeps.conftest import SUCCESS, make_experiment

RECIPE = f"""
[data]
source = "xor"
[network]
hidden = [3]
[training]
loss = "binary_cross_entropy"
epochs = 60
log_every = 10
[axes]
"training.learning_rate" = [0.3, 1.0, 5.0]
"training.optimizer" = ["sgd", "adam"]
[seeds]
count = 8
quick = 2
{SUCCESS}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


def test_a_sweep_writes_its_page_and_keeps_its_runs(folder: Path) -> None:
    first = run_in(folder, "sweep", "recipe.toml", "--export", "runs.csv")
    assert first.status == 0
    assert "did best" in first.out
    assert "report: chainrule-sweep/index.html" in first.out
    assert "56 runs: 56 trained (8 to score the best again), 0 found in chainrule.db" in first.out
    page = (folder / "chainrule-sweep" / "index.html").read_text()
    assert "<script src" not in page
    assert len((folder / "runs.csv").read_text().splitlines()) == 1 + 56
    with Store.open(folder / "chainrule.db", create=False) as store:
        assert store.count() == 56
    again = run_in(folder, "sweep", "recipe.toml", "--resume", "--seeds", "10", "--no-report")
    assert again.status == 0
    cells, fresh = 6 * 10, 10  # the first 8 fresh seeds of before are seeds 8 to 15: two are now seeds of the cell
    with Store.open(folder / "chainrule.db", create=False) as store:
        trained = store.count() - 56
    assert f"{cells + fresh} runs: {trained} trained" in again.out
    assert f"{cells + fresh - trained} found in chainrule.db" in again.out
    assert "report:" not in again.out


def test_json_says_everything_and_nothing_else(folder: Path) -> None:
    told = run_in(folder, "sweep", "recipe.toml", "--json", "--out", "elsewhere/page")
    record = told.json()
    assert (record["command"], record["trained"], record["found"]) == ("sweep", 56, 0)
    assert [cell["n"] for cell in record["cells"]] == [8] * 6
    for cell in record["cells"]:
        assert cell["success"]["low"] <= cell["success"]["rate"] <= cell["success"]["high"]
    assert (folder / "elsewhere" / "chainrule.db").is_file()  # beside the output
    assert (folder / "elsewhere" / "page" / "index.html").is_file()


def test_options_reach_the_sweep(folder: Path) -> None:
    quick = run_in(folder, "sweep", "recipe.toml", "--quick", "--fresh", "0", "--no-report", "--json").json()
    assert [cell["n"] for cell in quick["cells"]] == [2] * 6
    halved = run_in(folder, "sweep", "recipe.toml", "--halving", "--fresh", "0", "--no-report", "--json").json()
    assert halved["halving"]["rungs"][0]["cells"] == 6
    some = run_in(
        folder, "sweep", "recipe.toml", "--sampler", "random", "--trials", "2", "--fresh", "0", "--json"
    ).json()
    assert len(some["cells"]) == 2
    assert some["trained"] == 0  # all of them were in the store
    adaptive = run_in(
        folder, "sweep", "recipe.toml", "--adaptive", "--max-seeds", "12", "--fresh", "0", "--json"
    ).json()
    assert {cell["adaptive"] for cell in adaptive["cells"]} == {True}
    assert max(cell["n"] for cell in adaptive["cells"]) == 12
    late = run_in(
        folder, "sweep", "recipe.toml", "--seeds", "4000", "--budget", "0.01s", "--no-report", "--json"
    ).json()
    assert (late["out_of_time"], late["interrupted"]) == (True, True)


@pytest.mark.parametrize("kept", [True, False])
def test_weights_are_kept_unless_they_are_not_wanted(folder: Path, kept: bool) -> None:
    options = ["--quick", "--fresh", "0", "--no-report", "--quiet", *([] if kept else ["--no-weights"])]
    assert run_in(folder, "sweep", "recipe.toml", *options).status == 0
    cell, *_ = Experiment.from_toml(folder / "recipe.toml").cells(quick=True)
    with Store.open(folder / "chainrule.db", create=False) as store:
        loaded = store.load(make_tasks([(cell.setting, (0, 1))]))
    trained = train(cell.setting.net, "xor", cell.setting.config, seeds=2)
    assert len(loaded) == 2
    for run, alone in zip(loaded.values(), trained, strict=True):
        assert run.theta.tolist() == (alone.theta.tolist() if kept else [])
        assert run.final == alone.final
        assert run.history["loss"].tolist() == alone.history["loss"].tolist()


def test_questions_are_answered(folder: Path) -> None:
    question = '[[questions]]\nask = "rank"\n'
    (folder / "recipe.toml").write_text(RECIPE + question)
    told = run_in(folder, "sweep", "recipe.toml", "--fresh", "0", "--no-report", "--json").json()
    assert len(told["answers"]) == 1
    assert told["answers"][0]["sentence"] in told["sentences"]


def test_runs_for_questions_are_counted_apart(folder: Path) -> None:
    question = (
        '[[questions]]\nask = "compare"\nmax_seeds = 40\n'
        'a = { "training.learning_rate" = 1.0, "training.optimizer" = "sgd" }\n'
        'b = { "training.learning_rate" = 5.0, "training.optimizer" = "sgd" }\n'
    )
    (folder / "recipe.toml").write_text(RECIPE + question)
    told = run_in(folder, "sweep", "recipe.toml", "--no-report")
    with Store.open(folder / "chainrule.db", create=False) as store:
        trained = store.count()
    purposes = f"8 to score the best again, {trained - 56} for questions"
    assert f"{trained} runs: {trained} trained ({purposes}), 0 found in chainrule.db" in told.out
    assert trained > 56
    again = run_in(folder, "sweep", "recipe.toml", "--no-report", "--json").json()
    assert (again["trained"], again["found"], again["trained_for"]) == (0, trained, {"fresh": 0, "questions": 0})


def test_a_sweep_cut_short_says_what_is_there_and_how_it_goes_on(folder: Path) -> None:
    question = '[[questions]]\nask = "spread"\na = { "training.learning_rate" = 1.0, "training.optimizer" = "sgd" }\n'
    (folder / "recipe.toml").write_text(RECIPE + question)
    little = run_in(folder, "sweep", "recipe.toml", "--budget", "0.001s", "--no-report")
    assert little.status == 0
    assert "The time given was used up: 12 of 48 runs had finished (a cell has 2 of 8 seeds)" in little.err
    assert "Too little to tell cells apart: 2 seeds, and at least 6 are needed." in little.out
    assert "The question 'spread' cannot be answered yet: the sweep was cut short." in little.out
    some = run_in(folder, "sweep", "recipe.toml", "--seeds", "4000", "--budget", "0.3s", "--no-report")
    assert "of 24,000 runs had finished (a cell has " in some.err
    assert "only one cell" not in some.out
    assert some.err.count("the same command goes on from there") == 1


def test_the_store_can_be_named_or_come_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_STORE", str(folder / "env.db"))
    run_in(folder, "sweep", "recipe.toml", "--quick", "--quiet", "--no-report")
    run_in(folder, "sweep", "recipe.toml", "--quick", "--quiet", "--no-report", "--store", "named.db")
    assert (folder / "env.db").is_file()
    assert (folder / "named.db").is_file()
    assert not (folder / "chainrule.db").exists()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--seeds", "0"], "--seeds: a number of seeds from 1"),
        (["--budget", "soon"], "--budget: 'soon' is no duration; write one such as 90s, 10m or 1h"),
        (["--budget", "0s"], "--budget: '0s' is no duration"),
        (["--resume"], "--resume: there is no store at"),
        (["--store", "."], "--store: "),
        (["--sampler", "magic"], "--sampler: unknown sampler 'magic'"),
        (["--trials", "5"], "--trials: trials = 5: the grid tries every cell"),
        (["--max-seeds", "5"], "--max-seeds: only --adaptive adds seeds"),
        (["--adaptive", "--max-seeds", "5"], "--max-seeds: 5 is fewer than the 8 seeds that every cell gets at first"),
        (["--adaptive", "--max-seeds", "9", "--seeds", "10"], "--max-seeds: 9 is fewer than the 10 seeds"),
        (["--adaptive", "--halving"], "cannot be combined"),
        (["--fresh", "-1"], "--fresh: "),
        (["--engine", "warp"], "--engine: unknown engine 'warp'"),
        (["--export", "runs.xlsx"], "--export: 'runs.xlsx' must end in .csv, .parquet or .json"),
        (["--export", "folder.csv"], "--export: 'folder.csv' is a folder; name a file in it, such as folder.csv"),
        (["--export", "recipe.toml/runs.csv"], "--export: 'recipe.toml' is a file, not a folder"),
        (["--export", "/proc/no/such/runs.csv"], "--export: cannot write to '/proc/no/such'"),
        (["--threads", "0"], "--threads: "),
        (["--out", ""], "--out: '' is no path"),
    ],
)
def test_what_cannot_work_is_one_line(folder: Path, options: list[str], what: str) -> None:
    (folder / "folder.csv").mkdir()
    told = run_in(folder, "sweep", "recipe.toml", *options)
    assert told.status == 2
    assert what in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert told.out == ""


def test_a_recipe_that_is_not_there(folder: Path) -> None:
    told = run_in(folder, "sweep", "other.toml")
    assert told.status == 2
    assert "other.toml" in told.err
    assert not (folder / "chainrule.db").exists()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h", 3600), ("1.5h", 5400), ("2 min", 120), ("45", 45), ("1d", 86400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text, "--budget") == seconds


def test_what_is_no_duration() -> None:
    for text in ("", "m", "-5s", "10 parsecs", "1e3", "1:30", "99999999999d"):
        with pytest.raises(ConfigError, match="is no duration"):
            parse_duration(text, "--budget")
    assert [duration_text(s) for s in (0.42, 42, 200, 7500)] == ["0.4 s", "42 s", "3 min 20 s", "2 h 5 min"]


def watched(
    height: int, rates: tuple[float, ...] = (0.5, 5.0), seeds: int = 6
) -> tuple[SweepLive, io.StringIO, list[SweepEvent]]:
    """Return what shows a sweep on a terminal of so many lines, after all of its events."""
    screen, output = io.StringIO(), Output()
    output.err = PipeConsole(file=screen, width=90, height=height, force_terminal=True, color_system=None)
    experiment = make_experiment(rates=rates, epochs=60)
    live, events = SweepLive(output, experiment.recipe), []

    def hear(event: SweepEvent) -> None:
        live(event)
        events.append(event)

    live.live = None
    live.next_line = float("inf")
    experiment.run(seeds=seeds, fresh=0, progress=hear)
    return live, screen, events


def test_the_live_table_has_a_row_per_cell_with_rate_and_interval() -> None:
    live, screen, _ = watched(height=40)
    live.output.err.print(live.renderable())
    text = screen.getvalue()
    assert text.count("6/6") == 4
    for tally in live.tallies.values():
        assert tally.n == 6
        assert f"{100 * tally.successes / 6:.0f} %" in text
    assert "24 of 24 runs; 4 of 4 cells done; best so far" in text


def test_a_small_terminal_shows_the_most_interesting_cells() -> None:
    rates = tuple(0.001 * 2**k for k in range(14))
    live, screen, events = watched(height=17, rates=rates)
    live.output.err.print(live.renderable())
    text = screen.getvalue()
    assert text.count("6/6") == 8
    assert "20 more cells" in text
    best = live.best(events[-1].cells)
    rows = [key for key in events[-1].cells if key in set(live.interesting(events[-1].cells, set(best), 8))]
    assert best[0] in rows


@pytest.mark.parametrize(
    ("axes", "told"),
    [
        ("", "the recipe cannot be trained: layer 3 of 5"),
        ('[axes]\n"training.learning_rate" = [0.1, 0.2]', "none of 2 cells can be trained; cell 'learning_rate=0.1': "),
    ],
)
def test_a_sweep_of_which_nothing_can_be_trained_is_an_error(tmp_path: Path, axes: str, told: str) -> None:
    layers = 'data.source = "digits"\nnetwork.layers = "conv 8 3, pool 2, conv 8 5"\n'
    (tmp_path / "recipe.toml").write_text(f"{layers}training.epochs = 2\n{axes}\n")
    result = run_in(tmp_path, "sweep", "recipe.toml", "--seeds", "2")
    assert result.status == 2
    assert told in result.err
    assert "a kernel of 5 x 5 does not fit into inputs of 3 x 3" in result.err
    assert not (tmp_path / "chainrule-sweep" / "index.html").exists()


def test_lines_tell_of_trouble_time_and_others() -> None:
    live, _, _ = watched(height=20)
    cells = {"a": Watched("lr=1", 4)}
    live(SweepEvent((), 3, 10, 1.0, failed=2, elsewhere=5, left=125.0, phase="rung 1 of 3", cells=cells))
    line = live.line()
    for words in (
        "3 of 10 runs",
        "0 of 1 cell done",
        "rung 1 of 3",
        "2 cannot be trained",
        "5 left to other",
        "2 min 5 s left",
    ):
        assert words in line


def test_without_a_terminal_a_line_comes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, output = io.StringIO(), Output()
    output.err = PipeConsole(file=screen, width=200)
    live = SweepLive(output, make_experiment().recipe)
    now = 100.0
    monkeypatch.setattr("chainrule.cli._sweep_live.time.monotonic", lambda: now)
    live.next_line = now + 5
    for second in range(0, 400, 1):
        now = 100.0 + second
        live(SweepEvent((), second, 400, float(second)))
    told = [int(line.split(" of ")[0]) for line in screen.getvalue().splitlines()]
    assert told == [5, 15, 35, 75, 135, 195, 255, 315, 375]


def test_sweeps_without_a_success_rule_show_the_loss() -> None:
    screen, output = io.StringIO(), Output()
    output.err = PipeConsole(file=screen, width=100, height=30, force_terminal=True, color_system=None)
    experiment = make_experiment(more="", epochs=60)
    live = SweepLive(output, experiment.recipe)
    live.next_line = float("inf")
    experiment.run(fresh=0, progress=live)
    output.err.print(live.renderable())
    assert "final loss" in screen.getvalue()
    assert " best" in screen.getvalue()
