"""Images of one's own in an NPZ file: grey and coloured, whole numbers and fractions, and what cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.data import facts, load
from chainrule.data.images import visible
from chainrule.errors import ChainruleError, ConfigError, DataError

BYTES = np.random.default_rng(0).integers(0, 256, (12, 4, 5, 3), dtype=np.uint8)
LABELS = np.array(["cat", "dog", "fox"] * 4)


def save(folder: Path, **arrays: Any) -> str:
    path = folder / "pets.npz"
    np.savez(path, **arrays)
    return str(path)


def test_coloured_images_of_bytes(tmp_path: Path) -> None:
    source = load(save(tmp_path, X=BYTES, y=LABELS))
    data = source.draw(0)
    assert (data.name, data.task, data.classes) == ("pets", "multiclass", ("cat", "dog", "fox"))
    assert (data.image_shape, data.feature_shape, data.X.dtype) == ((4, 5), (4, 5, 3), np.dtype("f4"))
    np.testing.assert_allclose(data.X, BYTES.reshape(12, 60) / 255, rtol=1e-6)
    np.testing.assert_array_equal(data.y, [0, 1, 2] * 4)
    assert facts(data)["image"] == "4 x 5 pixels, 3 channels"
    assert load(source.spec).draw(3).fingerprint == data.fingerprint


@pytest.mark.parametrize(("dtype", "kept"), [("f8", "f8"), ("f4", "f4"), ("f2", "f4"), ("i2", "f4"), ("?", "f4")])
def test_grey_images_of_other_numbers_stay_as_they_are(tmp_path: Path, dtype: str, kept: str) -> None:
    X = (BYTES[..., 0] // 64).astype(dtype)
    data = load(save(tmp_path, X=X, kind=np.arange(12) % 2) + "?target=kind").draw(0)
    assert (data.task, data.feature_shape, data.X.dtype) == ("binary", (4, 5, 1), np.dtype(kept))
    np.testing.assert_array_equal(data.X, X.reshape(12, 20))


def test_what_is_looked_at(tmp_path: Path) -> None:
    data = load(save(tmp_path, X=BYTES, y=LABELS)).draw(0)
    np.testing.assert_allclose(visible(data, slice(2)), BYTES[:2] / 255, rtol=1e-6)
    data = load(save(tmp_path, X=4.0 * BYTES - 255, y=LABELS)).draw(0)
    seen = visible(data, slice(12))
    assert (seen.min(), seen.max()) == (0, 1)
    data = load(save(tmp_path, X=BYTES[..., :2], y=LABELS)).draw(0)
    np.testing.assert_allclose(visible(data, slice(2)), BYTES[:2, ..., :2].mean(axis=-1) / 255, rtol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "options", "error", "said"),
    [
        ({"X": BYTES}, {}, ConfigError, r"unknown array of labels 'y' \(known: \)"),
        ({"X": BYTES, "kind": LABELS}, {"target": "kynd"}, ConfigError, "did you mean 'kind'"),
        ({"X": BYTES, "y": LABELS[:9]}, {}, ChainruleError, r"y of shape \(9,\) does not fit X of shape \(12, 60\)"),
        ({"X": BYTES, "y": LABELS}, {"missing": "impute"}, ConfigError, "missing: only a table has columns"),
        ({"X": BYTES[:, :0], "y": LABELS}, {}, DataError, r"at least one image and one pixel .* \(12, 0, 5, 3\)"),
        ({"X": np.full((12, 2, 2), np.nan), "y": LABELS}, {}, DataError, "not a finite number"),
        (
            {"X": BYTES[None], "y": LABELS},
            {},
            DataError,
            r"'X' must have shape \(rows,\), got \(1, 12, 4, 5, 3\)",
        ),
    ],
)
def test_what_cannot_be_used(
    tmp_path: Path, arrays: dict[str, Any], options: dict[str, Any], error: type[Exception], said: str
) -> None:
    path = save(tmp_path, **arrays)
    with pytest.raises(error, match=said) as caught:
        load(path, **options)
    assert "\n" not in str(caught.value)
    assert "pets.npz" in str(caught.value)


def test_images_of_mixed_sizes_in_a_file(tmp_path: Path) -> None:
    mixed = np.empty(2, dtype=object)
    mixed[:] = [np.zeros((4, 5)), np.zeros((5, 4))]
    path = save(tmp_path, X=mixed, y=LABELS[:2])
    with pytest.raises(DataError, match="as images of mixed sizes do: bring all to one size"):
        load(path)


def test_a_damaged_file(tmp_path: Path) -> None:
    path = Path(save(tmp_path, X=BYTES, y=LABELS))
    content = bytearray(path.read_bytes())
    content[400] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"pets\.npz' is no readable NPZ file: something else, or damaged"):
        load(str(path))
