"""What the JAX formulations for mixed members share: slopes from activations, and the five optimizers as one."""

from __future__ import annotations

from typing import Any

from benchmarks.unified import Rule

Tree = Any


def activations(jax: Any) -> dict[str, tuple[Any, Any]]:
    """Return each activation with its slope as a function of the activation."""
    where, one = jax.numpy.where, jax.numpy.float32(1)
    return {
        "sigmoid": (jax.nn.sigmoid, lambda a: a * (1 - a)),
        "tanh": (jax.numpy.tanh, lambda a: 1 - a * a),
        "relu": (jax.nn.relu, lambda a: where(a > 0, one, 0 * one)),
        "elu": (jax.nn.elu, lambda a: where(a > 0, one, a + 1)),
    }


def no_memory(jax: Any, layers: Tree) -> Tree:
    """Return moments of zero for every weight."""
    return jax.tree.map(lambda part: (jax.numpy.zeros_like(part),) * 2, layers)


def moved(jax: Any, rule: Rule, corrected: Any, layers: Tree, memory: Tree, grads: Tree) -> tuple[Tree, Tree]:
    """Return weights and moments after one step; `corrected` are this step's 1 - beta1^t and 1 - beta2^t."""
    where, sqrt = jax.numpy.where, jax.numpy.sqrt
    first, second = (where(rule.corrected, correction, 1.0) for correction in (corrected[0], corrected[1]))

    def part(theta: Any, moments: tuple[Any, Any], grad: Any) -> tuple[Any, tuple[Any, Any]]:
        M = rule.a * moments[0] + rule.c * grad
        S = rule.p * moments[1] + rule.q * grad * grad
        divisor = where(rule.adaptive, sqrt(S / second) + rule.eps, 1.0)
        return theta - rule.rate * (M / first) / divisor, (M, S)

    done = [
        [part(theta, moments, grad) for theta, moments, grad in zip(*layer, strict=True)]
        for layer in zip(layers, memory, grads, strict=True)
    ]
    return [tuple(new for new, _ in layer) for layer in done], [tuple(kept for _, kept in layer) for layer in done]
