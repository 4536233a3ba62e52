"""The recipe to start from: short, commented, right for the data, and done in seconds."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from chainrule.data import Dataset, DataSource

FULL_BATCH = 600
"""Data sets of at most so many samples are trained in full batches."""
SAMPLES = 30_000
"""Samples that a run sees in sum, roughly: keeps the whole in seconds."""
LARGE = 2_000_000
"""Numbers in a data set from which on a single epoch takes long: few runs then."""


@dataclass(frozen=True)
class _Advice:
    """What suits a data set."""

    loss: str
    hidden: str
    activation: str
    training: tuple[str, ...]
    rates: str
    seeds: int
    success: tuple[str, str]
    epochs: int


def starter_text(source: DataSource, data: str = "", file: str = "recipe.toml") -> str:
    """Return a commented recipe for a data set.

    Parameters
    ----------
    source : DataSource
        The data, from which loss, sizes and lengths are chosen.
    data : str
        How the recipe names them; the source's spec if left out.
    file : str
        Its name, for the commands that it shows.

    Returns
    -------
    str
        TOML that `chainrule.experiments.parse_recipe` accepts. Lines that begin with ``#`` and no blank are
        examples; each block of them may be put to use alone.

    Raises
    ------
    ChainruleError
        If the data cannot be drawn.
    """
    advice = _advice(source.draw(0))
    return _TEMPLATE.format(
        file=file,
        source=json.dumps(data or source.spec, ensure_ascii=False),
        hidden=advice.hidden,
        activation=advice.activation,
        loss=advice.loss,
        training="\n".join(advice.training),
        rates=advice.rates,
        seeds=advice.seeds,
        metric=advice.success[0],
        bound=advice.success[1],
        quick_epochs=max(advice.epochs // 5, 1),
        batch_example="" if any(line.startswith("batch_size") for line in advice.training) else "\n#batch_size = 16",
    )


def _advice(data: Dataset) -> _Advice:
    loss, metric, bound = {
        "binary": ("binary_cross_entropy", "accuracy", "at_least = 0.95"),
        "multiclass": ("softmax_cross_entropy", "accuracy", "at_least = 0.9"),
        "regression": ("mse", "loss", f"at_most = {_fifth_of_variance(data)}"),
    }[data.task]
    large = data.X.size > LARGE
    full = data.n <= FULL_BATCH
    epochs = 500 if full else max(SAMPLES // data.n, 1)
    training = [f"epochs = {epochs}"]
    if epochs >= 100:
        training.append("log_every = 10               # epochs between two points of the curves")
    if not full:
        training.append("batch_size = 32")
    held_out = data.n >= 50
    if held_out:
        training.append("validation = 0.2              # share held out, drawn from the seed")
    return _Advice(
        loss,
        hidden="[4]" if data.n_features <= 10 else "[16]",
        activation="tanh" if data.n_features <= 10 else "relu",
        training=tuple(training),
        rates="[0.1]" if large else "{ from = 0.01, to = 1.0, per_decade = 1 }",
        seeds=2 if large else 10,
        success=(f"validation_{metric}" if held_out else metric, bound),
        epochs=epochs,
    )


def _fifth_of_variance(data: Dataset) -> str:
    """Return the mean squared error that explains four fifths of the targets' variance."""
    return (
        f"{0.2 * float(np.var(data.y.astype(np.float64), axis=0).mean()):.2g}       # a fifth of the targets' variance"
    )


_TEMPLATE = """\
# A recipe: what is trained, what varies, from how many seeds, and what you want to know.
#
#   chainrule recipe check {file}    is it right?
#   chainrule recipe show {file}     its cells, and how long they take here
#   chainrule sweep {file}           run it
#
# A line such as "#title = ..." is an example: remove its # to use it.

#title = "What this is about"
#about = "What a reader should know."

[data]
source = {source}               # `chainrule data` lists the data sets; a table: "iris.csv?target=species"

[network]
hidden = {hidden}                  # units of each hidden layer; [4, 4] is two layers
activation = "{activation}"
#weight_init = "normal(0.5)"
#dropout = 0.1

[training]
loss = "{loss}"
{training}{batch_example}
#stopping = ["target(0.99)"]   # ends a run that has learned; `chainrule train --help` lists all rules
#schedule = "cosine"

# What varies: the grid is the product of all axes. Keys have a dot, so they are quoted.
[axes]
"training.optimizer" = ["sgd", "momentum", "adam"]
"training.learning_rate" = {rates}
#"network.hidden" = [[2], [4], [4, 4]]
#"network.bias" = [true, false]
#"training.clip_norm" = {{ from = 0.5, to = 2.0, step = 0.5 }}

# A value inside a part's brackets is an axis too; this one exists only where the optimizer is momentum.
#"training.optimizer.beta" = {{ values = [0.5, 0.9], only = {{ "training.optimizer" = "momentum" }} }}

# Keys that move together: the first values, then the second, and so on.
#[[zipped]]
#"network.l2" = [0.0, 0.001]
#"network.bias_init" = ["zeros", "normal(0.1)"]

[seeds]
count = {seeds}                    # each cell is trained from so many seeds
quick = 2                     # `--quick` takes fewer

# When a run counts as a success.
[success]
metric = "{metric}"
{bound}

# What the sweep is to answer. A side with several cells stands for the best of them.
[[questions]]
ask = "compare"
a = {{ "training.optimizer" = "adam" }}
b = {{ "training.optimizer" = "momentum" }}
margin = 0.05                 # smaller differences do not matter

[[questions]]
ask = "importance"            # how much does each axis matter?

# What the quick run changes.
[quick]
"training.epochs" = {quick_epochs}
"""
