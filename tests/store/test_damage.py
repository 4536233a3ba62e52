"""Random damage to the bytes of a store gives the right answer or one line; the study does the same 2,000 times."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.errors import StoreError
from chainrule.experiments.store import Store
from chainrule.experiments.store.packing import pack, unpack
from chainrule.experiments.store.trouble import DAMAGE
from studies.fuzz_stores import fingerprint, fuzz, questions
from tests.store.makers import made_up


def test_damaged_stores_answer_rightly_or_in_one_line(tmp_path: Path) -> None:
    wrong, told = fuzz(tmp_path, made_up(0, 12), count=48, seed=7)
    assert wrong == []
    assert told["refused"] > 100  # the damage was felt
    assert told["answered"] > 100  # and what it had not touched was there


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of some runs."""
    path = tmp_path_factory.mktemp("sound") / "runs.db"
    with Store.open(path) as store:
        store.save(made_up(0, 8))
    return path


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(1, 255), others=st.binary(max_size=4))
def test_no_changed_byte_changes_a_number(sound: Path, tmp_path: Path, place: float, value: int, others: bytes) -> None:
    data = bytearray(sound.read_bytes())
    start = int(place * len(data))
    data[start] ^= value
    data[start + 1 : start + 1 + len(others)] = others[: len(data) - start - 1]
    path = tmp_path / "damaged.db"
    path.write_bytes(data)
    pairs = made_up(0, 8)
    right = {task: fingerprint(run) for task, run in pairs}
    found, told = {}, "damaged.db"
    try:
        with Store.open(path, read_only=True) as store:
            found = store.load(list(right))
    except StoreError as error:
        told = str(error)
    assert "\n" not in told
    assert "damaged.db" in told
    for task, run in found.items():
        assert fingerprint(run) == right[task]


def _ask_everything(path: Path) -> None:
    with Store.open(path, read_only=True) as store:
        for question in questions([task for task, _ in made_up(0, 8)]).values():
            question(store)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 50, 99, 100, 101, 511, 4095, 4096, 4097, 20_000])
def test_a_file_that_was_cut_off(sound: Path, tmp_path: Path, length: int) -> None:
    path = tmp_path / "short.db"
    path.write_bytes(sound.read_bytes()[:length])
    with pytest.raises(StoreError, match=r"is cut off: .* there; copy it again|the file is empty"):
        _ask_everything(path)
    shutil.copy(sound, path)
    with Store.open(path) as store:
        assert store.check().problems == []


def test_a_file_whose_rest_lies_in_its_log_is_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Store.open(path) as store:
        store.save(made_up(0, 20))
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if not file.name.endswith("-shm")}
        assert len(before["runs.db-wal"]) > len(before["runs.db"])
    left = tmp_path / "left"
    left.mkdir()
    for name, data in before.items():
        (left / name).write_bytes(data)
    with Store.open(left / "runs.db", read_only=True) as store:
        assert store.count() == 20
        assert store.check().problems == []


@settings(max_examples=200)
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(1, 255))
def test_no_changed_byte_changes_an_array(place: float, value: int) -> None:
    run = made_up(3, 1)[0][1]
    blob = bytearray(pack({"theta": run.theta, **run.history}))
    blob[int(place * len(blob))] ^= value
    with pytest.raises(ValueError, match=r"checksum"):
        unpack(bytes(blob))


@given(st.binary(max_size=60))
def test_bytes_that_are_no_array_are_refused(data: bytes) -> None:
    with pytest.raises(Exception) as caught:
        unpack(zlib.crc32(data).to_bytes(4, "little") + data)
    assert isinstance(caught.value, DAMAGE)
