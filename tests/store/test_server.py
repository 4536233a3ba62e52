"""A PostgreSQL server that goes away, keeps secrets, is locked, or holds other things."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from chainrule.errors import StoreError
from chainrule.experiments.store import Store
from tests.store.conftest import Open, Pairs, assert_same


@pytest.mark.postgres
@pytest.mark.parametrize("where", ["postgresql"], indirect=True)
class TestLostConnection:
    """A server that goes away."""

    def test_in_the_middle_of_a_save(
        self, where: str, opened: Open, plain: Pairs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = opened()
        store.save(plain[:3])
        from chainrule.experiments.store import writing

        whole = writing.put_columns

        def cut_off(connection: object, *rest: object) -> None:
            end_connections(where)
            whole(connection, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(writing, "put_columns", cut_off)
        with pytest.raises(StoreError) as caught:
            store.save(plain)
        assert "no connection to the store postgresql://chainrule:***@127.0.0.1" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert str(make_url(where).password) not in str(caught.value)
        monkeypatch.undo()
        assert store.count() == 3  # the next call connects again
        store.save(plain)
        found = store.load([task for task, _ in plain])
        for task, run in plain:
            assert_same(found[task], run)
        assert store.check().problems == []

    def test_between_two_calls(self, where: str, opened: Open, plain: Pairs) -> None:
        store = opened()
        store.claim([task for task, _ in plain])
        end_connections(where)
        store.save(plain)
        end_connections(where)
        assert store.count() == len(plain)

    def test_secrets_are_never_told(self, where: str, opened: Open) -> None:
        right = make_url(where)
        password = str(right.password)
        assert password not in repr(opened()) + opened().redacted
        wrong = right.set(password="p@ss/w:rd-" + password)
        for url in (wrong, right.set(database="none"), right.set(port=1), right.set(username="nobody")):
            typed = url.render_as_string(hide_password=False)
            with pytest.raises(StoreError) as caught:
                Store.open(typed)
            told = str(caught.value) + repr(caught.value)
            for secret in (password, "p@ss", "p%40ss", str(url.password)):
                assert secret not in told
            assert "***" in told
            assert caught.value.__cause__ is None

    def test_rows_that_others_lock_are_waited_for(self, where: str, opened: Open, plain: Pairs) -> None:
        store = opened(timeout=0.3)
        store.save(plain[:1])
        server = create_engine(make_url(where).set(drivername="postgresql+psycopg"))
        with server.connect() as other:
            other.execute(text(f"SELECT pg_advisory_lock({0x63687275})"))
            with pytest.raises(StoreError, match="is locked by another program"):
                store.save(plain)
        server.dispose()
        assert store.count() == 1

    def test_a_database_may_hold_other_things(self, where: str, plain: Pairs) -> None:
        server = create_engine(make_url(where).set(drivername="postgresql+psycopg"))
        with server.begin() as other:
            other.execute(text("CREATE TABLE meta (anything TEXT)"))
            other.execute(text("CREATE TABLE runs (anything TEXT)"))
        with Store.open(where) as store:
            store.save(plain)
        with Store.open(where, create=False, read_only=True) as store:
            assert store.count() == len(plain)
        with server.connect() as other:
            assert other.scalar(text("SELECT count(*) FROM public.runs")) == 0
        server.dispose()


def end_connections(where: str) -> None:
    """Let the server end every other connection to a database."""
    url = make_url(where).set(drivername="postgresql+psycopg")
    server = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        asked = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        assert connection.execute(asked, {"name": url.database}).rowcount > 0
    server.dispose()
