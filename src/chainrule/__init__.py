"""A neural-network laboratory: small networks, hand-derived backpropagation, and answers with error bars."""

from typing import TYPE_CHECKING

from chainrule.certificate import Certificate
from chainrule.data import Dataset, load, load_table
from chainrule.errors import ChainruleError
from chainrule.nn import Dense, Dropout, Network, mlp, parse_layers
from chainrule.population import Member, TrainingConfig
from chainrule.runs import Run, Runs
from chainrule.training import certify, train, train_members

if TYPE_CHECKING:
    from chainrule.experiments.store import Store
    from chainrule.experiments.sweeps.experiment import Experiment
    from chainrule.experiments.verdicts.compare import compare

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "ChainruleError",
    "Dataset",
    "Dense",
    "Dropout",
    "Experiment",
    "Member",
    "Network",
    "Run",
    "Runs",
    "Store",
    "TrainingConfig",
    "__version__",
    "certify",
    "compare",
    "load",
    "load_table",
    "mlp",
    "parse_layers",
    "train",
    "train_members",
]

_LAZY = {
    "Experiment": "chainrule.experiments.sweeps.experiment",
    "Store": "chainrule.experiments.store",
    "compare": "chainrule.experiments.verdicts.compare",
}
"""Names that are loaded on first use, because what they need is slow to import."""


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
