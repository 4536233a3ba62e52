"""MNIST: the same checks on generated files and, where they are at hand, on the real ones."""

from __future__ import annotations

import gc
import gzip
import os
import struct
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from chainrule.data import forget_mnist, load, mnist_available, split
from chainrule.data.mnist import MNIST_MD5, find_mnist
from chainrule.errors import DataError


def write_idx(path: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], zipped: bool) -> None:
    content = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()
    path.write_bytes(gzip.compress(content) if zipped else content)


def write_mnist(folder: Path, zipped: bool = True) -> Path:
    """Write a data set in MNIST's form: 30 and 20 images of 4 x 5 pixels, label i % 10, pixel (i + j) % 256."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, n in (("train", 30), ("t10k", 20)):
        pixels = (np.arange(n)[:, None] + np.arange(20)).astype(np.uint8).reshape(n, 4, 5)
        ending = ".gz" if zipped else ""
        write_idx(folder / f"{part}-images-idx3-ubyte{ending}", pixels, zipped)
        write_idx(folder / f"{part}-labels-idx1-ubyte{ending}", (np.arange(n) % 10).astype(np.uint8), zipped)
    return folder


@dataclass(frozen=True)
class Truth:
    """What a folder's files are known to hold."""

    n: int
    n_held_out: int
    image_shape: tuple[int, int]
    first_labels: list[int]
    first_held_out: list[int]
    counts: list[int]
    pixel_sum: int


GENERATED = Truth(30, 20, (4, 5), [0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [3] * 10, 30 * 20 * 24)
REAL = Truth(
    60_000,
    10_000,
    (28, 28),
    [5, 0, 4, 1, 9],
    [7, 2, 1, 0, 4],
    [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    1_567_298_545,  # mean grey level 33.3184: the 0.1306604 that MNIST is customarily centred with
)
HERE = os.environ.get("CHAINRULE_DATA")
FOLDERS = [("generated", GENERATED)] + ([("real", REAL)] if HERE and mnist_available(HERE) else [])


@pytest.fixture(autouse=True)
def nothing_else_at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Look in no place but the test's own."""
    monkeypatch.delenv("CHAINRULE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return iter(())


@pytest.mark.parametrize(("which", "truth"), FOLDERS)
def test_images_labels_and_held_out_set(tmp_path: Path, which: str, truth: Truth) -> None:
    folder = write_mnist(tmp_path / "mnist") if which == "generated" else Path(str(HERE))
    data = load("mnist", data_dir=folder, download=False).draw(0)
    rows, columns = truth.image_shape
    assert data.X.shape == (truth.n, rows * columns)
    assert data.X.dtype == np.float32
    assert (data.n_outputs, data.image_shape, data.output_activation) == (10, truth.image_shape, "softmax")
    assert data.y[:5].tolist() == truth.first_labels
    assert np.bincount(data.y).tolist() == truth.counts
    assert data.X.min() == 0
    assert data.X.max() <= 1
    assert data.X.sum(dtype=np.float64) * 255 == pytest.approx(truth.pixel_sum, rel=1e-7)
    assert data.held_out is not None
    assert data.held_out.n == truth.n_held_out
    assert data.held_out.y[:5].tolist() == truth.first_held_out
    parts = split(data, 1)
    assert parts.validation is data.held_out
    assert load("mnist", data_dir=folder).draw(9) is data  # parsed once


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("place", ["folder", "subfolder", "variable", "cache"])
def test_where_the_files_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, zipped: bool
) -> None:
    assert not mnist_available(tmp_path)
    if place == "folder":
        write_mnist(tmp_path, zipped)
        assert mnist_available(tmp_path)
        assert load("mnist", data_dir=tmp_path).draw(0).n == 30
        return
    if place == "subfolder":
        write_mnist(tmp_path / "mnist", zipped)
        assert mnist_available(tmp_path)
        return
    if place == "variable":
        write_mnist(tmp_path / "mnist", zipped)
        monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path))
    else:
        write_mnist(tmp_path / "cache" / "chainrule" / "mnist", zipped)
    assert mnist_available()
    assert mnist_available("elsewhere")
    assert load("mnist").draw(0).n == 30


def test_the_argument_comes_before_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = write_mnist(tmp_path / "first"), write_mnist(tmp_path / "second")
    monkeypatch.setenv("CHAINRULE_DATA", str(second))
    found = find_mnist(first)
    assert found is not None
    assert {path.parent for path in found} == {first}
    (first / "t10k-labels-idx1-ubyte.gz").unlink()  # no longer complete
    found = find_mnist(first)
    assert found is not None
    assert {path.parent for path in found} == {second}


def test_dotted_names_are_accepted(tmp_path: Path) -> None:
    write_mnist(tmp_path, zipped=False)
    for name in MNIST_MD5:
        (tmp_path / name).rename(tmp_path / name.replace("-idx", ".idx"))
    assert load("mnist", data_dir=tmp_path).draw(0).n == 30


def test_n_keeps_the_first_images(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    full, few = load("mnist", data_dir=tmp_path).draw(0), load("mnist(n=12)", data_dir=tmp_path).draw(0)
    np.testing.assert_array_equal(few.X, full.X[:12])
    np.testing.assert_array_equal(few.y, full.y[:12])
    assert few.held_out is full.held_out
    assert load("mnist(12)", data_dir=tmp_path).spec == "mnist(n=12)"


def test_replaced_files_are_read_anew(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    before = load("mnist", data_dir=tmp_path).draw(0)
    labels = tmp_path / "train-labels-idx1-ubyte.gz"
    write_idx(labels, ((np.arange(30) + 1) % 10).astype(np.uint8), zipped=True)
    os.utime(labels, ns=(1, 1))
    after = load("mnist", data_dir=tmp_path).draw(0)
    assert before.y[0] == 0
    assert after.y[0] == 1


def test_not_at_hand_says_where_it_looked_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "variable"))
    with pytest.raises(DataError) as caught:
        load("mnist", data_dir=tmp_path / "argument", download=False).draw(0)
    told = str(caught.value)
    for part in ("argument", "variable", "cache", "--data-dir DIR", "CHAINRULE_DATA", "train-images-idx3-ubyte.gz"):
        assert part in told
    assert "\n" not in told


@pytest.mark.parametrize(
    "lacking", [["train-labels-idx1-ubyte"], ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"]]
)
def test_an_incomplete_folder_is_told_what_it_lacks(tmp_path: Path, lacking: list[str]) -> None:
    write_mnist(tmp_path)
    for name in lacking:
        (tmp_path / f"{name}.gz").unlink()
    with pytest.raises(DataError) as caught:
        load("mnist", data_dir=tmp_path, download=False).draw(0)
    assert f"'{tmp_path}' has no {' and no '.join(lacking)} (nor with .gz)" in str(caught.value)
    assert "train-images" not in str(caught.value)


def test_counts_of_images_and_labels_must_agree(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.zeros(29, dtype=np.uint8), zipped=True)
    with pytest.raises(DataError, match=r"holds 30 images, but .* holds 29 labels"):
        load("mnist", data_dir=tmp_path).draw(0)


def test_labels_are_digits(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.arange(20, dtype=np.uint8), zipped=True)
    with pytest.raises(DataError, match="label 10 must be from 0 to 9, found 10"):
        load("mnist", data_dir=tmp_path).draw(0)


def test_images_that_were_read_can_be_given_back(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    source = load("mnist", tmp_path)
    first = source.draw(0)
    assert source.draw(0) is first
    held = weakref.ref(first)
    forget_mnist()
    again = source.draw(0)
    assert again is not first
    assert again.fingerprint == first.fingerprint
    del first
    gc.collect()
    assert held() is None
