"""The options of `chainrule train`, in the order and the groups in which its help lists them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chainrule.cli._options import ENGINE, JSON, MEMORY, MISSING, QUIET, THREADS

_NETWORK, _DATA, _TRAINING, _MACHINE = "Network", "Data", "Training", "Engine and machine"
_JUDGING, _OUTPUT = "Seeds and success", "Output"


def _option(group: str, *names: str, metavar: str = "", text: str) -> Any:
    """Return an option of a group; a default in the text is written by hand where the value itself says little."""
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=group)


Data = Annotated[
    str,
    _option(
        _DATA,
        "--data",
        metavar="SPEC",
        text="A data set (`chainrule data` lists them) such as xor or linear(n=200), or a table: FILE?target=COLUMN.",
    ),
]
Target = Annotated[str | None, _option(_DATA, "--target", metavar="COLUMN", text="For a table: the column to predict.")]
Missing = Annotated[str | None, _option(_DATA, "--missing", metavar="error|impute", text=MISSING)]
DataDir = Annotated[
    str | None,
    _option(
        _DATA,
        "--data-dir",
        metavar="DIR",
        text="Where MNIST's files (or a table) are looked for first; then $CHAINRULE_DATA, then the user's cache.",
    ),
]
Validation = Annotated[
    float,
    _option(_DATA, "--validation", metavar="SHARE", text="Share of the rows held out and measured while training."),
]
Test = Annotated[
    float, _option(_DATA, "--test", metavar="SHARE", text="Share of the rows held out and measured at the end.")
]
Stratify = Annotated[bool, _option(_DATA, "--stratify", text="Keep the class shares equal in these parts.")]
ClassWeight = Annotated[
    str | None,
    _option(
        _DATA,
        "--class-weight",
        metavar="balanced|C=W,..",
        text="Weights of the classes in the training loss: balanced weighs rare ones up, 0=1,1=3 names them.",
    ),
]

Hidden = Annotated[
    str | None,
    _option(_NETWORK, "--hidden", metavar="N,N", text="Units of each hidden layer; none for no layer \\[default: 4,4]"),
]
Layers = Annotated[
    str | None,
    _option(
        _NETWORK,
        "--layers",
        metavar="TEXT",
        text="Instead of --hidden, e.g. 'conv 8 5, pool 2, dense 64': dense, conv, conv1d, pool, avgpool, globalpool, "
        "flatten; norm and dropout, which only the slower reference engine trains.",
    ),
]
ActivationName = Annotated[
    str | None,
    _option(
        _NETWORK,
        "--activation",
        metavar="SPEC",
        text="Of the hidden layers; identity means none \\[default: sigmoid; relu with --layers]",
    ),
]
OutputName = Annotated[
    str | None,
    _option(
        _NETWORK,
        "--output",
        metavar="SPEC",
        text="Of the output layer \\[default: sigmoid for two classes, softmax for more, identity for numbers]",
    ),
]
WeightInit = Annotated[
    str | None,
    _option(
        _NETWORK,
        "--weight-init",
        metavar="SPEC",
        text="Initial weights, e.g. normal(1.0) \\[default: he_normal for the relu family, else glorot_uniform]",
    ),
]
BiasInit = Annotated[str, _option(_NETWORK, "--bias-init", metavar="SPEC", text="Initial biases.")]
NoBias = Annotated[bool, _option(_NETWORK, "--no-bias", text="Leave the biases out.")]
DropoutRate = Annotated[
    float, _option(_NETWORK, "--dropout", metavar="RATE", text="Share of hidden units dropped in each step, below 1.")
]
L1 = Annotated[float, _option(_NETWORK, "--l1", metavar="X", text="Penalty X sum |w| added to the loss.")]
L2 = Annotated[float, _option(_NETWORK, "--l2", metavar="X", text="Penalty X/2 sum w^2 added to the loss.")]
Normalize = Annotated[
    bool,
    _option(
        _NETWORK,
        "--normalize",
        text="Standardise hidden pre-activations: over each batch in training, then as the training part was.",
    ),
]

LossName = Annotated[
    str | None,
    _option(
        _TRAINING,
        "--loss",
        metavar="SPEC",
        text="What is minimised; mse(reduction=sum) sums over the batch \\[default: mse; cross-entropy for layers over "
        "images]",
    ),
]
OptimizerName = Annotated[
    str | None,
    _option(
        _TRAINING,
        "--optimizer",
        metavar="SPEC",
        text="The step rule, e.g. momentum(0.9) \\[default: sgd; adam for layers over images]",
    ),
]
Rates = Annotated[
    str | None,
    _option(
        _TRAINING,
        "--lr",
        "--learning-rate",
        metavar="X[,X]",
        text="Learning rate, above 0; several (0.3,0.1) are trained side by side \\[default: 0.1; 0.001 for adam over "
        "images]",
    ),
]
ScheduleName = Annotated[
    str, _option(_TRAINING, "--schedule", metavar="SPEC", text="How the rate changes, e.g. step(500, 0.5).")
]
Batch = Annotated[
    str | None,
    _option(
        _TRAINING,
        "--batch",
        metavar="full|N",
        text="Samples per step: full, or N (1: single samples) \\[default: full; 64 for layers over images]",
    ),
]
Epochs = Annotated[
    int | None,
    _option(
        _TRAINING,
        "--epochs",
        metavar="N",
        text="Passes over the data at most; 0 only measures \\[default: 1000; 10 for 60,000 images, more for fewer]",
    ),
]
Stop = Annotated[
    list[str] | None,
    _option(
        _TRAINING,
        "--stop",
        metavar="RULE",
        text="Stop early, e.g. 'loss_below(0.001, times=3)'; repeatable, the first that holds wins.",
    ),
]
NoShuffle = Annotated[bool, _option(_TRAINING, "--no-shuffle", text="Keep the samples in their order in every epoch.")]
ClipNorm = Annotated[
    float | None, _option(_TRAINING, "--clip-norm", metavar="X", text="Largest norm of the gradient, above 0.")
]
ClipValue = Annotated[
    float | None, _option(_TRAINING, "--clip-value", metavar="X", text="Largest entry of the gradient, above 0.")
]
Dtype = Annotated[
    str | None,
    _option(
        _TRAINING,
        "--dtype",
        metavar="TYPE",
        text="float64 or float32 \\[default: float64; float32 for layers over images]",
    ),
]

EngineName = Annotated[str, _option(_MACHINE, "--engine", metavar="NAME", text=ENGINE)]
Threads = Annotated[int | None, _option(_MACHINE, "--threads", metavar="N", text=THREADS)]
Memory = Annotated[str | None, _option(_MACHINE, "--memory", metavar="SIZE", text=MEMORY)]
Certify = Annotated[
    bool, _option(_MACHINE, "--certify", text="Train the last network again, alone, and check that nothing differs.")
]

Seeds = Annotated[
    int | None,
    _option(_JUDGING, "--seeds", metavar="N", text="How many networks, from the seeds 0 to N-1 \\[default: 10]"),
]
SeedList = Annotated[
    str | None, _option(_JUDGING, "--seed-list", metavar="LIST", text="Which seeds instead, as 3,7,10-19.")
]
ShowSeed = Annotated[
    int | None,
    _option(_JUDGING, "--show-seed", metavar="K", text="The seed whose predictions are printed \\[default: the first]"),
]
Success = Annotated[
    str | None,
    _option(
        _JUDGING,
        "--success",
        metavar="RULE",
        text="What counts as success: 'accuracy>=1.0', 'loss<=0.01', or converged (a stopping rule held) \\[default: "
        "converged if --stop can converge, else validation_accuracy>=0.95 or accuracy>=0.99]",
    ),
]
Metric = Annotated[
    list[str] | None,
    _option(_JUDGING, "--metric", metavar="SPEC", text="Measure this too, e.g. 'tolerance_accuracy(0.1)'; repeatable."),
]

Augment = Annotated[
    list[str] | None,
    _option(
        _TRAINING,
        "--augment",
        metavar="SPEC",
        text="Change training samples at random each time: shift(2), rotate(10), noise(0.1); repeatable.",
    ),
]
LogEvery = Annotated[
    int | None,
    _option(_OUTPUT, "--log-every", metavar="N", text="Epochs between two printed lines \\[default: about ten lines]"),
]
Window = Annotated[
    int,
    _option(_OUTPUT, "--window", metavar="N", text="Also keep and draw the mean loss of every N steps; 0 for none."),
]
Out = Annotated[str, _option(_OUTPUT, "--out", metavar="DIR", text="Where the run and its pictures are saved.")]
NoPictures = Annotated[bool, _option(_OUTPUT, "--no-pictures", text="Draw nothing: saves a second or two.")]
Quiet = Annotated[bool, _option(_OUTPUT, "--quiet", "-q", text=QUIET)]
Json = Annotated[bool, _option(_OUTPUT, "--json", text=JSON)]
