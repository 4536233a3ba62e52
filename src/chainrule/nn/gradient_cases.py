"""The rows of the gradient-check table: which networks, losses, batches and member axes are checked.

Three products make the table: every activation, output and loss over the layers that take features in a row; every
kind of layer for sequences and images over batches and member axes; and rows for the parts' own numbers, reductions,
weights and class targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chainrule.nn._base import Layer
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.batch_norm import BatchNorm
from chainrule.nn.conv import Conv1D, Conv2D
from chainrule.nn.dense import Dense
from chainrule.nn.dropout import Dropout
from chainrule.nn.network import Network
from chainrule.nn.normalize import Standardize
from chainrule.nn.pooling import AvgPool1D, AvgPool2D, MaxPool1D, MaxPool2D
from chainrule.nn.reshape import Flatten, GlobalAvgPool, GlobalMaxPool

LAYER_KINDS = ("dense", "dense without bias", "dense with l1 and l2", "dropout", "standardize")
"""Layers of features in a row: checked with every activation under every loss."""

FEATURES, SEQUENCE, IMAGE = (2,), (5, 2), (4, 5, 2)
Below = Callable[[str], tuple[Layer, ...]]
"""The layers below the output layer, for a hidden activation."""

_OPTIONS: dict[str, dict[str, object]] = {
    "": {},
    " with stride": {"stride": 2},
    " with padding same": {"padding": "same", "stride": 2},
    " with padding on one side": {"padding": ((2, 1),)},
    " with dilation": {"dilation": 2, "kernel": 2},
    " with groups": {"groups": 2, "filters": 4},
    " depthwise": {"groups": 2},
    " without bias": {"bias": False},
    " with l1 and l2": {"l1": 0.03, "l2": 0.05},
    " with all": {"kernel": 2, "stride": 2, "padding": ((1, 2),), "dilation": 2, "groups": 2, "filters": 4},
}


def _convolution(cls: type[Conv1D | Conv2D], options: dict[str, object]) -> Below:
    """Return a convolution with these options, its axes told apart where there are two."""
    values = {"filters": 2, "kernel": 3} | options
    if cls is Conv2D:
        values["kernel"] = (2, values["kernel"])
        if "padding" in options and options["padding"] != "same":
            values["padding"] = ((0, 1), *options["padding"])  # type: ignore[misc]
    return lambda act: (cls(activation=act, **values), Flatten())  # type: ignore[arg-type]


def _over_windows() -> Iterator[tuple[str, tuple[int, ...], Below]]:
    """Yield the poolings over windows, each after a convolution."""
    for axes, conv, pools in ((1, Conv1D, (MaxPool1D, AvgPool1D)), (2, Conv2D, (MaxPool2D, AvgPool2D))):
        shape = SEQUENCE if axes == 1 else IMAGE
        for pool in pools:
            for name, layer in (
                (pool.name, pool(2)),
                (f"{pool.name} with overlap", pool(3, stride=1)),
                (f"{pool.name} with padding", pool(2, stride=1, padding=((1, 0), (0, 1))[:axes])),
            ):
                # default arguments bind the values of this turn of the loop
                yield name, shape, lambda act, c=conv, p=layer: (c(2, 2, act, padding="same"), p, Flatten())  # type: ignore[misc]


def _kinds() -> Iterator[tuple[str, tuple[int, ...], Below]]:
    """Yield every kind of layer for sequences and images: name, shape of one sample, layers."""
    for cls, shape in ((Conv1D, SEQUENCE), (Conv2D, IMAGE)):
        for words, options in _OPTIONS.items():
            yield cls.name + words, shape, _convolution(cls, options)
    yield from _over_windows()
    yield "max_pool2d below all", IMAGE, lambda act: (MaxPool2D(2), Conv2D(2, (2, 1), act), Flatten())
    yield "flatten below all", IMAGE, lambda act: (Flatten(), Dense(3, act))
    for words, conv, shape in ((" of sequences", Conv1D, SEQUENCE), (" of images", Conv2D, IMAGE)):
        yield "global_avg_pool" + words, shape, lambda act, c=conv: (c(3, 2, act), GlobalAvgPool())  # type: ignore[misc]
        yield "global_max_pool" + words, shape, lambda act, c=conv: (c(3, 2, act), GlobalMaxPool())  # type: ignore[misc]
        yield (
            "batch_norm" + words,
            shape,
            lambda act, c=conv: (c(2, 2, bias=False), BatchNorm(act, eps=0.1), Flatten()),  # type: ignore[misc]
        )
        yield (
            "dropout of channels" + words,
            shape,
            lambda act, c=conv: (c(3, 2, act), Dropout(0.4, channels=True), Flatten()),  # type: ignore[misc]
        )
    yield "batch_norm", FEATURES, lambda act: (Dense(3), BatchNorm(act, eps=0.1))
    yield "batch_norm below all", IMAGE, lambda act: (BatchNorm(act, eps=0.1), Conv2D(2, 2), Flatten())


_IMAGE_ROWS = {name: (shape, below) for name, shape, below in _kinds()}
IMAGE_KINDS = tuple(_IMAGE_ROWS)
"""Layers of sequences and images, and batch normalisation."""

_ALL_ACTIVATIONS = ("conv1d", "conv2d", "batch_norm", "batch_norm of sequences", "batch_norm of images")


@dataclass(frozen=True)
class GradientCase:
    """One row of the table.

    Attributes
    ----------
    hidden, output, loss : str
        Specs of the hidden activation, the output activation and the loss.
    layer : str
        One of `LAYER_KINDS` or `IMAGE_KINDS`.
    n_samples : int
        Samples in the batch.
    members : int or None
        Size of the member axis; None for none.
    seed : int
        Where the point is drawn from.
    weighted : bool
        Whether the samples carry weights.
    classes : bool
        Whether the targets are class numbers instead of rows.
    shared : bool
        Whether the members share samples, targets and weights.
    """

    hidden: str
    output: str
    loss: str
    layer: str
    n_samples: int
    members: int | None
    seed: int = 0
    weighted: bool = False
    classes: bool = False
    shared: bool = False

    @property
    def name(self) -> str:
        """Say what is checked, in words."""
        extras = [word for word in ("weighted", "classes", "shared") if getattr(self, word)]
        axis = "no member axis" if self.members is None else f"{self.members} members"
        samples = "1 sample" if self.n_samples == 1 else f"{self.n_samples} samples"
        return ", ".join([f"{self.hidden} -> {self.output} + {self.loss}", self.layer, samples, axis, *extras])

    @property
    def network(self) -> Network:
        """The network of the row: small, with the row's kind of layer below 2 or 3 outputs."""
        if self.layer not in _IMAGE_ROWS:
            return Network(tuple(_layers(self)), FEATURES)
        shape, below = _IMAGE_ROWS[self.layer]
        return Network((*below(self.hidden), Dense(3 if self.output == "softmax" else 2, self.output)), shape)


def cases() -> list[GradientCase]:
    """Return every row: activation x valid loss pairing x layer x {1, many samples} x {member axis or not}.

    Each activation is checked as hidden activation before every loss, and as output activation under every loss
    that takes any output. Rows for sequences and images follow, then those for the parts' own numbers, reductions,
    weights and class targets.
    """
    rows = [
        GradientCase(hidden, output, loss_spec, layer, n, members)
        for hidden, output, loss_spec in _pairings()
        for layer in LAYER_KINDS
        for n in (1, 5)
        for members in (None, 2)
    ]
    return [*rows, *_image_rows(), *_extra_rows()]


def _pairings() -> Iterator[tuple[str, str, str]]:
    """Pair activations with losses: (hidden, output, loss)."""
    for name in ACTIVATIONS:
        for loss_spec in ("mse", "half_mse", "mae", "huber"):
            yield name, name, loss_spec
        yield name, "sigmoid", "binary_cross_entropy"
        yield name, "softmax", "softmax_cross_entropy"
        yield name, "sigmoid", "bce_eps_in_divisions"
    yield "tanh", "softmax", "binary_cross_entropy"
    yield "tanh", "softmax", "bce_eps_in_divisions"


def _image_rows() -> Iterator[GradientCase]:
    """Rows for sequences and images: every kind with a smooth activation, those of `_ALL_ACTIVATIONS` with each."""
    for kind in IMAGE_KINDS:
        activations = ["tanh"]
        if kind in _ALL_ACTIVATIONS:
            activations = [name for name in ACTIVATIONS if name != "softmax" or kind.startswith("batch_norm")]
        for hidden in activations:
            for n in (1, 3):
                for members, shared in ((None, False), (2, False), (2, True)):
                    output, loss_spec = ("identity", "mse") if n == 1 else ("softmax", "softmax_cross_entropy")
                    yield GradientCase(hidden, output, loss_spec, kind, n, members, shared=shared)


def _extra_rows() -> Iterator[GradientCase]:
    """Rows for what the products leave out."""
    both: tuple[int | None, ...] = (None, 2)
    for members in both:
        for spec in ("leaky_relu(slope=0.3)", "elu(alpha=0.7)"):
            yield GradientCase(spec, spec, "mse", "dense", 5, members)
        for output, name, values in (
            ("tanh", "mse", ""),
            ("tanh", "half_mse", ""),
            ("tanh", "mae", ""),
            ("tanh", "huber", "delta=0.3, "),
            ("sigmoid", "binary_cross_entropy", "scale=2, "),
            ("sigmoid", "bce_eps_in_divisions", ""),
            ("softmax", "softmax_cross_entropy", "label_smoothing=0.1, "),
        ):
            mean, total = (f"{name}({values}reduction={reduction})" for reduction in ("mean", "sum"))
            for n in (1, 5):
                yield GradientCase("tanh", output, total, "dense", n, members)
                yield GradientCase("tanh", output, total, "dense", n, members, weighted=True)
                yield GradientCase("tanh", output, mean, "dense", n, members, weighted=True)
        for layer in LAYER_KINDS:
            yield GradientCase("tanh", "softmax", "softmax_cross_entropy", layer, 5, members, classes=True)
            yield GradientCase("silu", "sigmoid", "mse", layer, 5, members, weighted=True, shared=True)


def _layers(case: GradientCase) -> Iterator[Layer]:
    """Yield the layers of a row's network of features in a row."""
    k = 3 if case.output == "softmax" else 2
    if case.layer == "dense without bias":
        yield Dense(3, case.hidden, bias=False)
        yield Dense(k, case.output, bias=False)
    elif case.layer == "dense with l1 and l2":
        yield Dense(3, case.hidden, l1=0.03, l2=0.05)
        yield Dense(k, case.output, l1=0.02, l2=0.04)
    elif case.layer == "standardize":
        yield Dense(3, "identity")
        yield Standardize(case.hidden)
        yield Dense(k, case.output)
    else:
        yield Dense(3, case.hidden)
        if case.layer == "dropout":
            yield Dropout(0.4)
        yield Dense(k, case.output)
