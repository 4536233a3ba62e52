"""Optimizers, learning-rate schedules and stopping rules."""

from chainrule.optim._base import Array, Optimizer, State
from chainrule.optim.as_written import AdamOverwritingMoments, ArrayNormalizedGradient, MomentumAscent
from chainrule.optim.clipping import clip_by_norm, clip_by_value
from chainrule.optim.optimizers import (
    OPTIMIZERS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    RMSprop,
    optimizer,
)
from chainrule.optim.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    LossRatio,
    Schedule,
    SelfMultiplying,
    StepDecay,
    Warmup,
    schedule,
)
from chainrule.optim.stopping import STOPPING_RULES, LossBelow, Patience, StoppingRule, Target, stopping_rule

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "SGD",
    "STOPPING_RULES",
    "Adagrad",
    "Adam",
    "AdamOverwritingMoments",
    "AdamW",
    "Array",
    "ArrayNormalizedGradient",
    "Constant",
    "Cosine",
    "Exponential",
    "LossBelow",
    "LossRatio",
    "Momentum",
    "MomentumAscent",
    "Nesterov",
    "Optimizer",
    "Patience",
    "RMSprop",
    "Schedule",
    "SelfMultiplying",
    "State",
    "StepDecay",
    "StoppingRule",
    "Target",
    "Warmup",
    "clip_by_norm",
    "clip_by_value",
    "optimizer",
    "schedule",
    "stopping_rule",
]
