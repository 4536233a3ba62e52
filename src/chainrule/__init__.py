"""A neural-network laboratory: small networks, hand-derived backpropagation, and answers with error bars."""

from chainrule.certificate import Certificate
from chainrule.data import Dataset, load, load_table
from chainrule.errors import ChainruleError
from chainrule.nn import Dense, Dropout, Network, mlp
from chainrule.population import Member, TrainingConfig
from chainrule.runs import Run, Runs
from chainrule.training import certify, train, train_members

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "ChainruleError",
    "Dataset",
    "Dense",
    "Dropout",
    "Member",
    "Network",
    "Run",
    "Runs",
    "TrainingConfig",
    "__version__",
    "certify",
    "load",
    "load_table",
    "mlp",
    "train",
    "train_members",
]
