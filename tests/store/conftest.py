"""Stores to test, and runs of every kind to put into them: the same tests run over SQLite and over PostgreSQL."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from chainrule import Runs
from chainrule.cli import main
from chainrule.experiments.recipes.grid import Setting, make_setting
from chainrule.experiments.running.tasks import Task, make_tasks, source_of
from chainrule.experiments.store import Store
from chainrule.nn import mlp
from chainrule.population import TrainingConfig
from chainrule.runs import Run
from chainrule.training import train_members

TABLE = """age,colour,height,species
31,red,1.81,cat
,blue,1.62,dog
45,red,,cat
28,green,1.75,dog
52,red,1.69,dog
39,blue,1.93,cat
61,green,1.58,cat
23,red,1.71,dog
"""
Pairs = list[tuple[Task, Run]]
Open = Callable[..., Store]

SERVER = "CHAINRULE_TEST_POSTGRES"
"""The URL of a database whose owner may make others, as `make postgres` sets it."""


def setting_of(source: str = "xor", hidden: tuple[int, ...] = (3,), **training: Any) -> Setting:
    """Return a small setting."""
    return make_setting(source, mlp(hidden, "tanh"), TrainingConfig(**({"epochs": 8} | training)))


def train(tasks: list[Task]) -> Pairs:
    """Train tasks of one data source."""
    runs = train_members([task.member for task in tasks], source_of(tasks[0].setting.source))
    return list(zip(tasks, runs, strict=True))


def assert_same(a: Run, b: Run) -> None:
    """Require two runs to be equal in every field, to the last bit."""
    assert a.member == b.member
    names = ("stop_reason", "converged", "epochs", "divergence", "fingerprint", "seconds", "engine", "engine_reason")
    for name in (*names, "preprocessing"):
        assert getattr(a, name) == getattr(b, name), name
        assert type(getattr(a, name)) is type(getattr(b, name)), name
    assert list(a.final) == list(b.final)
    assert np.array(list(a.final.values())).tobytes() == np.array(list(b.final.values())).tobytes()
    assert_same_arrays({"theta": a.theta}, {"theta": b.theta})
    assert_same_arrays(a.history, b.history)
    assert_same_arrays(a.windows, b.windows)
    assert (a.normalization is None) == (b.normalization is None)
    for one, other in zip(a.normalization or (), b.normalization or (), strict=True):
        assert_same_arrays(dict(one), dict(other))


def assert_same_arrays(a: dict[str, Any], b: dict[str, Any]) -> None:
    """Require arrays of equal names, types, shapes and bytes."""
    assert list(a) == list(b)
    for name, array in a.items():
        assert (array.dtype, array.shape) == (b[name].dtype, b[name].shape), name
        assert array.tobytes() == b[name].tobytes(), name


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV file with numbers, words and gaps."""
    path = tmp_path_factory.mktemp("table") / "pets.csv"
    path.write_text(TABLE)
    return path


@pytest.fixture(scope="session")
def mixed(table: Path) -> Pairs:
    """Runs of every kind: both precisions, diverged, stopped, with windows, tables, validation, normalising layers."""
    unbounded = make_setting(
        "xor",
        mlp([3], "leaky_relu(0.1)", output="identity", l2=0.01, dropout=0.1),
        TrainingConfig(epochs=40, learning_rate=1e30, dtype="float32", batch_size=7),
    )
    normal = make_setting("moons", mlp([4], "tanh", normalize=True), TrainingConfig(epochs=3, batch_size=20, test=0.2))
    pets = f"{table}?target=species&missing=impute"
    groups = [
        [setting_of(window=2, batch_size=4, validation=0.25), setting_of(stopping="loss_below(10, times=4)")],
        [unbounded],
        [normal],
        [setting_of(pets, epochs=3, validation=0.25, learning_rate=0.5)],
    ]
    pairs = [pair for group in groups for pair in train(make_tasks([(setting, range(3)) for setting in group]))]
    assert {run.stop_reason for _, run in pairs} == {"epochs", "diverged", "loss_below"}
    assert any(run.normalization for _, run in pairs)
    assert any(run.preprocessing for _, run in pairs)
    return pairs


@pytest.fixture(scope="session")
def plain() -> Pairs:
    """Two settings from six seeds each."""
    return train(make_tasks([(setting_of(learning_rate=rate), range(6)) for rate in (0.1, 1.0)]))


@pytest.fixture(scope="session")
def runs_of() -> Callable[[Pairs], Runs]:
    """Put runs into a table."""
    return lambda pairs: Runs(tuple(run for _, run in pairs), pairs[0][0].setting.source)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The place of a store that is still to be made."""
    if request.param == "sqlite":
        yield str(tmp_path / "runs.db")
    else:
        yield from new_database(f"t{abs(hash(str(tmp_path))):x}")


def new_database(name: str) -> Iterator[str]:
    """Make a database, and drop it in the end."""
    url = make_url(os.environ[SERVER]).set(drivername="postgresql+psycopg")
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    yield url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    server.dispose()


@pytest.fixture
def opened(where: str) -> Iterator[Open]:
    """Open a store as often as wanted; each is closed in the end."""
    stores: list[Store] = []

    def make(**options: Any) -> Store:
        stores.append(Store.open(where, **options))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Open) -> Store:
    """An empty store."""
    return opened()


@dataclass(frozen=True)
class Result:
    """What a command left."""

    status: int
    out: str
    err: str


Cli = Callable[..., Result]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run commands in this test's own folder, 100 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("CHAINRULE_STORE", raising=False)

    def run(*arguments: str) -> Result:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(["store", *arguments])
        return Result(status, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def filled(cli: Cli, plain: Pairs) -> Cli:
    """A store with two settings from six seeds each."""
    with Store.open("chainrule.db") as store:
        store.save(plain)
    return cli
