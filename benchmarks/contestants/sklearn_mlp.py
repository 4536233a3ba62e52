"""scikit-learn's MLPClassifier, started from our weights.

It has no squared error after a sigmoid: its classifier minimises the cross-entropy, for which it is given a work of
its own with that loss. It draws its own order of the samples, so it gets them in ours and shuffles nothing.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from benchmarks.contestants._base import Contestant, Losses
from benchmarks.contestants.numpy_loop import forward, loss_of
from benchmarks.work import Array, Work, join_layers

NAMES = {"sigmoid": "logistic", "tanh": "tanh", "relu": "relu", "identity": "identity"}


class SklearnMlp(Contestant):
    """One network; plain gradient descent without momentum, penalty or early stopping."""

    name = "scikit-learn"

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        assert len(work) == 1, "one network is made for one member"
        assert work.full_batch or work.epochs == 1, "it sees every epoch in the order of the first"
        assert work.loss in ("binary_cross_entropy", "softmax_cross_entropy"), "it has no other loss"
        order = np.arange(work.dataset.n) if work.full_batch else next(iter(work.orders.values()))[0]
        self.X = work.X[order]
        self.y = work.dataset.y[order]
        self.model: Any = None

    def _new(self) -> Any:
        """Return a model that holds the initial weights and has seen nothing."""
        from sklearn.neural_network import MLPClassifier

        work, shape = self.work, self.work.shapes[0]
        model = MLPClassifier(
            hidden_layer_sizes=shape.sizes[1:-1],
            activation=NAMES[shape.activations[0]],
            solver="sgd",
            alpha=0.0,
            batch_size=work.batch,
            learning_rate_init=float(work.rates[0]),
            momentum=0.0,
            nesterovs_momentum=False,
            max_iter=work.epochs,
            shuffle=False,
            tol=0.0,
            n_iter_no_change=work.epochs + 1,
            warm_start=True,
            random_state=0,
        )
        few = np.unique(self.y, return_index=True)[1]  # a sample of each class: it learns the shapes from them
        model.partial_fit(self.X[few], self.y[few], classes=np.unique(self.y))
        del model._optimizer
        layers = work.layers(0)
        model.coefs_ = [W.copy() for W, _ in layers]
        model.intercepts_ = [b.copy() for _, b in layers]
        model.n_iter_, model.t_, model.loss_curve_ = 0, 0, []
        model._no_improvement_count, model.best_loss_ = 0, np.inf
        return model

    def train(self) -> None:
        """Fit from the initial weights."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it did not converge, and that few samples are less than a batch
            self.model = self._new().fit(self.X, self.y)

    def evaluate(self, trained: bool) -> Losses:
        """Return the loss, in one pass over all samples (NumPy, as scikit-learn has none for given weights)."""
        work = self.work
        layers = self._layers() if trained else work.layers(0)
        with np.errstate(over="ignore"):
            return np.array([loss_of(work.loss, forward(work.shapes[0], layers, work.X)[-1], work.Y)])

    def weights(self) -> list[Array]:
        """Return the trained weights."""
        return [join_layers(self._layers())]

    def _layers(self) -> list[tuple[Array, Array]]:
        return list(zip(self.model.coefs_, self.model.intercepts_, strict=True))

    def about(self) -> str:
        """Say how many epochs it made."""
        return f"{self.model.n_iter_} epochs made"
