"""Where a store lies, and that no message ever holds a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from chainrule.errors import StoreError
from chainrule.experiments.store import Store
from chainrule.experiments.store.place import place_of
from chainrule.experiments.store.trouble import explain


def test_places_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_STORE", raising=False)
    assert place_of(None).path == Path("chainrule.db")
    assert place_of("a/b.db").path == Path("a/b.db")
    assert place_of("sqlite:///a/b.db").path == Path("a/b.db")
    assert place_of("sqlite:////a/b.db").path == Path("/a/b.db")
    assert place_of(Path("a://b")).path == Path("a://b")
    for scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        place = place_of(f"{scheme}://me:geheim@there:5433/runs?sslmode=require")
        assert place.path is None
        assert place.shown == "postgresql://me:***@there:5433/runs?sslmode=require"
        assert place.url is not None
        assert (place.url.drivername, place.url.password) == ("postgresql+psycopg", "geheim")
    assert place_of("postgresql:///runs").shown == "postgresql:///runs"


@pytest.mark.parametrize(
    "where", ["", "  ", "a\0b", "mysql://me:geheim@there/x", "http://geheim", "postgresql+asyncpg://a:geheim@b/c"]
)
def test_other_places_are_refused(where: str) -> None:
    with pytest.raises(StoreError, match=r"a store is the path of a file such as runs\.db, or postgresql://") as caught:
        place_of(where)
    assert "geheim" not in str(caught.value)


secrets = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=6, max_size=20).map(lambda s: f"Zq{s}")


@given(secrets)
def test_no_password_is_shown(secret: str) -> None:
    url = URL.create("postgresql", "me", secret, "there", 5432, "runs", {"sslpassword": secret, "passfile": secret})
    typed = url.render_as_string(hide_password=False)
    place = place_of(typed)
    assert place.url is not None
    assert place.url.password == secret
    for text in (place.shown, repr(place), place.redact(f"cannot log in with {secret!r} or {typed}")):
        assert secret not in text
        assert "Zq" not in text


@given(
    secrets.filter(lambda secret: "/" not in secret and "?" not in secret), st.sampled_from(["postgresql", "postgres"])
)
def test_a_password_is_not_shown_where_the_url_cannot_be_read(secret: str, scheme: str) -> None:
    try:
        told = place_of(f"{scheme}://me:{secret}@there:port/runs").shown
    except StoreError as error:
        told = f"{error} {error!r} {error.__cause__}"
    assert secret not in told
    assert "Zq" not in told


def test_the_words_of_a_server_are_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "from environment")
    place = place_of("postgresql://me:a%40b%2Fc@there/runs")
    error = OSError("cannot use 'a@b/c' (a%40b%2Fc, from environment)\nin line 2")
    message = str(explain(place, error))
    assert "\n" not in message
    for secret in ("a@b/c", "a%40b", "from environment"):
        assert secret not in message
    assert "(cannot use '***' (***, ***) in line 2)" in message


@pytest.mark.parametrize(
    "typed",
    [
        "postgresql://me:ge@heim@there:5432/runs",  # SQLAlchemy takes heim@there for the host
        "postgresql://me:ge@/heim@there/runs",
        "postgresql:/me:geheim@there/runs",  # a slash is missing: not the path of a file either
        "postgresql:me:geheim@there/runs",
        "POSTGRES+psycopg:/me:geheim@there/runs",
    ],
)
def test_no_part_of_a_password_is_shown_in_a_url_that_was_mistyped(typed: str) -> None:
    with pytest.raises(StoreError, match=r"cannot be read \(it is not shown") as caught:
        place_of(typed)
    assert "heim" not in f"{caught.value}"


@pytest.mark.parametrize(
    "typed",
    [
        "me:geheim@there/runs",
        "me:geheim@there:5432/runs",
        "me:ge/heim@there/runs",
        "me@there:geheim/runs",
        "//me:geheim@there/runs",
        "postgresql//me:geheim@there/runs",
        "sqlite://me:geheim@there/runs",
        "me:geheim@postgresql://there/runs",
        "there/runs?password=geheim",
        "there/runs?sslmode=require&sslpassword=geheim",
    ],
)
def test_a_url_without_its_scheme_is_no_file(typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for where in (typed, None):
        monkeypatch.setenv("CHAINRULE_STORE", typed)
        with pytest.raises(StoreError) as caught:
            Store.open(where)
        assert "heim" not in f"{caught.value!r} {caught.value.__cause__!r}"
        assert "postgresql://" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_may_be_called_so_where_it_is_plainly_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert place_of("./me@10:30.db").path == Path("me@10:30.db")
    assert place_of("../me@10:30.db").path == Path("../me@10:30.db")
    assert place_of("/x/me@10:30.db").path == Path("/x/me@10:30.db")
    assert place_of("sqlite:////x/me@10:30.db").path == Path("/x/me@10:30.db")
    assert place_of(Path("me@10:30.db")).path == Path("me@10:30.db")
    for plain in ("me@home.db", "10:30.db"):
        with Store.open(plain):
            assert Path(plain).exists()
