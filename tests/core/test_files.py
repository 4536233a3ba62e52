"""Files appear whole or not at all, and trouble is one line."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, NoReturn

import pytest

from chainrule.errors import RunError
from chainrule.files import check_folder, write_text, write_whole


def test_text_is_written_as_utf8_into_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "note.txt"
    assert write_text(path, "déjà vu\n") == path
    assert path.read_bytes() == b"d\xc3\xa9j\xc3\xa0 vu\n"
    assert os.listdir(path.parent) == ["note.txt"]


def test_the_writer_gets_a_hidden_file_beside_with_the_same_suffix(tmp_path: Path) -> None:
    def write(temporary: Path) -> None:
        assert temporary.parent == tmp_path
        assert (temporary.name[0], temporary.suffix) == (".", ".npz")
        assert not (tmp_path / "runs.npz").exists()
        temporary.write_bytes(b"whole")

    write_whole(tmp_path / "runs.npz", write)
    assert (tmp_path / "runs.npz").read_bytes() == b"whole"


def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "x", "")
        assert os.umask(0o027) == 0o027  # and the mask is as it was
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError("odd")])
def test_trouble_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: OSError) -> None:
    write_text(tmp_path / "x.txt", "old")

    def fail(temporary: Path) -> NoReturn:
        temporary.write_text("half")
        raise error

    with pytest.raises(RunError, match=f"cannot write .*x.txt: {error.strerror or 'odd'}"):
        write_whole(tmp_path / "x.txt", fail)
    assert os.listdir(tmp_path) == ["x.txt"]
    assert (tmp_path / "x.txt").read_text() == "old"


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError])
def test_other_trouble_passes_but_leaves_nothing_either(tmp_path: Path, error: type[BaseException]) -> None:
    def fail(temporary: Path) -> NoReturn:
        temporary.write_text("half")
        raise error

    with pytest.raises(error):
        write_whole(tmp_path / "x.txt", fail)
    assert os.listdir(tmp_path) == []


def test_a_rename_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "inside").touch()
    with pytest.raises(RunError, match=r"cannot write .*taken: Is a directory"):
        write_text(tmp_path / "taken", "text")
    assert os.listdir(tmp_path) == ["taken"]


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot write"):
        write_text(tmp_path / "file" / "x.txt", "text")


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "n" * 300])
def test_names_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="cannot write") as error:
        write_text(tmp_path / name, "text")
    assert len(str(error.value).splitlines()) == 1
    assert str(error.value).isprintable()
    assert os.listdir(tmp_path) == []


def test_the_longest_name_is_not_made_longer(tmp_path: Path) -> None:
    assert write_text(tmp_path / ("n" * 251 + ".txt"), "text").read_text() == "text"


def test_check_folder_leaves_no_trace(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    assert os.listdir(tmp_path) == []
    (tmp_path / "kept").mkdir()
    check_folder(tmp_path / "kept" / "new")
    assert os.listdir(tmp_path) == ["kept"]
    (tmp_path / "kept" / "note").touch()
    check_folder(tmp_path / "kept")
    assert os.listdir(tmp_path / "kept") == ["note"]


def test_check_folder_refuses_a_file_and_impossible_names(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RunError, match="is a file"):
            check_folder(folder)
    for name in ("a\0b", "n" * 300):
        with pytest.raises(RunError, match="cannot write to"):
            check_folder(tmp_path / name)
    assert os.listdir(tmp_path) == ["file"]


@pytest.fixture
def forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which no file can be made (file modes do not stop every user, so the system call says so)."""
    import tempfile

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    return tmp_path


def test_a_folder_that_may_not_be_written(forbidden: Path) -> None:
    with pytest.raises(RunError, match="Permission denied"):
        write_text(forbidden / "new" / "x.txt", "text")
    with pytest.raises(RunError, match=r"cannot write to .*: Permission denied"):
        check_folder(forbidden / "other")
    assert os.listdir(forbidden) == ["new"]
