"""JAX on convolutional networks: its own convolution, and the convolution as one product with the patches.

`JaxImages` is JAX as one writes it: `lax.conv_general_dilated`, `lax.reduce_window`, `grad`, `vmap` over a population.
`JaxPatches` lays the windows of an image side by side and multiplies: of a population that is one batched product,
where `vmap` makes grouped convolutions of the first. The *threads* give each core its own share of the members.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.contestants.jax_scan import JaxScan, Tree, activations, loss_function
from benchmarks.contestants.jax_tuned import JaxThreads
from benchmarks.image_layers import Convolution, Pooling
from benchmarks.work import Shape

SLICE = 500  # samples evaluated at a time: what comes between the layers stays in the cache
Convolve = Callable[[Any, Any, Any], Any]


class JaxImages(JaxScan):
    """One compiled program for all epochs of all members."""

    name = "jax images"
    patches = False

    def _loss(self) -> Callable[[Tree, Any, Any], Any]:
        convolve = with_patches if self.patches else with_convolution

        def outputs(jax: Any, shape: Shape, layers: Tree, X: Any) -> tuple[Any, Any]:
            return image_outputs(jax, shape, layers, X, convolve)

        return loss_function(self.jax, self.work.shapes[0], self.work.loss, outputs)

    def _loss_of_all(self) -> Callable[[Tree, Any, Any], Any]:
        loss, jax, n = self._loss(), self.jax, self.work.dataset.n
        if n % SLICE:
            return loss

        def sliced(layers: Tree, X: Any, Y: Any) -> Any:
            parts = X.reshape(-1, SLICE, X.shape[1]), Y.reshape(-1, SLICE, Y.shape[1])
            return jax.numpy.mean(jax.lax.map(lambda part: loss(layers, *part), parts))

        return sliced


class JaxPatches(JaxImages):
    """The convolutions as products with patches."""

    name = "jax patches"
    patches = True


class JaxImagesThreads(JaxImages, JaxThreads):
    """A share of the members for each core, one member after the other."""

    name = "jax images threads"


class JaxPatchesThreads(JaxPatches, JaxThreads):
    """A share of the members for each core, one member after the other, with patches."""

    name = "jax patches threads"


def image_outputs(jax: Any, shape: Shape, layers: Tree, X: Any, convolve: Convolve) -> tuple[Any, Any]:
    """Return Z and A of the output layer for rows of pixels X."""
    known, A, rest = activations(jax), X.reshape(-1, *shape.image), iter(layers)
    for layer in shape.image_layers:
        if isinstance(layer, Pooling):
            window = (1, *layer.size, 1)
            A = jax.lax.reduce_window(A, -jax.numpy.inf, jax.lax.max, window, window, "VALID")
            continue
        W, b = next(rest)
        Z = convolve(jax, A, W) + b if isinstance(layer, Convolution) else A.reshape(len(A), -1) @ W + b
        A = known[layer.activation](Z)
    return Z, A


def with_convolution(jax: Any, A: Any, W: Any) -> Any:
    """Return the convolution of A (n, height, width, channels) with W (ky, kx, channels, filters)."""
    return jax.lax.conv_general_dilated(A, W, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def with_patches(jax: Any, A: Any, W: Any) -> Any:
    """Return the same as one product of the patches with all kernels."""
    ky, kx, channels, filters = W.shape
    rows, columns = A.shape[1] - ky + 1, A.shape[2] - kx + 1
    patches = [A[:, i : i + rows, j : j + columns] for i in range(ky) for j in range(kx)]
    return jax.numpy.concatenate(patches, axis=-1) @ W.reshape(ky * kx * channels, filters)
