"""Counted arithmetic: the multiply-adds of the matrix products, each as two operations.

For a layer of fan_in x fan_out and a step over B samples, with M = fan_in fan_out:

    forward      Z = A W          2 B M
    weights      dW = A' delta    2 B M
    backward     dA = delta W'    2 B M, in every layer but the first

A convolution is such a product with a row for each place, so its M is places x weights; poolings count nothing.
Biases, activations, losses and optimizers are left out; they are what a dense count usually leaves out, and for
small networks they take most of the time. The count is dense: products with the zeros of an image are counted.
"""

from __future__ import annotations

import numpy as np

from benchmarks.work import Shape, Work


def per_sample(shape: Shape) -> int:
    """Return the operations of one sample in one training step."""
    products = shape.products
    return 2 * (3 * sum(products) - products[0])


def total(work: Work) -> float:
    """Return the operations of all members over all epochs."""
    return float(sum(map(per_sample, work.shapes))) * work.dataset.n * work.epochs


def share_without_zeros(work: Work) -> float:
    """Return the share of the operations that remain when zeros in the inputs are skipped."""
    filled = np.count_nonzero(work.X) / work.X.size
    dense = sum(map(per_sample, work.shapes))
    first = sum(4 * shape.products[0] for shape in work.shapes)  # forward and weights of layer 1
    return (dense - first * (1 - filled)) / dense
