"""`chainrule train --layers`: a network in words, trained, saved, read back; errors that mark the word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import Runs, load
from chainrule.nn import parse_layers

LAYERS = "conv 4 3, norm relu, pool 2, dropout 0.1 channels, dense 8"
DIGITS = ["train", "--data", "digits", "--layers", LAYERS, "--loss", "softmax_cross_entropy", "--optimizer", "adam"]


def test_a_convolutional_network_is_trained_saved_and_read_back(run_cli: Any, tmp_path: Path) -> None:
    more = ["--lr", "0.01", "--batch", "32", "--augment", "noise(0.05)", "--epochs", "4", "--seeds", "2"]
    result = run_cli(tmp_path, *DIGITS, *more, "--no-pictures")
    assert (result.status, result.err) == (0, "")
    runs = Runs.load(tmp_path / "chainrule-run")
    digits = load("digits").draw(0)
    assert runs[0].member.network == parse_layers(LAYERS).bind((8, 8, 1), 10, "softmax")
    right = runs[1].predict(digits.X).argmax(axis=1) == digits.y
    assert np.mean(right) == pytest.approx(runs[1].final["accuracy"])
    assert runs[1].final["accuracy"] > 0.3  # chance is 0.1
    # images and rows of pixels are the same samples
    np.testing.assert_array_equal(runs[0].predict(digits.X.reshape(-1, 8, 8, 1)), runs[0].predict(digits.X))
    told = run_cli(tmp_path, "predict", "chainrule-run", "--data", "digits", "--seed", "1", "--json")
    assert told.json()["right"] == int(right.sum())
    np.savez(tmp_path / "rows.npz", X=digits.X[:9])
    told = run_cli(tmp_path, "predict", "chainrule-run", "--data", "rows.npz", "--json")
    outputs = [row["outputs"] for row in told.json()["predictions"]]
    np.testing.assert_allclose(outputs, runs[0].predict(digits.X[:9]), rtol=1e-12)
    np.savez(tmp_path / "narrow.npz", X=digits.X[:9, :49])
    for data, shape in (("narrow.npz", "(9, 49)"), ("xor", "(21, 2)")):
        wrong = run_cli(tmp_path, "predict", "chainrule-run", "--data", data)
        assert wrong.status == 2
        assert f"gives inputs of shape {shape}, but the network was trained on (n, 8, 8, 1)" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--layers", "conv 8 3, pol 2"), "did you mean 'pool'?"),
        (("--layers", "conv 8 9", "--data", "digits"), "a kernel of 9 x 9 does not fit into inputs of 8 x 8"),
        (("--layers", "conv 8 3, pool 2, pool 2, pool 2", "--data", "digits"), "does not fit into inputs of 1 x 1"),
        (
            ("--layers", "conv 8 3 groups=2", "--data", "digits"),
            "of shape (8, 8, 1), their channels, cannot be cut into 2 equal groups",
        ),
        (("--layers", "conv 8 3", "--data", "xor"), "takes images (height, width, channels)"),
        (("--layers", "dense 3", "--hidden", "4"), "--hidden: --layers describes the whole network"),
        (("--layers", "dense 3", "--dropout", "0.5"), "write 'dropout 0.5' in it"),
        (("--layers", "dense 3", "--normalize"), "write 'norm' in it"),
    ],
)
def test_errors_are_one_line(run_cli: Any, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run_cli(tmp_path, "train", *arguments)
    assert result.status == 2
    assert said in result.err
    assert result.err.count("\n") == 1


def trained(run_cli: Any, folder: Path, *options: str) -> Any:
    """Train without pictures and return the saved configuration."""
    result = run_cli(folder, "train", "--data", "digits", "--seeds", "1", "--no-pictures", *options)
    assert (result.status, result.err) == (0, "")
    return Runs.load(folder / "chainrule-run")[0].member.config


def test_layers_over_images_bring_defaults_that_suit_images(run_cli: Any, tmp_path: Path) -> None:
    config = trained(run_cli, tmp_path, "--layers", "conv 4 3, pool 2", "--test", "0.2")
    assert (config.loss, config.optimizer, config.learning_rate) == ("softmax_cross_entropy", "adam", 0.001)
    assert (config.batch_size, config.dtype) == (64, "float32")
    assert config.epochs == 600_000 // 1438  # of 1,797 images a fifth is held out


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("--layers", "conv 2 3", "--optimizer", "sgd"), {"optimizer": "sgd", "learning_rate": 0.1, "batch_size": 64}),
        (("--layers", "conv 2 3", "--optimizer", "rmsprop"), {"optimizer": "rmsprop", "learning_rate": 0.001}),
        (("--layers", "conv 2 3", "--lr", "0.02", "--loss", "mse"), {"learning_rate": 0.02, "loss": "mse"}),
        (("--layers", "conv 2 3", "--batch", "full", "--dtype", "float64"), {"batch_size": "full", "dtype": "float64"}),
        (("--layers", "dense 3"), {"optimizer": "sgd", "learning_rate": 0.1, "batch_size": "full", "loss": "mse"}),
        (("--hidden", "3"), {"optimizer": "sgd", "dtype": "float64", "batch_size": "full", "loss": "mse"}),
    ],
)
def test_what_is_given_stays_and_other_networks_keep_their_defaults(
    run_cli: Any, tmp_path: Path, options: tuple[str, ...], wanted: dict[str, Any]
) -> None:
    config = trained(run_cli, tmp_path, *options, "--epochs", "1")
    assert {key: getattr(config, key) for key in wanted} == wanted


def test_too_much_memory_says_what_to_make_smaller(run_cli: Any, tmp_path: Path) -> None:
    large = ("--data", "digits", "--layers", "conv 8 3", "--batch", "full", "--dtype", "float64", "--memory", "1MiB")
    result = run_cli(tmp_path, "train", *large)
    assert result.status == 2
    assert "smaller batches (batch_size), float32, a smaller network" in result.err


def test_coloured_images_of_a_file_from_training_to_predictions(run_cli: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 60)
    X = rng.integers(0, 100, (60, 6, 5, 3), dtype=np.uint8)
    X[np.arange(60), :, :, y] += 100  # red, green or blue
    np.savez(tmp_path / "colours.npz", X=X, y=np.array(["red", "green", "blue"])[y])
    options = ["--layers", "conv 4 3, globalpool", "--optimizer", "adam", "--lr", "0.02", "--epochs", "60"]
    result = run_cli(tmp_path, "train", "--data", "colours.npz", *options, "--seeds", "2", "--validation", "0.2")
    assert (result.status, result.err) == (0, "")
    for name in ("truth", "mistakes", "confusion", "filters", "activations"):
        assert (tmp_path / "chainrule-run" / f"{name}.svg").is_file()
    told = run_cli(tmp_path, "predict", "chainrule-run", "--data", "colours.npz", "--json").json()
    right = Runs.load(tmp_path / "chainrule-run")[0].predict(X / 255).argmax(axis=1) == 2 - y  # blue, green, red
    assert told["right"] == right.sum() > 55
    np.savez(tmp_path / "grey.npz", X=X[..., 0])
    np.savez(tmp_path / "bare.npz", X=X)
    wrong = run_cli(tmp_path, "predict", "chainrule-run", "--data", "grey.npz")
    assert wrong.status == 2
    assert "inputs of shape (60, 6, 5, 1), but the network was trained on (n, 6, 5, 3)\n" in wrong.err
    assert run_cli(tmp_path, "predict", "chainrule-run", "--data", "bare.npz", "--json").json()["right"] is None
    for command in (("show", "chainrule-run"), ("data", "colours.npz")):
        assert run_cli(tmp_path, *command).status == 0
