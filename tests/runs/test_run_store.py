"""Saving and loading: every bit comes back, and anything else is one line."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import Runs, TrainingConfig, load, mlp, train
from chainrule.data import split
from chainrule.errors import RunError
from chainrule.run_store import FILE_NAME


def check_same(one: Runs, other: Runs) -> None:
    assert (one.source, one.interrupted, one.notes, len(one)) == (
        other.source,
        other.interrupted,
        other.notes,
        len(other),
    )
    for a, b in zip(one, other, strict=True):
        assert (a.member, a.stop_reason, a.converged, a.epochs) == (b.member, b.stop_reason, b.converged, b.epochs)
        assert (a.divergence, a.preprocessing, a.fingerprint) == (b.divergence, b.preprocessing, b.fingerprint)
        assert (a.seconds, a.engine, a.engine_reason) == (b.seconds, b.engine, b.engine_reason)
        assert a.theta.dtype == b.theta.dtype
        assert a.theta.tobytes() == b.theta.tobytes()
        assert list(a.final) == list(b.final)
        np.testing.assert_array_equal(list(a.final.values()), list(b.final.values()))
        for x, y in ((a.history, b.history), (a.windows, b.windows)):
            assert set(x) == set(y)
            for name, values in x.items():
                assert values.dtype == y[name].dtype
                np.testing.assert_array_equal(values, y[name])


def test_every_bit_comes_back(mixed: Runs, tmp_path: Path) -> None:
    assert mixed.save(tmp_path / "a" / "run") == tmp_path / "a" / "run"
    assert sorted(path.name for path in (tmp_path / "a" / "run").iterdir()) == ["config.json", "runs.csv", "runs.npz"]
    loaded = Runs.load(tmp_path / "a" / "run")
    check_same(mixed, loaded)
    check_same(mixed, Runs.load(str(tmp_path / "a" / "run" / FILE_NAME)))
    X = load("xor").draw(0).X
    for one, other in zip(mixed[:6], loaded[:6], strict=True):
        np.testing.assert_array_equal(one.predict(X), other.predict(X))
    loaded.save(tmp_path / "again")
    check_same(mixed, Runs.load(tmp_path / "again"))


def test_no_runs_come_back_too(mixed: Runs, tmp_path: Path) -> None:
    mixed[:0].save(tmp_path)
    check_same(mixed[:0], Runs.load(tmp_path))


def test_loaded_runs_are_trained_on_like_new_ones(mixed: Runs, tmp_path: Path) -> None:
    mixed[:1].save(tmp_path)
    member = Runs.load(tmp_path)[0].member
    again = train(member.network, "xor", member.config, [member.seed])[0]
    assert again.theta.tobytes() == mixed[0].theta.tobytes()


def test_config_json_says_what_was_trained(mixed: Runs, tmp_path: Path) -> None:
    told = json.loads((mixed.save(tmp_path) / "config.json").read_text())
    assert (told["format"], told["source"], told["interrupted"]) == (1, "several", True)
    configs = [TrainingConfig.from_description(setting["training"]) for setting in told["settings"]]
    assert configs == list(dict.fromkeys(run.member.config for run in mixed))


def test_a_tables_preprocessing_comes_back(table: Path, tmp_path: Path) -> None:
    source = load(f"{table}?target=species", missing="impute")
    runs = train(mlp([3]), source, epochs=2, validation=0.25, test=0.25, seeds=2)
    runs.save(tmp_path)
    for run in Runs.load(tmp_path):
        parts = split(source.draw(run.seed), run.seed, validation=0.25, test=0.25)
        fitted = run.preprocessing
        assert fitted is not None
        raw = source.draw(run.seed).raw
        assert raw is not None
        assert parts.train_rows is not None
        # means and fills of the training rows alone
        ages = raw[parts.train_rows, 0]
        filled = np.where(np.isnan(ages), np.nanmedian(ages), ages)
        assert fitted.fill[0] == pytest.approx(np.nanmedian(ages))
        assert (fitted.mean[0], fitted.scale[0]) == pytest.approx((filled.mean(), filled.std()))
        np.testing.assert_allclose(fitted.transform(raw)[parts.train_rows], parts.train.X)
        assert run.final["test_loss"] == pytest.approx(
            float(np.mean((run.predict(fitted.transform(raw)[parts.test_rows]) - parts.test.Y) ** 2)),  # type: ignore[union-attr]
        )


# -- damage ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(mixed: Runs, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a small saved table."""
    folder = mixed[1:4].save(tmp_path_factory.mktemp("saved"))
    return (folder / FILE_NAME).read_bytes()


def reload(content: bytes, folder: Path) -> Runs | str:
    """Load what these bytes are, or return what is said against them."""
    (folder / FILE_NAME).write_bytes(content)
    try:
        return Runs.load(folder)
    except RunError as error:
        line = str(error)
    assert len(line.splitlines()) == 1
    assert FILE_NAME in line
    return line


def test_nothing_there(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing", tmp_path / "missing" / FILE_NAME):
        with pytest.raises(RunError, match=r"no saved run at .*: expected a folder with runs\.npz"):
            Runs.load(place)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"hello", b"\x93NUMPY\x01\x00", b"\x80\x04K\x05.", b"PK\x05\x06" + b"\0" * 18, b"\0" * 1000],
)
def test_what_is_no_archive(content: bytes, tmp_path: Path) -> None:
    assert "is damaged or no saved run" in str(reload(content, tmp_path))


def test_a_single_array_is_no_saved_run(tmp_path: Path) -> None:
    memory = io.BytesIO()
    np.save(memory, np.zeros(3))
    assert "is damaged or no saved run" in str(reload(memory.getvalue(), tmp_path))


def rewritten(saved: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return a saved table with its JSON or its arrays changed."""
    with np.load(io.BytesIO(saved)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["header"] = json.loads(bytes(arrays.pop("json")))
    change(arrays)
    header = arrays.pop("header", None)
    if header is not None:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        arrays["json"] = np.frombuffer(text, dtype=np.uint8)
    memory = io.BytesIO()
    np.savez(memory, **arrays)
    return memory.getvalue()


def test_why_an_engine_was_chosen_comes_back(mixed: Runs, tmp_path: Path) -> None:
    runs = Runs((dataclasses.replace(mixed[0], engine="lanes", engine_reason="small networks"), mixed[1]))
    runs.save(tmp_path)
    loaded = Runs.load(tmp_path)
    check_same(runs, loaded)
    assert loaded.to_rows()[0]["engine_reason"] == "small networks"


def test_runs_saved_before_the_reason_was_kept(saved: bytes, mixed: Runs, tmp_path: Path) -> None:
    def forget(arrays: dict[str, Any]) -> None:
        for row in arrays["header"]["runs"]:
            del row["engine_reason"]

    loaded = reload(rewritten(saved, forget), tmp_path)
    assert isinstance(loaded, Runs)
    assert [run.engine_reason for run in loaded] == [""] * 3
    assert [run.theta.tobytes() for run in loaded] == [run.theta.tobytes() for run in mixed[1:4]]


def test_a_later_format_says_so(saved: bytes, tmp_path: Path) -> None:
    line = reload(rewritten(saved, lambda arrays: arrays["header"].update(format=2)), tmp_path)
    assert "was written by a later chainrule (format 2, this one reads up to 1)" in str(line)


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no header": lambda arrays: arrays.pop("header"),
    "header is a list": lambda arrays: arrays.update(header=[1, 2]),
    "header is no JSON": lambda arrays: arrays.update(header=b"{not json"),
    "header is no text": lambda arrays: arrays.update(header=b"\xff\xfe"),
    "header is deep": lambda arrays: arrays.update(header=b"[" * 100_000),
    "format is a word": lambda arrays: arrays["header"].update(format="one"),
    "no format": lambda arrays: arrays["header"].pop("format"),
    "no settings": lambda arrays: arrays["header"].update(settings=[]),
    "unknown loss": lambda arrays: arrays["header"]["settings"][0]["training"].update(loss="msx"),
    "unknown field": lambda arrays: arrays["header"]["settings"][0]["training"].update(speed=3),
    "unknown layer": lambda arrays: arrays["header"]["settings"][0]["network"]["layers"][0].update(layer="dance"),
    "more rows": lambda arrays: arrays["header"]["runs"].append(dict(arrays["header"]["runs"][0])),
    "fewer rows": lambda arrays: arrays["header"]["runs"].pop(),
    "row without seed": lambda arrays: arrays["header"]["runs"][0].pop("seed"),
    "row with a negative seed": lambda arrays: arrays["header"]["runs"][0].update(seed=-1),
    "row with more": lambda arrays: arrays["header"]["runs"][0].update(extra=1),
    "row with another reason": lambda arrays: arrays["header"]["runs"][0].update(stop_reason="tired"),
    "row is a number": lambda arrays: arrays["header"]["runs"].__setitem__(0, 5),
    "divergence of another kind": lambda arrays: arrays["header"]["runs"][2].update(divergence={"when": 3}),
    "preprocessing of another kind": lambda arrays: arrays["header"]["runs"][0].update(preprocessing={"version": 9}),
    "no weights": lambda arrays: arrays.pop("theta/theta/sizes"),
    "fewer weights": lambda arrays: arrays.update({"theta/theta": arrays["theta/theta"][:-1]}),
    "weights of the wrong size": lambda arrays: arrays["theta/theta/sizes"].__setitem__(0, 3),
    "no losses": lambda arrays: arrays.pop("history/loss"),
    "object array": lambda arrays: arrays.update({"theta/theta": np.array([{}], dtype=object)}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_archive_of_other_contents(name: str, saved: bytes, tmp_path: Path) -> None:
    assert "is damaged or no saved run" in str(reload(rewritten(saved, CHANGES[name]), tmp_path))


@settings(max_examples=60)
@given(data=st.data())
def test_cut_off_bytes(data: st.DataObject, saved: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    length = data.draw(st.integers(0, len(saved) - 1))
    assert isinstance(reload(saved[:length], tmp_path_factory.getbasetemp()), str)


@settings(max_examples=150)
@given(data=st.data())
def test_changed_bytes(data: st.DataObject, saved: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Zip keeps checksums of contents: a changed byte is refused, or it was in none of them."""
    content = bytearray(saved)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    loaded = reload(bytes(content), tmp_path_factory.getbasetemp())
    if not isinstance(loaded, str):
        (tmp_path_factory.getbasetemp() / FILE_NAME).write_bytes(saved)
        check_same(loaded, Runs.load(tmp_path_factory.getbasetemp()))


@given(content=st.binary(max_size=300))
def test_any_bytes(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert isinstance(reload(content, tmp_path_factory.getbasetemp()), str)


@settings(max_examples=60)
@given(data=st.data())
def test_any_bytes_inside_a_sound_archive(
    data: st.DataObject, saved: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Checksums hold here, so that the readers of arrays and JSON meet the damage."""
    memory = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved)) as old, zipfile.ZipFile(memory, "w") as new:
        victim = data.draw(st.sampled_from(old.namelist()))
        for name in old.namelist():
            content = bytearray(old.read(name))
            if name == victim:
                for _ in range(data.draw(st.integers(1, 5))):
                    content[data.draw(st.integers(0, min(len(content), 400) - 1))] = data.draw(st.integers(0, 255))
                content = content[: data.draw(st.integers(len(content) // 2, len(content)))]
            new.writestr(name, bytes(content))
    loaded = reload(memory.getvalue(), tmp_path_factory.getbasetemp())
    assert isinstance(loaded, Runs | str)


# -- trouble while writing ---------------------------------------------------------------------------------------


def test_trouble_in_the_middle_leaves_the_old_run(mixed: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed[:2].save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    whole = np.savez_compressed

    def full(file: Any, **arrays: Any) -> NoReturn:
        whole(file, **dict(list(arrays.items())[:2]))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(RunError, match=r"cannot write .*runs\.npz: No space left on device"):
        mixed.save(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    check_same(mixed[:2], Runs.load(tmp_path))


def test_a_file_in_the_folders_place(mixed: Runs, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(RunError, match="cannot write"):
        mixed.save(tmp_path / "taken")
    with pytest.raises(RunError, match="is damaged or no saved run"):
        Runs.load(tmp_path / "taken")


def test_a_thousand_runs_are_a_handful_of_entries(tmp_path: Path) -> None:
    runs = train(mlp([2]), "xor", seeds=1000, epochs=1)
    runs.save(tmp_path)
    with zipfile.ZipFile(tmp_path / FILE_NAME) as archive:
        assert len(archive.namelist()) < 20
    check_same(runs, Runs.load(tmp_path))
