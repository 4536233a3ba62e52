"""One step of learning, every number by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy.typing as npt

from chainrule.nn._base import Forward, Layer, LayerRecord
from chainrule.nn._types import Array, Params
from chainrule.nn.conv import Conv1D, Conv2D
from chainrule.nn.losses import Loss, loss_value, output_delta
from chainrule.spec import spec_of


@dataclass(frozen=True)
class TraceStep:
    """One line of the derivation: a name, the formula it comes from, and its value."""

    name: str
    formula: str
    value: Array


class Trace(Mapping[str, Array]):
    """The arrays of one step, forward and back, by name and in the order of computation.

    With L affine layers: ``X``, ``Z1``, ``A1``, ..., ``ZL``, ``AL``, ``loss``, ``deltaL``, ``dWL``, ``dbL``,
    ``dA(L-1)``, ``delta(L-1)``, ..., ``dW1``, ``db1``. ``dAL`` comes before ``deltaL`` only where loss and output
    activation have no common form in the logits. A layer without weights takes the number of the affine layer
    below it and its own name: ``Z1_standardize``, ``A1_dropout``, ``dgamma1_batch_norm``. ``patches`` are the inputs of
    every window of a convolution, one row a window.
    """

    def __init__(self, steps: Sequence[TraceStep]) -> None:
        self._steps = {step.name: step for step in steps}

    def __getitem__(self, name: str) -> Array:
        return self._steps[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __repr__(self) -> str:
        return f"Trace({', '.join(f'{name} {step.value.shape}' for name, step in self._steps.items())})"

    def steps(self) -> tuple[TraceStep, ...]:
        """Return every step with its formula, in the order of computation."""
        return tuple(self._steps.values())


def trace_step(layers: Sequence[Layer], params: Params, forward: Forward, Y: npt.ArrayLike, loss: Loss) -> Trace:
    """Retell a forward pass by name and go back through it; see `Trace`.

    Parameters
    ----------
    layers, params, forward
        The network's layers, their weights and a forward pass.
    Y : array
        Targets, as `Loss.value` takes them.
    loss : Loss
        The loss; penalties are added to it and to the gradients.
    """
    labels, records = _labels(layers), forward.records
    steps = [TraceStep("X", "the samples", records[0].A_in)]
    below = "X"
    for layer, record, label in zip(layers, records, labels, strict=True):
        steps.append(TraceStep(f"Z{label}", _forward_formula(layer, below, label), record.Z))
        steps.append(TraceStep(f"A{label}", f"{layer.act.name}(Z{label})", record.A))
        below = f"A{label}"
    steps += _output_steps(layers, params, records[-1], labels[-1], Y, loss)
    delta = steps[-1].value
    for i in range(len(layers) - 1, -1, -1):
        steps += _gradient_steps(layers[i], params[i], records[i], labels[i], labels[i - 1] if i else None, delta)
        if i > 0:
            dA = layers[i].input_gradient(params[i], records[i], delta)
            delta = layers[i - 1].delta(records[i - 1], dA)
            steps.append(TraceStep(f"dA{labels[i - 1]}", _back_formula(layers[i], labels[i]), dA))
            steps.append(TraceStep(f"delta{labels[i - 1]}", _delta_formula(layers[i - 1], labels[i - 1]), delta))
    return Trace(steps)


def _labels(layers: Sequence[Layer]) -> list[str]:
    """Number the affine layers from 1; the others take the number below and their own name."""
    labels: list[str] = []
    number = 0
    for layer in layers:
        number += layer.affine
        label = str(number) if layer.affine else f"{number}_{layer.name}"
        labels.append(label + "'" * sum(label == other.rstrip("'") for other in labels))
    return labels


def _output_steps(
    layers: Sequence[Layer], params: Params, record: LayerRecord, label: str, Y: npt.ArrayLike, loss: Loss
) -> list[TraceStep]:
    """Return the loss, and dL/dZ of the output layer with dL/dA before it where the chain rule takes two steps."""
    act = layers[-1].act
    value = loss_value(loss, act, record.Z, record.A, Y)
    formula = f"{spec_of(loss)} of A{label} and Y"
    for layer, weights in zip(layers, params, strict=True):
        if layer.penalised:
            value = value + layer.penalty(weights)
    if any(layer.penalised for layer in layers):
        formula += " + penalties"
    steps = [TraceStep("loss", formula, value)]
    delta = output_delta(loss, act, record.Z, record.A, Y)
    if act.name == loss.pairs_with:
        formula = f"derivative of {loss.name} by the logits Z{label}: A{label} - Y, scaled"
    else:
        formula = _delta_formula(layers[-1], label)
        steps.append(TraceStep(f"dA{label}", f"derivative of {loss.name} by A{label}", loss.gradient(record.A, Y)))
    return [*steps, TraceStep(f"delta{label}", formula, delta)]


def _gradient_steps(
    layer: Layer, params: dict[str, Array], record: LayerRecord, label: str, below: str | None, delta: Array
) -> list[TraceStep]:
    """Return dW and db of one layer, with the derivative of its penalty."""
    A_in = "X" if below is None else f"A{below}"
    extra, follow = layer.penalty_gradient(params), layer.running(params, record)
    formulas = _weight_formulas(layer, A_in, label)
    steps = []
    for key, grad in layer.parameter_gradients(params, record, delta).items():
        if key in follow:
            continue  # no derivative moves a running average
        formula = formulas.get(key, f"derivative by {key}{label}")
        if key in extra:
            grad, formula = grad + extra[key], formula + " + penalty"
        steps.append(TraceStep(f"d{key}{label}", formula, grad))
    return steps


def _by_windows(layer: Layer) -> bool:
    """Whether the layer is a dense one for every window: a convolution."""
    return isinstance(layer, Conv1D | Conv2D)


def _weight_formulas(layer: Layer, A_in: str, label: str) -> dict[str, str]:
    """Say how the gradients of a layer's weights come from its input and delta."""
    delta = f"delta{label}"
    if not layer.affine:
        return {"gamma": f"sum of {delta} * normalised {A_in}", "beta": f"sum of {delta}"}
    if _by_windows(layer):
        return {"W": f"patches({A_in})' {delta}", "b": f"sum of {delta} over the samples and places"}
    return {"W": f"{A_in}' {delta}", "b": f"sum of {delta} over the samples"}


def _forward_formula(layer: Layer, below: str, label: str) -> str:
    """Say how Z comes from what is below."""
    if not layer.affine:
        return f"{layer.name}({below})"
    product = f"patches({below}) W{label}" if _by_windows(layer) else f"{below} W{label}"
    return product + (f" + b{label}" if getattr(layer, "bias", True) else "")


def _back_formula(layer: Layer, label: str) -> str:
    """Say how dA of the layer below comes from this layer's delta."""
    if not layer.affine:
        return f"delta{label}, back through {layer.name}"
    product = f"delta{label} W{label}'"
    return f"{product}, summed over the windows that share an input" if _by_windows(layer) else product


def _delta_formula(layer: Layer, label: str) -> str:
    """Say how delta comes from dA."""
    if layer.act.name == "identity":
        return f"dA{label}"
    if not layer.act.elementwise:
        return f"dA{label}, back through {layer.act.name}"
    return f"dA{label} * {layer.act.name}'(Z{label})"
