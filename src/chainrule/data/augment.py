"""Augmentation: every time a training sample is used it is moved, turned or blurred with noise a little, by chance.

A network that has seen a digit two pixels further left, too, has learned that its place does not matter. Only training
steps see augmented samples; all losses and metrics that are reported are those of the samples as they are.

Draws come from the member's ``augment`` streams, one for each part, sample by sample in the order in which training
uses them. So a part's draws for an epoch are the same however it is cut into batches, and members with equal seeds see
equal samples, whatever their setting.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.data._base import Dataset
from chainrule.data._checking import Array
from chainrule.errors import ConfigError
from chainrule.spec import build, require

ImageShape = tuple[int, int, int]
Draws = np.ndarray[Any, Any]


class Augmentation(ABC):
    """The contract: change samples at random (frozen dataclass, no state)."""

    name: ClassVar[str]
    needs_images: ClassVar[bool] = True

    @abstractmethod
    def draw(self, n: int, shape: ImageShape, rng: np.random.Generator) -> Draws:
        """Return what is random about the next `n` samples, sample by sample: (n, ...)."""

    @abstractmethod
    def change(self, X: Array, shape: ImageShape, draws: Draws) -> Array:
        """Return samples (n, d) changed as was drawn, of the type of `X`."""

    def apply(self, X: Array, shape: ImageShape, rng: np.random.Generator) -> Array:
        """Return changed samples.

        Parameters
        ----------
        X : array (n, height * width * channels)
            The samples.
        shape : (int, int, int)
            Height, width and channels; (1, features, 1) for samples that are no images.
        rng : numpy.random.Generator
            Where it draws from.

        Returns
        -------
        array (n, height * width * channels)
            New samples of the type of `X`.
        """
        return self.change(X, shape, self.draw(len(X), shape, rng))


@dataclass(frozen=True)
class Shift(Augmentation):
    """Move each image by whole pixels, up to `pixels` in each direction; what comes in is 0."""

    name: ClassVar[str] = "shift"
    pixels: int = 1

    def __post_init__(self) -> None:
        require(0 <= self.pixels <= 1000, f"shift: pixels must lie in [0, 1000], got {self.pixels}")

    def draw(self, n: int, shape: ImageShape, rng: np.random.Generator) -> Draws:
        """Draw (down, right) for each image from -pixels to pixels, every pair equally likely: (n, 2)."""
        return rng.integers(-self.pixels, self.pixels, size=(n, 2), endpoint=True)

    def change(self, X: Array, shape: ImageShape, draws: Draws) -> Array:
        """Move the images."""
        return shifted(X, shape, draws)


@dataclass(frozen=True)
class Rotate(Augmentation):
    """Turn each image around its middle by up to `degrees` either way, bilinearly; what comes in is 0."""

    name: ClassVar[str] = "rotate"
    degrees: float = 10.0

    def __post_init__(self) -> None:
        require(0 <= self.degrees <= 180, f"rotate: degrees must lie in [0, 180], got {self.degrees}")

    def draw(self, n: int, shape: ImageShape, rng: np.random.Generator) -> Draws:
        """Draw an angle for each image, uniformly: (n,)."""
        return rng.uniform(-self.degrees, self.degrees, size=n)

    def change(self, X: Array, shape: ImageShape, draws: Draws) -> Array:
        """Turn the images."""
        return rotated(X, shape, draws)


@dataclass(frozen=True)
class Noise(Augmentation):
    """Add normal noise with standard deviation `std` to every number."""

    name: ClassVar[str] = "noise"
    needs_images: ClassVar[bool] = False
    std: float = 0.1

    def __post_init__(self) -> None:
        require(0 <= self.std < math.inf, f"noise: std must be at least 0 and finite, got {self.std}")

    def draw(self, n: int, shape: ImageShape, rng: np.random.Generator) -> Draws:
        """Draw in float64 whatever the type of the samples, so that it does not decide the draws: (n, d)."""
        return rng.standard_normal((n, math.prod(shape)))

    def change(self, X: Array, shape: ImageShape, draws: Draws) -> Array:
        """Add the noise."""
        noisy: Array = X + (self.std * draws).astype(X.dtype)
        return noisy


AUGMENTATIONS: dict[str, type[Augmentation]] = {cls.name: cls for cls in (Shift, Rotate, Noise)}


def augmentation(spec: str | Augmentation) -> Augmentation:
    """Return the augmentation that a spec such as ``"shift(2)"`` describes; an augmentation is returned as is.

    Raises
    ------
    ConfigError
        For an unknown name (with the nearest known one) or a value out of range.
    """
    return spec if isinstance(spec, Augmentation) else build(AUGMENTATIONS, spec, "augmentation")


def augment(
    X: Array, shape: ImageShape, parts: Sequence[Augmentation], generators: Sequence[np.random.Generator]
) -> Array:
    """Return samples (n, d) changed by each part in turn; each draws from a generator of its own."""
    for part, rng in zip(parts, generators, strict=True):
        X = part.apply(X, shape, rng)
    return X


def sample_shape(dataset: Dataset, parts: Sequence[Augmentation]) -> ImageShape:
    """Return height, width and channels of a data set's samples; (1, features, 1) if they are no images.

    Raises
    ------
    ConfigError
        If a part needs images and there are none.
    """
    if len(dataset.feature_shape) == 3:
        height, width, channels = dataset.feature_shape
        return height, width, channels
    for part in parts:
        if part.needs_images:
            raise ConfigError(f"augmentation '{part.name}' needs images, but data set '{dataset.name}' has none")
    return 1, dataset.n_features, 1


def shifted(X: Array, shape: ImageShape, moves: np.ndarray[Any, np.dtype[np.integer[Any]]]) -> Array:
    """Return images (n, height * width * channels) moved by (down, right) pixels (n, 2); what comes in is 0."""
    height, width, channels = shape
    images = X.reshape(-1, height, width, channels)
    rows = np.arange(height) - moves[:, :1]  # (n, height): where each row comes from
    columns = np.arange(width) - moves[:, 1:]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    which = np.arange(len(images))[:, None, None]
    taken = images[which, np.clip(rows, 0, height - 1)[:, :, None], np.clip(columns, 0, width - 1)[:, None, :]]
    result: Array = np.where(inside[..., None], taken, np.zeros((), X.dtype)).reshape(X.shape)
    return result


def rotated(X: Array, shape: ImageShape, degrees: np.ndarray[Any, np.dtype[np.floating[Any]]]) -> Array:
    """Return images (n, height * width * channels) turned counter-clockwise by `degrees` (n,); what comes in is 0.

    A pixel of the turned image lies at  c + R(-angle) (p - c)  in the given one, with the middle c; its value is the
    bilinear mean of the four pixels around that place.
    """
    height, width, channels = shape
    images = X.reshape(-1, height, width, channels)
    angle = np.deg2rad(degrees)[:, None, None]
    down = (np.arange(height) - (height - 1) / 2)[:, None]
    right = (np.arange(width) - (width - 1) / 2)[None, :]
    # Rows count downwards, so turning clockwise by the angle takes (right, down) to
    # (right cos - down sin, down cos + right sin).
    y = down * np.cos(angle) + right * np.sin(angle) + (height - 1) / 2
    x = right * np.cos(angle) - down * np.sin(angle) + (width - 1) / 2
    top, left = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    which = np.arange(len(images))[:, None, None]
    total = np.zeros(images.shape, dtype=np.float64)
    for row, share_y in ((top, top + 1 - y), (top + 1, y - top)):
        for column, share_x in ((left, left + 1 - x), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            weight = np.where(inside, share_y * share_x, 0.0)
            total += weight[..., None] * images[which, np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    result: Array = total.astype(X.dtype).reshape(X.shape)
    return result
