"""`chainrule train`: one setting from many seeds, as the reports print it, with a success rate."""

from __future__ import annotations

import dataclasses

import typer

from chainrule.cli import _train_options as o
from chainrule.cli._console import Output
from chainrule.cli._help import Command, train_epilog
from chainrule.population import TrainingConfig

_D = TrainingConfig()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command.telling(train_epilog))(train)


def train(
    data: o.Data = "xor",
    target: o.Target = None,
    missing: o.Missing = None,
    data_dir: o.DataDir = None,
    validation: o.Validation = _D.validation,
    test: o.Test = _D.test,
    stratify: o.Stratify = _D.stratify,
    class_weight: o.ClassWeight = None,
    hidden: o.Hidden = None,
    layers: o.Layers = None,
    activation: o.ActivationName = None,
    output: o.OutputName = None,
    weight_init: o.WeightInit = None,
    bias_init: o.BiasInit = "zeros",
    no_bias: o.NoBias = False,
    dropout: o.DropoutRate = 0.0,
    l1: o.L1 = 0.0,
    l2: o.L2 = 0.0,
    normalize: o.Normalize = False,
    loss: o.LossName = None,
    optimizer: o.OptimizerName = None,
    lr: o.Rates = None,
    schedule: o.ScheduleName = _D.schedule,
    batch: o.Batch = None,
    epochs: o.Epochs = None,
    stop: o.Stop = None,
    no_shuffle: o.NoShuffle = False,
    augment: o.Augment = None,
    clip_norm: o.ClipNorm = None,
    clip_value: o.ClipValue = None,
    dtype: o.Dtype = None,
    engine: o.EngineName = "auto",
    threads: o.Threads = None,
    memory: o.Memory = None,
    certify: o.Certify = False,
    seeds: o.Seeds = None,
    seed_list: o.SeedList = None,
    show_seed: o.ShowSeed = None,
    success: o.Success = None,
    metric: o.Metric = None,
    log_every: o.LogEvery = None,
    window: o.Window = _D.window,
    out: o.Out = "chainrule-run",
    no_pictures: o.NoPictures = False,
    quiet: o.Quiet = False,
    as_json: o.Json = False,
) -> None:
    """Train a network from many seeds and say how often it succeeds.

    Prints loss and accuracy over the epochs, the predictions of one seed, and
    the share of seeds that succeeded with its exact 95 % interval. Saves
    settings, weights, histories and pictures.
    """
    options = dict(locals())
    from chainrule.cli._request import Request, make_plan
    from chainrule.cli._settings import fill_defaults
    from chainrule.cli._training import carry_out

    options = fill_defaults(options)
    request = Request(**{field.name: options[field.name] for field in dataclasses.fields(Request)})
    carry_out(make_plan(request), Output(quiet, as_json))
