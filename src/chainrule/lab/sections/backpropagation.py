"""Section 2: the network as a graph, and backpropagation derived with the numbers of one real step."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from chainrule.lab.context import LabContext
from chainrule.nn import Array, Network, Params, Trace, activation, mlp
from chainrule.nn.gradient_check import GradientResult, run_table
from chainrule.random import stream
from chainrule.report.records import (
    Cell,
    Curve,
    CurveFigure,
    CurvePanel,
    DerivationRecord,
    DerivationStep,
    GraphFigure,
    GraphLayer,
    MatrixRecord,
    NetworkFigure,
    SectionRecord,
    TableRecord,
    VerdictRecord,
)

RECIPES: tuple[str, ...] = ()
LOSS = "binary_cross_entropy"
SAMPLES = 3
"""Samples in the worked step: few enough to print every number."""

WHY = {
    "X": "The inputs, a row a sample.",
    "Z": "Each unit weighs its inputs and adds its bias.",
    "A": "The activation bends the result, unit by unit; without it two layers would be one.",
    "loss": "One number says how wrong the outputs are, averaged over the samples.",
    "delta_out": "For this pairing the derivatives of logarithm and sigmoid cancel: what is left is the error.",
    "dW": "A weight's share of the blame: its input times the error at its output, summed over the samples.",
    "db": "A bias adds to every sample alike, so its gradient is the sum of the errors.",
    "dA": "The error flows back through the same weights that carried the signal forward.",
    "delta": "Through the activation the error is multiplied by the slope at Z; for the sigmoid that is A(1 − A).",
}


def backpropagation(context: LabContext) -> SectionRecord:
    """Derive one step with its actual numbers, and check every derivative of the library."""
    dataset = context.source("xor").draw(0)
    network = mlp([4, 4], "sigmoid", weight_init="normal(1.0)").bind(2, 1, "sigmoid")
    params = network.init(stream(0, "init"))
    rows = [0, 1, dataset.n - 1]
    trace = network.trace(params, dataset.X[rows], dataset.Y[rows], LOSS)
    results = run_table()
    return SectionRecord(
        id="backpropagation",
        title="Backpropagation, with numbers",
        lead="A network is a chain of simple functions; its gradient is the product of their derivatives, taken from "
        "the loss back to the weights. Here is every number of one such step.",
        items=(
            _graph(network, dataset.n),
            NetworkFigure(
                id="network-weights",
                title="The same network as units and weights, before training (seed 0)",
                weights=tuple(layer["W"] for layer in params),
                biases=tuple(layer["b"] for layer in params),
                input_names=dataset.feature_names,
                output_names=("ŷ",),
            ),
            sigmoid_figure(),
            _derivation(trace, params, dataset.Y[rows]),
            _check_table(results),
            _check_verdict(results),
        ),
    )


def _graph(network: Network, n: int) -> GraphFigure:
    """Return the computational graph with the shapes of the xor data."""
    layers = []
    for layer, before, after in zip(network.layers, network.shapes, network.shapes[1:], strict=False):
        shapes = layer.parameter_shapes(before)
        layers.append(
            GraphLayer(
                weight_shape=shapes["W"],
                bias_shape=shapes.get("b"),
                output_shape=(n, *after),
                activation=layer.act.name,
            )
        )
    return GraphFigure(
        id="network-graph",
        title="The network as a computational graph",
        input_shape=(n, *network.shapes[0]),
        layers=tuple(layers),
        loss="binary cross-entropy",
        output_delta="(A − Y) / n",
        caption=f"{network.n_parameters} weights. Values flow along the arrows, gradients against them.",
    )


def sigmoid_figure() -> CurveFigure:
    """Return the sigmoid and its derivative, from the library's own functions."""
    z = np.linspace(-8.0, 8.0, 161)
    part = activation("sigmoid")
    a = part.forward(z)
    slope = part.backward(np.ones_like(z), z, a)
    return CurveFigure(
        id="sigmoid",
        title="The sigmoid and its derivative",
        panels=(CurvePanel(curves=(Curve("σ(z)", z, a), Curve("σ′(z) = σ(z)(1 − σ(z))", z, slope))),),
        x_label="z",
        y_label="",
        caption="The slope is at most 1/4 and almost 0 beyond |z| = 6: every sigmoid layer shrinks the error flowing "
        "back, and a saturated unit hardly learns.",
    )


def _derivation(trace: Trace, params: Params, Y: Array) -> DerivationRecord:
    """Return every step of the trace with its formula, reason and numbers."""
    steps = []
    for step in trace.steps():
        kind = "delta_out" if step.name == "delta3" else step.name.rstrip("0123456789")
        shown = _pretty(step.name)
        layer = step.name[len(kind) :]
        known = [("W", params), ("b", params)] if kind == "Z" else []
        before = [MatrixRecord(_pretty(f"{key}{layer}"), weights[int(layer) - 1][key]) for key, weights in known]
        before += [MatrixRecord("Y", Y)] if kind == "loss" else []
        steps.append(
            DerivationStep(
                label=shown,
                formula=f"{shown} = {_formula(kind, step.formula)}",
                text=WHY.get(kind, ""),
                matrices=(*before, MatrixRecord(shown, np.asarray(step.value))),
            )
        )
    return DerivationRecord(
        id="derivation",
        title=f"One step on {SAMPLES} samples of xor, seed 0",
        steps=tuple(steps),
        lead="Rows are samples, columns are units. δ is the derivative of the loss by a layer's pre-activations Z.",
    )


def _formula(kind: str, formula: str) -> str:
    """Write a step's formula; that of the output's error is spelled out for the mean over the samples."""
    return f"(A_{{3}} − Y) / {SAMPLES}" if kind == "delta_out" else _pretty(formula)


SYMBOL = re.compile(r"\b(d?[XZAWY]|d?b|delta)(\d*)('?)(?![\w(])")
"""A name in a trace's formula: an array or a gradient, its layer, and whether it is transposed."""

SLOPE = re.compile(r"(\w+)'\(")
"""The derivative of an activation, ``sigmoid'(``."""


def _pretty(formula: str) -> str:
    """Write ``delta3 W3'`` as δ_{3} W_{3}ᵀ, ``sigmoid'(Z2)`` as sigmoid′(Z_{2}), and ``*`` as ⊙."""

    def symbol(found: re.Match[str]) -> str:
        name, layer, transposed = found.groups()
        shown = name.replace("delta", "δ") + (f"_{{{layer}}}" if layer else "")
        return shown + ("ᵀ" if transposed else "")

    return SYMBOL.sub(symbol, SLOPE.sub(r"\1′(", formula)).replace(" * ", " ⊙ ").replace(" - ", " − ")


def _check_table(results: Iterable[GradientResult]) -> TableRecord:
    """Return the worst relative error per loss and layer, over all activations, sample counts and member axes."""
    worst: dict[tuple[str, str], list[GradientResult]] = {}
    for result in results:
        worst.setdefault((result.case.loss, result.case.layer), []).append(result)
    rows: list[tuple[Cell, ...]] = []
    for (loss, layer), group in sorted(worst.items()):
        bad = max(group, key=lambda result: result.relative_error)
        rows.append((loss, layer, len(group), bad.relative_error, bad.name, all(result.passed for result in group)))
    return TableRecord(
        id="gradient-check",
        title="Gradient check: backpropagation against central differences",
        columns=("loss", "layer", "cases", "largest relative error", "in the case", "passed"),
        rows=tuple(rows),
        align=("left", "left", "right", "right", "left", "center"),
        formats=("", "", "", ".1e", "", ""),
        caption="Every activation and loss that go together, every layer, one sample and many, with and without the "
        "member axis, in float64; the bar is a relative error below 1e-6. `chainrule check --all` prints every row.",
        collapsed=True,
    )


def _check_verdict(results: list[GradientResult]) -> VerdictRecord:
    """Say how many derivatives agree."""
    passed = sum(result.passed for result in results)
    worst = max(result.relative_error for result in results)
    return VerdictRecord(
        sentence=f"{passed} of {len(results)} gradient checks pass; the largest relative error is {worst:.1e}.",
        kind="finding" if passed == len(results) else "caution",
        evidence={"passed": passed, "cases": len(results), "worst": worst},
    )
