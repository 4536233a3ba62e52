"""A network: an immutable description of layers; its weights are passed in and handed back.

forward:   A_0 = X;  Z_l = A_(l-1) W_l + b_l;  A_l = f_l(Z_l)
backward:  delta_L = dL/dZ_L from the loss;  dW_l = A_(l-1)' delta_l;  db_l = sum delta_l;
           dA_(l-1) = delta_l W_l';  delta_(l-1) = dA_(l-1) * f'(Z_(l-1))

for dense layers; every kind of layer says in its own module what takes the place of A W.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import ConfigError, ShapeError, one_line
from chainrule.nn._base import DropoutStream, Forward, Layer, fit_layers, whole_number
from chainrule.nn._describe import describe_layer, layer_from_description, summary_table
from chainrule.nn._parameters import ParameterSlot, make_slots, pack, unpack
from chainrule.nn._pieces import in_pieces
from chainrule.nn._types import Array, Params
from chainrule.nn.activations import Activation
from chainrule.nn.batch_norm import BatchNorm
from chainrule.nn.dense import Dense
from chainrule.nn.dropout import Dropout
from chainrule.nn.losses import Loss, loss_value, output_delta
from chainrule.nn.losses import loss as find_loss
from chainrule.nn.normalize import Standardize
from chainrule.nn.trace import Trace, trace_step
from chainrule.spec import require

__all__ = ["Forward", "Network", "ParameterSlot"]

_ROW = "end with Flatten, or a global pooling, and a dense layer"


@dataclass(frozen=True)
class Network:
    """Layers in order, and the shape of one input once it is known.

    Parameters
    ----------
    layers : tuple of Layer
        At least one; only the last may leave its units or activation open, for `bind`.
    input_shape : tuple of int, optional
        The feature axes of the input, e.g. (2,).

    Raises
    ------
    ConfigError
        If there is no layer, the last one is dropout, or an inner layer is open.
    ShapeError
        If a layer cannot take what the layer below gives.
    """

    layers: tuple[Layer, ...]
    input_shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        require(len(self.layers) > 0, "a network needs at least one layer")
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise ConfigError(f"a network is made of layers, got {one_line(repr(layer))}")
        require(
            not isinstance(self.layers[-1], Dropout), "dropout cannot be the last layer: its outputs would be noise"
        )
        for layer in self.layers[:-1]:
            require(not _is_open(layer), "only the last layer may leave its units or activation open")
        if self.input_shape is not None:
            shape = tuple(whole_number(size, "a feature axis") for size in self.input_shape)
            object.__setattr__(self, "input_shape", shape)
            if self.bound:
                object.__setattr__(self, "layers", fit_layers(self.layers, shape))

    # -- binding to data ---------------------------------------------------------------------------

    @property
    def bound(self) -> bool:
        """Whether input shape, output units and output activation are all known."""
        return self.input_shape is not None and not _is_open(self.layers[-1])

    def bind(
        self, n_features: int | tuple[int, ...], n_outputs: int | None = None, output_activation: str | None = None
    ) -> Network:
        """Return the network for given data: input shape, and the output layer's open units and activation.

        Parameters
        ----------
        n_features : int or tuple of int
            Features of one sample: their number, or (height, width, channels) of an image. A network that begins with
            a layer for sequences takes a number of features as a sequence of one channel, unless the network was
            written with its own ``input_shape``, such as (length, channels), of as many numbers.
        n_outputs : int, optional
            Outputs that the targets ask for.
        output_activation : str, optional
            Activation for an output layer that left its own open.

        Raises
        ------
        ShapeError
            If the network was built for other sizes; both are named.
        """
        shape = self._shape_for(n_features)
        if self.input_shape is not None and self.input_shape != shape:
            raise ShapeError(f"the network takes inputs of shape {self.input_shape}, the data have {shape}")
        last = self.layers[-1]
        if isinstance(last, Dense):
            last = dataclasses.replace(
                last,
                units=n_outputs if last.units is None else last.units,
                activation=output_activation if last.activation is None else last.activation,
            )
        network = Network((*self.layers[:-1], last), shape)
        if n_outputs is not None and network.output_shape != (n_outputs,):
            advice = f": {_ROW}" if len(network.output_shape) > 1 else ""
            raise ShapeError(
                f"the network gives outputs of shape {network.output_shape}, the targets have ({n_outputs},){advice}"
            )
        return network

    @property
    def input_axes(self) -> int | None:
        """Feature axes that the first particular layer takes: 1 for dense, 2 for sequences, 3 for images."""
        return next((layer.input_axes for layer in self.layers if layer.input_axes is not None), None)

    def _shape_for(self, features: int | tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one input as the first layer wants it."""
        shape = features if isinstance(features, tuple) else (features,)
        wanted, own = self.input_axes, self.input_shape
        if own is not None and len(shape) == 1 and math.prod(own) == shape[0]:  # rows of what it was written for
            return own
        if wanted is None or wanted == len(shape):
            return shape
        if wanted == 1:
            return (math.prod(shape),)
        if wanted == 2 and len(shape) == 1:
            return (*shape, 1)
        if wanted == 2:
            raise ShapeError(
                f"the network's first layer takes sequences (length, channels), the data have features {shape}: use "
                "conv2d and its poolings for images"
            )
        raise ShapeError(
            f"the network's first layer takes images (height, width, channels), the data have features {shape}: use "
            "image data (with an image_shape), or begin with conv1d or dense layers"
        )

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The feature axes before the first layer and after each one."""
        if self.input_shape is None or not self.bound:
            raise ConfigError("the network is not bound to data yet: call network.bind(n_features, n_outputs, ...)")
        shapes = [self.input_shape]
        for layer in self.layers:
            shapes.append(layer.output_shape(shapes[-1]))
        return tuple(shapes)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The feature axes of the output, e.g. (1,)."""
        return self.shapes[-1]

    @property
    def output_activation(self) -> Activation:
        """The activation of the last layer."""
        return self.layers[-1].act

    @cached_property
    def has_dropout(self) -> bool:
        """Whether training draws random masks, so that it differs from inference."""
        return any(isinstance(layer, Dropout) for layer in self.layers)

    @cached_property
    def has_running(self) -> bool:
        """Whether some weights are running averages, so that training differs from inference."""
        return any(isinstance(layer, BatchNorm) for layer in self.layers)

    # -- parameters --------------------------------------------------------------------------------

    @cached_property
    def slots(self) -> tuple[ParameterSlot, ...]:
        """Every weight array's place in the flat parameter vector, layer by layer, W before b."""
        return make_slots(self.layers, self.shapes[:-1])

    @property
    def n_parameters(self) -> int:
        """Number of weights of one member."""
        return self.slots[-1].slice.stop if self.slots else 0

    def init(self, rng: np.random.Generator) -> Params:
        """Draw the float64 weights of one member, layer by layer."""
        return tuple(layer.init(rng, shape) for layer, shape in zip(self.layers, self.shapes[:-1], strict=True))

    def pack(self, params: Params) -> Array:
        """Return the weights as one flat array (..., P), in the order of `slots`."""
        return pack(self.slots, params)

    def unpack(self, theta: Array) -> Params:
        """Return the weights in a flat array (..., P) as views: writing to `theta` writes to them."""
        return unpack(self.slots, theta, len(self.layers))

    # -- computation -------------------------------------------------------------------------------

    def forward(
        self, params: Params, X: npt.ArrayLike, dropout: DropoutStream | None = None, training: bool = False
    ) -> Forward:
        """Compute every layer's Z and A.

        Parameters
        ----------
        params : Params
            The weights, with or without member axis.
        X : array (n, d) or (m, n, d)
            Samples; without member axis they are shared by all members. Images and sequences may be given as rows,
            (n, height * width * channels).
        dropout : generator or sequence of generators, optional
            Where dropout draws from (one for each member); None means inference.
        training : bool
            Whether the pass belongs to a training step, in which layers use the statistics of the batch.

        Raises
        ------
        ShapeError
            If the samples do not have the network's number of features, or its members.
        """
        A = self._checked_input(params, X, dropout)
        records = []
        for layer, weights in zip(self.layers, params, strict=True):
            records.append(layer.forward(weights, A, dropout, training))
            A = records[-1].A
        return Forward(tuple(records))

    def backward(self, params: Params, forward: Forward, delta_out: Array) -> Params:
        """Return dL/d(weights), without penalties, from delta_out = dL/dZ of the output layer."""
        return self._backward(params, forward, delta_out)[0]

    def input_gradient(self, params: Params, forward: Forward, delta_out: Array) -> Array:
        """Return dL/dX, (..., n, *input_shape), from delta_out = dL/dZ of the output layer."""
        _, delta = self._backward(params, forward, delta_out)
        return self.layers[0].input_gradient(params[0], forward.records[0], delta)

    def _backward(self, params: Params, forward: Forward, delta: Array) -> tuple[Params, Array]:
        """Go back layer by layer; return the weights' gradients and the first layer's delta."""
        grads: list[dict[str, Array]] = [{} for _ in self.layers]
        for i in range(len(self.layers) - 1, 0, -1):
            dA, grads[i] = self.layers[i].backward(params[i], forward.records[i], delta)
            delta = self.layers[i - 1].delta(forward.records[i - 1], dA)
        grads[0] = self.layers[0].parameter_gradients(params[0], forward.records[0], delta)
        return tuple(grads), delta

    def loss_and_gradients(
        self,
        params: Params,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        loss: str | Loss,
        weight: npt.ArrayLike | None = None,
        dropout: DropoutStream | None = None,
    ) -> tuple[Array, Params, Forward]:
        """Return the loss with penalties, its gradients by the weights, and the forward pass.

        Parameters
        ----------
        params, X, dropout
            As `forward` takes them.
        Y, weight : array
            Targets and optional sample weights, as `Loss.value` takes them.
        loss : str or Loss
            The loss or its spec.

        Returns
        -------
        loss : array (...)
            One loss for each member.
        grads : Params
            Of the shapes of `params`.
        forward : Forward
            The forward pass that led there.
        """
        forward = self.forward(params, X, dropout, training=True)
        return (*self.gradients(params, forward, Y, loss, weight), forward)

    def gradients(
        self,
        params: Params,
        forward: Forward,
        Y: npt.ArrayLike,
        loss: str | Loss,
        weight: npt.ArrayLike | None = None,
    ) -> tuple[Array, Params]:
        """Return the loss with penalties and its gradients, from a forward pass already made.

        Parameters and results are those of `loss_and_gradients`.
        """
        loss = find_loss(loss)
        act = self.output_activation
        if len(self.output_shape) != 1:
            raise ShapeError(f"a loss is of outputs in a row, the network gives {self.output_shape}: {_ROW}")
        value = loss_value(loss, act, forward.Z, forward.A, Y, weight)
        grads = self.backward(params, forward, output_delta(loss, act, forward.Z, forward.A, Y, weight))
        return self._with_penalties(params, value, grads)

    def running(self, params: Params, forward: Forward) -> Params:
        """Return the weights that are running averages, as they are after a training step with that forward pass."""
        layers = zip(self.layers, params, forward.records, strict=True)
        return tuple(layer.running(weights, record) for layer, weights, record in layers)

    def _with_penalties(self, params: Params, value: Array, grads: Params) -> tuple[Array, Params]:
        """Add the layers' penalties to the loss and their derivatives to the gradients."""
        for layer, weights, grad in zip(self.layers, params, grads, strict=True):
            if layer.penalised:
                value = value + layer.penalty(weights)
                for key, extra in layer.penalty_gradient(weights).items():
                    grad[key] = grad[key] + extra
        return value, grads

    def predict(self, params: Params, X: npt.ArrayLike) -> Array:
        """Return the network's outputs (..., n, k), without dropout."""
        whole_batch = any(isinstance(layer, Standardize) for layer in self.layers)  # its statistics are the batch's
        if whole_batch or len(self.shapes[0]) == 1:
            return self.forward(params, X).A
        A = self._checked_input(params, X, None)
        return in_pieces(lambda part: self.forward(params, part).A, A, self.shapes)

    def _checked_input(self, params: Params, X: npt.ArrayLike, dropout: DropoutStream | None) -> Array:
        """Return X as an array, after checking it and the dropout generators against network and weights."""
        A: Array = np.asarray(X)
        if A.dtype.kind in "biu":  # whole numbers take the weights' float type
            A = A.astype(next((array.dtype for layer in params for array in layer.values()), np.float64))
        shape = self.shapes[0]
        axes = len(shape) + 1
        fits, flat = A.shape[-len(shape) :] == shape, math.prod(shape)
        if not fits and A.ndim in (2, 3) and A.shape[-1] == flat:  # rows of pixels
            A, fits = A.reshape(*A.shape[:-1], *shape), True
        if A.ndim not in (axes, axes + 1) or not fits:
            wanted = ", ".join(map(str, shape))
            rows = f" or (n, {flat})" if axes > 2 else ""
            raise ShapeError(f"the network takes samples of shape (n, {wanted}){rows}, got {A.shape}")
        lead = self._member_axis(params)
        if A.ndim > axes and lead != A.shape[:1]:
            raise ShapeError(f"samples of shape {A.shape} do not fit weights with member axis {lead}")
        if dropout is not None:
            given = (len(dropout),) if isinstance(dropout, Sequence) else ()
            if given != lead:
                raise ShapeError(
                    f"dropout generators for member axis {given} do not fit weights with member axis {lead}"
                )
            A = np.broadcast_to(A, lead + A.shape[-axes:])  # shared samples, a mask for each member
        return A

    def _member_axis(self, params: Params) -> tuple[int, ...]:
        """Return (m,) for the weights of a population, () for those of one network."""
        if len(params) != len(self.layers):
            raise ShapeError(f"weights for {len(params)} layers do not fit a network of {len(self.layers)} layers")
        return self.slots[0].member_axis(params) if self.slots else ()

    # -- description -------------------------------------------------------------------------------

    def trace(self, params: Params, X: npt.ArrayLike, Y: npt.ArrayLike, loss: str | Loss) -> Trace:
        """Return every Z, A, delta, dW and db of one step (without dropout), by name; see `Trace`."""
        return trace_step(self.layers, params, self.forward(params, X, training=True), Y, find_loss(loss))

    def summary(self) -> str:
        """Return a plain-text table: layer, output shape, activation and parameters, with the total."""
        return summary_table(self.layers, self.shapes)

    def describe(self) -> dict[str, Any]:
        """Return the network as plain values that JSON can hold; `from_description` reads them back."""
        shape = None if self.input_shape is None else list(self.input_shape)
        return {"input_shape": shape, "layers": [describe_layer(layer) for layer in self.layers]}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Network:
        """Build the network that `describe` wrote down; raises `ConfigError` for anything else."""
        require(isinstance(description, Mapping), "a network's description is a table of input_shape and layers")
        unknown = sorted(set(map(str, description)) - {"input_shape", "layers"})
        require(not unknown, f"a network's description has no '{one_line(unknown[0])}'" if unknown else "")
        layers, shape = description.get("layers"), description.get("input_shape")
        require(shape is None or isinstance(shape, list | tuple), "input_shape must be a list of whole numbers")
        if not isinstance(layers, list | tuple):
            raise ConfigError("a network's description needs a list of layers")
        return cls(tuple(map(layer_from_description, layers)), None if shape is None else tuple(shape))


def _is_open(layer: Layer) -> bool:
    """Whether the layer leaves its units or activation to `bind`."""
    return isinstance(layer, Dense) and (layer.units is None or layer.activation is None)
