"""Loss and metrics of a population's weights on the training, validation and test parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.cohorts import Cohort
from chainrule.engines._cohort_data import Samples, gather
from chainrule.metrics import Metric, for_task, metric
from chainrule.nn import Array, Forward, Network, Params, Standardize, fix_statistics, loss, loss_value
from chainrule.optim import stopping_rule
from chainrule.population import TrainingConfig

# Evaluated at most this many samples at a time: hidden layers of a large set would not fit in memory. The number
# is the same for every population, because matrix products of other sizes may round otherwise.
SLICE = 2048
PREFIXES = {"train": "", "validation": "validation_", "test": "test_"}
"""What stands before the names of values that are measured on each part."""


class Evaluation:
    """Evaluates one cohort's network under one configuration.

    The loss it reports is that of the data: penalties on weights steer training but are not part of it, so
    that training and validation losses compare.
    """

    def __init__(self, network: Network, config: TrainingConfig, task: str) -> None:
        self.network = network
        # Samples that are standardised together have to be evaluated together.
        self.in_slices = not any(isinstance(layer, Standardize) for layer in network.layers)
        self.loss = loss(config.loss)
        wanted = [*for_task(task), *config.metrics]
        wanted += [name for spec in config.stopping for name in _monitored(spec)]
        self.metrics: dict[str, Metric] = {spec: metric(spec) for spec in dict.fromkeys(wanted)}

    def record(
        self, params: Params, train: Samples, validation: Samples | None
    ) -> tuple[dict[str, Array], Forward | None]:
        """Return loss and metrics (m,) by name, and the training forward pass if it was made in one piece."""
        values, forward = self._values(params, train, "")
        if validation is not None:
            values |= self._values(self._fixed(params, forward), validation, "validation_")[0]
        differs = self.network.has_dropout or self.network.has_running  # in training
        return values, None if differs else forward

    def _fixed(self, params: Params, forward: Forward | None) -> Params:
        """Return the weights as other samples meet them: normalised with the statistics of the training part."""
        if self.in_slices:
            return params
        assert forward is not None, "samples that are standardised together are evaluated together"
        return fix_statistics(params, forward)

    def _values(self, params: Params, samples: Samples, prefix: str) -> tuple[dict[str, Array], Forward | None]:
        """Return loss and metrics on one part, names prefixed."""
        Z, A, forward = self._outputs(params, samples)
        activation = self.network.output_activation
        values = {f"{prefix}loss": loss_value(self.loss, activation, Z, A, samples.Y, samples.weight)}
        Y = samples.Y if samples.Y.ndim == A.ndim else np.broadcast_to(samples.Y, A.shape)
        for name, part in self.metrics.items():
            values[prefix + name] = part.value(A, Y)
        return values, forward

    def _outputs(self, params: Params, samples: Samples) -> tuple[Array, Array, Forward | None]:
        """Return the output layer's Z and A (m, n, k) for all samples, computed in slices."""
        if samples.n <= SLICE or not self.in_slices:
            forward = self.network.forward(params, samples.X)
            return forward.Z, forward.A, forward
        pieces = [self._output(params, part) for part in samples.slices(SLICE)]
        Z, A = (np.concatenate(part, axis=-2) for part in zip(*pieces, strict=True))
        return Z, A, None

    def _output(self, params: Params, samples: Samples) -> tuple[Array, Array]:
        """Return the output layer's Z and A alone: whoever kept the layers below would keep them of every slice."""
        forward = self.network.forward(params, samples.X)
        return forward.Z, forward.A

    def finals(
        self, theta: Array, cohort: Cohort, parts: Sequence[str] = ("train", "validation", "test")
    ) -> tuple[list[dict[str, float]], Params | None]:
        """Return each member's loss and metrics on the parts named, for weights `theta` (m, P).

        Beside them the statistics of the training part that a network with normalising layers predicts with: for
        each layer its ``mean`` and ``scale`` (m, features), or nothing; None for any other network.
        """
        weights = params = self.network.unpack(theta)
        values: dict[str, Array] = {}
        for part, prefix in PREFIXES.items():
            if part not in parts:
                continue
            samples = gather(cohort, part)
            if samples is not None:
                more, forward = self._values(params, samples, prefix)
                values |= more
                params = self._fixed(params, forward) if part == "train" else params
        finals = [{name: float(column[k]) for name, column in values.items()} for k in range(len(cohort))]
        if self.in_slices:
            return finals, None
        added = ({k: v for k, v in new.items() if k not in old} for old, new in zip(weights, params, strict=True))
        return finals, tuple(added)


def _monitored(spec: str) -> list[str]:
    """Return the metrics that a stopping rule watches, without the part they are measured on."""
    names = [name.removeprefix("validation_") for name in stopping_rule(spec).needs]
    return [name for name in names if name != "loss"]
